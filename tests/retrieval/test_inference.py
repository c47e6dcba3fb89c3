"""One flavour on prepared datasets: matches, ranks, votes and twins."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from megalib import flavours
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import resampling, results
from megalib.models import networks
from megalib.retrieval import extraction, features, inference, matching, predictions, search
from megalib.retrieval.predictions import TEXT
from tests.conftest import results_of, write_image

NAME = "MegaDescriptor-T-224"
CPU = torch.device("cpu")


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
        model,
        flavour,
        ["DemoLeopard"],
        varied,
        CPU,
        before={"untrained": other},
        report=lines.append,
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
    first = right[:, 0].astype(float)
    ends = ("low_individuals", "high_individuals")
    assert tuple(row[end] for end in ends) == resampling.cluster_interval(first, asked)
    assert "low_encounters" not in row  # the metadata name none
    assert row["top_5"] == right[:, :5].any(axis=1).mean()
    assert row["top_10"] == right[:, :10].any(axis=1).mean()
    assert row["normalised_gain"] == pytest.approx((row["accuracy"] - 0.25) / 0.75)
    shares = right.cumsum(axis=1) / np.arange(1, 17)
    assert row["mean_average_precision"] == pytest.approx((shares * right).sum(axis=1).mean() / 4)
    before = by_hand(
        metadata, extraction.embed(other, flavour, metadata, varied, "DemoLeopard", CPU), 1
    )
    assert row["untrained_accuracy"] == (before[0][:, 0] == asked).mean()
    assert "frozen_accuracy" not in row
    assert (row["weights"], row["precision"], row["votes"]) == ("trained", "fp32", 1)
    assert row["images_per_second"] > 0
    assert lines == [f"DemoLeopard: {row['n_correct']} of 4 test images right"]
    written = pd.read_csv(varied.predictions(NAME, "DemoLeopard"), dtype=TEXT)
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
    inference.infer(*how, before={"untrained": model}, report=lambda _: None)
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
    assert predictions.twins(folder, metadata) == {"images/16_16.png": "images/5_5.png"}
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
    predictions.write("Owls", matches, dict.fromkeys("abcdef", "x"), file, lines.append)
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
