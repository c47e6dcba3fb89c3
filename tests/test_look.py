"""Tables and figures show names as they are; nothing in them becomes HTML or a formula."""

import ast
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from matplotlib.text import Text
from PIL import Image

from megalib import look
from megalib.data import overview
from megalib.data import plots as data_plots
from megalib.evaluation import charts, mistakes, results
from megalib.files.places import ROOT
from megalib.identify import plots as identify_plots
from megalib.retrieval import plots as retrieval_plots
from megalib.training import plots as training_plots
from tests.figures import drawn, row_names

ATTACK = "<img src=x onerror=alert(1)>&amp; $x_{$"
ELEMENTS = {"table", "thead", "tbody", "tr", "th", "td", "style"}
# HTML has no character for these; names of files never hold them.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def parsed(styler) -> BeautifulSoup:
    return BeautifulSoup(styler.to_html(), "html.parser")


def texts(page: BeautifulSoup, kind: str) -> list[list[str]]:
    """The words of each cell of a kind."""
    return [cell.get_text().split() for cell in page.select(kind)]


@settings(max_examples=60, deadline=None)
@example(*[ATTACK] * 5)
@example("</td></table>", "&lt;", "<!--", "{x}", "{}")
@given(TEXT, TEXT, TEXT, TEXT, TEXT)
def test_any_text_comes_out_as_it_is(cell, row, column, rows, columns):
    frame = pd.DataFrame([[cell]], index=pd.Index([row], name=rows), columns=[column])
    frame = frame.rename_axis(columns=columns)
    for shown in (frame, frame.astype(object)):
        page = parsed(look.styled(shown))
        assert {element.name for element in page.find_all()} <= ELEMENTS
        assert texts(page, "td") == [cell.split()]
        labels = texts(page, "th")
        for label in (row, column, rows, columns):
            assert label.split() in labels
    hidden = parsed(look.styled(frame, index=False))
    assert row.split() not in texts(hidden, "th") or row.split() in (
        column.split(),
        columns.split(),
    )
    own = parsed(look.styled(frame, formats=lambda value: f"<b>{value}</b>"))
    assert texts(own, "td") == [f"<b>{cell}</b>".split()]


@pytest.mark.parametrize("value", [[ATTACK], (ATTACK, 1), {ATTACK: 1}, Path(ATTACK), pd.NA, None])
def test_what_is_no_text_is_escaped_as_well(value):
    frame = pd.DataFrame({"a": pd.Series([value], dtype=object)})
    page = parsed(look.styled(frame))
    assert {element.name for element in page.find_all()} <= ELEMENTS
    assert texts(page, "td") == [str(value).split()]


def test_labels_of_several_levels_are_escaped():
    levels = pd.MultiIndex.from_tuples([(ATTACK, "<b>")], names=["<i>", "<u>"])
    for frame in (pd.DataFrame([[1]], index=levels), pd.DataFrame([[1]], columns=levels)):
        page = parsed(look.styled(frame))
        assert {element.name for element in page.find_all()} <= ELEMENTS
        assert ATTACK in page.get_text()


def test_numbers_are_rounded_and_told_in_their_own_form():
    frame = pd.DataFrame(
        {"share": [0.12345, np.nan], "n": [1234, 5], "p": [0.5, 0.25], "kept": [True, False]}
    )
    page = parsed(look.styled(frame, False, 2, {"n": "{:,}", "p": lambda p: f"{p:.0%}"}, ""))
    assert [cell.get_text() for cell in page.select("td")] == [
        *("0.12", "1,234", "50%", "True"),
        *("", "5", "25%", "False"),
    ]
    page = parsed(look.styled(frame[["share"]], formats="{:.1f}"))
    assert texts(page, "td") == [["0.1"], ["nan"]]
    assert texts(page, "tbody th") == [["0"], ["1"]]


def test_only_markup_that_was_meant_is_markup():
    frame = pd.DataFrame({"paper": [ATTACK]})

    def link(key: str) -> Markup:
        return Markup('<a href="https://x.org">{}</a>').format(key)

    anchor = parsed(look.styled(frame, formats={"paper": link})).select_one("td a")
    assert anchor["href"] == "https://x.org" and anchor.get_text() == ATTACK


def test_jupyter_sets_no_formulas_in_tables():
    look.use_style()
    frame = pd.DataFrame({ATTACK: [ATTACK]}, index=pd.Index([ATTACK], name=ATTACK))
    for html in (look.styled(frame).to_html(), frame._repr_html_()):
        page = BeautifulSoup(html, "html.parser")
        assert {"tex2jax_ignore", "mathjax_ignore"} <= set(page.select_one("table")["class"])
        assert page.find("img") is None and page.select_one("td").get_text() == ATTACK


