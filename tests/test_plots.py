"""What figures are stored as."""

from itertools import combinations

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


def test_a_gallery_shows_right_and_wrong_matches_in_even_rows(tmp_path):
    for number in range(4):
        size = (10 + 20 * number, 30, 3)
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / f"{number}.png")
    rows = [("a_very_long_name_of_a_whale_shark", "a", True), ("b", "a", False)] * 2
    table = pd.DataFrame(rows, columns=["identity", "predicted", "correct"])
    table["path"] = table["match_path"] = [f"{number}.png" for number in range(4)]
    table["similarity"] = 0.5
    predictions = dict.fromkeys(("A", "B", "C", "D"), table)
    folders = dict.fromkeys(predictions, tmp_path)
    for wrong_in_all, pairs in ((None, 8), (1, 5), (0, 4)):
        figure = plots.match_gallery(folders, predictions, wrong_in_all=wrong_in_all)
        figure.canvas.draw()
        used = [axis for axis in figure.axes if axis.images]
        labels = [axis.get_xlabel() for axis in used if axis.get_xlabel()]
        assert len(used) == 2 * pairs
        wrong = 4 if wrong_in_all is None else wrong_in_all
        assert labels.count("wrong, cosine 0.50") == wrong
        assert labels.count("right, cosine 0.50") == 4
        boxes = np.array([axis.get_window_extent().size for axis in used])
        np.testing.assert_allclose(boxes, boxes[0, 0], atol=1.5)  # squares of one size
        titles = [axis.title.get_window_extent() for axis in used]
        for one, other in combinations(titles, 2):
            assert not one.overlaps(other)
