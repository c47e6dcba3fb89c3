import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.layers import set_fused_attn
from torchvision import transforms

from megalib import flavours
from megalib.data import published
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import results
from megalib.files.places import ROOT
from megalib.models import networks, tensors
from megalib.retrieval import features, inference, matching, search
from tests.conftest import SHARED, needs_shared, results_of, write_image

NAME, OTHER = "MegaDescriptor-T-224", "MegaDescriptor-S-224"
CPU = torch.device("cpu")


def test_one_row_per_image_in_order_and_the_mode_is_given_back(flavour, prepared):
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    data = tensors.ImageFiles(
        prepared.images(256, "DemoLeopard"), metadata["path"], tensors.inference_transform(flavour)
    )
    model = networks.untrained_network(flavour, 0).train()
    rows = features.extract(model, data, CPU, batch_size=4)
    assert model.training
    assert rows.dtype == np.float32
    assert rows.shape == (21, model.num_features)
    model.eval()
    for index in (0, 5, 20):
        with torch.inference_mode():
            alone = model(data[index][0][None])[0].numpy()
        np.testing.assert_allclose(rows[index], alone, atol=1e-5)


class Constant(torch.nn.Module):
    """Gives every image the same embedding."""

    num_features = 2

    def __init__(self, value):
        super().__init__()
        self.scale, self.value = torch.nn.Parameter(torch.tensor(1.0)), value

    def forward(self, pixels):
        if self.value is None:
            raise ValueError("no memory")
        embeddings = torch.ones(len(pixels), 2) * self.scale
        embeddings[-1] = self.value
        return embeddings


def test_features_that_are_no_numbers_are_not_passed_on(gallery):
    with pytest.raises(UserError, match=r"3 embeddings.*the first is that of images/8_8\.png"):
        features.extract(Constant(torch.nan), gallery, CPU, batch_size=9)
    part = torch.utils.data.Subset(gallery, range(5, 9))
    with pytest.raises(UserError, match=r"1 embeddings.*images/8_8\.png"):
        features.extract(Constant(torch.inf), part, CPU)


@pytest.mark.parametrize("value", [1.0, torch.nan, None])
def test_a_network_is_given_back_as_it_was(gallery, value):
    """Frozen parts stay frozen, and it can be trained, whether the extraction went well or not."""
    frozen = torch.nn.Sequential(torch.nn.Dropout(0.5))
    model = Constant(value)
    model.frozen, model.head = frozen.eval(), torch.nn.Dropout(0.1)
    assert (model.training, frozen.training, model.head.training) == (True, False, True)
    try:
        features.extract(model, gallery, CPU)
    except (UserError, ValueError):
        assert value != 1.0
    assert model.training and model.head.training
    assert not frozen.training and not frozen[0].training
    model.value = 2.0
    model(torch.zeros(3, 3, 8, 8)).sum().backward()
    assert model.scale.grad == 4.0  # two ones for each image that was not overwritten
    assert not model.scale.is_inference()


