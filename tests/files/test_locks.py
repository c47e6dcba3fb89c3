"""Who comes second waits or is told; who was killed holds nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import ROOT

HOLD = """
import sys, time
from pathlib import Path
from megalib.files import locks
with locks.held(Path(sys.argv[1]), "making of owls"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Start processes that hold the lock of a file for some seconds."""
    started = []

    def start(seconds):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "owls"), str(seconds)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_nothing_is_left_of_a_lock_that_was_given_up(tmp_path):
    with locks.held(tmp_path / "deep" / "owls", "making of owls"):
        assert len(list((tmp_path / "deep").iterdir())) == 2
    assert list((tmp_path / "deep").iterdir()) == []


def test_it_is_given_up_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path / "owls", "making of owls"):
        raise ZeroDivisionError
    with locks.held(tmp_path / "owls", "making of owls", wait=False):
        pass


def test_who_does_not_wait_is_told_whom_to_wait_for(tmp_path, holder):
    process = holder(60)
    line = rf"making of owls: process {process.pid} on .*; wait until it has ended"
    with (
        pytest.raises(UserError, match=line),
        locks.held(tmp_path / "owls", "making of owls", False),
    ):
        pass


def test_who_waits_goes_on_when_the_other_has_ended(tmp_path, holder, capsys):
    process = holder(1)
    with locks.held(tmp_path / "owls", "making of owls"):
        assert process.wait(timeout=5) == 0
    assert f"process {process.pid} on " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_holds_nothing_and_its_files_go(tmp_path, holder):
    process = holder(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(tmp_path.iterdir())) == 2
    began = time.monotonic()
    with locks.held(tmp_path / "owls", "making of owls", wait=False):
        assert json.loads((tmp_path / ".owls.owner").read_text())["process"] == os.getpid()
    assert time.monotonic() - began < 2
    assert list(tmp_path.iterdir()) == []


def test_a_lock_in_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with (
        pytest.raises(UserError, match=r"cannot write .*taken"),
        locks.held(tmp_path / "taken/a", "x"),
    ):
        pass


def test_unlocking_removes_what_is_dead_and_names_what_lives(run, tmp_path, holder, monkeypatch):
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path.parent))
    ours = type(run)(tmp_path.name)
    process = holder(60)
    with pytest.raises(UserError, match=f"process {process.pid}"):
        locks.remove_dead(ours)
    process.kill()
    process.wait()
    assert [path.name for path in locks.remove_dead(ours)] == [".owls.lock"]
    assert list(tmp_path.glob(".owls*")) == []
