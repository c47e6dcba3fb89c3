"""Charts draw the accuracies that they were given."""

import pandas as pd
import pytest

from megalib.evaluation import charts
from tests.figures import line, points, row_names


@pytest.fixture
def accuracies():
    return pd.DataFrame(
        {"MegaDescriptor-T-224": [40.0, 91], "MegaDescriptor-L-384": [62.04, 95]},
        index=["one", "two"],
    )


def test_a_heat_map_writes_each_accuracy_into_its_cell(accuracies):
    axis = charts.accuracy_matrix(accuracies, "top-1").axes[0]
    assert [text.get_text() for text in axis.texts] == ["40.0", "62.0", "91.0", "95.0"]
    assert row_names(axis) == ["one", "two"]
    labels = axis.get_xticklabels()
    assert [label.get_text() for label in labels] == ["T-224", "L-384"]
    assert [label.get_rotation() for label in labels] == [0, 0]


def test_each_flavour_has_a_box_and_a_dot_per_dataset(accuracies):
    axis = charts.accuracy_by_flavour(accuracies, "top-1").axes[0]
    assert sorted(height for _, height in points(axis, 0)) == [40, 91]
    assert sorted(height for _, height in points(axis, 1)) == [62.04, 95]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["T-224", "L-384"]


def test_intervals_reach_from_low_to_high():
    table = pd.DataFrame(
        {
            "dataset": ["one", "two"],
            "flavour": ["MegaDescriptor-T-224"] * 2,
            "accuracy": [50.0, 90],
            "low": [40.0, 85],
            "high": [60.0, 94],
        }
    )
    axis = charts.accuracy_intervals(table).axes[0]
    assert line(axis)[0] == [50, 90]
    reached = [segment[:, 0].tolist() for segment in axis.collections[0].get_segments()]
    assert reached == [[40, 60], [85, 94]]
    assert row_names(axis) == ["one", "two"]


def test_gains_are_bars_and_losses_have_another_colour():
    axis = charts.gains(pd.Series({"one": 12.5, "two": -1.0})).axes[0]
    assert [bar.get_width() for bar in axis.patches] == [12.5, -1]
    assert axis.patches[0].get_facecolor() != axis.patches[1].get_facecolor()


def test_accuracy_stands_above_each_size(accuracies):
    sizes = pd.DataFrame(
        {"millions": [28.0, 195], "billions": [9.0, 208]}, index=accuracies.columns
    )
    figure = charts.accuracy_against_cost(accuracies.mean(), sizes, "mean")
    for axis, (name, values) in zip(figure.axes, sizes.items(), strict=True):
        assert line(axis) == (values.tolist(), [65.5, 78.52])
        assert axis.get_xlabel() == name
        low, high = axis.get_ylim()
        assert low < 65.5 and high > 78.52