def test_features_survive_their_file(tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    features.save(tmp_path / "a.safetensors", rows, "key")
    np.testing.assert_array_equal(features.read(tmp_path / "a.safetensors"), rows)
    np.testing.assert_array_equal(features.read(tmp_path / "a.safetensors", "key"), rows)
    assert features.read(tmp_path / "a.safetensors", "another") is None
    assert features.read(tmp_path / "b.safetensors") is None


@pytest.fixture
def gallery(flavour, prepared):
    """Images of the prepared run, as a network wants them."""
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    return inference.images_of(flavour, metadata, prepared, "DemoLeopard")


def counted(monkeypatch):
    """How many images each call of `extract` embeds."""
    calls, extract = [], features.extract

    def count(model, images, *rest):
        calls.append(len(images))
        return extract(model, images, *rest)

    monkeypatch.setattr(features, "extract", count)
    return calls


def test_cached_features_are_taken_only_for_the_same_network_and_images(
    flavour, gallery, tmp_path, monkeypatch, capsys
):
    calls, file = counted(monkeypatch), tmp_path / "a.safetensors"
    model, other = networks.untrained_network(flavour, 0), networks.untrained_network(flavour, 1)
    first = features.cached(file, model, flavour, gallery, CPU)
    np.testing.assert_array_equal(features.cached(file, model, flavour, gallery, CPU), first)
    assert calls == [21]
    second = features.cached(file, other, flavour, gallery, CPU)
    assert not np.allclose(first, second)
    assert "of other weights, images, transform or precision" in capsys.readouterr().out
    features.cached(file, other, replace(flavour, mean=(0.5, 0.5, 0.5)), gallery, CPU)
    assert calls == [21, 21, 21]
    picture = gallery.folder / gallery.paths[3]
    picture.write_bytes(picture.read_bytes() + b" ")
    features.cached(file, other, replace(flavour, mean=(0.5, 0.5, 0.5)), gallery, CPU)
    assert calls == [21, 21, 21, 21]


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_damaged_cache_is_told_and_made_again(
    flavour, gallery, tmp_path, monkeypatch, capsys, damage
):
    calls, file = counted(monkeypatch), tmp_path / "a.safetensors"
    model = networks.untrained_network(flavour, 0)
    first = features.cached(file, model, flavour, gallery, CPU)
    file.write_bytes(file.read_bytes()[:-9] if damage is None else damage)
    np.testing.assert_array_equal(features.cached(file, model, flavour, gallery, CPU), first)
    assert "is damaged" in capsys.readouterr().out
    assert calls == [21, 21]


def test_an_extraction_that_was_stopped_goes_on(flavour, gallery, tmp_path, monkeypatch):
    model, file = networks.untrained_network(flavour, 0), tmp_path / "a.safetensors"
    whole = features.cached(tmp_path / "whole.safetensors", model, flavour, gallery, CPU)
    monkeypatch.setattr(features, "PART", 8)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        save = features.save

        def stop_at_the_second(path, *rest):
            if path.stem == "0000008":
                raise KeyboardInterrupt
            save(path, *rest)

        patch.setattr(features, "save", stop_at_the_second)
        features.cached(file, model, flavour, gallery, CPU)
    calls = counted(monkeypatch)
    found = features.cached(file, model, flavour, gallery, CPU)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert calls == [8, 5]
    kept = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    assert kept == ["a.safetensors", "whole.safetensors"]
    assert list(tmp_path.rglob(".*")) == []


def test_bfloat16_features_point_nearly_the_same_way(flavour, gallery):
    model = networks.untrained_network(flavour, 0)
    exact = features.extract(model, gallery, CPU)
    short = features.extract(model, gallery, CPU, precision="bf16")
    assert short.dtype == np.float32
    assert not np.array_equal(exact, short)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(short, axis=1)
    assert ((exact * short).sum(axis=1) / lengths).min() > 0.999


def test_a_query_gets_the_identity_of_the_nearest_training_image():
    metadata = pd.DataFrame(
        {
            "image_id": ["q", "a", "b", "u"],
            "identity": ["Mia", "Leo", "Mia", "unknown"],
            "path": ["q.png", "a.png", "b.png", "u.png"],
            "split": ["test", "train", "train", None],
        }
    )
    rows = np.array([[1, 0], [0, 1], [1, 0.5], [1, 0]], dtype=np.float32)
    matches = matching.match(metadata, rows)
    assert matches.shape[0] == 1
    row = matches.iloc[0]
    assert (row["identity"], row["predicted"], row["match_id"]) == ("Mia", "Mia", "b")
    assert row["similarity"] == pytest.approx(1 / np.sqrt(1.25))
    assert row["correct"]


def lions(most: int) -> pd.DataFrame:
    """Photographs of LionData, two of each lion: one to search for, one to search in."""
    folder = SHARED / "data" / "LionData"
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    table = pd.DataFrame({"path": [path.as_posix() for path in paths]})
    table["identity"] = [path.parent.name for path in paths]
    table = table.groupby("identity").filter(lambda own: len(own) > 1)
    table = table.groupby("identity").head(2).head(most).reset_index(drop=True)
    table["split"] = np.where(np.arange(len(table)) % 2, "train", "test")
    return table.assign(image_id=table["path"])


@needs_shared
@pytest.mark.slow
def test_a_published_network_on_photographs_agrees_with_the_reference_way():
    """Swin-T with random weights on 48 photographs of lions, beside the plain way of doing it.

    Plain: timm's network with its own, unfused attention, torchvision's resize, one image at a
    time, the whole matrix of similarities in float64.
    """
    flavour, metadata = flavours.get(NAME), lions(48)
    folder = SHARED / "data" / "LionData"
    data = tensors.ImageFiles(folder, metadata["path"], tensors.inference_transform(flavour))
    model = networks.untrained_network(flavour, 0)
    rows = features.extract(model, data, CPU, batch_size=16)

    set_fused_attn(False)
    try:
        plain = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0).eval()
    finally:
        set_fused_attn(True, experimental=True)
    plain.load_state_dict(model.state_dict())
    assert not any(getattr(part, "fused_attn", False) for part in plain.modules())
    transform = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    told = []
    with torch.no_grad():
        for path in metadata["path"]:
            with Image.open(folder / path) as image:
                told.append(plain(transform(image.convert("RGB"))[None])[0].numpy())
    told = np.stack(told)
    np.testing.assert_allclose(rows, told, atol=1e-4, rtol=0)

    test, train = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    unit = told.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    nearest = (unit[test] @ unit[train].T).argmax(axis=1)
    predicted = metadata.loc[train, "identity"].to_numpy()[nearest]
    matches = matching.match(metadata, rows)
    assert len(matches) == 24
    assert matches["predicted"].tolist() == predicted.tolist()
    accuracy = np.mean(metadata.loc[test, "identity"].to_numpy() == predicted)
    ranks = matching.rank(metadata, rows)
    assert results.counts(matching.Found(metadata, matches, ranks, {}, {}))["accuracy"] == accuracy

    # 0.5 % of 24 queries is none; one may change, since random features are all nearly alike.
    short = matching.match(metadata, features.extract(model, data, CPU, precision="bf16"))
    assert (short["predicted"] != matches["predicted"]).sum() <= 1


