"""One's own pictures as they should not be: nothing hangs, nothing leaves, all is told."""

import os
import re
import signal
import socket
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.data import loaders, preparation
from megalib.data.catalogue import find
from megalib.data.preparing import cropping
from megalib.data.problems import read_problems
from megalib.errors import UserError
from megalib.own import changes
from megalib.own.lists import tables
from megalib.own.report import Notes
from tests.conftest import prepare, write_image

START = "path,identity\na.png,Ada\n"
HOSTILE = {  # content of a CSV file that is refused, and what is said about it
    "a long field": (f"{START}b.png,{'x' * 200_000}\n", "line 3: this is no CSV: field larger"),
    "ten megabytes": (
        f"path,identity\n{'x' * 10**7},Ada\n",
        "line 2: this is no CSV: field larger",
    ),
    "a long header": (f"path,{'x' * 200_000}\na.png,Ada\n", "line 1: this is no CSV"),
    "an open quote": (f'{START}"b.png,Ada\nc.png,Bo\n', "line 3: this is no CSV"),
    "NUL": (f"{START}b\0.png,Ada\n", "line 3: (this is no CSV: line contains|a) NUL"),
    "NUL in the header": ("path,iden\0tity\na.png,Ada\n", "line 1: .*NUL"),
    "nothing": ("", "is empty: it must begin"),
    "blank lines": ("\n\n\n", "is empty"),
    "no row": ("path,identity\n\n", "names no picture"),
    "no column": ("a;b\n1;2\n", "lacks the column identity and path; it has 'a', 'b'"),
    "an infinite box": (f'path,identity,bbox\na.png,A,"0,0,1,{"9" * 400}"\n', "line 2: a box is"),
    "a long box": (f"path,identity,bbox\na.png,A,{'x' * 99_999}\n", "line 2: a box is"),
    "a long path": (f"path,identity\n{'../' * 30_000},A\n", "line 2: .* outside"),
}
COSTS_ITS_LINE = {  # a line that is left out, and why
    "the folder itself": (".,Ada", ".* itself: '.'"),
    "the folder by a detour": ("Ada/..,Ada", ".* itself"),
    "a folder": ("Ada,Ada", "'Ada' is a folder, so no picture"),
    "a pipe": ("pipe.png,Ada", "'pipe.png' is not a regular file"),
    "a device": ("zero.png,Ada", "'zero.png' is not a regular file"),
    "outside": ("../elsewhere/secret.png,Ada", ".* outside .*: '../elsewhere/secret.png'"),
    "an absolute path": ("/etc/a.png,Ada", ".* outside "),
    "no path": (",Ada", "the path is empty"),
    "more columns": ("b.png,Ada,x,y", "4 columns, the header has 2"),
    "once more": ("Ada/0.png,Ada", "this animal of this picture is there already"),
    "an address": ("https://owls.org/b.png,Ada", "is not on this disk: 'https://owls.org/b.png'"),
}
BYTES = {
    "binary": (bytes(range(256)) * 20, "line 1: not UTF-8|line 2: not UTF-8|NUL"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(999), "line 1: not UTF-8"),
}


@pytest.fixture
def folder(tmp_path):
    """Pictures, and what is none: a pipe, a socket, links inside, outside and in a circle."""
    root = tmp_path / "pets"
    for number, name in enumerate(["Ada/0.png", "Ada/1.png", "Bo/2.png", "Bo/3.png"]):
        write_image(root / name, (20, 16), number)
    write_image(tmp_path / "elsewhere" / "secret.png", (20, 16), 9)
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    (root / "out.png").symlink_to("../elsewhere/secret.png")
    (root / "away").symlink_to("../elsewhere")
    (root / "circle").symlink_to(".")
    (root / "gone.png").symlink_to("nothing.png")
    (root / "Ada" / "same.png").symlink_to("../Bo/2.png")
    return root


