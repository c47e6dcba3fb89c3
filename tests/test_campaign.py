"""The campaign of faults on purpose finds what it is made to find, and nothing in sound stages."""

import os
import re
import subprocess
import sys
import time

import pytest

from megalib.errors import UserError
from megalib.files.writing import whole_file
from tests import forks
from tests.campaign import campaign, trees
from tests.campaign.trials import Kill, Place, Stage, attempt

ROWS = "a row of a table\n" * 100


def sound(place):
    """A stage as it should be: it writes whole files, which sweep what a killed one left."""
    for name in ("first.csv", "second.csv"):
        with whole_file(place.runs / name) as temporary:
            temporary.write_text(ROWS)


def in_place(place):
    """A stage that takes each file that exists for a finished one, and writes it where it is."""
    file = place.runs / "table.csv"
    if not file.exists():
        with file.open("w") as opened:
            opened.write(ROWS[:500])
            opened.flush()
            (place.runs / "figures").mkdir(exist_ok=True)
            opened.write(ROWS[500:])
    (place.runs / "figures").mkdir(exist_ok=True)


def untidy(place):
    """A stage that writes whole files, and leaves for ever what a killed one has written."""
    temporary = place.runs / f".table.part{os.getpid()}.csv"
    temporary.write_text(ROWS)
    temporary.replace(place.runs / "table.csv")
    (place.runs / "figures").mkdir(exist_ok=True)


