"""Figures of hand-written pages come from files, and every one that a page asks for exists."""

import re

import pytest

from megalib import facts, published
from megalib.files import ROOT

PAGES = sorted((ROOT / "book").glob("**/*.md"))


def test_every_figure_that_a_page_asks_for_exists():
    known, asked = facts.facts(), set()
    for page in PAGES:
        asked |= set(re.findall(r"\{\{ (\w+) \}\}", page.read_text()))
    asked -= {"binder_link", "minutes"}  # differ with the book and with the page
    assert asked <= set(known)
    assert set(known) <= asked, "figures that no page shows"


def test_the_figures_are_those_of_the_tables():
    known, table = facts.facts(), published.accuracies()
    assert known["mean_largest"] == str(round(table["MegaDescriptor-L-384"].mean()))
    assert (known["cells"], known["cattle_right"], known["cattle_images"]) == ("145", "44", "80")
    assert known["saturated"] == "7"
    assert known["reach_100"] == "10"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_accuracy_is_typed_into_a_page(page):
    text = re.sub(r"```.*?```|\$\$.*?\$\$|:::.*?:::", "", page.read_text(), flags=re.DOTALL)
    typed = re.findall(r"(?<![\w.{])\d+(?:\.\d+)? ?%", text)
    assert [figure for figure in typed if figure not in {"95 %", "80 %", "99 %"}] == []


def test_the_library_reference_has_every_module():
    text = (ROOT / "book" / "library.md").read_text()
    listed = re.findall(r"^\.\. automodule:: megalib\.(\w+)$", text, flags=re.MULTILINE)
    modules = [path.stem for path in (ROOT / "megalib").glob("*.py") if path.stem != "__init__"]
    assert sorted(listed) == sorted([*modules, "demo"])


def test_the_address_of_the_repository_is_one_setting():
    assert "no link to Binder" in facts.binder_link("")
    link = facts.binder_link("https://github.com/owls/book/")
    assert "mybinder.org/v2/gh/owls/book/HEAD?labpath=workshop/w0_setup.ipynb" in link
