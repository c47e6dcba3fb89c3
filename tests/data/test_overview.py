"""The tables of datasets: facts as published, and what a run holds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from megalib.data import overview, published
from megalib.files.places import Run
from tests import forks
from tests.conftest import SHARED, needs_shared, prepare, write_image


@pytest.fixture(scope="module")
def table():
    return overview.published_datasets()


def test_all_published_datasets_are_listed_with_their_counts(table):
    facts = published.datasets()
    assert set(table.index) == set(facts.index)
    known = table.dropna(subset="images")
    assert len(known) == 27
    assert known["images"].is_monotonic_decreasing
    parts = known["train"] + known["test"] + known["left out"]
    pd.testing.assert_series_equal(parts, known["images"], check_names=False)
    lions = table.loc["LionData"]
    assert (lions["species"], lions["images"], lions["individuals"]) == ("lions", 740, 94)
    assert lions["images each"] == pytest.approx(740 / 94)


def test_a_page_says_what_is_not_known_and_links_to_the_sources(table):
    assert (
        overview.counts(table).to_html().count("not known") == 2 * 5
    )  # their test sizes are known
    assert table.loc["NDD20", "species"] == "dolphins"
    assert table["species"].str.fullmatch("[a-z, ]+").all()
    html = overview.sources(table).to_html()
    paper = "https://ieeexplore.ieee.org/abstract/document/9311574"
    assert html.count(f'<a href="{paper}">dlamini2020automated</a>') == 2
    assert ">botswana2022</td>" in html  # without a paper
    assert '<a href="https://github.com/tvanzyl/wildlife_reidentification">open</a>' in html
    assert "CC BY" in html
    assert "a Kaggle account and the competition" in html
    assert "nan" not in html


def test_the_status_tells_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "runs"))
    run, pets = Run("test"), tmp_path / "pets"
    for number in range(4):
        write_image(pets / "Ada" / f"{number}.png", (40, 30), number)
    (pets / "Ada" / "broken.png").write_text("no image")
    own, names = {"Pets": str(pets)}, ["Pets", "LionData"]
    before = overview.status(run, tmp_path / "raw", names, own)
    assert before["downloaded"].tolist() == ["yes", "no"]
    assert before["prepared"].tolist() == before["verified"].tolist() == ["no", "no"]
    assert before[["images", "problems", "bytes"]].isna().all(axis=None)
    prepare(overview.catalogue.find("Pets", own), pets, run, sizes=[16, 20])
    table = overview.status(run, tmp_path / "raw", names, own)
    after = table.loc["Pets"]
    assert (after["access"], after["images"], after["problems"]) == ("your own", 4, 1)
    assert (after["prepared"], after["verified"]) == ("yes", "not known")
    files = list(run.images_root.rglob("*.png"))
    assert len(files) == 8
    assert after["bytes"] == sum(file.stat().st_size for file in files)
    assert after["split"] == "There is no published split of these pictures."
    html = overview.progress(table).to_html()
    assert "nan" not in html.lower()
    assert "&lt;na&gt;" not in html.lower() and "<na>" not in html.lower()
    assert f">{after['bytes'] / 1000:.2f}kB</td>" in html
    assert not re.search(r"\d\.\d{4}", html)


@needs_shared
@pytest.mark.parametrize(("lost", "verified"), [(0, "yes"), (3, "no")])
def test_published_metadata_that_were_put_there_by_hand_have_a_status(run, lost, verified):
    theirs = (SHARED / "published" / "metadata" / "LionData.csv").read_text().splitlines(True)
    file = run.metadata("LionData")
    file.parent.mkdir(parents=True)
    file.write_text("".join(theirs[: len(theirs) - lost]))
    row = overview.status(run, run.raw(), ["LionData", "CTai"]).loc["LionData"]
    assert (row["downloaded"], row["prepared"], row["verified"]) == ("no", "yes", verified)
    assert (row["images"], row["problems"], row["bytes"]) == (740 - lost, 0, 0)
    assert ("byte for byte" in row["split"]) == (not lost)


@pytest.mark.slow
def test_one_dataset_fails_and_the_others_finish_and_new_pictures_are_noticed(run, tmp_path):
    """The pipeline on a dataset that is not there, and on one's own pictures."""
    for number in range(4):
        write_image(tmp_path / "pets" / "Ada" / f"{number}.png", (40, 30), number)
    profile = {
        "profile": "test",
        "raw": str(tmp_path / "raw"),
        "datasets": ["LionData", "Pets"],
        "own": {"Pets": str(tmp_path / "pets")},
        "flavours": ["MegaDescriptor-T-224"],
    }
    (tmp_path / "pets.yaml").write_text(yaml.safe_dump(profile))
    here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    files = [str(run.metadata(name)) for name in profile["datasets"]]

    def snakemake(*options: str) -> subprocess.CompletedProcess[str]:
        command = ["snakemake", "--cores", "2", "--nolock"]
        command += ["--config", f"profile={tmp_path / 'pets.yaml'}", *options]
        return forks.run(forks.module, *command, **here)

    result = snakemake("--keep-going", "--", *files)
    assert result.returncode != 0
    assert "no raw images of LionData" in result.stderr
    state = overview.status(run, tmp_path / "raw", profile["datasets"], profile["own"])
    assert state["prepared"].tolist() == ["no", "yes"]
    assert state.loc["Pets", "images"] == 4
    again = snakemake("--dry-run", "--", files[1])
    assert "Nothing to be done" in again.stdout + again.stderr
    write_image(tmp_path / "pets" / "Ada" / "new.png", (40, 30), 9)
    assert "rule prepare:" in snakemake("--dry-run", "--", files[1]).stdout
