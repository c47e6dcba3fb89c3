"""Figures of datasets draw what they were given."""

import numpy as np
import pandas as pd

from megalib.data import overview
from megalib.data import plots as data_plots
from tests.figures import colours, points, row_names


def test_the_grid_has_a_row_per_individual(pictures):
    metadata = pd.DataFrame(
        {"identity": list("aabbbc"), "path": [f"{number}.png" for number in range(6)]}
    )
    axes = data_plots.sample_grid(pictures, metadata, individuals=6, images=2).axes
    assert [axis.get_ylabel() for axis in axes] == ["a", "", "b", ""]
    assert set(colours(axes[:2])) == {0, 1}
    assert set(colours(axes[2:])) < {2, 3, 4}


def test_bars_stack_the_parts_of_each_individual():
    metadata = pd.DataFrame(
        {"identity": list("aabbbc"), "split": ["train", "test", "train", "train", "test", None]}
    )
    axis = data_plots.images_per_individual(metadata).axes[0]
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axis.containers}
    assert heights == {"train": [2, 1, 0], "test": [1, 1, 0], "discarded": [0, 0, 1]}
    assert [bar.get_y() for bar in axis.containers[1]] == [2, 1, 0]


def test_sizes_are_drawn_for_datasets_that_have_counts():
    table = pd.DataFrame(
        {"images": [200.0, np.nan, 30], "images each": [20.0, np.nan, 5]}, index=list("abc")
    )
    left, right = overview.sizes(table).axes
    assert points(left, 1) == [(200, 0), (30, 1)]
    assert points(right, 1) == [(20, 0), (5, 1)]
    assert row_names(left) == ["a", "c"]
