import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.errors import UserError, told
from megalib.files.names import check_name
from megalib.files.places import ROOT, Run, inside, resolve, runs_root
from megalib.files.writing import whole_file


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep" / "file.csv"
    with whole_file(target) as temporary:
        temporary.write_text("all")
        assert not target.exists()
        assert temporary.suffix == ".csv"
    assert target.read_text() == "all"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with (
        pytest.raises(UserError, match=r"cannot write .*taken.*MEGALIB_RUNS"),
        whole_file(tmp_path / "taken" / "file.csv"),
    ):
        pass


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to drop its rights")
def test_a_folder_without_write_permission_is_named():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # everybody may look, only root may write
        os.seteuid(65534)
        try:
            with (
                pytest.raises(UserError, match=r"cannot write .*: Permission denied"),
                whole_file(folder / "file.csv") as temporary,
            ):
                temporary.write_text("never")
        finally:
            os.seteuid(0)
        assert list(folder.iterdir()) == []


def test_an_error_in_what_is_read_is_not_taken_for_one_in_writing(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "file.csv"):
        (tmp_path / "source.csv").read_text()


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd"])
def test_a_path_that_leaves_its_root_is_refused(tmp_path, path):
    with pytest.raises(UserError, match="outside"):
        inside(tmp_path, path)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b.jpg", ".", ".."]), min_size=1, max_size=8))
def test_a_path_is_refused_exactly_when_it_climbs_out_or_goes_nowhere(parts):
    depth, climbs = 0, False
    for part in parts:
        depth += {".": 0, "..": -1}.get(part, 1)
        climbs |= depth < 0
    # A path may leave its root and come back only through the root's own name.
    names = [part for part in parts if part not in {".", ".."}]
    if climbs and "root" in names:
        return
    root = Path("/some/root")
    expected = Path("/some/root", *parts)
    try:
        result = inside(root, "/".join(parts))
    except UserError:
        assert climbs or depth == 0
    else:
        assert not climbs
        assert result == Path(os.path.normpath(expected))


