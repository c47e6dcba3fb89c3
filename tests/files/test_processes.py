"""No process outlives the one that started it, also where that was killed."""

import subprocess
import sys
import time

import psutil
import pytest

from megalib.files.places import ROOT

POOL = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from megalib.files.processes import end_with_parent
if __name__ == "__main__":
    context = multiprocessing.get_context("METHOD")
    with ProcessPoolExecutor(2, context, end_with_parent) as pool:
        waiting = [pool.submit(time.sleep, 60) for _ in range(2)]
        print("started", flush=True)
        time.sleep(60)
"""
LOADER = """
import time
import torch
from megalib.files.processes import end_with_parent
class Slow(torch.utils.data.Dataset):
    def __len__(self): return 100
    def __getitem__(self, index):
        if index: time.sleep(60)
        return index
loader = torch.utils.data.DataLoader(Slow(), 1, num_workers=2, worker_init_fn=end_with_parent)
batches = iter(loader)
next(batches)
print("started", flush=True)
time.sleep(60)
"""


def children(process, at_least):
    """The processes below another one, once there are so many."""
    until = time.monotonic() + 30
    while len(found := psutil.Process(process.pid).children(recursive=True)) < at_least:
        assert time.monotonic() < until
        time.sleep(0.1)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [POOL.replace("METHOD", "spawn"), POOL.replace("METHOD", "fork"), LOADER],
    ids=["spawned", "forked", "loader"],
)
def test_workers_end_with_a_killed_parent(tmp_path, program):
    file = tmp_path / "program.py"
    file.write_text(program)
    command = [sys.executable, str(file)]
    environment = {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "started\n"
        workers = children(process, 2)
        time.sleep(1)  # until a spawned one has called its initializer
    finally:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=8)
    for worker in alive:
        worker.kill()
    assert alive == []


def test_a_command_ends_with_the_process_that_it_was_told():
    waiting = "from megalib.files.processes import end_with; import sys, time; "
    waiting += "end_with(int(sys.argv[1])); "
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ours = subprocess.Popen(
        [sys.executable, "-c", waiting + "time.sleep(60)", str(other.pid)], cwd=ROOT
    )
    try:
        time.sleep(2)
        assert ours.poll() is None
        other.kill()
        other.wait()
        assert ours.wait(timeout=5) == 1
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