@pytest.mark.slow
def test_two_processes_extract_the_features_of_one(prepared, tmp_path):
    """21 images among two processes: 11 and 10."""
    model = networks.untrained_network(flavours.get(NAME, "demo"), 3)
    networks.save(model, flavours.get(NAME, "demo"), tmp_path / "weights")
    chosen = {"profile": "test", "datasets": ["DemoLeopard"], "device": "cpu"}
    chosen |= {"weights": str(tmp_path / "weights"), "compare_untrained": False}
    options = [word for pair in chosen.items() for word in ("-p", pair[0], json.dumps(pair[1]))]
    found = []
    for processes in (1, 2):
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        command = [sys.executable, "-m", *launcher, "-m", "megalib.book.launch", "infer", *options]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("test images right") == 1
        found.append(features.read(prepared.features(NAME, "DemoLeopard")))
        prepared.features(NAME, "DemoLeopard").unlink()
    assert found[0].shape == (21, model.num_features)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    assert list(prepared.folder.glob("features/*/*")) == []
    assert results.read(prepared, [NAME])["n_query"].tolist() == [4]


def test_images_are_divided_and_none_is_lost_or_doubled():
    for number in (1, 7, 8, 9, 21):
        for processes in (1, 2, 5):
            parts = features._parts(number, processes, 8)
            assert [index for part in parts for index in part] == list(range(number))
            assert max(map(len, parts)) <= 8


def test_more_processes_than_images_do_no_harm(flavour, gallery, tmp_path, monkeypatch):
    """Thirty processes, 21 images: one after another here, the main one last."""
    model, file = networks.untrained_network(flavour, 0), tmp_path / "a.safetensors"
    calls = counted(monkeypatch)
    for process in reversed(range(30)):
        state = SimpleNamespace(num_processes=30, process_index=process)
        state.is_main_process, state.wait_for_everyone = process == 0, lambda: None
        monkeypatch.setattr(features, "PartialState", lambda state=state: state)
        found = features.cached(file, model, flavour, gallery, CPU)
        assert (found is None) == (process > 0)
    assert calls == [1] * 21
    np.testing.assert_allclose(found, features.extract(model, gallery, CPU), atol=1e-6)