PARTS = ["a", "b", "c", "in", "out", "up"]
TARGETS = [
    ".",
    "..",
    "a",
    "../a",
    "in",
    "a/b",
    "../root",
    "../other",
    "{top}/root/a",
    "{top}/other",
]


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), st.booleans())),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), st.sampled_from(TARGETS)
        )
    ),
    st.lists(st.sampled_from([*PARTS, "..", "."]), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_path_is_refused_exactly_when_its_links_lead_outside(folders, links, asked, root_is_link):
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        root = top / "root"
        for folder in (root, top / "other"):
            folder.mkdir()
        for parts, _ in folders:
            root.joinpath(*parts).mkdir(parents=True, exist_ok=True)
        for parts, target in links:
            link = root.joinpath(*parts)
            with suppress(OSError):  # there already, or below what is no folder, or in a circle
                link.symlink_to(target.format(top=top))
        if root_is_link:
            (top / "linked").symlink_to(root)
        start = top / "linked" if root_is_link else root
        wanted = os.path.normpath(start.joinpath(*asked))
        real, real_root = os.path.realpath(wanted), os.path.realpath(start)
        by_letters = wanted.startswith(f"{start}{os.sep}")
        fine = by_letters and real.startswith(real_root + os.sep)
        try:
            assert inside(start, "/".join(asked)) == Path(wanted)
            assert fine
        except UserError as error:
            assert not fine
            assert "\n" not in str(error)


def test_a_link_that_leads_outside_is_said_to_and_one_that_stays_is_followed(tmp_path):
    (tmp_path / "root" / "Ada").mkdir(parents=True)
    (tmp_path / "root" / "Ada" / "a.png").touch()
    (tmp_path / "secret.png").touch()
    (tmp_path / "root" / "same.png").symlink_to("Ada/a.png")
    (tmp_path / "root" / "other.png").symlink_to("../secret.png")
    assert inside(tmp_path / "root", "same.png").is_file()
    with pytest.raises(UserError, match=r"leads outside .* through a link: 'other.png'"):
        inside(tmp_path / "root", "other.png")


@pytest.mark.parametrize(
    "path", [".", "a/..", "./.", "", None, 7, "a\0b", "\0", "/", "..", "x" * 9999 + "/../.."]
)
def test_what_is_no_path_of_a_file_is_refused_in_one_line(tmp_path, path):
    with pytest.raises(UserError) as caught:
        inside(tmp_path, path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


GOOD_NAMES = ["demo", "a", "_x", "7", "Mäuse-2024.v1", "बाघ", "大熊猫", "a" * 100]
BAD_NAMES = [
    *(
        "",
        ".",
        "..",
        "../evil",
        "/abs",
        "a/b",
        "a b",
        " a",
        "a\n",
        "a\0b",
        "-x",
        ".x",
        "a;b",
        "$(x)",
    ),
    *(
        "`x`",
        "a'b",
        'a"b',
        "{x}",
        "*",
        "a\\b",
        "a" * 101,
        "大" * 100,
        "\udcff",
        "x" * 10**6,
        "a\u202eb",
    ),
    *(None, 1, True, ["a"], {"a": 1}, b"a", 10**5000, "\u0301a"),
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_of_all_languages_are_names(name):
    assert check_name("a profile", name) == name
    assert Run(f"{name}/own").profile == f"{name}/own"
    beside = Run(f"{name}/own", images_of=name)
    assert beside.images(256, "Owls") == Run(name).images(256, "Owls")
    assert beside.metadata("Owls") == Run(f"{name}/own").metadata("Owls")


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: told(name).replace("\0", ""))
def test_what_is_no_name_is_refused_in_one_line(name):
    with pytest.raises(UserError) as caught:
        check_name("a profile", name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    runs = [name, f"demo/{name}"] if isinstance(name, str) else [name]
    for run in [] if name == "a/b" else runs:
        with pytest.raises(UserError):
            Run(run)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_no_name_leaves_the_folder_of_all_runs(name):
    try:
        run = Run(name)
    except UserError:
        return
    assert ".." not in run.folder.parts
    assert run.folder.is_relative_to(runs_root())
    assert run.folder != runs_root()


def test_folders_that_no_dataset_may_be_called_are_not_taken_for_datasets(run):
    for name in ("Owls", "my owls", ".hidden", "a\nb", "-p"):
        run.metadata("x").parent.with_name(name).mkdir(parents=True)
        (run.metadata("x").parent.with_name(name) / "metadata.csv").touch()
    assert run.prepared() == ["Owls"]


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        *((None, ROOT / "runs"), ("", ROOT / "runs"), ("  ", ROOT / "runs")),
        *(("out", ROOT / "out"), ("../x", ROOT / "../x"), ("/tmp/a b", Path("/tmp/a b"))),
        *(("~/runs", Path.home() / "runs"), ('/tmp/it\'s "x"', Path('/tmp/it\'s "x"'))),
    ],
)
def test_the_folder_of_all_runs_may_be_elsewhere(monkeypatch, tmp_path, value, folder):
    monkeypatch.delenv("MEGALIB_RUNS", raising=False)
    if value is not None:
        monkeypatch.setenv("MEGALIB_RUNS", value)
    monkeypatch.chdir(tmp_path)
    assert runs_root() == folder


@pytest.mark.parametrize(
    "value", ["/tmp/{x}", "/tmp/}", "a\nb", "a\tb", "~nobody-here/x", "x" * 5000]
)
def test_a_folder_that_cannot_hold_the_runs_is_told_with_the_variable(monkeypatch, value):
    monkeypatch.setenv("MEGALIB_RUNS", value)
    with pytest.raises(UserError, match="MEGALIB_RUNS") as caught:
        Run("demo").folder  # noqa: B018
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("path", ["", "a\0b", "a\nb", "~nobody-here/x", "x" * 5000, None, 3])
def test_what_can_be_no_path_is_refused(path):
    with pytest.raises(UserError):
        resolve(path)


def test_relative_paths_count_from_the_repository():
    assert resolve("data").joinpath("published").is_dir()
    assert resolve("/tmp") == Path("/tmp")