@pytest.fixture
def in_time():
    """Ends a test that waits for a pipe or reads a device for ever."""

    def fail(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", [*HOSTILE, *BYTES])
def test_a_hostile_csv_file_is_refused_in_one_line(folder, kind, in_time):
    content, message = (HOSTILE | BYTES)[kind]
    table = folder / "pets.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    digest = changes.digest(table)
    assert digest == changes.digest(table)
    with pytest.raises(UserError, match=message) as caught:
        loaders.open_raw(find("Pets", {"Pets": str(table)}), folder)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", COSTS_ITS_LINE)
def test_a_hostile_line_is_left_out_and_the_others_are_read(folder, kind, in_time):
    line, reason = COSTS_ITS_LINE[kind]
    table = folder / "pets.csv"
    table.write_text(f"path,identity\nAda/0.png,Ada\n{line}\nBo/2.png,Bo\n")
    assert changes.digest(table)
    source = loaders.open_raw(find("Pets", {"Pets": str(table)}), folder)
    assert source.df["path"].tolist() == ["Ada/0.png", "Bo/2.png"]
    (left_out,) = source.listing.left_out
    assert left_out.where == "line 3"
    assert re.fullmatch(f"{reason}.*", left_out.reason)
    assert len(left_out.reason) < 300


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "absent", "circle"])
def test_a_csv_file_that_is_no_file_is_refused(tmp_path, kind, in_time):
    table = tmp_path / "pets.csv"
    if kind == "pipe":
        os.mkfifo(table)
    elif kind == "device":
        table.symlink_to("/dev/zero")
    elif kind == "folder":
        table.mkdir()
    elif kind == "circle":
        table.symlink_to("pets.csv")
    changes.digest(table)
    told = "neither a folder nor|no folder or list|holds no picture"
    with pytest.raises(UserError, match=told) as caught:
        loaders.open_raw(find("Pets", {"Pets": str(table)}), tmp_path / "pets.csv")
    assert len(str(caught.value).splitlines()) == 1


def test_a_csv_file_that_may_not_be_read_is_named(folder, monkeypatch):
    (folder / "pets.csv").write_text(START)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    pets = find("Pets", {"Pets": str(folder / "pets.csv")})
    changes.digest(folder / "pets.csv")
    with pytest.raises(UserError, match=r"cannot read .*pets.csv: Permission denied"):
        loaders.open_raw(pets, folder)


@pytest.mark.parametrize(
    "path", ["", " ", "a\0b", "a\nb", "x" * 5000, "y/" * 300 + "x" * 300, None]
)
def test_what_can_be_no_folder_of_pictures_is_refused(path):
    with pytest.raises(UserError) as caught:
        find("Pets", {"Pets": path})
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["a b", "../a", "a/b", "x" * 300, "$(x)", "a\n", "LionData"])
def test_a_name_that_no_folder_may_have_is_refused(tmp_path, name):
    with pytest.raises(UserError) as caught:
        find(name, {name: str(tmp_path)})
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


def test_in_a_folder_only_regular_files_inside_are_pictures(folder, in_time):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket must be short
        server.bind("socket.png")
        os.chdir(here)
    strange = os.fsencode(folder) + b"/Ada/\xff.png"
    Path(os.fsdecode(strange)).write_bytes((folder / "Ada" / "0.png").read_bytes())
    (folder / "Ada" / f"a.{'x' * 99}").touch()
    changes.digest(folder)
    source = loaders.open_raw(find("Pets", {"Pets": str(folder)}), folder)
    assert sorted(source.df["path"]) == [
        *("Ada/0.png", "Ada/1.png", "Ada/same.png", "Bo/2.png", "Bo/3.png"),
        *("away/secret.png", "out.png"),
    ]
    told = source.listing.report()
    for line in (
        "7 photographs, 3 individuals, 1 of nobody known: away 1, Bo 2, Ada 3",
        "4 left out, not a regular file: 'gone.png', 'pipe.png', 'socket.png' and 1 more",
        "1 left out, of a name that is not UTF-8: give it another: 'Ada/\\\\udcff.png'",
        "1 left out, no picture (another ending): ",
        "1 left out, a link to a folder that is read already: 'circle'",
        "look: the same picture 2 times: 'Ada/same.png', 'Bo/2.png'",
        "look: the same picture 2 times: 'away/secret.png', 'out.png'",
    ):
        assert f"  {line}" in told


