"""Tables of a run read what was written, whatever animals are called."""

import numpy as np
import pandas as pd
import pytest

from megalib.errors import UserError
from megalib.evaluation import resampling, results
from megalib.retrieval.found import Found, Ranks
from tests.figures import line, points

NAME = "MegaDescriptor-T-224"


def test_animals_may_be_called_like_missing_values(run):
    table = pd.DataFrame(
        {
            "image_id": ["007", "NaN"],
            "identity": ["NA", "None"],
            "path": ["a.png", "b.png"],
            "match_id": ["1", "NA"],
            "match_path": ["c.png", "NA"],
            "predicted": ["null", "None"],
            "similarity": [0.5, np.nan],
            "correct": [False, True],
            "rank": [1, 0],
            "twin": [np.nan, "a.jpg"],
        }
    )
    file = run.predictions(NAME, "Owls")
    file.parent.mkdir(parents=True)
    table.to_csv(file, index=False)
    rows = pd.DataFrame({"flavour": [NAME], "dataset": ["Owls"]})
    _, read = results.folders_and_predictions(run, NAME, rows)
    pd.testing.assert_frame_equal(read["Owls"], table)


@pytest.mark.parametrize("content", [b"", b"\n", b"a,b\n1,2\n", b"\xff\x00\x01", b"a\n1,2,3\n"])
def test_damaged_results_are_told_in_one_line(run, content):
    rows = pd.DataFrame({"flavour": [NAME], "dataset": ["Owls"]})
    for file, read in (
        (run.results(NAME), lambda: results.read(run, [NAME])),
        (
            run.predictions(NAME, "Owls"),
            lambda: results.folders_and_predictions(run, NAME, rows),
        ),
    ):
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"3_infer\.ipynb again") as told:
            read()
        assert "\n" not in str(told.value)


def test_curves_of_matches_are_those_of_the_table():
    table = pd.DataFrame({"X": [50.0, 75], "Y": [20.0, 100]}, index=pd.Index([1, 2], name="looked"))
    axis = results.plot_match_curves(table).axes[0]
    assert [line(axis, number)[1] for number in range(2)] == [[50, 75], [20, 100]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["X", "Y"]


def test_before_and_after_are_joined():
    table = pd.DataFrame({"dataset": ["a"], "accuracy": [0.9], "untrained_accuracy": [0.2]})
    axis = results.plot_before_and_after(table).axes[0]
    assert axis.collections[0].get_segments()[0].tolist() == [[20, 0], [90, 0]]
    assert points(axis, 1) == [(20, 0)]
    assert points(axis, 2) == [(90, 0)]
    axis = results.plot_before_and_after(table.assign(frozen_accuracy=0.4)).axes[0]
    told = [text.get_text() for text in axis.get_legend().get_texts()]
    assert told == ["random weights", "frozen ImageNet", "as run here"]
    assert [points(axis, number)[0][0] for number in (1, 2, 3)] == [20, 40, 90]


def test_results_are_asked_for_in_one_line(run):
    with pytest.raises(UserError, match="run 3_infer"):
        results.read(run, [NAME])
    assert results.missing(run, [NAME]) == [NAME]


def test_curves_count_the_images_found_within_a_list():
    predictions = {"A": pd.DataFrame({"rank": [0, 0, 3, 25]}), "B": pd.DataFrame({"rank": [1]})}
    curves = results.match_curves(predictions, 5)
    assert curves.index.tolist() == [1, 2, 3, 4, 5]
    assert curves["A"].tolist() == [50, 50, 50, 75, 75]
    assert curves["B"].tolist() == [0, 100, 100, 100, 100]


def test_encounters_have_an_interval_of_their_own_where_all_are_known():
    """Images of three encounters of one animal, each all right or all wrong."""
    ids, right = list("abcdef"), [True, False, False, True, True, True]
    metadata = pd.DataFrame({"image_id": [*reversed(ids), "t"], "split": ["test"] * 6 + ["train"]})
    metadata["identity"], metadata["encounter"] = "Ada", ["3", "3", "3", "2", "2", "1", None]
    matches = pd.DataFrame({"image_id": ids, "identity": "Ada", "correct": right})
    matches["predicted"] = np.where(right, "Ada", "Bo")
    ranks = Ranks(np.where(right, 0, 1), np.ones(6), np.zeros((6, 1), int))
    row = results.counts(Found(metadata, matches, ranks, {}, {}))
    expected = resampling.cluster_interval(np.array(right), np.array([1, 2, 2, 3, 3, 3]))
    assert (row["low_encounters"], row["high_encounters"]) == expected and expected[0] < expected[1]
    assert row["low_individuals"] == row["high_individuals"] == pytest.approx(4 / 6)
    table = results.for_reading(pd.DataFrame([row]).assign(dataset="Owls"))
    assert [c for c in table if c in ("low, individuals", "high, encounters")] == [
        "low, individuals",
        "high, encounters",
    ]
    unknown = metadata.assign(encounter=["3", None, "3", "2", "2", "1", None])
    assert "low_encounters" not in results.counts(Found(unknown, matches, ranks, {}, {}))
