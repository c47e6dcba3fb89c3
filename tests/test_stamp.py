"""Stamps come back as they were written, say what differs, and know the code behind a thing."""

import ast
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megalib import stamp
from megalib.files.places import ROOT

FACTS = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers()),
    max_size=4,
)


@given(FACTS)
def test_a_stamp_comes_back_as_it_was_written(tmp_path_factory, facts):
    file = tmp_path_factory.mktemp("stamps") / "made-by.json"
    stamp.write(file, facts)
    assert stamp.read(file) == facts
    assert stamp.differences(facts, stamp.read(file)) == ""


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a": 1', "\0", "[" * 100_000])
def test_what_is_no_stamp_holds_no_facts(tmp_path, text):
    file = tmp_path / "made-by.json"
    assert stamp.read(file) == {}
    file.write_text(text)
    assert stamp.read(file) == stamp.from_text(text) == {}


@given(FACTS, FACTS)
def test_exactly_what_differs_is_named(ours, theirs):
    told = stamp.differences(ours, theirs)
    differ = {name for name in ours | theirs if ours.get(name) != theirs.get(name)}
    assert (told == "") == (not differ)
    for name in differ:
        assert f"{name} {ours.get(name)} instead of {theirs.get(name)}" in told


def test_digests_are_named_and_not_told():
    before, after = (hashlib.sha256(text).hexdigest()[:16] for text in (b"one", b"two"))
    ours = {"epochs": 24, "images": after, "seed": 0}
    theirs = {"epochs": 100, "images": before, "seed": 0}
    assert stamp.differences(ours, theirs) == "epochs 24 instead of 100, images"


def test_facts_are_compared_as_they_are_read():
    facts = {"mean": (0.5, 0.5), 1: "one"}
    assert stamp.as_read(facts) == json.loads(json.dumps(facts))


def test_an_exported_name_leads_to_the_module_that_defines_it():
    files = stamp.files_of("from megalib.models import pick_device")
    names = {file.relative_to(ROOT / "megalib").as_posix() for file in files}
    assert "models/devices.py" in names
    assert "models/networks.py" not in names
    assert not [name for name in names if name.endswith("__init__.py")]


def test_every_export_of_every_package_is_found():
    for file in sorted((ROOT / "megalib").glob("*/__init__.py")):
        package = file.parent.name
        exported = stamp._exports(f"megalib.{package}")
        for name, module in exported.items():
            source = (file.parent / f"{module.replace('.', '/')}.py").read_text()
            defined = {getattr(node, "name", "") for node in ast.parse(source).body}
            assert name in defined, (package, name)


def test_code_is_known_by_all_that_it_imports(monkeypatch, tmp_path):
    """A change of a module changes the digest of those that import it, and of no other."""
    library = tmp_path / "megalib"
    library.mkdir()
    for name, text in {"low": "x = 1", "high": "from megalib import low", "lone": "y = 1"}.items():
        (library / f"{name}.py").write_text(text)
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    before = {name: stamp.of_code(name) for name in ("low", "high", "lone")}
    (library / "low.py").write_text("x = 2")
    after = {name: stamp.of_code(name) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["low", "high"]
    without = stamp.of_code("high", without=["low"])
    (library / "low.py").write_text("x = 3")
    assert stamp.of_code("high", without=["low"]) == without != after["high"]


SOURCE = '''"""Of a module."""

LIMIT = 3  # of something


class Box:
    """A box."""

    def open(self):
        """Open it."""
        # first the lid
        return "# not a comment", """no
docstring"""
'''


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("Of a module", "Über ein Modul,\nbesser gesagt", True),
        ("of something", "of boxes", True),
        ("  # of something", "", True),
        ('        """Open it."""\n', "", True),
        ("\n\nclass", "\n\n\n\nclass", True),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("# not a comment", "# no comment", False),
        ("no\ndocstring", "no\n\ndocstring", False),
        ("    def open", "    def shut", False),
    ],
)
def test_words_about_code_are_not_code(monkeypatch, tmp_path, before, after, same):
    file = tmp_path / "megalib" / "one.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    first = stamp.of_code("one")
    assert SOURCE.replace(before, after) != SOURCE
    file.write_text(SOURCE.replace(before, after))
    assert (stamp.of_code("one") == first) == same