def test_a_linked_folder_of_pictures_is_read_like_the_folder(folder, tmp_path, run):
    (tmp_path / "link").symlink_to(folder)
    pets = find("Pets", {"Pets": str(tmp_path / "link")})
    metadata = prepare(pets, pets.own, run, [8])
    assert sorted(set(metadata["identity"])) == ["Ada", "Bo", "away", "unknown"]
    assert len(metadata) == 7


def test_paths_are_kept_in_their_shortest_form(folder, run):
    table = folder / "pets.csv"
    table.write_text("path,identity\n./Ada/0.png,Ada\nBo/../Ada//1.png,Ada\nBo\\2.png,Bo\n")
    pets = find("Pets", {"Pets": str(table)})
    for kept in (0, 3):
        assert loaders.open_raw(pets, folder).df["path"].tolist() == [
            *("Ada/0.png", "Ada/1.png", "Bo/2.png")
        ]
        before = len(list(run.images_root.rglob("*.png")))
        assert before == kept
        prepare(pets, folder, run, [8])
    table.write_text("path,identity\nAda/0.png,Ada\n./Ada/0.png,Ada\n")
    assert loaders.open_raw(pets, folder).df["path"].tolist() == ["Ada/0.png"]


def test_a_picture_that_became_a_pipe_is_listed_and_not_waited_for(
    folder, run, monkeypatch, in_time
):
    table = folder / "pets.csv"
    table.write_text("path,identity\nAda/0.png,Ada\nAda/1.png,Ada\nBo/2.png,Bo\nBo/3.png,Bo\n")
    pets = find("Pets", {"Pets": str(table)})
    source = loaders.open_raw(pets, folder)
    (folder / "Bo" / "3.png").unlink()
    os.mkfifo(folder / "Bo" / "3.png")
    assert len(preparation.prepare(pets, source, run, [8])) == 3
    problems = read_problems(run, "Pets")
    assert problems[["raw_path", "reason"]].values.tolist() == [["Bo/3.png", "not a regular file"]]


def test_many_missing_pictures_take_seconds(folder, run):
    table = folder / "pets.csv"
    rows = [f"gone/{number}.png,Cy" for number in range(5000)]
    table.write_text("\n".join(["path,identity", "Ada/0.png,Ada", "Ada/1.png,Ada", *rows]))
    pets = find("Pets", {"Pets": str(table)})
    changes.digest(table)
    assert len(prepare(pets, folder, run, [8])) == 2
    problems = read_problems(run, "Pets")
    assert problems["reason"].value_counts().to_dict() == {"file is missing": 5000}
    source = loaders.open_raw(pets, folder)
    began = time.perf_counter()
    reasons = {cropping._why_no_file(source, row) for row in range(len(source))}
    assert time.perf_counter() - began < 1.5  # asking OpenCV for each took four
    assert reasons == {"", "file is missing"}


@settings(deadline=None, max_examples=200)
@given(st.text('abc,"\n\r\0;\\./é\ufeff 1', max_size=40), st.booleans())
def test_any_text_is_a_table_or_a_mistake_with_its_place(text, with_header):
    with tempfile.TemporaryDirectory() as name:
        table = Path(name, "pets.csv")
        table.write_bytes(("path,identity\n" * with_header + text).encode())
        assert changes.digest(table)
        tables.header(table)
        try:
            rows = loaders.open_raw(find("Pets", {"Pets": str(table)}), Path(name)).df
        except UserError as error:
            assert len(str(error).splitlines()) == 1
            assert "pets.csv" in str(error)
        else:
            assert all(rows["path"])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(*[st.text('ab,"\n ', min_size=1, max_size=6)] * 3), min_size=1))
def test_a_table_is_read_as_pandas_reads_it(rows):
    with tempfile.TemporaryDirectory() as name:
        table = Path(name, "pets.csv")
        pd.DataFrame(rows, columns=["one", "two", "three"], dtype=str).to_csv(table, index=False)
        expected = pd.read_csv(table, dtype=str, keep_default_na=False)
        read = tables.read(table, Notes())
        header, found = read.header, read.rows
        assert header == list(expected)
        written = [row for row in expected.values.tolist() if any(map(str.strip, row))]
        assert [row for _, row in found] == written
