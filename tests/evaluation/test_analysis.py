"""Confused pairs, hard images, similarities, projections, and the map of a similarity."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from megalib.errors import UserError
from megalib.evaluation import mistakes
from megalib.models import networks
from megalib.models.tensors import inference_transform

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


def pictures(seed: int) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)) for _ in range(2)]


def test_the_shares_of_all_places_make_the_similarity(flavour):
    model = networks.untrained_network(flavour, 0).train()
    query, match = pictures(0)
    found = mistakes.similarity_map(model, flavour, query, match)
    assert model.training
    transform = inference_transform(flavour)
    with torch.no_grad():
        q, m = model.eval()(torch.stack([transform(query), transform(match)]))
    cosine = float(q @ m / q.norm() / m.norm())
    assert found.similarity == pytest.approx(cosine, abs=1e-5)
    assert found.query.mean() == pytest.approx(cosine, abs=1e-5)
    assert found.match.mean() == pytest.approx(cosine, abs=1e-5)
    assert found.query.shape == found.match.shape
    assert found.query.std() > 0


def test_a_network_comes_back_in_its_mode_after_an_error(flavour, monkeypatch):
    model = networks.untrained_network(flavour, 0).train()
    model.norm.eval()

    def fail(pixels):
        raise ValueError("no memory")

    monkeypatch.setattr(model, "forward_features", fail)
    with pytest.raises(ValueError, match="no memory"):
        mistakes.similarity_map(model, flavour, *pictures(0))
    assert model.training and model.layers.training and not model.norm.training


def test_a_network_whose_embedding_is_no_mean_is_refused(flavour):
    import timm

    model = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, embed_dim=12, depth=1, num_heads=1
    )
    with pytest.raises(UserError, match="take a MegaDescriptor"):
        mistakes.similarity_map(model, flavour, *pictures(0))
