"""Similarities divided among places, and the part of them that comes from the animal."""

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image

from megalib.data import truth
from megalib.data.images import load
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import masks, similarity_maps
from megalib.models import networks
from megalib.models.tensors import inference_transform
from megalib.retrieval import inference
from tests.conftest import write_image


@pytest.fixture
def pair(tmp_path):
    """Two noisy images."""
    files = [tmp_path / f"{seed}.png" for seed in range(2)]
    for seed, file in enumerate(files):
        write_image(file, (50, 40), seed)
    return files


def test_the_shares_of_all_places_make_the_similarity(flavour, pair):
    model = networks.untrained_network(flavour, 0).train()
    found = similarity_maps.similarity_map(model, flavour, *pair)
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
        similarity_maps.similarity_map(model, flavour, *pair)
    assert model.training and model.layers.training and not model.norm.training


def test_a_network_whose_embedding_is_no_mean_is_refused(flavour, pair):
    model = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, embed_dim=12, depth=1, num_heads=1
    )
    with pytest.raises(UserError, match="take a MegaDescriptor"):
        similarity_maps.similarity_map(model, flavour, *pair)


def test_shares_of_a_similarity_lie_over_their_image(tmp_path):
    for name in "ab":
        write_image(tmp_path / f"{name}.png", (8, 6), 0)
    shares = [np.array([[0.1, -0.3]]), np.array([[0.2, 0.0]])]
    found = similarity_maps.SimilarityMap(0.42, *shares)
    figure = similarity_maps.plot_similarity_map(tmp_path / "a.png", tmp_path / "b.png", found)
    for axis, part in zip(figure.axes[2:4], shares, strict=True):
        heat = axis.images[1]
        assert np.asarray(heat.get_array()).tolist() == part.tolist()
        assert heat.get_clim() == (-0.3, 0.3)
        assert heat.get_extent() == [0, 8, 6, 0]
    assert figure.get_suptitle() == "cosine 0.42"