def code() -> dict[str, str]:
    """All code of library, benchmarks and notebooks, by file."""
    found = {}
    for folder in ("megalib", "benchmarks", "notebooks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found[str(path.relative_to(ROOT))] = path.read_text()
        for path in sorted((ROOT / folder).rglob("*.ipynb")):
            cells = nbformat.read(path, as_version=4).cells
            source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
            found[str(path.relative_to(ROOT))] = source
    return found


def test_every_styled_table_is_made_by_the_one_function():
    found = code()
    assert len([name for name in found if name.endswith(".ipynb")]) >= 18
    using = {
        name
        for name, source in found.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in {"style", "to_html"}
    }
    assert using == {"megalib/look.py"}


def test_a_chart_is_stored_as_vectors():
    table = pd.DataFrame({"T-224": [91.0, 40.0], "L-384": [95.0, 62.0]}, index=["one", "two"])
    for figure in (training_plots.arcface(), charts.accuracy_matrix(table, "top-1")):
        image = look.as_vector(figure)
        assert image.startswith("<?xml") and "<svg" in image


def test_photographs_are_not(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    figure = data_plots.sample_grid(tmp_path, pd.DataFrame({"identity": ["x"], "path": ["a.png"]}))
    assert look.as_vector(figure) is None


def test_outside_a_notebook_the_style_is_set_all_the_same():
    look.use_style()
    assert plt.rcParams["figure.facecolor"] == look.PAPER


def test_a_stamp_is_written_under_the_figure():
    figure = look.signed(charts.gains(pd.Series({"one": 1.0})), "this run")
    assert figure.get_supxlabel() == "this run"


def test_marked_rows_keep_their_place_and_get_their_sign():
    figure = look.mark_rows(
        charts.gains(pd.Series({"one": 2.0, "two": 1.0})), {"two": "†", "x": "*"}
    )
    assert row_names(figure.axes[0]) == ["one", "two †"]
    assert [label.get_style() for label in figure.axes[0].get_yticklabels()] == ["normal", "italic"]
    assert figure.axes[0].get_yticks().tolist() == [0, 1]


ATTACKS = ["x_{$a_{$", "\0\x1b\ufffe", "--><b>", "_hidden", "\\frac", "\n", " ", ""]


NAMES = st.lists(
    st.sampled_from(ATTACKS) | st.text(max_size=8), min_size=2, max_size=2, unique=True
)


def figures_with_names(folder, names):
    """Every figure in which names of individuals, datasets or runs are written."""
    first, second = names
    table = pd.DataFrame({"identity": names, "predicted": names[::-1], "correct": [True, False]})
    table = table.assign(path="0.png", match_path="1.png", similarity=0.5, rank=1, split="test")
    yield data_plots.sample_grid(folder, table, images=1)
    yield retrieval_plots.match_gallery({first: folder}, {first: table})
    yield mistakes.plot_hardest(folder, table)
    pairs = table.assign(
        candidate=names, known_path="1.png", probability=0.5, unlike_all_known="no"
    )
    yield identify_plots.candidates(folder, folder, pairs.assign(photograph=names, animal=1))
    yield mistakes.plot_pair_similarities({first: table.assign(same=table["correct"])})
    yield mistakes.plot_projection(
        np.eye(2), np.array(names, dtype=object), np.array([True, False])
    )
    yield results.plot_match_curves(
        pd.DataFrame([[1.0, 2.0]], columns=pd.Index(names, dtype=object))
    )
    rows = pd.DataFrame({"dataset": pd.Series(names, dtype=object)})
    yield results.plot_before_and_after(rows.assign(accuracy=0.5, untrained_accuracy=0.1))
    heat = pd.DataFrame({"T": [1.0, 2.0]}, index=pd.Index(names, dtype=object))
    yield look.signed(charts.accuracy_matrix(heat, "top-1"), f"{first} {second}")


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
        mistakes.plot_projection(np.eye(2), names, np.array([True, True])),
        results.plot_match_curves(pd.DataFrame([[1.0, 2.0]], columns=names)),
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
        charts.accuracy_against_cost(means, sizes, "mean"),
        charts.gains(pd.Series({"a": 12.0, "b": 1e-7})),
    ]
    for figure in figures:
        drawn(figure)
        words = [text.get_text() for text in figure.findobj(Text)]
        assert not any("$" in word or "mathdefault" in word for word in words)
    left, right = figures[0].axes
    shown = [[label.get_text() for label in axis.get_xticklabels()] for axis in (left, right)]
    assert {"1", "100", "10,000"} <= set(shown[0]) and {"1", "10", "100"} <= set(shown[1])
