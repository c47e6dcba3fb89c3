"""Tables of the pages show names as they are; nothing in them becomes HTML."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from megalib import look
from megalib.files.places import ROOT

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