def test_a_convolutional_network_is_divided_as_well(flavour, pair):
    """Its features come channels first; a Swin of as many channels as places would look alike."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    found = similarity_maps.similarity_map(model, flavour, *pair)
    with torch.no_grad():
        pixels = torch.stack([inference_transform(flavour)(load(file)) for file in pair])
        q, m = model(pixels)
        places = model.forward_features(pixels)
    cosine = float(q @ m / q.norm() / m.norm())
    assert found.query.mean() == pytest.approx(cosine, abs=1e-5)
    # One place by hand: its features, times the other embedding.
    assert found.query.shape == tuple(places.shape[2:])
    expected = float(places[0, :, 0, 0] @ m / q.norm() / m.norm())
    assert found.query[0, 0] == pytest.approx(expected, abs=1e-5)


def test_the_share_of_the_animal_is_what_its_places_add():
    """A grid of four places; the animal covers one, half of another, and nothing of two."""
    shares = np.array([[4.0, 2.0], [1.0, 1.0]], dtype=np.float32)
    mask = np.zeros((4, 8), dtype=np.float32)
    mask[:2, :4] = 1
    mask[0, 4:] = 1
    assert masks.on_grid(mask, (2, 2)).tolist() == [[1, 0.5], [0, 0]]
    assert masks.animal_share(shares, mask) == pytest.approx((4 + 1) / 8)
    assert masks.animal_share(np.ones((2, 2), np.float32), mask) == mask.mean()
    assert masks.animal_share(shares, np.ones((3, 5))) == 1
    taking = np.array([[4.0, 2.0], [-1.0, -1.0]], dtype=np.float32)
    assert masks.animal_share(taking, mask) == pytest.approx(5 / 4)
    assert np.isnan(masks.animal_share(-shares, mask))


def test_an_animal_stands_in_front_of_another_background():
    image = Image.new("RGB", (4, 2), (10, 20, 30))
    mask = np.array([[1, 0, 0.5, 0], [1, 0, 0, 0]], dtype=np.float32)
    other = Image.fromarray(np.full((2, 4, 3), 200, np.uint8))
    other.putpixel((1, 0), (0, 0, 0))  # its own animal, which must not appear
    other_mask = np.zeros((2, 4), np.float32)
    other_mask[0, 1] = 1
    swapped = np.asarray(masks.swap_background(image, mask, other, other_mask))
    assert swapped[:, 0].tolist() == [[10, 20, 30]] * 2
    assert swapped[0, 2].tolist() == [105, 110, 115]
    assert (swapped[:, [1, 3]] == 200).all() and (swapped[1, 2] == 200).all()


@pytest.fixture
def masked(prepared, flavour, monkeypatch):
    """Leopards of one colour each, by which a network finds them; and masks by image id."""
    rng, metadata = np.random.default_rng(0), read_metadata(prepared.metadata("DemoLeopard"))
    for path, colour in zip(metadata["path"], pd.factorize(metadata["identity"])[0], strict=True):
        for size in (256, 518):
            write_image(prepared.images(size, "DemoLeopard") / path, (40, 32), colour)
    known = {
        image_id: rng.integers(0, 2, (32, 40)).astype(np.float32)
        for image_id in metadata["image_id"]
    }

    def mask(run, dataset, image_id, size):
        assert (run, dataset, size) == (prepared, "DemoLeopard", 256)
        return known[image_id]

    monkeypatch.setattr(truth, "mask", mask)
    prepared.truth("DemoLeopard").touch()
    model = networks.untrained_network(flavour, 0)
    how = (model, flavour, ["DemoLeopard"], prepared, torch.device("cpu"))
    found = inference.infer(*how, report=lambda _: None)["DemoLeopard"]
    return prepared, model, found.matches, known


def test_every_test_image_is_measured(masked, flavour):
    run, model, matches, known = masked
    table = similarity_maps.measure(model, flavour, run, {"DemoLeopard": matches}, seed=4)
    assert sorted(table["identity"]) == sorted(matches["identity"])
    folder = run.images(256, "DemoLeopard")
    order = np.random.default_rng(4).permutation(len(matches))
    for row, match in zip(table.itertuples(), matches.iloc[order].itertuples(), strict=True):
        mask = known[match.image_id]
        pair = (folder / match.path, folder / match.match_path)
        found = similarity_maps.similarity_map(model, flavour, *pair)
        assert row.share == pytest.approx(masks.animal_share(found.query, mask))
        assert row.area == pytest.approx(mask.mean()) and row.correct == match.correct


@pytest.mark.parametrize("filled", [0, 1])
def test_an_image_is_what_remains_of_it(masked, flavour, filled):
    """With nothing but animal there is no background to swap; with nothing of it all is swapped."""
    run, model, matches, known = masked
    for mask in known.values():
        mask[:] = filled
    table = similarity_maps.measure(model, flavour, run, {"DemoLeopard": matches})
    assert table["correct"].all()
    assert (table[["swapped", "share", "area"]] == filled).all(axis=None)


def test_where_the_truth_is_not_known_there_are_no_rows(masked, flavour):
    run, model, matches, _ = masked
    run.truth("DemoLeopard").unlink()
    assert similarity_maps.measure(model, flavour, run, {"DemoLeopard": matches}).empty


def answers(rows):
    columns = ["dataset", "identity", "correct", "share", "area", "swapped"]
    return pd.DataFrame(rows, columns=columns)


def test_the_summary_and_its_sentences_are_chosen_by_the_numbers():
    table = answers(
        [
            ("A", "a", True, 0.8, 0.4, True),
            ("A", "b", True, 0.6, 0.4, False),
            ("A", "c", False, 0.1, 0.4, False),
        ]
    )
    told = similarity_maps.summary(table)
    assert told.loc["right answers"].tolist() == pytest.approx([2, 70, 40, 50])
    assert told.loc["wrong answers"].tolist() == pytest.approx([1, 10, 40, 0])
    assert told.loc["all"].tolist() == pytest.approx([3, 50, 40, 100 / 3])
    words = similarity_maps.in_words(table)
    assert "50 % of the similarity" in words and "40 % of the image: about as much as if" in words
    assert "In right answers it is 70 %, in wrong ones 10 %" in words
    assert "33 % of the answers are right instead of 67 %" in words and "-33 points" in words
    right = similarity_maps.in_words(answers([("A", "a", True, 0.3, 0.4, True)]))
    assert "of the image: less than if all places" in right and "wrong" not in right
    far = similarity_maps.in_words(answers([("A", "a", True, 0.9, 0.4, True)] * 3))
    assert "of the image: more than if all places" in far
