"""Galleries show queries and what was found."""

from itertools import combinations

import numpy as np
import pandas as pd
from PIL import Image

from megalib.retrieval import plots as retrieval_plots
from tests.figures import colours


def test_queries_stand_above_their_matches(pictures, matches):
    axes = np.reshape(retrieval_plots.match_gallery({"X": pictures}, {"X": matches}).axes, (2, 2))
    assert colours(axes) == [0, 1, 2, 3]
    assert [axis.get_title() for axis in axes[0]] == ["a", "b"]
    assert [axis.get_title() for axis in axes[1]] == ["a", "c"]
    told = [axis.get_xlabel() for axis in axes[1]]
    assert told == ["right, cosine 0.75", "wrong, cosine 0.50"]


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
        figure = retrieval_plots.match_gallery(folders, predictions, wrong_in_all=wrong_in_all)
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
