"""What figures draw is what they were given, and what they are stored as."""

import xml.dom.minidom
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.pylabtools import print_figure
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image

from megalib import look
from megalib.book import overview
from megalib.data import plots as data_plots
from megalib.evaluation import plots as evaluation_plots
from megalib.identify import plots as identify_plots
from megalib.retrieval import plots as retrieval_plots
from megalib.training import plots as training_plots
from tests.conftest import write_image


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_a_chart_is_stored_as_vectors():
    table = pd.DataFrame({"T-224": [91.0, 40.0], "L-384": [95.0, 62.0]}, index=["one", "two"])
    for figure in (training_plots.arcface(), evaluation_plots.accuracy_matrix(table, "top-1")):
        image = look.as_vector(figure)
        assert image.startswith("<?xml") and "<svg" in image


def test_photographs_are_not(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    figure = data_plots.sample_grid(tmp_path, pd.DataFrame({"identity": ["x"], "path": ["a.png"]}))
    assert look.as_vector(figure) is None


def test_outside_a_notebook_the_style_is_set_all_the_same():
    look.use_style()
    assert plt.rcParams["figure.facecolor"] == look.PAPER


def points(axis, number=0) -> list[tuple[float, float]]:
    """Where the dots of one scatter lie, without the noise of the last digits."""
    places = np.asarray(axis.collections[number].get_offsets()).round(9)
    return [tuple(place) for place in places.tolist()]


def line(axis, number=0) -> tuple[list[float], list[float]]:
    drawn = axis.lines[number]
    return np.asarray(drawn.get_xdata()).tolist(), np.asarray(drawn.get_ydata()).tolist()


def row_names(axis) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


@pytest.fixture
def pictures(tmp_path):
    """A folder with pictures of one colour each: their number times ten."""
    for number in range(6):
        pixels = np.full((4, 4, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def colours(axes) -> list[int]:
    """Which of the pictures each axis shows, -1 for none."""
    shown = [axis.images[0].get_array() if axis.images else None for axis in np.ravel(axes)]
    return [-1 if image is None else int(np.asarray(image)[0, 0, 0]) // 10 for image in shown]


def test_a_stamp_is_written_under_the_figure():
    figure = look.signed(evaluation_plots.gains(pd.Series({"one": 1.0})), "this run")
    assert figure.get_supxlabel() == "this run"


def test_marked_rows_keep_their_place_and_get_their_sign():
    figure = look.mark_rows(
        evaluation_plots.gains(pd.Series({"one": 2.0, "two": 1.0})), {"two": "†", "x": "*"}
    )
    assert row_names(figure.axes[0]) == ["one", "two †"]
    assert [label.get_style() for label in figure.axes[0].get_yticklabels()] == ["normal", "italic"]
    assert figure.axes[0].get_yticks().tolist() == [0, 1]


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


def test_curves_follow_the_history():
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "loss": [3.0, 1.0],
            "learning_rate": [0.1, 0.05],
            "validation": [np.nan, 0.5],
        }
    )
    loss, rate, validation = training_plots.training_curves(history).axes
    assert line(loss) == ([1, 2], [3, 1])
    assert line(rate) == ([1, 2], [0.1, 0.05])
    assert line(validation) == ([2], [50])
    assert len(training_plots.training_curves(history.assign(validation=np.nan)).axes) == 2


@pytest.fixture
def matches():
    return pd.DataFrame(
        {
            "path": ["0.png", "1.png"],
            "match_path": ["2.png", "3.png"],
            "identity": ["a", "b"],
            "predicted": ["a", "c"],
            "similarity": [0.75, 0.5],
            "correct": [True, False],
            "rank": [0, 4],
        }
    )


def test_queries_stand_above_their_matches(pictures, matches):
    axes = np.reshape(retrieval_plots.match_gallery({"X": pictures}, {"X": matches}).axes, (2, 2))
    assert colours(axes) == [0, 1, 2, 3]
    assert [axis.get_title() for axis in axes[0]] == ["a", "b"]
    assert [axis.get_title() for axis in axes[1]] == ["a", "c"]
    told = [axis.get_xlabel() for axis in axes[1]]
    assert told == ["right, cosine 0.75", "wrong, cosine 0.50"]


def test_the_hardest_queries_tell_the_rank_of_the_right_one(pictures, matches):
    axes = np.reshape(evaluation_plots.hardest(pictures, matches.iloc[1:]).axes, (2, 1))
    assert colours(axes) == [1, 3]
    assert axes[1, 0].get_title() == "c" and axes[1, 0].get_xlabel() == "right one at 5"


def test_histograms_hold_each_kind_of_pair():
    table = pd.DataFrame({"similarity": [0.9, 0.8, 0.1], "same": [True, True, False]})
    axis = evaluation_plots.pair_similarities({"X": table}).axes[0]
    same, different = ([bar.get_height() for bar in bars] for bars in axis.containers)
    edges = [bar.get_x() for bar in axis.containers[0]]
    assert sum(height > 0 for height in same) == 2 and min(edges) == pytest.approx(0.8)
    assert sum(height > 0 for height in different) == 1


def test_a_projection_draws_test_and_training_images_of_each_individual():
    plane = np.array([[0.0, 0], [1, 1], [2, 2]])
    figure = evaluation_plots.projection(
        plane, np.array(["a", "a", "b"]), np.array([True, False, True])
    )
    axis = figure.axes[0]
    assert [points(axis, number) for number in range(4)] == [[(0, 0)], [(1, 1)], [(2, 2)], []]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]


def test_shares_of_a_similarity_lie_over_their_image(tmp_path):
    for name in "ab":
        write_image(tmp_path / f"{name}.png", (8, 6), 0)
    shares = [np.array([[0.1, -0.3]]), np.array([[0.2, 0.0]])]
    figure = evaluation_plots.similarity_map([tmp_path / "a.png", tmp_path / "b.png"], shares, 0.42)
    for axis, part in zip(figure.axes[2:4], shares, strict=True):
        heat = axis.images[1]
        assert np.asarray(heat.get_array()).tolist() == part.tolist()
        assert heat.get_clim() == (-0.3, 0.3)
        assert heat.get_extent() == [0, 8, 6, 0]
    assert figure.get_suptitle() == "cosine 0.42"


def test_ways_of_inference_have_a_dot_per_dataset_and_their_mean():
    table = pd.DataFrame({"variant": ["one", "one", "two"], "accuracy": [0.5, 0.7, 0.4]})
    axis = evaluation_plots.sensitivity(table).axes[0]
    assert points(axis, 0) == [(50, 0), (70, 0)]
    assert points(axis, 1) == [(60, 0)]
    assert points(axis, 3) == [(40, 1)]
    assert row_names(axis) == ["one", "two"]


def test_candidates_stand_beside_their_photograph(pictures):
    table = pd.DataFrame(
        {
            "photograph": ["x", "x", "y", "y"],
            "path": ["0.png", "0.png", "1.png", "1.png"],
            "rank": [1, 2, 1, 2],
            "candidate": ["a", "b", "b", "a"],
            "known_path": ["2.png", "3.png", "3.png", "2.png"],
            "similarity": [0.9, 0.5, 0.4, 0.3],
            "probability": [0.8, 0.25, np.nan, np.nan],
            "new_individual": ["no", "no", "yes", "yes"],
        }
    )
    axes = np.reshape(identify_plots.candidates(pictures, pictures, table).axes, (2, 3))
    assert colours(axes) == [0, 2, 3, 1, 3, 2]
    assert [row[0].get_title() for row in axes] == ["new photograph", "probably new"]
    assert [axis.get_title() for axis in axes[0, 1:]] == ["a", "b"]
    assert axes[0, 1].get_xlabel() == "80%, cosine 0.90"
    assert axes[1, 1].get_xlabel() == "cosine 0.40"


def test_curves_of_matches_are_those_of_the_table():
    table = pd.DataFrame({"X": [50.0, 75], "Y": [20.0, 100]}, index=pd.Index([1, 2], name="looked"))
    axis = evaluation_plots.match_curves(table).axes[0]
    assert [line(axis, number)[1] for number in range(2)] == [[50, 75], [20, 100]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["X", "Y"]


def test_known_and_new_animals_have_a_histogram_each():
    table = pd.DataFrame({"similarity": [0.9, 0.2, 0.1], "is_new": [False, True, True]})
    axis = evaluation_plots.similarities(table).axes[0]
    known, new = axis.containers
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["known animals", "new animals"]
    assert [sum(bar.get_height() > 0 for bar in bars) for bars in (known, new)] == [1, 2]


def test_thresholds_are_drawn_in_per_cent():
    roc = pd.DataFrame({"false_alarms": [0, 0.5], "found": [0.1, 0.9]})
    sweep = pd.DataFrame(
        {"threshold": [0.1, 0.2], "baks": [1, 0.5], "baus": [0, 0.5], "geometric_mean": [0, 0.5]}
    )
    left, right = evaluation_plots.new_against_known(roc, sweep).axes
    assert line(left) == ([0, 50], [10, 90])
    assert [line(right, number)[1] for number in range(3)] == [[100, 50], [0, 50], [0, 50]]


def test_reliability_stands_beside_the_diagonal():
    table = pd.DataFrame({"method": ["a", "b"], "probability": [0.5, 0.7], "share_right": [0.4, 1]})
    axis = evaluation_plots.reliability(table).axes[0]
    assert [line(axis, number) for number in range(3)] == [
        ([0, 100], [0, 100]),
        ([50], [40]),
        ([70], [100]),
    ]


def test_rejection_is_drawn_in_per_cent():
    axis = evaluation_plots.rejection(pd.DataFrame({"kept": [0.5, 1], "accuracy": [1, 0.75]})).axes[
        0
    ]
    assert line(axis) == ([50, 100], [100, 75])


def test_before_and_after_are_joined():
    table = pd.DataFrame({"dataset": ["a"], "accuracy": [0.9], "untrained_accuracy": [0.2]})
    axis = evaluation_plots.before_and_after(table).axes[0]
    assert axis.collections[0].get_segments()[0].tolist() == [[20, 0], [90, 0]]
    assert points(axis, 1) == [(20, 0)]
    assert points(axis, 2) == [(90, 0)]


@pytest.fixture
def accuracies():
    return pd.DataFrame(
        {"MegaDescriptor-T-224": [40.0, 91], "MegaDescriptor-L-384": [62.04, 95]},
        index=["one", "two"],
    )


def test_a_heat_map_writes_each_accuracy_into_its_cell(accuracies):
    axis = evaluation_plots.accuracy_matrix(accuracies, "top-1").axes[0]
    assert [text.get_text() for text in axis.texts] == ["40.0", "62.0", "91.0", "95.0"]
    assert row_names(axis) == ["one", "two"]
    labels = axis.get_xticklabels()
    assert [label.get_text() for label in labels] == ["T-224", "L-384"]
    assert [label.get_rotation() for label in labels] == [0, 0]


def test_each_flavour_has_a_box_and_a_dot_per_dataset(accuracies):
    axis = evaluation_plots.accuracy_by_flavour(accuracies, "top-1").axes[0]
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
    axis = evaluation_plots.accuracy_intervals(table).axes[0]
    assert line(axis)[0] == [50, 90]
    reached = [segment[:, 0].tolist() for segment in axis.collections[0].get_segments()]
    assert reached == [[40, 60], [85, 94]]
    assert row_names(axis) == ["one", "two"]


def test_gains_are_bars_and_losses_have_another_colour():
    axis = evaluation_plots.gains(pd.Series({"one": 12.5, "two": -1.0})).axes[0]
    assert [bar.get_width() for bar in axis.patches] == [12.5, -1]
    assert axis.patches[0].get_facecolor() != axis.patches[1].get_facecolor()


def test_the_margin_moves_the_image_away_from_its_individual():
    without, with_margin = training_plots.arcface(margin=0.3).axes
    angles = [
        [np.arctan2(y[-1], x[-1]) for x, y in (line(axis, n) for n in range(len(axis.lines)))]
        for axis in (without, with_margin)
    ]
    assert max(angles[1][1:]) - max(angles[0][1:]) == pytest.approx(0.3)


def test_accuracy_stands_above_each_size(accuracies):
    sizes = pd.DataFrame(
        {"millions": [28.0, 195], "billions": [9.0, 208]}, index=accuracies.columns
    )
    figure = evaluation_plots.accuracy_against_cost(accuracies.mean(), sizes, "mean")
    for axis, (name, values) in zip(figure.axes, sizes.items(), strict=True):
        assert line(axis) == (values.tolist(), [65.5, 78.52])
        assert axis.get_xlabel() == name
        low, high = axis.get_ylim()
        assert low < 65.5 and high > 78.52


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


ATTACKS = ["x_{$a_{$", "\0\x1b\ufffe", "--><b>", "_hidden", "\\frac", "\n", " ", ""]
NAMES = st.lists(
    st.sampled_from(ATTACKS) | st.text(max_size=8), min_size=2, max_size=2, unique=True
)


def drawn(figure) -> str:
    """A figure as SVG, which must be XML, even where a page would show it as pixels."""
    figure.set_dpi(20)
    svg = print_figure(figure, "svg", bbox_inches=None)
    xml.dom.minidom.parseString(svg)
    return svg


def figures_with_names(folder, names):
    """Every figure in which names of individuals, datasets or runs are written."""
    first, second = names
    table = pd.DataFrame({"identity": names, "predicted": names[::-1], "correct": [True, False]})
    table = table.assign(path="0.png", match_path="1.png", similarity=0.5, rank=1, split="test")
    yield data_plots.sample_grid(folder, table, images=1)
    yield retrieval_plots.match_gallery({first: folder}, {first: table})
    yield evaluation_plots.hardest(folder, table)
    pairs = table.assign(candidate=names, known_path="1.png", probability=0.5, new_individual="no")
    yield identify_plots.candidates(folder, folder, pairs.assign(photograph=names))
    yield evaluation_plots.pair_similarities({first: table.assign(same=table["correct"])})
    yield evaluation_plots.projection(
        np.eye(2), np.array(names, dtype=object), np.array([True, False])
    )
    yield evaluation_plots.match_curves(
        pd.DataFrame([[1.0, 2.0]], columns=pd.Index(names, dtype=object))
    )
    results = pd.DataFrame({"dataset": pd.Series(names, dtype=object)})
    yield evaluation_plots.before_and_after(results.assign(accuracy=0.5, untrained_accuracy=0.1))
    heat = pd.DataFrame({"T": [1.0, 2.0]}, index=pd.Index(names, dtype=object))
    yield look.signed(evaluation_plots.accuracy_matrix(heat, "top-1"), f"{first} {second}")


@pytest.mark.filterwarnings("ignore:Glyph")  # a font lacks most of what hypothesis finds
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(ATTACKS[:2])
@example(ATTACKS[2:4])
@given(NAMES)
def test_any_name_can_be_drawn_and_stored(pictures, names):
    look.use_style()
    for figure in figures_with_names(pictures, names):
        drawn(figure)
        plt.close(figure)


def test_names_are_drawn_as_they_are():
    """Between dollar signs, too, and where a usual legend would leave them out."""
    look.use_style()
    names = np.array(["$a$", "_b"])
    legends = [
        evaluation_plots.projection(np.eye(2), names, np.array([True, True])),
        evaluation_plots.match_curves(pd.DataFrame([[1.0, 2.0]], columns=names)),
    ]
    for figure in legends:
        told = figure.axes[0].get_legend().get_texts()
        assert [text.get_text() for text in told] == ["$a$", "_b"]
        assert not any(text.get_parse_math() for text in told)


def test_numbers_on_axes_are_plain():
    look.use_style()
    table = pd.DataFrame({"images": [50000.0, 300], "images each": [200.0, 2]}, index=["a", "b"])
    history = pd.DataFrame({"epoch": [1, 2], "loss": [9.0, 1], "learning_rate": [1e-5, 1e-6]})
    means = pd.Series([60.0, 70.0], index=["MegaDescriptor-T-224", "MegaDescriptor-L-384"])
    sizes = pd.DataFrame({"millions": [28.0, 195], "billions": [9.0, 416]}, index=means.index)
    figures = [
        overview.sizes(table),
        training_plots.training_curves(history.assign(validation=np.nan)),
        evaluation_plots.accuracy_against_cost(means, sizes, "mean"),
        evaluation_plots.gains(pd.Series({"a": 12.0, "b": 1e-7})),
    ]
    for figure in figures:
        drawn(figure)
        words = [text.get_text() for text in figure.findobj(Text)]
        assert not any("$" in word or "mathdefault" in word for word in words)
    left, right = figures[0].axes
    shown = [[label.get_text() for label in axis.get_xticklabels()] for axis in (left, right)]
    assert {"1", "100", "10,000"} <= set(shown[0]) and {"1", "10", "100"} <= set(shown[1])
