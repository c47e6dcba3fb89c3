"""The library reference has a page for each package, and on it every module that there is."""

import re

import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from megalib.book import library
from megalib.files.places import ROOT

PACKAGES = sorted(path.parent.name for path in (ROOT / "megalib").glob("*/__init__.py"))
PAGES = {f"megalib.{name}": ROOT / "book" / f"library_{name}.md" for name in PACKAGES}
PAGES["megalib"] = ROOT / "book" / "library.md"
SVG = ROOT / "book" / "_static" / "library.svg"


@pytest.mark.parametrize("package", PAGES)
def test_each_package_has_its_page(package):
    assert library.ASKED.findall(PAGES[package].read_text()) == [package]


def test_every_page_of_the_reference_stands_in_the_contents():
    contents = set(parse_toc_yaml(ROOT / "_toc.yml"))
    pages = {path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES.values()}
    assert pages <= contents
    assert {path.name for path in (ROOT / "book").glob("library*.md")} == {
        path.name for path in PAGES.values()
    }
    assert (
        "megalib.book.library"
        in yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["extra_extensions"]
    )


def test_the_reference_has_every_module():
    text = "\n".join(map(library.reference, PAGES))
    listed = re.findall(r"^\.\. automodule:: megalib\.([\w.]+)\n   :members:$", text, re.MULTILINE)
    files = (path.relative_to(ROOT / "megalib") for path in (ROOT / "megalib").rglob("*.py"))
    names = (".".join(file.with_suffix("").parts) for file in files)
    assert sorted(listed) == sorted(name for name in names if not name.endswith("__init__"))


def test_a_page_opens_with_the_path_of_data_and_what_is_exported():
    text = library.reference("megalib.retrieval")
    front, *modules = text.split("\n## ")
    assert front.startswith("```{eval-rst}\n.. automodule:: megalib.retrieval\n```\n")
    assert "{py:obj}`match <megalib.retrieval.matching.match>`" in front
    assert "{py:obj}`sift <megalib.retrieval.sift>`" in front
    assert modules[0].split("\n")[0] < modules[-1].split("\n")[0]


def test_a_new_module_is_listed_by_itself(tmp_path, monkeypatch):
    (tmp_path / "megalib").mkdir()
    for name in ("__init__", "second", "first"):
        (tmp_path / "megalib" / f"{name}.py").touch()
    monkeypatch.setattr(library, "ROOT", tmp_path)
    assert re.findall(r"^## (.*)$", library.reference("megalib"), re.MULTILINE) == [
        "first",
        "second",
    ]


def test_the_drawing_leads_to_the_page_of_each_package():
    drawing = BeautifulSoup(SVG.read_text(), "lxml").svg
    links = {link["href"]: link.select_one(".name").get_text() for link in drawing.select("a")}
    assert links == {f"library_{name}.html": name for name in PACKAGES}
    told = drawing.desc.get_text()
    assert all(name in told for name in PACKAGES)
    assert "\n\n" not in SVG.read_text().strip()
