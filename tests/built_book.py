"""Where the tests find the built demo book."""

import os

import pytest
import yaml

from megalib.files import ROOT

HTML = ROOT / "runs" / "demo" / "book" / "_build" / "html"
IN_CI = bool(os.environ.get("CI"))  # there, book and browser must be present

needs_book = pytest.mark.skipif(not IN_CI and not HTML.is_dir(), reason="needs the book: make book")


def pages() -> list[str]:
    """All pages of the table of contents, as addresses below the book's root."""
    found = []

    def walk(node):
        for entry in node if isinstance(node, list) else [node]:
            if "file" in entry:
                found.append(entry["file"])
            if "glob" in entry:
                found.extend(str(path.relative_to(ROOT).with_suffix("")) for path in staged(entry))
            for key in ("parts", "chapters", "sections"):
                walk(entry.get(key, []))

    def staged(entry):
        return sorted(ROOT.glob(entry["glob"] + ".ipynb"))

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    walk(toc)
    return [f"{name}.html" for name in [toc["root"], *found]]