def test_the_key_takes_every_tensor_and_old_files_are_read(flavour, gallery, tmp_path):
    model = networks.untrained_network(flavour, 0)
    model.register_buffer("temperature", torch.tensor(1.0))
    key = features.key_of(model, flavour, gallery, "fp32")
    model.temperature += 1
    assert features.key_of(model, flavour, gallery, "fp32") != key
    save_file({"features": torch.ones(2, 3)}, tmp_path / "old.safetensors", {"key": "k"})
    assert features.read(tmp_path / "old.safetensors", "k").shape == (2, 3)
    assert np.isnan(features.images_per_second(tmp_path / "old.safetensors", 2))


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_query_or_database_is_refused(part):
    metadata = pd.DataFrame({"image_id": ["a"], "identity": ["A"], "path": ["a"], "split": [part]})
    with pytest.raises(UserError, match="needs test and training images"):
        matching.match(metadata, np.ones((1, 2), np.float32))


@pytest.fixture
def varied(prepared):
    """The prepared run with a picture of its own for each image."""
    for number, path in enumerate(read_metadata(prepared.metadata("DemoLeopard"))["path"]):
        write_image(prepared.images(256, "DemoLeopard") / path, (40, 32), 100 + number)
    return prepared


def by_hand(metadata, rows, k):
    """Identities of the k nearest training images of each test image, and their cosines."""
    test, train = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    cosines = unit[test] @ unit[train].T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    names = metadata.loc[train, "identity"].to_numpy()[order]
    return names, np.take_along_axis(cosines, order, axis=1)


def test_results_count_what_the_predictions_say(flavour, varied):
    model, other = networks.untrained_network(flavour, 0), networks.untrained_network(flavour, 1)
    lines = []
    found = inference.infer(
        model, flavour, ["DemoLeopard"], varied, CPU, untrained=other, report=lines.append
    )
    table, predictions = results_of(varied, found)
    row, matches = table.iloc[0], predictions["DemoLeopard"]
    metadata = read_metadata(varied.metadata("DemoLeopard"))
    rows = features.read(varied.features(NAME, "DemoLeopard"))
    asked = metadata.loc[metadata["split"] == "test", "identity"].to_numpy()
    names, _ = by_hand(metadata, rows, 16)
    right = names == asked[:, None]
    assert matches["predicted"].tolist() == names[:, 0].tolist()
    assert matches["rank"].tolist() == right.argmax(axis=1).tolist()
    assert (row["n_database"], row["n_query"], row["n_correct"]) == (16, 4, right[:, 0].sum())
    assert row["n_correct"] < 4  # random weights: a page of right answers would prove little
    assert row["accuracy"] == right[:, 0].mean() == row["balanced_accuracy"]
    assert row["top_5"] == right[:, :5].any(axis=1).mean()
    assert row["top_10"] == right[:, :10].any(axis=1).mean()
    assert row["normalised_gain"] == pytest.approx((row["accuracy"] - 0.25) / 0.75)
    shares = right.cumsum(axis=1) / np.arange(1, 17)
    assert row["mean_average_precision"] == pytest.approx((shares * right).sum(axis=1).mean() / 4)
    before = by_hand(
        metadata, inference.embed(other, flavour, metadata, varied, "DemoLeopard", CPU), 1
    )
    assert row["untrained_accuracy"] == (before[0][:, 0] == asked).mean()
    assert (row["weights"], row["precision"], row["votes"]) == ("trained", "fp32", 1)
    assert row["images_per_second"] > 0
    assert lines == [f"DemoLeopard: {row['n_correct']} of 4 test images right"]
    written = pd.read_csv(varied.predictions(NAME, "DemoLeopard"), dtype=results.TEXT)
    pd.testing.assert_frame_equal(written, matches, check_dtype=False, rtol=1e-5)
    pd.testing.assert_frame_equal(results.read(varied, [NAME]), table, check_dtype=False)


def test_images_are_matched_where_they_were_embedded(flavour, varied, monkeypatch):
    """The very object that says the device reaches every search."""
    devices, by_part = [], search.neighbours_by_part

    def watch(query, database, k, device):
        devices.append((k, device))
        return by_part(query, database, k, device)

    monkeypatch.setattr(search, "neighbours_by_part", watch)
    model = networks.untrained_network(flavour, 0)
    how = (model, flavour, ["DemoLeopard"], varied, CPU)
    inference.infer(*how, untrained=model, report=lambda _: None)
    assert sorted(k for k, _ in devices) == [1, 1, 16]
    assert all(device is CPU for _, device in devices)


