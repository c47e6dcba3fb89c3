"""A training on the earlier days sees no later one; both ends of a slope ask the same animals."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from megalib import stamp
from megalib.data.metadata import read_metadata
from megalib.data.training_set import aggregate
from megalib.errors import UserError
from megalib.evaluation.judging import days, in_time
from megalib.files.places import Run
from megalib.retrieval import features, inference
from megalib.training import loop
from megalib.training.settings import Settings
from tests.conftest import write_image
from tests.figures import drawn

CPU = torch.device("cpu")
HERE, THERE = "DemoLeopard", "DemoWhaleShark"  # without dates, and with


@pytest.fixture
def dated(prepared):
    """Beside the leopards, five sharks with two photographs on each of four days."""
    rows = []
    for number in range(40):
        shark, day = number % 5, number // 10
        path = f"images/{number}.png"
        write_image(prepared.images(256, THERE) / path, (40, 32), 100 + shark + 7 * day)
        split = "test" if number % 4 == 3 else "train"
        rows.append((f"s{number}", f"shark{shark}", path, f"2021-0{day + 1}-01", split))
    columns = ["image_id", "identity", "path", "date", "split"]
    prepared.metadata(THERE).parent.mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(prepared.metadata(THERE))
    return prepared


@pytest.fixture
def trained(dated, flavour, recipe):
    """The run has trained its network on the random split and embedded the sharks with it."""
    short = replace(recipe, epochs=2)
    combined = aggregate(dated, [HERE, THERE])
    network, _ = loop.train(flavour, short, combined, dated, 3, "none", Settings(device="cpu"))
    inference.infer(network, flavour, [THERE], dated, CPU, report=lambda _: None)
    return dated


def test_a_network_is_trained_again_on_the_earlier_days_alone(trained, flavour, capsys):
    before = {path: path.read_bytes() for path in trained.folder.rglob("*") if path.is_file()}
    earlier, found = in_time.divide(trained, [HERE, THERE], pytest.fail)
    assert found == [THERE]
    assert earlier == Run("test/earlier-days", images_of="test")
    metadata = read_metadata(earlier.metadata(THERE))
    assert set(metadata.loc[metadata["split"] == "train", "date"]) == {
        *("2021-01-01", "2021-02-01", "2021-03-01"),
    }
    assert set(metadata.loc[metadata["split"] == "test", "date"]) == {"2021-04-01"}
    assert read_metadata(earlier.metadata(HERE)).equals(read_metadata(trained.metadata(HERE)))
    settings = Settings(device="cpu", precision="bf16")
    in_time.train(flavour, trained, earlier, [HERE, THERE], settings)
    ours, theirs = (
        stamp.read(one.weights(flavour.name) / "training.json") for one in (trained, earlier)
    )
    # The number of images in training: 16 leopards, and 30 sharks of the random split or in time.
    assert (ours["images"], theirs["images"]) == (16 + 30, 16 + 30)
    assert ours["digest of the images"] != theirs["digest of the images"]
    same = set(ours) - {"images", "digest of the images", "datasets"}
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert (theirs["seed"], theirs["epochs"], theirs["precision"]) == (3, 2, "fp32")
    # The run itself stays as it is, and a second call finds the weights.
    assert all(path.read_bytes() == content for path, content in before.items())
    capsys.readouterr()
    in_time.train(flavour, trained, earlier, [HERE, THERE], settings)
    assert "kept" in capsys.readouterr().out


def test_a_run_that_has_not_trained_is_asked_to(dated, flavour):
    earlier, _ = in_time.divide(dated, [THERE], pytest.fail)
    with pytest.raises(UserError, match=r"run 2_train\.ipynb first"):
        in_time.train(flavour, dated, earlier, [THERE], Settings(device="cpu"))


def test_dates_that_allow_no_split_are_told(dated):
    metadata = read_metadata(dated.metadata(THERE)).assign(date="2021-01-01")
    metadata.to_csv(dated.metadata(THERE))
    lines = []
    earlier, found = in_time.divide(dated, [HERE, THERE], lines.append)
    assert found == [] and len(lines) == 1 and "seen on two days" in lines[0]
    assert read_metadata(earlier.metadata(THERE)).equals(metadata)


def nearest(rows, metadata):
    """Whether the nearest training image of each test image is right, one cosine at a time."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    train, test = (np.flatnonzero(metadata["split"] == part) for part in ("train", "test"))
    identity = metadata["identity"].to_numpy()
    best = [train[(unit[train] @ unit[row]).argmax()] for row in test]
    return identity[best] == identity[test], identity[test]


