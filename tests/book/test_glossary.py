"""Where pages first use a word of the glossary it becomes a link, and nowhere else."""

import pytest
from docutils.core import publish_doctree
from myst_parser.parsers.docutils_ import Parser
from sphinx import addnodes

from megalib.book import glossary
from megalib.files.places import ROOT

ENTRIES = ["set", "open set", "top-1", "split", "ArcFace", "run, of a profile"]


def links(markdown: str, entries=ENTRIES) -> list[tuple[str, str]]:
    """Text and entry of each link that a page gets, in the order of the page."""
    options = {"myst_enable_extensions": ["dollarmath", "deflist"], "report_level": 5}
    document = publish_doctree(markdown, parser=Parser(), settings_overrides=options)
    before = document.astext()
    glossary.link_terms(document, entries)
    assert document.astext() == before
    found = document.findall(addnodes.pending_xref)
    return [(node.astext(), node["reftarget"]) for node in found]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("A split. Another split.", [("split", "split")]),
        ("Splits lie.", [("Splits", "split")]),
        ("A *split* and **ArcFace**.", [("split", "split"), ("ArcFace", "ArcFace")]),
        ("Their\nopen\nset (open set).", [("open\nset", "open set")]),
        ("An open set, then a set.", [("open set", "open set"), ("set", "set")]),
        ("The top-1, not the top-10.", [("top-1", "top-1")]),
        ("top-10 and closed-set and reset and sets_of", []),
        ("arcface is no name", []),
        ("# A split\n\n> A split in a quotation.", [("split", "split")]),
        ("`split` and [a split](https://e.org) and <https://split.org>", []),
        ("[`split`](#split), ![split](split.png), $split$", []),
        ("```python\nsplit = 1\n```\n\n    split\n\n$$split$$", []),
        ("| split |\n|---|\n| split |", []),
        ("* split's *end*\n* split", [("split", "split")]),
        ("<b>split</b>", [("split", "split")]),
        ("<!-- split -->", []),
        ("split\n: of the table; the set", [("set", "set")]),
        ("a run of a profile", []),
        ("\\*split\\* & “split”", [("split", "split")]),
    ],
)
def test_the_first_mention_in_prose_is_linked(markdown, expected):
    assert links(markdown) == expected


def test_entries_of_the_glossary_are_read_and_differ():
    entries = glossary.terms((ROOT / "book" / "glossary.md").read_text())
    assert {"ArcFace", "cosine similarity", "top-1", "weights"} <= set(entries)
    assert len({entry.lower() for entry in entries}) == len(entries) > 30
    assert entries == sorted(entries, key=str.lower)


def test_no_page_marks_terms_by_hand():
    marked = [page.name for page in (ROOT / "book").glob("*.md") if "{term}" in page.read_text()]
    assert marked == []
