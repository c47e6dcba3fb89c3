"""Names in Markdown come out as they are; in figures, as far as they can be drawn."""

from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from megalib.book import notebook, pages
from megalib.files import plain
from megalib.files.places import ROOT, Run
from megalib.training import cost

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "$x_{$",
    "\\(a\\)",
    "**a** _b_ __c__ `d` ~~e~~",
    "[a](javascript:alert(1)) ![b](c)",
    "{{ minutes }} {ref}`x` {a}",
    "www.example.org https://example.org a@b.org",
    "a | b",
    "# a",
    "- a",
    "1. a",
    "1) a",
    "> a",
    "+ a",
    "= b",
    "&lt; &#60;",
    ":::{note}",
    "a\n\n# b",
    "% a",
    "(a)=",
    "| a |",
    "---",
    "\\",
]
EXTENSIONS = yaml.safe_load((ROOT / "_config.yml").read_text())["parse"]["myst_enable_extensions"]
MYST = create_md_parser(MdParserConfig(enable_extensions=set(EXTENSIONS)), RendererHTML)
# Markdown has no character for these.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def rendered(markdown: str) -> BeautifulSoup:
    """Markdown as the book reads it."""
    return BeautifulSoup(MYST.render(markdown), "html.parser")


def elements(page: BeautifulSoup) -> set[str]:
    return {element.name for element in page.find_all()}


def test_the_attacks_are_some():
    assert {"img", "em", "strong", "a", "code", "span"} <= elements(rendered("\n\n".join(ATTACKS)))


def check_markdown(text: str) -> None:
    written = plain.in_markdown(text)
    for markdown, element in ((f"x{written}y", "p"), (f"# x{written}y", "h1")):
        page = rendered(markdown)
        assert elements(page) == {element}
        assert page.get_text().split() == f"x{' '.join(text.split())}y".split()
    alone = rendered(written)
    assert elements(alone) <= {"p"} and alone.get_text().split() == text.split()
    table = rendered(f"| a | b |\n|---|---|\n| {written} | [{written}](c.csv) |")
    assert elements(table) == {"table", "thead", "tbody", "tr", "th", "td", "a"}
    assert [cell.get_text().split() for cell in table.select("td")] == [text.split()] * 2


@pytest.mark.parametrize("text", ATTACKS)
def test_markup_of_strangers_is_text(text):
    check_markdown(text)


@settings(max_examples=100, deadline=None)
@given(TEXT | st.text(st.sampled_from("*_`[]()<>&;$\\{}|~#-+=.:!1a \n\"'")))
def test_any_text_is_text(text):
    check_markdown(text)


def test_most_names_are_written_as_they_are():
    for name in ("MegaDescriptor-T-224", "DemoZebra", "AMD EPYC, 2 of 2 cores", "Zoë 7"):
        assert plain.in_markdown(name) == name


def test_characters_that_nobody_can_draw_are_told_apart_from_none():
    assert plain.in_figure("a\0\tb\ud800\uffff\ncé\u4e2d") == "a\ufffd\ufffdb\ufffd\ufffd\ncé\u4e2d"


@pytest.mark.parametrize("text", ATTACKS)
def test_names_in_titles_captions_and_alternative_texts_are_text(text):
    code = nbformat.v4.new_code_cell("1", execution_count=1)
    code.metadata["mystnb"] = {
        "image": {"alt": "Of {dataset}"},
        "figure": {"caption": "Of {dataset}"},
    }
    title = nbformat.v4.new_markdown_cell("# Prepare")
    title.metadata["book"] = {"title": "Preparing {dataset}", "learn": "how", "need": "time"}
    executed = nbformat.v4.new_notebook(cells=[title, code])
    executed.metadata["papermill"] = {"parameters": {"dataset": text}, "duration": 1.0}
    page = pages.as_page(executed)
    heading = rendered(page.cells[0].source.splitlines()[0])
    assert elements(heading) == {"h1"}
    assert heading.get_text().split() == ["Preparing", *text.split()]
    caption = rendered(page.cells[1].metadata.mystnb.figure.caption)
    assert elements(caption) == {"p"} and caption.get_text().split() == ["Of", *text.split()]
    assert page.cells[1].metadata.mystnb.image.alt == f"Of {text}"  # is no Markdown


@pytest.mark.parametrize("text", ATTACKS)
def test_what_made_a_page_is_told_as_text(text, monkeypatch):
    monkeypatch.setattr(notebook.computer, "hardware", lambda device: text)
    page = rendered(notebook.provenance(Run("test"), 0).data)
    assert elements(page) == {"table", "thead", "tbody", "tr", "th", "td"}
    rows = {
        row.select("td")[0].get_text(): row.select("td")[1].get_text()
        for row in page.select("tbody tr")
    }
    assert rows["Hardware"].split() == text.split()
    hours = pd.DataFrame(
        {"MegaDescriptor-T-224": [5.0]}, index=pd.MultiIndex.from_tuples([(text, "fp32")])
    )
    page = rendered(cost.in_words(hours))
    assert elements(page) == {"ul", "li", "p"}


@pytest.mark.parametrize(
    "name", ["a b.csv", "__a__.csv", "a](b)<img>.csv", "50%.csv", "$a$ #1.csv"]
)
def test_a_download_leads_to_its_file(run, name):
    page = rendered(notebook.download(run, name, pd.DataFrame({"a": [1]})).data)
    assert elements(page) == {"p", "a"}
    assert page.a.get_text() == name
    assert unquote(page.a["href"]) == f"../tables/{name}"
    assert run.table(name).is_file()
