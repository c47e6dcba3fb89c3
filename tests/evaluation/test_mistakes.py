"""Confused pairs, hard images, similarities, projections, and the map of a similarity."""

import numpy as np
import pandas as pd
import pytest
import torch

from megalib.data.images import load
from megalib.errors import UserError
from megalib.evaluation import mistakes
from megalib.models import networks
from megalib.models.tensors import inference_transform
from tests.conftest import write_image
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


@pytest.fixture
def pair(tmp_path):
    """Two noisy images."""
    files = [tmp_path / f"{seed}.png" for seed in range(2)]
    for seed, file in enumerate(files):
        write_image(file, (50, 40), seed)
    return files


def test_the_shares_of_all_places_make_the_similarity(flavour, pair):
    model = networks.untrained_network(flavour, 0).train()
    found = mistakes.similarity_map(model, flavour, *pair)
    assert model.training
    transform = inference_transform(flavour)
    with torch.no_grad():
        q, m = model.eval()(torch.stack([transform(load(file)) for file in pair]))
    cosine = float(q @ m / q.norm() / m.norm())
    assert found.similarity == pytest.approx(cosine, abs=1e-5)
    assert found.query.mean() == pytest.approx(cosine, abs=1e-5)
    assert found.match.mean() == pytest.approx(cosine, abs=1e-5)
    assert found.query.shape == found.match.shape
    assert found.query.std() > 0


def test_a_network_comes_back_in_its_mode_after_an_error(flavour, pair, monkeypatch):
    model = networks.untrained_network(flavour, 0).train()
    model.norm.eval()

    def fail(pixels):
        raise ValueError("no memory")

    monkeypatch.setattr(model, "forward_features", fail)
    with pytest.raises(ValueError, match="no memory"):
        mistakes.similarity_map(model, flavour, *pair)
    assert model.training and model.layers.training and not model.norm.training


def test_a_network_whose_embedding_is_no_mean_is_refused(flavour, pair):
    import timm

    model = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, embed_dim=12, depth=1, num_heads=1
    )
    with pytest.raises(UserError, match="take a MegaDescriptor"):
        mistakes.similarity_map(model, flavour, *pair)


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


def test_shares_of_a_similarity_lie_over_their_image(tmp_path):
    for name in "ab":
        write_image(tmp_path / f"{name}.png", (8, 6), 0)
    shares = [np.array([[0.1, -0.3]]), np.array([[0.2, 0.0]])]
    found = mistakes.SimilarityMap(0.42, *shares)
    figure = mistakes.plot_similarity_map(tmp_path / "a.png", tmp_path / "b.png", found)
    for axis, part in zip(figure.axes[2:4], shares, strict=True):
        heat = axis.images[1]
        assert np.asarray(heat.get_array()).tolist() == part.tolist()
        assert heat.get_clim() == (-0.3, 0.3)
        assert heat.get_extent() == [0, 8, 6, 0]
    assert figure.get_suptitle() == "cosine 0.42"