def outlived(place):
    """A stage whose process goes on when it is gone."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        sound(place)
        process.kill()


def careless(place):
    """A stage that cannot go on after a kill."""
    (place.runs / "folder").mkdir()
    (place.runs / "folder" / "empty").touch()
    (place.runs / "folder" / "empty").unlink()
    (place.runs / "folder").rmdir()


@pytest.fixture
def kills(tmp_path):
    """A campaign of kills over a stage, and the kinds of the faults that it found."""

    def found(stage):
        tally = campaign.kills(Stage(stage.__name__, stage), tmp_path / stage.__name__, 40)
        assert tally.outcomes["killed"] >= 3
        return tally, {fault.kind for fault in tally.faults}

    return found


def test_a_sound_stage_is_found_sound(kills):
    tally, kinds = kills(sound)
    assert kinds == set(), tally.faults
    assert tally.operations == 8  # of each file: its folder, opening, renaming, removing
    assert tally.counts == "0 differing, 0 left behind, 0 survivors, 0 errors"


def test_a_file_that_is_written_in_place_is_found_to_differ(kills):
    tally, kinds = kills(in_place)
    assert kinds == {"differing"}
    found = [(fault.moment, fault.what) for fault in tally.faults]
    half = f"table.csv: 500 bytes instead of {len(ROWS)}"
    assert found == [
        (
            "within the write after operation 1 (open table.csv)",
            f"table.csv: 100 bytes instead of {len(ROWS)}",
        ),
        ("before operation 2 (os.mkdir figures)", half),
        ("within the write after operation 2 (os.mkdir figures)", half),
    ]


def test_a_temporary_file_is_found_to_be_left_behind(kills):
    tally, kinds = kills(untidy)
    assert kinds == {"left behind"}
    assert all(fault.what.startswith(".table.part") for fault in tally.faults)
    assert any("before operation 2 (os.rename .table.part" in f.moment for f in tally.faults)


def test_a_process_that_outlives_the_stage_is_found_and_ended(kills, monkeypatch):
    monkeypatch.setattr("tests.campaign.trials.PATIENCE", 0.05)
    tally, kinds = kills(outlived)
    assert kinds == {"survivors"}
    assert tally.trials_with("survivors") == tally.outcomes["killed"]
    assert "time.sleep(60)" in tally.faults[0].what


def test_a_stage_that_cannot_go_on_is_an_error_that_says_where(kills):
    tally, kinds = kills(careless)
    assert kinds == {"errors"}
    assert "the next run failed: FileExistsError" in tally.faults[0].what
    assert "[test_campaign.py:" in tally.faults[0].what or "[pathlib.py:" in tally.faults[0].what


def test_a_stage_that_fails_undisturbed_is_refused(tmp_path):
    def fail(_):
        raise ValueError("of its own")

    with pytest.raises(RuntimeError, match="broken, undisturbed: failed: ValueError: of its own"):
        campaign.kills(Stage("broken", fail), tmp_path, 3)


def test_a_stage_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.campaign.trials.LONGEST", 0.1)
    (tmp_path / "runs").mkdir()
    ended = attempt(lambda _: time.sleep(60), Place(tmp_path, tmp_path / "runs"))
    assert ended.status == "hung"


def test_a_kill_by_the_number_of_files(tmp_path):
    def write(place):
        for number in range(100):
            (place.runs / str(number)).touch()
            time.sleep(0.01)

    (tmp_path / "runs").mkdir()
    ended = attempt(write, Place(tmp_path, tmp_path / "runs"), Kill("seen", 3))
    assert ended.status == "killed"
    assert 3 <= len(list((tmp_path / "runs").iterdir())) < 100


needs_disks = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


@needs_disks
def test_full_disks(tmp_path):
    why = campaign.why_no_disks(tmp_path)
    if why:
        pytest.skip(why)

    def large(place):
        """A stage that tells a full disk."""
        sound(place)
        with whole_file(place.runs / "large") as temporary:
            temporary.write_bytes(b"1" * 100_000)

    def raising(place):
        """A stage that raises what the system says, and leaves what it has written."""
        (place.runs / ".large").write_bytes(b"1" * 100_000)
        (place.runs / ".large").replace(place.runs / "large")

    def cut(place):
        """A stage that does not look at how much was written."""
        if not (place.runs / "large").exists():
            handle = os.open(place.runs / "large", os.O_WRONLY | os.O_CREAT)
            os.write(handle, b"1" * 100_000)
            os.close(handle)

    tally = campaign.full_disks(Stage("large", large), tmp_path / "large")
    assert tally.faults == []
    assert tally.outcomes["told"] == campaign.DISKS
    tally = campaign.full_disks(Stage("raising", raising), tmp_path / "raising")
    assert {fault.kind for fault in tally.faults} == {"errors"}
    assert "No space left on device" in tally.faults[0].what
    tally = campaign.full_disks(Stage("cut", cut), tmp_path / "cut")
    assert {fault.kind for fault in tally.faults} == {"differing"}
    assert not os.path.ismount(tmp_path / "cut" / "runs")


def test_clocks_are_left_out_and_nothing_else():
    table = b"epoch,loss,images_per_second,seconds,memory\n1,0.50,3,4,5\n"
    assert trees.normalised("test/logs/T.csv", table) == b"epoch,loss\n1,0.50\n"
    assert trees.normalised("test/tables/T.csv", table) == table
    header = b'{"__metadata__":{"key":"k","seconds":"1.5"}}'
    file = len(header).to_bytes(8, "little") + header + b"1234"
    name = "test/features/T/Zoo.safetensors"
    assert trees.normalised(name, file) == b'{"__metadata__": {"key": "k"}}1234'
    assert trees.normalised(name, file[:30]) == file[:30]
    assert trees.normalised("test/weights/T/model.safetensors", file) == file


def test_what_a_tree_lacks_has_or_holds_otherwise_is_named():
    expected = {"a": b"12", "b": b"12", "c/": b"", "d": b"1"}
    found = {"a": b"13", "b": b"1", "d": b"1", "e/": b"", "e/f": b"", "c/g": b""}
    assert trees.differences(expected, found) == (
        ["a: 2 bytes, other ones from byte 1", "b: 1 bytes instead of 2", "c/ is missing"],
        ["c/g", "e/"],
    )


@pytest.mark.slow
def test_two_stages_of_the_library():
    """There is no fault in them."""
    command = ["tests.campaign", "--kills-only"]
    command += ["--stages", "aggregate", "book", "--most", "5"]
    done = forks.run(forks.module, *command)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  ")]
    assert [line.split(":")[0] for line in lines] == ["aggregate", "book", "all"], done.stderr
    sums = {what: int(count) for count, what in re.findall(r"(\d+) ([a-z ]+)", lines[-1])}
    assert sums["killed"] >= 6
    assert done.returncode == 0, done.stdout


def test_a_message_of_several_lines_is_not_told(tmp_path):
    def fail(_):
        raise UserError("one\ntwo")

    (tmp_path / "runs").mkdir()
    assert attempt(fail, Place(tmp_path, tmp_path / "runs")).status == "failed"
