"""Which licences the installed packages have, that they are allowed, and what our own files say."""

import os
import re
import subprocess
import sys
from email.message import Message
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from megalib.book import colophon, licences
from megalib.files.places import ROOT
from tests.book.built_book import HTML, needs_book


@pytest.fixture(scope="module")
def packages():
    return colophon.versions(ROOT / "requirements.lock")


def test_every_package_has_an_allowed_licence_or_a_reason(packages):
    allowed, reasons = licences.rules()
    refused = licences.not_allowed(packages, allowed)
    refused = refused[~refused["package"].isin(reasons)]
    assert refused.empty, f"look at these licences, see [tool.megalib.licences]:\n{refused}"


def test_every_exception_is_still_one(packages):
    allowed, reasons = licences.rules()
    allowed_now = packages.drop(licences.not_allowed(packages, allowed).index)["package"]
    assert not set(reasons) & set(allowed_now)
    assert all(len(reason) > 20 for reason in reasons.values())
    locked = (ROOT / "requirements.lock").read_text()
    assert all(re.search(rf"^{name}==", locked, re.MULTILINE) for name in reasons)
    assert colophon.exceptions(packages)["reason"].notna().all()


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("AGPL-3.0-or-later", False),  # as of wildlife-datasets 1.0.9
        ("MIT AND AGPL-3.0-or-later", False),
        ("MIT License; GNU General Public License v3 (GPLv3)", False),
        ("MIT OR GPL-3.0-only", False),  # to be looked at, and made an exception
        (licences.UNKNOWN, False),
        ("MIT AND (Apache-2.0 OR Zlib)", True),
        ("ISC License (ISCL); MIT License", True),
    ],
)
def test_another_licence_is_refused_wherever_it_stands(licence, allowed):
    package = pd.DataFrame([{"package": "new", "licence": licence}])
    assert licences.not_allowed(package, licences.rules()[0]).empty == allowed


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ([("License-Expression", "MIT"), ("Classifier", "License :: OSI Approved :: X")], "MIT"),
        (
            [
                ("Classifier", "License :: OSI Approved :: MIT License"),
                ("Classifier", "License :: OSI Approved :: Apache Software License"),
                ("Classifier", "Programming Language :: Python"),
                ("License", "see the file"),
            ],
            "Apache Software License; MIT License",
        ),
        ([("License", "BSD\nRedistribution and use …")], "BSD"),
        ([], licences.UNKNOWN),
        ([("License", "UNKNOWN")], licences.UNKNOWN),
    ],
)
def test_a_licence_is_read_from_what_metadata_say_best(metadata, licence):
    facts = Message()
    for name, value in metadata:
        facts[name] = value
    assert licences.of(SimpleNamespace(metadata=facts)) == licence


def test_code_and_text_have_the_same_licences_everywhere():
    """The files, the README, the page of the book, and what programs read."""
    text_licence = "https://creativecommons.org/licenses/by/4.0/"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()
    for name in ("LICENSE-TEXT.md", "README.md", "book/licences.md"):
        text = (ROOT / name).read_text()
        assert "MIT" in text and "CC BY 4.0" in text and text_licence in text, name
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == "MIT"  # a list would mean that one may choose
    assert "MIT" in citation["abstract"] and "CC BY 4.0" in citation["abstract"]


def test_the_citation_file_is_one_by_its_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command += ["vendor.citation-file-format", "CITATION.cff"]
    subprocess.run(command, cwd=ROOT, check=True)


def test_the_citation_file_agrees_with_what_else_tells_the_same():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version, date = citation["version"], citation["date-released"]
    assert f'\nversion = "{version}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f"\n## {version} ({date})\n" in (ROOT / "CHANGELOG.md").read_text()
    # The address is one setting, which a run of CI has; a copy elsewhere has another one, or none.
    address = os.environ.get("REPOSITORY_URL", "")
    assert not address or citation.get("repository-code", address) == address


@needs_book
def test_the_page_lists_the_licence_of_each_package():
    page = BeautifulSoup((HTML / "book" / "licences.html").read_text(), "lxml")
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in page.find_all("tr")]
    listed = {row[0]: row[3] for row in rows if len(row) == 4}
    packages = colophon.versions()
    assert len(packages) > 200
    assert listed == dict(zip(packages["package"], packages["licence"], strict=True))
