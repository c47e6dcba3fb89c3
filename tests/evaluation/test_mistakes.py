"""Confused pairs, hard images, similarities, projections, and the map of a similarity."""

import numpy as np
import pandas as pd
import pytest

from megalib.errors import UserError
from megalib.evaluation import mistakes
from tests.figures import colours, points

MATCHES = pd.DataFrame(
    [
        ("Ada", "Bo", 4),
        ("Bo", "Ada", 9),
        ("Ada", "Ada", 0),
        ("Cleo", "Bo", 2),
        ("Cleo", "Cleo", 0),
        ("Bo", "Ada", 3),
    ],
    columns=["identity", "predicted", "rank"],
).assign(correct=lambda table: table["identity"] == table["predicted"])


def test_confusion_counts_both_directions():
    table = mistakes.confused_pairs(MATCHES)
    assert table.iloc[0].tolist() == ["Ada", "Bo", 3, 4]
    assert table.iloc[1].tolist() == ["Bo", "Cleo", 1, 4]
    assert len(table) == 2
    assert len(mistakes.confused_pairs(MATCHES, 1)) == 1
    assert mistakes.confused_pairs(MATCHES[MATCHES["correct"]]).empty


def test_the_hardest_images_are_wrong_ones_far_back():
    assert mistakes.hardest_images(MATCHES, 3)["rank"].tolist() == [9, 4, 3]


def test_similarities_are_those_of_test_to_training_images():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((30, 4)).astype(np.float32)
    metadata = pd.DataFrame(
        {"identity": [f"i{n % 5}" for n in range(30)], "split": ["train", "train", "test"] * 10}
    )
    drawn = mistakes.pair_similarities(metadata, rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    allowed = {True: set(), False: set()}
    for one in metadata.index[metadata["split"] == "test"]:
        for other in metadata.index[metadata["split"] == "train"]:
            same = metadata["identity"][one] == metadata["identity"][other]
            allowed[bool(same)].add(round(float(unit[one] @ unit[other]), 4))
    for same, part in drawn.groupby("same"):
        found = {round(float(value), 4) for value in part["similarity"]}
        assert found <= {round(v + d, 4) for v in allowed[same] for d in (-1e-4, 0, 1e-4)}
    listed = drawn["same"].sum()
    assert listed == sum(
        (metadata["identity"][:30] == metadata["identity"][n])[metadata["split"] == "train"].sum()
        for n in metadata.index[metadata["split"] == "test"]
    )


@pytest.mark.parametrize("method", mistakes.PROJECTIONS)
def test_a_projection_keeps_heaps_apart_and_is_the_same_for_the_same_seed(method):
    rng = np.random.default_rng(0)
    heaps = np.repeat(np.eye(3, 16), 12, axis=0) + 0.05 * rng.standard_normal((36, 16))
    rows = heaps.astype(np.float32)
    plane = mistakes.projection(rows, method)
    assert plane.shape == (36, 2)
    np.testing.assert_array_equal(plane, mistakes.projection(rows, method))
    distance = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) // 12 == np.arange(36) // 12).all()


def test_an_unknown_projection_is_refused():
    with pytest.raises(UserError, match="pca"):
        mistakes.projection(np.eye(3, dtype=np.float32), "umap")


def test_the_hardest_queries_tell_the_rank_of_the_right_one(pictures, matches):
    axes = np.reshape(mistakes.plot_hardest(pictures, matches.iloc[1:]).axes, (2, 1))
    assert colours(axes) == [1, 3]
    assert axes[1, 0].get_title() == "c" and axes[1, 0].get_xlabel() == "right one at 5"


def test_histograms_hold_each_kind_of_pair():
    table = pd.DataFrame({"similarity": [0.9, 0.8, 0.1], "same": [True, True, False]})
    axis = mistakes.plot_pair_similarities({"X": table}).axes[0]
    same, different = ([bar.get_height() for bar in bars] for bars in axis.containers)
    edges = [bar.get_x() for bar in axis.containers[0]]
    assert sum(height > 0 for height in same) == 2 and min(edges) == pytest.approx(0.8)
    assert sum(height > 0 for height in different) == 1


def test_a_projection_draws_test_and_training_images_of_each_individual():
    plane = np.array([[0.0, 0], [1, 1], [2, 2]])
    figure = mistakes.plot_projection(
        plane, np.array(["a", "a", "b"]), np.array([True, False, True])
    )
    axis = figure.axes[0]
    assert [points(axis, number) for number in range(4)] == [[(0, 0)], [(1, 1)], [(2, 2)], []]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
