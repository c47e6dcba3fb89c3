"""What others published: tables that belong together, and metadata by download."""

import hashlib
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from megalib.data import proof, published, splits
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import metrics
from tests.conftest import SHARED, needs_shared


def test_marked_datasets_are_saturated_or_were_corrected():
    table, marks = published.accuracies(), published.marks()
    largest = table["MegaDescriptor-L-384"]
    assert {name for name, sign in marks.items() if "*" in sign} == set(
        largest[largest >= 99].index
    )
    assert {name for name, sign in marks.items() if "†" in sign} == {
        "FriesianCattle2015",
        "BelugaID",
        "Cows2021",
        "NDD20",
    }
    assert [name for name, sign in marks.items() if "‡" in sign] == ["LionData"]
    assert all(sign in published.LEGEND for sign in published.MARKS.values())


def test_remarks_are_about_published_datasets_and_of_a_known_kind():
    remarks = published.remarks()
    assert set(remarks["dataset"]) <= set(published.accuracies().index)
    assert set(remarks["kind"]) == {"labels", "lead", "split", "saturated"}


def test_leads_within_the_interval_are_remarked():
    """L-224 above L-384: just on these datasets, and their intervals overlap."""
    counts = published.accuracies_long().pivot(index="dataset", columns="flavour")["n_correct"]
    sizes = published.accuracies_long().groupby("dataset")["n_test"].first()
    small, large = counts["MegaDescriptor-L-224"], counts["MegaDescriptor-L-384"]
    ahead = set(counts.index[small > large])
    remarks = published.remarks()
    assert ahead == set(remarks.loc[remarks["kind"] == "lead", "dataset"])
    for name in ahead:
        low, _ = metrics.wilson_interval(small[name], sizes[name])
        _, high = metrics.wilson_interval(large[name], sizes[name])
        assert low < high


def test_flavours_on_a_dataset_with_a_ceiling_are_right_equally_often():
    long = published.accuracies_long().query("dataset == 'FriesianCattle2015'")
    assert set(zip(long["n_correct"], long["n_test"], strict=True)) == {(44, 80)}


def test_durations_and_rates_of_the_authors_speak_of_the_same_images():
    """Rates are rounded to whole images per second."""
    table = published.inference()
    images = 3600 * table["hours"] * table["images_per_second"]
    assert images.max() / images.min() < 1.02
    assert set(table.index) < set(published.accuracies().columns)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, keeps no log, and counts what was asked for."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        """Count, then serve."""
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def server(tmp_path):
    """The address of a server, and the folder it serves."""
    root = tmp_path / "served"
    root.mkdir()
    Quiet.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", root
    server.shutdown()
    server.server_close()


def serve(root, dataset, content: bytes) -> None:
    (root / dataset).mkdir()
    (root / dataset / "metadata.csv").write_bytes(content)


@needs_shared
def test_a_baseline_that_the_paper_did_not_run_has_no_published_cell(tmp_path, monkeypatch):
    before, rows = published.baselines_long(), published.PUBLISHED / "baselines.csv"
    shutil.copytree(published.PUBLISHED, tmp_path / "published")
    own = "ResNet-50,resnet50,a1_in1k,224,256,0.5 0.5 0.5,0.5 0.5 0.5,\n"
    (tmp_path / "published" / rows.name).write_text(rows.read_text() + own)
    monkeypatch.setattr(published, "PUBLISHED", tmp_path / "published")
    assert published.baselines_long().equals(before)


def test_metadata_are_fetched_once_and_checked(server, run):
    address, root = server
    content = (SHARED / "published" / "metadata" / "StripeSpotter.csv").read_bytes()
    serve(root, "StripeSpotter", content)
    file = published.fetch_metadata("StripeSpotter", address)
    assert file.read_bytes() == content
    assert proof.compare_with_published("StripeSpotter", read_metadata(file)).startswith(
        "Identical"
    )
    assert published.fetch_metadata("StripeSpotter", address) == file
    assert Quiet.asked == ["/StripeSpotter/metadata.csv"]


@needs_shared
def test_one_command_proves_the_splits_of_all_published_metadata_it_can_fetch(server, run, capsys):
    address, root = server
    names = []
    for file in sorted((SHARED / "published" / "metadata").glob("*.csv")):
        serve(root, file.stem, file.read_bytes())
        names.append(file.stem)
    proof.main([*names, "--address", address])
    told = capsys.readouterr().out.splitlines()
    for name, line in zip(names, told, strict=False):
        assert line.startswith(f"{name}: Identical to the published split (")
    assert told[-1] == "6 of 6 identical"
    with pytest.raises(SystemExit) as ended:
        proof.main(["--address", address])
    told = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert len(told) == 28
    assert sum("404" in line for line in told) == 21
    assert told[-1] == "6 of 27 identical"


@needs_shared
def test_the_proof_fails_where_the_split_is_another(server, run, capsys, monkeypatch):
    file = SHARED / "published" / "metadata" / "StripeSpotter.csv"
    serve(server[1], "StripeSpotter", file.read_bytes())
    divide = splits.add_closed_set_split
    monkeypatch.setattr(
        proof, "add_closed_set_split", lambda rows, share, seed: divide(rows, share, seed + 1)
    )
    with pytest.raises(SystemExit):
        proof.main(["StripeSpotter", "--address", server[0]])
    assert "StripeSpotter: Differs from the published split" in capsys.readouterr().out


def test_another_content_than_the_published_one_is_refused_and_not_kept(server, run):
    address, root = server
    serve(root, "LionData", b",image_id,identity,path,split\n")
    with pytest.raises(UserError, match=r"cannot fetch the published metadata of LionData.*hash"):
        published.fetch_metadata("LionData", address)
    assert not published.metadata_file("LionData").exists()


def test_without_a_known_digest_it_is_said(server, run, capsys):
    address, root = server
    serve(root, "HappyWhale", b",image_id,identity,path,split\n0,1,a,b.jpg,train\n")
    assert len(read_metadata(published.fetch_metadata("HappyWhale", address))) == 1
    assert "no digest" in capsys.readouterr().out


@pytest.mark.parametrize("dataset", ["CTai", "BirdIndividualID"])
def test_a_file_that_is_not_there_is_told_in_one_line(server, run, dataset):
    with pytest.raises(UserError, match=f"{dataset}.*404") as caught:
        published.fetch_metadata(dataset, server[0])
    assert "\n" not in str(caught.value)
    assert not published.metadata_file(dataset).exists()


def test_a_server_that_does_not_answer_is_told(run):
    with pytest.raises(UserError, match="cannot fetch the published metadata of CTai"):
        published.fetch_metadata("CTai", "http://127.0.0.1:9")


def test_nothing_is_asked_for_a_dataset_without_publication(run):
    with pytest.raises(UserError, match="use metadata_source raw"):
        published.fetch_metadata("DemoZebra", "http://127.0.0.1:9")


def test_the_address_is_pinned_to_a_commit():
    assert published.METADATA_URL.split("/")[5] == "54449df"


@needs_shared
def test_digests_of_the_table_are_those_of_the_published_files():
    for file in (SHARED / "published" / "metadata").glob("*.csv"):
        fact = published.datasets().loc[file.stem, "metadata_sha256"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == fact