def test_several_nearest_images_vote(flavour, varied):
    model = networks.untrained_network(flavour, 0)
    tables = {
        votes: results_of(
            varied,
            inference.infer(
                model, flavour, ["DemoLeopard"], varied, CPU, k=votes, report=lambda _: None
            ),
        )
        for votes in (1, 7)
    }
    metadata = read_metadata(varied.metadata("DemoLeopard"))
    rows = features.read(varied.features(NAME, "DemoLeopard"))
    names, cosines = by_hand(metadata, rows, 7)
    winners = []
    for own, values in zip(names, cosines, strict=True):
        votes = pd.DataFrame({"name": own, "cosine": values}).groupby("name")["cosine"]
        ranked = sorted((-len(part), -part.mean(), name) for name, part in votes)
        winners.append(ranked[0][2])
    table, predictions = tables[7]
    matches = predictions["DemoLeopard"]
    assert matches["predicted"].tolist() == winners
    assert winners != tables[1][1]["DemoLeopard"]["predicted"].tolist()
    assert table.loc[0, "votes"] == 7
    assert table.loc[0, "n_correct"] == (matches["identity"] == winners).sum()
    # The nearest image is shown whatever the vote says.
    assert matches["match_id"].equals(tables[1][1]["DemoLeopard"]["match_id"])


def test_twins_are_named_and_all_of_them_are_written(flavour, varied):
    """A test image that was copied into the training part, and one that only looks the same."""
    metadata = read_metadata(varied.metadata("DemoLeopard"))
    folder = varied.images(256, "DemoLeopard")
    (folder / "images/5_5.png").write_bytes((folder / "images/16_16.png").read_bytes())
    (folder / "images/7_7.png").write_bytes((folder / "images/16_16.png").read_bytes())
    with Image.open(folder / "images/18_18.png") as image:
        image.save(folder / "images/2_2.png", compress_level=1)
    assert matching.twins(folder, metadata) == {"images/16_16.png": "images/5_5.png"}
    lines = []
    found = inference.infer(
        networks.untrained_network(flavour, 0),
        flavour,
        ["DemoLeopard"],
        varied,
        CPU,
        report=lines.append,
    )
    twin = found["DemoLeopard"].matches.set_index("path")["twin"].dropna()
    assert twin.to_dict() == {
        "images/16_16.png": "images/5_5.png",
        "images/18_18.png": "images/2_2.png",
    }
    assert lines[1].startswith("DemoLeopard: warning, 2 test images have a twin in training: ")
    assert "images/16_16.png = images/5_5.png, images/18_18.png = images/2_2.png" in lines[1]


def test_more_than_five_twins_are_in_the_file(tmp_path):
    matches = pd.DataFrame({"path": list("abcdefg")})
    lines, file = [], tmp_path / "predictions.csv"
    matching.write_predictions("Owls", matches, dict.fromkeys("abcdef", "x"), file, lines.append)
    assert "6 test images have a twin" in lines[0] and "e = x and others" in lines[0]
    assert "f = x" not in lines[0]
    assert pd.read_csv(file)["twin"].tolist()[:6] == ["x"] * 6
    assert pd.read_csv(file)["twin"].isna().tolist() == [False] * 6 + [True]


def test_one_individual_alone_is_always_right(flavour, varied):
    metadata = read_metadata(varied.metadata("DemoLeopard"))
    metadata["identity"] = "cat"
    metadata.to_csv(varied.metadata("DemoLeopard"))
    model = networks.untrained_network(flavour, 0)
    found = inference.infer(model, flavour, ["DemoLeopard"], varied, CPU, report=lambda _: None)
    table, _ = results_of(varied, found)
    row = table.iloc[0]
    for column in ("accuracy", "top_5", "mean_average_precision", "balanced_accuracy"):
        assert row[column] == 1
    assert row["normalised_gain"] == 1  # there was nothing to gain


def test_weights_that_were_never_trained_are_asked_for(flavour, run):
    with pytest.raises(UserError, match="train this flavour first"):
        networks.load_network(flavour, "trained", run)


def test_weights_of_the_hub_that_cannot_be_fetched_are_named(run, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="hf-hub:BVRA/MegaDescriptor-T-224") as caught:
        networks.load_network(flavours.get(NAME), "hub", run)
    assert "\n" not in str(caught.value)


def test_results_are_asked_for_in_one_line(run):
    with pytest.raises(UserError, match="run 3_infer"):
        results.read(run, [NAME])
    assert results.missing(run, [NAME]) == [NAME]


