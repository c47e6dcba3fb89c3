"""Other ways of inference: each differs in one point, and the table says what that changes."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from megalib import flavours
from megalib.data import images
from megalib.data.metadata import read_metadata
from megalib.evaluation import sensitivity
from megalib.models import networks, tensors
from megalib.retrieval import extraction
from tests.conftest import write_image
from tests.figures import points, row_names


def test_each_variant_differs_from_the_published_way_in_one_point():
    for name in flavours.FLAVOURS:
        flavour = flavours.get(name)
        ways = sensitivity.variants(flavour)
        assert ways.pop("as published") == (flavour, "fp32")
        assert len(ways) == 5
        for changed, precision in ways.values():
            fields = {
                key
                for key in flavour.__dataclass_fields__
                if getattr(changed, key) != getattr(flavour, key)
            }
            assert fields in ({"mean", "std"}, {"interpolation"}, {"fit"}, {"stored_size"}, set())
            assert (precision == "bf16") == (not fields)


def test_the_transforms_are_those_of_torchvision(flavour):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (50, 80, 3), dtype=np.uint8))
    ways = sensitivity.variants(flavour)
    size = flavour.image_size

    def told(way):
        changed = ways[way][0]
        pixels = tensors.inference_transform(changed)(image)
        mean, std = (torch.tensor(part)[:, None, None] for part in (changed.mean, changed.std))
        return pixels * std + mean

    bicubic = functional.resize(image, [size, size], functional.InterpolationMode.BICUBIC)
    shorter = functional.resize(image, size)
    cropped = functional.center_crop(shorter, [size, size])
    squeezed = functional.resize(image, [size, size])
    for way, expected in (
        ("as published", squeezed),
        ("mean and deviation 0.5", squeezed),
        ("bicubic", bicubic),
        ("centre crop", cropped),
    ):
        np.testing.assert_allclose(told(way), functional.to_tensor(expected), atol=1e-6)
    other = ways["mean and deviation 0.5"][0]
    assert tensors.inference_transform(other)(image).abs().max() <= 1
    pocket = sensitivity.variants(flavours.get("pocket-T"))["mean and deviation of ImageNet"][0]
    released = flavours.get("MegaDescriptor-T-224")
    assert (pocket.mean, pocket.std) == (released.mean, released.std)


def test_the_table_counts_other_answers(prepared, flavour):
    """Each way is embedded and matched again here, one cosine at a time."""
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    for number, path in enumerate(metadata["path"]):
        for size in (256, 518):
            file = prepared.images(size, "DemoLeopard") / path
            write_image(file, (60, 32), 100 + number + size)
    model = networks.untrained_network(flavour, 0).eval()
    lines = []
    measured = sensitivity.measure(
        model, flavour, ["DemoLeopard"], prepared, torch.device("cpu"), report=lines.append
    )
    table = sensitivity.by_dataset(measured)
    assert lines == ["DemoLeopard: 6 ways compared"]
    metadata = metadata[metadata["split"].notna()]
    test, train = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    identity, first = metadata["identity"].to_numpy(), None
    for row, (way, (changed, precision)) in zip(
        table.itertuples(), sensitivity.variants(flavour).items(), strict=True
    ):
        assert row.variant == way
        folder = prepared.images(changed.stored_size, "DemoLeopard")
        transform = tensors.inference_transform(changed)
        pixels = torch.stack([transform(images.load(folder / path)) for path in metadata["path"]])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            vectors = model(pixels).float().numpy().astype(np.float64)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        answers = identity[train][(unit[test] @ unit[train].T).argmax(axis=1)]
        first = first or (answers, unit)
        assert row.accuracy == (answers == identity[test]).mean()
        assert row.changed == (answers != first[0]).mean()
        cosines = (unit * first[1]).sum(axis=1)[test]
        assert row.cosine == pytest.approx(cosines.mean(), abs=1e-5)
        own = measured[measured["variant"] == way]
        assert own["identity"].tolist() == identity[test].tolist()
        right = (part == identity[test] for part in (answers, first[0]))
        assert own["added"].tolist() == [
            int(one) - int(other) for one, other in zip(*right, strict=True)
        ]
    assert table["changed"].iloc[0] == 0 and table["changed"].max() > 0
    assert table["accuracy"].nunique() > 1


def test_what_was_measured_is_not_extracted_again(prepared, flavour, monkeypatch):
    model, device = networks.untrained_network(flavour, 0), torch.device("cpu")
    how = (model, flavour, ["DemoLeopard"], prepared, device, 0, lambda _: None)
    table = sensitivity.measure(*how)
    assert len(list(prepared.folder.glob("features/*/*.safetensors"))) == 6
    monkeypatch.setattr(extraction, "extract", None)
    assert sensitivity.measure(*how).equals(table)


def answers(dataset, variant, first, other, changed, cosine):
    """Rows of a measurement, an animal an image: right as published, and right in this way."""
    rows = [
        (dataset, variant, f"a{number}", bool(one), number < changed, one - before, cosine)
        for number, (before, one) in enumerate(zip(first, other, strict=True))
    ]
    columns = ["dataset", "variant", "identity", "correct", "changed", "added", "cosine"]
    return pd.DataFrame(rows, columns=columns)


def test_the_summary_is_the_mean_over_datasets_with_intervals_in_pairs():
    a, b, worse = [1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]
    table = pd.concat(
        [
            answers("A", "as published", a, a, 0, 1.0),
            answers("A", "bicubic", a, worse, 2, 0.9),
            answers("A", "other", a, [0, 0, 0, 0], 4, 0.9),
            answers("B", "as published", b, b, 0, 1.0),
            answers("B", "bicubic", b, b, 1, 0.7),
            answers("B", "other", b, [0, 0, 0, 0], 4, 0.7),
        ]
    )
    told = sensitivity.summary(table)
    ends = ["low", "high"]
    assert told.loc["as published"].tolist() == [75, 0, 0, 0, 0, 1]
    others = told.drop(columns=ends).loc["bicubic"]
    assert others.tolist() == pytest.approx([62.5, -12.5, 37.5, 0.8])
    # One of four animals of A was lost; where it is not drawn, nothing is. B loses nothing.
    assert told.loc["bicubic", "high"] == 0
    assert told.loc["bicubic", "low"] == pytest.approx(-37.5)
    assert told.loc["other", "high"] == pytest.approx(-50)
    words = sensitivity.in_words(told)
    assert words.startswith("The interval does not hold 0 for 1 of the 2 other ways: other (-75.0")
    assert "of all 1 differences hold 0" in sensitivity.in_words(told.drop("other"))


def test_ways_of_inference_have_a_dot_per_dataset_and_their_mean():
    table = pd.DataFrame({"variant": ["one", "one", "two"], "accuracy": [0.5, 0.7, 0.4]})
    axis = sensitivity.plot_variants(table).axes[0]
    assert points(axis, 0) == [(50, 0), (70, 0)]
    assert points(axis, 1) == [(60, 0)]
    assert points(axis, 3) == [(40, 1)]
    assert row_names(axis) == ["one", "two"]
