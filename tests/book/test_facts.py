"""Numbers of pages come from files, and every one that a page asks for exists."""

import csv
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from megalib.book import numbers, parameters
from megalib.data import published
from megalib.evaluation import benchmarks
from megalib.files.places import ROOT

PAGES = sorted((ROOT / "book").glob("*.md"))
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
# Exercises ask about numbers that they give themselves.
NOTEBOOKS = [path for path in parameters.notebooks().values() if path.parent.name != "workshop"]


def test_every_number_that_a_page_asks_for_exists():
    known, asked = numbers.facts(), set()
    for page in PAGES:
        asked |= set(re.findall(r"\{\{ (\w+) \}\}", page.read_text()))
    asked -= {"binder_link", "minutes"}  # differ with the book and with the page
    assert asked <= set(known)
    assert set(known) <= asked, "numbers that no page shows"


def test_the_numbers_are_those_of_the_tables():
    known, table = numbers.facts(), published.accuracies()
    assert known["mean_largest"] == str(round(table["MegaDescriptor-L-384"].mean()))
    assert (known["cells"], known["cattle_right"], known["cattle_images"]) == ("145", "44", "80")
    assert known["saturated"] == str((table["MegaDescriptor-L-384"] >= 99).sum()) == "7"
    assert (known["accumulation_224"], known["accumulation_384"]) == ("2", "8")
    assert known["individuals"] == f"{published.datasets()['n_identities'].sum():,.0f}"
    assert known["reach_100"] == "10"


def test_ratios_are_the_best_of_ours():
    known = numbers.facts()
    for stage, name, chosen in (
        ("preparation", "preparation", {}),
        ("features", "features_bf16", {"precision": "bf16"}),
        ("retrieval", "retrieval", {}),
    ):
        with (benchmarks.file(stage)).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["way"] == "megalib"]
        rows = [row for row in rows if chosen.items() <= row.items()]
        ratios = [float(row["ratio"]) for row in rows if row["ratio"]]  # not all had a reference
        assert known[f"faster_{name}"] == f"{max(ratios):.1f}"


# A number with a unit, in digits or, from six on, in words.
WORDS = "six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|dozens of|hundreds of|thousands of"
UNITS = (
    "per cent|points|accuracies|datasets|individuals|animals|images|photographs|epochs|rows|hours"
    "|months|years|million|parameters|times"
)
TYPED = re.compile(
    rf"(?<![\w.{{-])(?:(?:\d(?:[\d ,.]*\d)?|{WORDS})\s?"
    rf"(?:(?:public|published|training|test)\s)?(?:%|(?:{UNITS})\b)|twice\sas\b)",
    re.IGNORECASE,
)
DEFINED = {  # what is no result
    "95 %": "the usual confidence of an interval",
    "80 %": "an example of a probability",
    "100 test images": "an example of a sample",
    "Sixty photographs": "an example of a sample",
    "twelve animals": "the same",
    "10 training images": "the definition of top-10",
    "20 training images": "how long the curve of matches is",
    "thousands of photographs": "no measurement",
    "thousands of images": "no measurement",
    "ten published notebooks": "counted in the public repository; quoted with its commit",
}


def prose(markdown: str) -> str:
    """Markdown without code, formulas, citations and the targets of links."""
    left_out = r"```.*?```|\$\$.*?\$\$|`[^`]*`|\]\([^)]*\)|^:(?:name|link|gutter).*?$"
    return re.sub(left_out, "", markdown, flags=re.DOTALL | re.MULTILINE)


def told(path: Path) -> str:
    """What a page or a notebook tells in words: text, captions and alternative texts."""
    if path.suffix == ".md":
        return prose(path.read_text())
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        shown = cell.metadata.get("mystnb", {})
        parts += [text for kind in ("image", "figure") for text in shown.get(kind, {}).values()]
        parts += [cell.source] if cell.cell_type == "markdown" else []
    return prose("\n".join(parts))


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.stem)
def test_no_number_is_typed_into_a_page(path):
    typed = {" ".join(found[0].split()) for found in TYPED.finditer(told(path))}
    assert typed - set(DEFINED) == set()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("The 145 accuracies", True),
        ("Seven rows of", True),
        ("on 29\npublic datasets", True),
        ("right on 87.5 % of them", True),
        ("100 epochs", True),
        ("gradients are twice as large", True),
        ("tens of thousands of individuals", True),
        ("{{ datasets }} datasets", False),
        ("`-p images 100 images`", False),
        ("MegaDescriptor-L-384 images", False),
        ("two datasets", False),
    ],
)
def test_typed_numbers_are_noticed(text, typed):
    assert bool(TYPED.search(prose(text))) == typed


def test_tests_that_a_page_names_exist():
    named = 0
    for page in PAGES:
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
            assert f"\ndef {test}(" in (ROOT / file).read_text(), (page.name, test)
            named += 1
    assert named > 10


def test_every_finding_can_be_checked():
    text = (ROOT / "book" / "findings.md").read_text()
    for finding in text.split("\n## ")[1:]:
        assert "*Check:*" in finding, finding.partition("\n")[0]


def test_every_page_says_how_long_it_takes_and_types_no_minutes():
    for page in PAGES:
        assert "**Time:** {{ minutes }} min to read" in page.read_text(), page.name


def test_every_reference_is_cited():
    keys = re.findall(r"^@\w+\{(\w+),", BIBLIOGRAPHY.read_text(), flags=re.MULTILINE)
    text = "".join(page.read_text() for page in PAGES)
    cited = {key for group in re.findall(r"\{cite:p\}`([^`]+)`", text) for key in group.split(",")}
    assert cited == set(keys)


def test_the_readme_cites_as_the_book_does():
    readme = (ROOT / "README.md").read_text()
    paper = BIBLIOGRAPHY.read_text().partition("\n\n")[0]
    software = re.search(r"@software.*?\n}", (ROOT / "book" / "cite.md").read_text(), re.DOTALL)[0]
    assert paper in readme and software in readme
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] in software
    assert citation["title"] == re.sub(r"[{}]", "", re.search(r"title .*= {(.*)}", software)[1])
    assert citation["preferred-citation"]["title"] == re.sub(
        r"[{}]", "", re.search(r"title .*= {(.*)}", paper)[1]
    )


def test_the_address_of_the_repository_is_one_setting():
    assert "no link to Binder" in numbers.binder_link("")
    link = numbers.binder_link("https://github.com/owls/book/")
    assert "mybinder.org/v2/gh/owls/book/HEAD?labpath=workshop/w0_setup.ipynb" in link