@pytest.fixture
def regenerated():
    """Results as if T-224 had been run on three datasets, and a cut-down network on a fourth."""
    theirs = published.accuracies_long().set_index(["dataset", "flavour"])
    lion, tiger = (theirs.loc[(name, NAME)] for name in ("LionData", "ATRW"))
    rows = [
        ("LionData", "published", 155, lion["n_correct"] + 1),
        ("ATRW", "published", 1075, tiger["n_correct"] - 3),
        ("StripeSpotter", "published", 164, 3),
        ("CZoo", "demo", 423, 400),
        ("DemoZebra", "demo", 10, 9),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "scale", "n_query", "n_correct"])
    table = table.assign(flavour=NAME, accuracy=table["n_correct"] / table["n_query"])
    return table.assign(weights="hub", precision="fp32", votes=1)


def test_the_ledger_has_a_verdict_for_each_published_cell(regenerated):
    ledger = results.ledger(regenerated).set_index(["dataset", "flavour"])
    assert len(ledger) == 145 + 21
    verdicts = ledger["verdict"].xs(NAME, level="flavour")
    assert verdicts["LionData"] == "reproduced"
    assert verdicts["ATRW"] == "within the interval"
    assert verdicts["StripeSpotter"] == "differs"
    assert verdicts["CZoo"] == "not run"
    assert (ledger["verdict"] == "not run").sum() == 142 + 21
    assert ledger.loc[("LionData", NAME), "difference, images"] == 1
    assert ledger.loc[("ATRW", NAME), "difference, images"] == -3
    assert np.isnan(ledger.loc[("CZoo", NAME), "regenerated, %"])
    made = ["weights", "precision", "votes"]
    assert ledger.loc[("LionData", NAME), made].tolist() == ["hub", "fp32", 1]
    assert ledger.loc[("CZoo", NAME), made].isna().all()


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({"weights": "trained"}, "no regeneration: own training"),
        ({"votes": 5}, "no regeneration: 5 votes"),
        ({"weights": np.nan}, "no regeneration: made by unknown weights"),
        ({"weights": "downloads/T-224"}, "reproduced"),
        ({"precision": "bf16"}, "reproduced"),
    ],
)
def test_the_ledger_judges_only_what_released_weights_made(regenerated, made, verdict):
    ledger = results.ledger(regenerated.assign(**made)).set_index(["dataset", "flavour"])
    row = ledger.loc[("LionData", NAME)]
    assert row["verdict"] == verdict
    assert row["difference, images"] == 1
    for column, value in made.items():
        assert row[column] == value or pd.isna(value)


def test_results_of_an_older_version_are_no_regeneration(regenerated):
    old = regenerated.drop(columns=["weights", "precision", "votes"])
    ledger = results.ledger(old).set_index(["dataset", "flavour"])
    assert ledger.loc[("LionData", NAME), "verdict"] == "no regeneration: made by unknown weights"


def test_another_test_set_is_no_reproduction(regenerated):
    regenerated.loc[0, "n_query"] = 150
    ledger = results.ledger(regenerated).set_index(["dataset", "flavour"])
    assert (
        ledger.loc[("LionData", NAME), "verdict"] == "another test set: 150 instead of 155 images"
    )


def judged(run, name, dataset, images, right):
    """Write predictions that say which images were judged rightly."""
    table = pd.DataFrame({"image_id": images, "correct": np.array(right, bool)})
    target = run.predictions(name, dataset)
    target.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(target, index=False)


def test_flavours_are_compared_on_the_same_test_images(prepared):
    """Rows are shuffled, one is missing on either side, and ids are the same in both datasets."""
    judged(prepared, NAME, "DemoLeopard", list("abcdefg"), [1, 1, 0, 0, 1, 1, 1])
    judged(prepared, OTHER, "DemoLeopard", list("hfedcba"), [1, 1, 1, 1, 1, 0, 1])
    judged(prepared, NAME, "DemoZebra", list("ab"), [0, 0])
    judged(prepared, OTHER, "DemoZebra", list("ba"), [1, 0])
    rows = pd.DataFrame({"dataset": ["DemoLeopard", "DemoZebra"] * 2})
    rows["flavour"] = [NAME, NAME, OTHER, OTHER]
    found = results.paired(prepared, rows).iloc[0]
    assert (found["first"], found["second"], found["test images"]) == (NAME, OTHER, 8)
    assert (found["only first right"], found["only second right"]) == (1, 3)
    assert found["p"] == pytest.approx(2 * (1 + 4) / 16)  # one of four, or worse, either way
    assert found["added, points"] == pytest.approx(100 * (1 / 6 + 1 / 2) / 2)
    assert found["low"] < found["added, points"] < found["high"]
    judged(prepared, OTHER, "DemoLeopard", ["x"], [1])
    with pytest.raises(UserError, match="no test image both"):
        results.paired(prepared, rows[rows["dataset"] == "DemoLeopard"])
    alone = results.paired(prepared, rows[rows["flavour"] == NAME])
    assert alone.empty and list(alone) == results.PAIRED


