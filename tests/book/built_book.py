"""Where the tests find the built demo book."""

import os

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from megalib.files.places import ROOT

HTML = ROOT / "runs" / "demo" / "book" / "_build" / "html"
IN_CI = bool(os.environ.get("CI"))  # there, book and browser must be present

needs_book = pytest.mark.skipif(not IN_CI and not HTML.is_dir(), reason="needs the book: make book")


def pages() -> list[str]:
    """All pages of the book's table of contents, as addresses below its root."""
    contents = HTML.parents[1] / "source" / "_toc.yml"
    return [f"{name}.html" for name in parse_toc_yaml(contents)] if contents.is_file() else []