def test_both_ends_of_a_slope_are_asked_about_the_same_individuals(trained, flavour):
    # One shark has no test image in the random split: it counts at neither end.
    metadata = read_metadata(trained.metadata(THERE))
    metadata.loc[metadata["identity"] == "shark0", "split"] = "train"
    metadata.to_csv(trained.metadata(THERE))
    earlier, dated = in_time.divide(trained, [THERE], pytest.fail)
    network, _ = in_time.train(flavour, trained, earlier, [THERE], Settings(device="cpu"))
    found = in_time.match(network, flavour, earlier, dated, CPU)
    table = in_time.compare(trained, earlier, flavour.name, dated, found, report=pytest.fail)
    assert table["method"].tolist() == [
        method for method in ("network", "SIFT", "thumbnails") for _ in range(2)
    ]
    assert table["split"].tolist() == ["random", "in time"] * 3
    rows = {
        ("network", "random"): (trained, features.read(trained.features(flavour.name, THERE))),
        ("network", "in time"): (earlier, features.read(earlier.features(flavour.name, THERE))),
        ("thumbnails", "random"): (trained, days.thumbnails(trained, THERE)),
        ("thumbnails", "in time"): (earlier, days.thumbnails(trained, THERE)),
    }
    for key, (one, vectors) in rows.items():
        right, who = nearest(vectors, read_metadata(one.metadata(THERE)))
        row = table[(table["method"] == key[0]) & (table["split"] == key[1])].iloc[0]
        assert row["test images"] == (who != "shark0").sum() > 0
        assert row["top-1"] == right[who != "shark0"].mean()
    assert not np.allclose(rows["network", "random"][1], rows["network", "in time"][1])
    words = in_time.in_words(table)
    first = table.iloc[0]["top-1"], table.iloc[1]["top-1"]
    assert f"network {100 * first[0]:.1f} % → {100 * first[1]:.1f} %" in words
    assert f"({100 * (first[1] - first[0]):+.1f} points)" in words


def test_without_a_network_and_with_too_many_images_thumbnails_remain(dated):
    earlier, found = in_time.divide(dated, [THERE], pytest.fail)
    lines = []
    how = {"most_images": 39, "report": lines.append}
    table = in_time.compare(dated, earlier, "none", found, {}, **how)
    assert set(table["method"]) == {"thumbnails"} and len(lines) == 1
    assert in_time.compare(dated, earlier, "none", [], {}).empty


def test_sift_is_asked_by_both_splits(dated, monkeypatch):
    """Images of a fixed texture per shark, which cross-checked by brute force finds again."""
    rng, folder = np.random.default_rng(0), dated.images(256, THERE)
    textures = [
        cv2.resize(rng.integers(0, 255, (24, 24), dtype=np.uint8), (96, 96)) for _ in range(5)
    ]
    for number in range(40):
        noisy = textures[number % 5].astype(int) + rng.integers(0, 9, (96, 96))
        cv2.imwrite(str(folder / f"images/{number}.png"), noisy.clip(0, 255).astype(np.uint8))
    earlier, found = in_time.divide(dated, [THERE], pytest.fail)
    table = in_time.compare(dated, earlier, "none", found, {})
    own = table[table["method"] == "SIFT"]
    assert own["top-1"].tolist() == [1, 1] and own["test images"].tolist() == [10, 10]


def test_slopes_have_a_panel_per_dataset_and_a_line_per_method():
    rows = []
    for dataset, methods in (("A", ("network", "SIFT")), ("B", ("thumbnails",))):
        for method in methods:
            rows += [
                (dataset, method, "random", 0.8, 0.7, 0.9),
                (dataset, method, "in time", *[0.5] * 3),
            ]
    columns = ["dataset", "method", "split", "top-1", "low", "high"]
    figure = in_time.plot_slopes(pd.DataFrame(rows, columns=columns))
    assert [axis.get_title() for axis in figure.axes] == ["A", "B"]
    lines = [bars.lines[0].get_ydata().tolist() for axis in figure.axes for bars in axis.containers]
    assert lines == [[80, 50]] * 3
    (bar, _) = figure.axes[0].containers[0].lines[2][0].get_segments()
    assert bar[:, 1].tolist() == pytest.approx([70, 90])
    assert drawn(figure)
