"""One's own pictures as they should not be: nothing hangs, nothing leaves, all is told."""

import os
import signal
import socket
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.data import loaders, own, preparation
from megalib.data.catalogue import find
from megalib.data.preparing import cropping
from megalib.data.problems import read_problems
from megalib.errors import UserError
from megalib.files import csv_files
from tests.conftest import prepare, write_image

START = "path,identity\na.png,Ada\n"
HOSTILE = {  # content of a CSV file, and what is said about it
    "a long field": (f"{START}b.png,{'x' * 200_000}\n", "line 3: this is no CSV: field larger"),
    "ten megabytes": (
        f"path,identity\n{'x' * 10**7},Ada\n",
        "line 2: this is no CSV: field larger",
    ),
    "a long header": (f"path,{'x' * 200_000}\na.png,Ada\n", "line 1: this is no CSV"),
    "an open quote": (f'{START}"b.png,Ada\nc.png,Bo\n', "line 3: this is no CSV"),
    "NUL": (f"{START}b\0.png,Ada\n", "line 3: (this is no CSV: line contains|a) NUL"),
    "NUL in the header": ("path,iden\0tity\na.png,Ada\n", "line 1: .*NUL"),
    "the folder itself": (f"{START}.,Ada\n", "line 3: .* itself: '.'"),
    "the folder by a detour": (f"{START}Ada/..,Ada\n", "line 3: .* itself"),
    "a folder": (f"{START}Ada,Ada\n", "line 3: 'Ada' is a folder, so no picture"),
    "a pipe": (f"{START}pipe.png,Ada\n", "line 3: 'pipe.png' is not a regular file"),
    "a device": (f"{START}zero.png,Ada\n", "line 3: .* outside .* through a link: 'zero.png'"),
    "a linked file": (f"{START}out.png,Ada\n", "line 3: .* through a link: 'out.png'"),
    "a linked folder": (f"{START}away/secret.png,Ada\n", "line 3: .* through a link"),
    "a header twice": ("path,identity,path\na.png,Ada,b.png\n", "line 1: the column 'path' stands"),
    "more columns": (f"{START}b.png,Ada,x,y\n", "line 3: 4 columns, the header has 2"),
    "more after two lines": (f'{START}b.png,"A\nda"\nc.png,Ada,x\n', "line 5: 3 columns"),
    "nothing": ("", "is empty: it must begin"),
    "blank lines": ("\n\n\n", "is empty"),
    "no row": ("path,identity\n\n", "names no picture"),
    "no column": ("a;b\n1;2\n", "lacks the column identity and path"),
    "an infinite box": (f'path,identity,bbox\na.png,A,"0,0,1,{"9" * 400}"\n', "line 2: a bbox is"),
    "a long box": (f"path,identity,bbox\na.png,A,{'x' * 99_999}\n", "line 2: a bbox is"),
    "a long date": (f"path,identity,date\na.png,A,{'x' * 99_999}\n", "line 2: a date is"),
    "a long id": (f"path,identity,image_id\na.png,A,{'/' * 99_999}\n", "line 2: an image_id is"),
    "a long path": (f"path,identity\n{'../' * 30_000},A\n", "line 2: .* outside"),
}
BYTES = {
    "binary": (bytes(range(256)) * 20, "line 1: not UTF-8|line 2: not UTF-8|NUL"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(999), "line 1: not UTF-8"),
    "UTF-16": (START.encode("utf-16"), "line 1: not UTF-8"),
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
    digest = own.digest(table)
    assert digest == own.digest(table)
    with pytest.raises(UserError, match=message) as caught:
        loaders.open_raw(find("Pets", {"Pets": str(table)}), folder)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


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
    own.digest(table)
    told = "neither a folder nor|no folder or CSV file|holds no image"
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
    own.digest(folder / "pets.csv")
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


def test_in_a_folder_only_regular_files_inside_are_pictures(folder, capsys, in_time):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket must be short
        server.bind("socket.png")
        os.chdir(here)
    strange = os.fsencode(folder) + b"/Ada/\xff.png"
    Path(os.fsdecode(strange)).write_bytes((folder / "Ada" / "0.png").read_bytes())
    (folder / "Ada" / f"a.{'x' * 99}").touch()
    own.digest(folder)
    source = loaders.open_raw(find("Pets", {"Pets": str(folder)}), folder)
    assert source.df["path"].tolist() == [
        *("Ada/0.png", "Ada/1.png", "Ada/same.png", "Bo/2.png", "Bo/3.png")
    ]
    told = capsys.readouterr().out
    assert told.endswith(
        "9 files are left out (1 another extension, 2 link to a folder, 1 link to outside, "
        "4 not a regular file, 1 of a name that is not UTF-8, such as '\\udcff.png')\n"
    )


def test_a_linked_folder_of_pictures_is_read_like_the_folder(folder, tmp_path, run):
    (tmp_path / "link").symlink_to(folder)
    pets = find("Pets", {"Pets": str(tmp_path / "link")})
    metadata = prepare(pets, pets.own, run, [8])
    assert sorted(set(metadata["identity"])) == ["Ada", "Bo"]
    assert len(metadata) == 5


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
    with pytest.raises(UserError, match="line 3: this picture is there already"):
        loaders.open_raw(pets, folder)


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
    own.digest(table)
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
        assert own.digest(table)
        csv_files.header(table)
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
        header, found = csv_files.read(table)
        assert header == list(expected)
        assert [row for _, row in found] == expected.values.tolist()
