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


def test_the_table_counts_other_answers(prepared, flavour):
    """Each way is embedded and matched again here, one cosine at a time."""
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    for number, path in enumerate(metadata["path"]):
        for size in (256, 518):
            file = prepared.images(size, "DemoLeopard") / path
            write_image(file, (60, 32), 100 + number + size)
    model = networks.untrained_network(flavour, 0).eval()
    lines = []
    table = sensitivity.measure(
        model, flavour, ["DemoLeopard"], prepared, torch.device("cpu"), report=lines.append
    )
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
        assert row.cosine == pytest.approx((unit * first[1]).sum(axis=1).mean(), abs=1e-5)
    assert table["changed"].iloc[0] == 0 and table["changed"].max() > 0
    assert table["accuracy"].nunique() > 1


def test_what_was_measured_is_not_extracted_again(prepared, flavour, monkeypatch):
    model, device = networks.untrained_network(flavour, 0), torch.device("cpu")
    how = (model, flavour, ["DemoLeopard"], prepared, device, 0, lambda _: None)
    table = sensitivity.measure(*how)
    assert len(list(prepared.folder.glob("features/*/*.safetensors"))) == 6
    monkeypatch.setattr(extraction, "extract", None)
    assert sensitivity.measure(*how).equals(table)


def test_the_summary_is_the_mean_over_datasets():
    rows = [("A", "as published", 0.5, 0.0, 1.0), ("A", "bicubic", 0.25, 0.5, 0.9)]
    rows += [("B", "as published", 1.0, 0.0, 1.0), ("B", "bicubic", 1.0, 0.25, 0.7)]
    columns = ["dataset", "variant", "accuracy", "changed", "cosine"]
    told = sensitivity.summary(pd.DataFrame(rows, columns=columns))
    assert told.loc["as published"].tolist() == [75, 0, 0, 1]
    assert told.loc["bicubic"].tolist() == pytest.approx([62.5, -12.5, 37.5, 0.8])


def test_ways_of_inference_have_a_dot_per_dataset_and_their_mean():
    table = pd.DataFrame({"variant": ["one", "one", "two"], "accuracy": [0.5, 0.7, 0.4]})
    axis = sensitivity.plot_variants(table).axes[0]
    assert points(axis, 0) == [(50, 0), (70, 0)]
    assert points(axis, 1) == [(60, 0)]
    assert points(axis, 3) == [(40, 1)]
    assert row_names(axis) == ["one", "two"]
