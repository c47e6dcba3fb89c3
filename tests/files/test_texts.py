"""Profiles and other texts of a user's: hostile ones end at once, and in one line."""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.book import pipeline, profiles
from megalib.errors import UserError
from megalib.files import texts
from megalib.files.places import ROOT

BOMB = "\n".join(
    [
        "a: &k0 [x, x, x, x, x, x, x, x, x]",
        *(f"b{level}: &k{level + 1} [{', '.join([f'*k{level}'] * 9)}]" for level in range(8)),
        "datasets: [*k7]",
    ]
)
HOSTILE = {
    "anchors": BOMB.encode(),
    "an anchor alone": b"seed: &a 1",
    "an alias": b"seed: *a",
    "a merge key": b"own: {<<: {A: b}}",
    "a tag": b"seed: !!python/object/apply:os.system ['true']",
    "a plain tag": b"seed: !!int x",
    "brackets": b"[" * 60_000,
    "braces": b"{a: " * 15_000,
    "dashes": b"- " * 30_000,
    "question marks": b"? " * 30_000,
    "levels": b"own: {A: {B: {C: {D: {E: 1}}}}}",
    "digits": b"seed: " + b"1" * 5000,
    "hexadecimal digits": b"seed: 0x" + b"f" * 9000,
    "bits": b"seed: 0b" + b"1" * 60_000,
    "sixties": b"seed: 1" + b":59" * 20_000,
    "sixties with a fraction": b"learning_rate: 1" + b":59" * 5000 + b".5",
    "a day": b"seed: 2024-02-31",
    "a month": b"own: {A: 2024-13-01}",
    "a number as a key": b"own: {1: a}",
    "a list as a key": b"? [a, b]\n: 1",
    "a truth as a key": b"yes: 1",
    "a key twice": b"seed: 1\nseed: 2",
    "a key of own twice": b"own: {A: a, A: b}",
    "two documents": b"seed: 1\n---\nseed: 2",
    "nothing": b"",
    "a list": b"- 1",
    "a text": b"hello",
    "control characters": b"seed: \x01",
    "NUL": b"profile: a\x00b",
    "an escaped NUL": b'profile: "a\\0b"',
    "latin-1": "profile: Mäuse".encode("latin-1"),
    "UTF-16": "profile: a".encode("utf-16"),
    "binary": bytes(range(256)) * 9,
    "a long file": b"#" * 70_000,
    "a long line": b"profile: " + b"x" * 60_000,
    "a tab": b"\tseed: 1",
    "a command": b'profile: "x$(touch PWNED)"',
    "a parent": b"profile: ../evil",
    "null": b"profile: null",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_profile_is_refused_at_once_in_one_line(tmp_path, kind):
    file = tmp_path / "mine.yaml"
    file.write_bytes(HOSTILE[kind])
    began = time.perf_counter()
    with pytest.raises(UserError) as caught:
        profiles.read(str(file))
    assert time.perf_counter() - began < 5  # usually milliseconds; other work may go on beside
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 or str(caught.value).startswith("unknown parameter")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "absent", "long", "dangling"])
def test_a_profile_that_is_no_regular_file_is_refused(tmp_path, kind):
    file = tmp_path / ("x" * 300 + ".yaml" if kind == "long" else "mine.yaml")
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    elif kind == "dangling":
        file.symlink_to("nothing")
    with pytest.raises(UserError, match=r"cannot read the profile|not a regular file") as caught:
        profiles.read(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", [None, 7, ["demo"], "", "demo\0", "a\0.yaml", "a\n.yaml", "x" * 9999]
)
def test_what_names_no_profile_is_refused(name):
    with pytest.raises(UserError) as caught:
        profiles.read(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_profile_without_a_name_has_that_of_its_file(tmp_path):
    (tmp_path / "owls-2024.yaml").write_text("\ufeffseed: 3\n", encoding="utf-8")
    assert profiles.read(str(tmp_path / "owls-2024.yaml")) == {
        "profile": "owls-2024",
        "seed": 3,
    }
    (tmp_path / "my owls.yaml").write_text("seed: 3\n")
    with pytest.raises(UserError, match=r"my owls.yaml cannot name a profile.*`profile: mine`"):
        profiles.read(str(tmp_path / "my owls.yaml"))
    (tmp_path / "my owls.yaml").write_text("profile: owls\nseed: 3\n")
    assert profiles.read(str(tmp_path / "my owls.yaml"))["profile"] == "owls"


def test_the_configuration_of_the_pipeline_changes_the_profile(tmp_path):
    (tmp_path / "mine.yaml").write_text("datasets: [DemoZebra]\nseed: 3\n")
    found = pipeline.parameters_of({"profile": str(tmp_path / "mine.yaml"), "seed": 4})
    assert found == {"profile": "mine", "datasets": ["DemoZebra"], "seed": 4}
    assert pipeline.parameters_of({})["profile"] == "demo"
    with pytest.raises(UserError, match="seed"):
        pipeline.parameters_of({"seed": -4})


SIMPLE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc ä:-", max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), SIMPLE, max_size=4))
def test_plain_texts_are_read_as_they_are_meant(values):
    def depth(value):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    text = yaml.dump(values, Dumper=Plain, allow_unicode=True)
    if depth(values) > texts.DEEPEST:
        with pytest.raises(UserError, match="levels"):
            texts.from_yaml(text, "it")
    else:
        assert texts.from_yaml(text, "it") == values
    assert texts.from_json(json.dumps(values), "it") == values


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    for reader in (texts.from_yaml, texts.from_json):
        try:
            reader(text, "it")
        except UserError as error:
            assert len(str(error).splitlines()) == 1
            assert len(str(error)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "1",
        "null",
        '"a"',
        "{",
        "",
        "{'a': 1}",
        "[" * 10**5,
        '{"a": ' + "1" * 5000 + "}",
        "\0",
    ],
)
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(UserError) as caught:
        texts.from_json(text, "--parameters")
    assert str(caught.value).startswith("--parameters")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["megalib.book.pipeline", "1_prepare", "out.ipynb", "--parameters", "[1]"],
        ["megalib.book.pipeline", "1_prepare", "out.ipynb", "--parameters", "{"],
        ["megalib.book.launch", "train", "-p", "seed", "[1"],
        ["megalib.book.launch", "train", "-p", "seed", "&a [*a]"],
    ],
)
def test_a_broken_value_on_the_command_line_is_told_in_one_line(command, tmp_path):
    environment = os.environ | {"MEGALIB_RUNS": str(tmp_path), "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("error: -")