def test_the_mean_over_datasets_has_an_interval(regenerated):
    regenerated = regenerated[regenerated["n_query"] > 100]  # a few images have a skewed interval
    row = results.means(regenerated).loc[NAME]
    assert row["datasets"] == 4
    assert row["mean"] == pytest.approx(100 * regenerated["accuracy"].mean())
    # The variance of the mean is the sum of those of the shares, over the number squared.
    share, total = regenerated["accuracy"], regenerated["n_query"]
    deviation = 100 * np.sqrt((share * (1 - share) / total).sum()) / len(total)
    # An interval of 90 % would be 0.31 deviations nearer.
    assert row["low"] == pytest.approx(row["mean"] - 1.96 * deviation, abs=0.2 * deviation)
    assert row["high"] == pytest.approx(row["mean"] + 1.96 * deviation, abs=0.2 * deviation)
    assert "untrained" not in row and "top-5" not in row


def test_means_are_those_of_the_columns(regenerated):
    columns = ["top_5", "top_10", "mean_average_precision", "balanced_accuracy"]
    columns += ["normalised_gain", "untrained_accuracy", "images_per_second"]
    shares = np.linspace(0, 1, 35).reshape(5, 7)
    table = regenerated.assign(**dict(zip(columns, shares.T, strict=True)))
    fewer = table.iloc[:2].assign(flavour="SIFT")
    told = results.means(pd.concat([table, fewer]))
    assert told["datasets"].tolist() == [5, 2]
    names = ["top-5", "top-10", "mAP", "balanced", "gain", "untrained"]
    np.testing.assert_allclose(told.loc[NAME, names], 100 * shares.mean(axis=0)[:6])
    np.testing.assert_allclose(told.loc["SIFT", names], 100 * shares[:2].mean(axis=0)[:6])
    assert told.loc[NAME, "images/s"] == pytest.approx(shares[:, 6].mean())
    assert told.loc[NAME, "added"] == pytest.approx(
        told.loc[NAME, "mean"] - 100 * shares[:, 5].mean()
    )


def test_curves_count_the_images_found_within_a_list():
    predictions = {"A": pd.DataFrame({"rank": [0, 0, 3, 25]}), "B": pd.DataFrame({"rank": [1]})}
    curves = results.match_curves(predictions, 5)
    assert curves.index.tolist() == [1, 2, 3, 4, 5]
    assert curves["A"].tolist() == [50, 50, 50, 75, 75]
    assert curves["B"].tolist() == [0, 100, 100, 100, 100]


@needs_shared
def test_the_ledger_carries_the_published_figures():
    theirs = pd.read_csv(SHARED / "published" / "accuracies.csv")
    ledger = results.ledger(pd.DataFrame(columns=["dataset", "flavour", "scale"]))
    merged = ledger.merge(theirs, on=["dataset", "flavour"])
    assert len(merged) == 145
    baselines = ledger[~ledger["flavour"].isin(theirs["flavour"])]
    table4 = pd.read_csv(SHARED / "published" / "paper_table4.csv", index_col="dataset")
    told = baselines.pivot(index="dataset", columns="flavour", values="published, %")
    assert told.shape == (7, 3)
    for name, column in (("CLIP", "CLIP ViT-L/14-336"), ("DINOv2", "DINOv2 ViT-L/14-518")):
        ours = told.filter(like=name).iloc[:, 0]
        np.testing.assert_allclose(ours, table4.loc[told.index, column], atol=0.0051)
    np.testing.assert_allclose(merged["published, %"], 100 * merged["accuracy"])
    assert set(ledger["verdict"]) == {"not run"}
