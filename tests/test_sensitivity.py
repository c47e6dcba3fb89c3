"""Other ways of inference: each differs in one point, and the table says what that changes."""

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional

from megalib import flavours, images, networks, sensitivity


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
        pixels = images.inference_transform(changed)(image)
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
    assert images.inference_transform(other)(image).abs().max() <= 1


def test_the_table_counts_other_answers(prepared, flavour):
    model = networks.untrained(flavour, 0)
    lines = []
    table = sensitivity.measure(
        model, flavour, ["DemoLeopard"], prepared, torch.device("cpu"), report=lines.append
    )
    assert lines == ["DemoLeopard: 6 ways compared"]
    published = table.iloc[0]
    assert (published["variant"], published["changed"]) == ("as published", 0)
    assert published["cosine"] > 1 - 1e-6
    halved = table.set_index("variant").loc["mean and deviation 0.5"]
    assert halved["cosine"] < 1 - 1e-4
    bf16 = table.set_index("variant").loc["bfloat16"]
    assert 0.999 < bf16["cosine"] < 1
    told = sensitivity.summary(table)
    assert told["difference, points"].iloc[0] == 0
    assert (told["top-1, %"] == 100 * table["accuracy"].to_numpy()).all()
