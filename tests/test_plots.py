"""What figures are stored as."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from megalib import plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_a_chart_is_stored_as_vectors():
    table = pd.DataFrame({"T-224": [91.0, 40.0], "L-384": [95.0, 62.0]}, index=["one", "two"])
    for figure in (plots.arcface(), plots.accuracy_matrix(table, "top-1")):
        image = plots.as_vector(figure)
        assert image.startswith("<?xml") and "<svg" in image


def test_photographs_are_not(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    figure = plots.sample_grid(tmp_path, pd.DataFrame({"identity": ["x"], "path": ["a.png"]}))
    assert plots.as_vector(figure) is None


def test_outside_a_notebook_the_style_is_set_all_the_same():
    plots.use_style()
    assert plt.rcParams["figure.facecolor"] == plots.PAPER
