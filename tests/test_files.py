import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megalib.errors import UserError
from megalib.files import inside, resolve, whole_file


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


@given(st.lists(st.sampled_from(["a", "b.jpg", ".", ".."]), min_size=1, max_size=8))
def test_a_path_is_refused_exactly_when_it_climbs_out(parts):
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
        assert climbs
    else:
        assert not climbs
        assert result == Path(os.path.normpath(expected))


def test_relative_paths_count_from_the_repository():
    assert resolve("data").joinpath("published").is_dir()
    assert resolve("/tmp") == Path("/tmp")
