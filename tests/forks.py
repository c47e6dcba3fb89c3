"""Processes that are there at once: forked from a server that has imported everything.

A new Python takes seconds to import torch and the rest. A forked one is no other to most tests: it
has memory, environment, output and end of its own.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from megalib.files.places import ROOT

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.imported"])


def start(act: Callable[..., object], *given: object, said: Path, **variables: str) -> BaseProcess:
    """Start a process that does something in the root of the repository.

    Args:
        act: a function of a module.
        *given: what it is given.
        said: a folder that receives what it says, in the files `stdout` and `stderr`.
        **variables: of its environment, beside those of this process.
    """
    environment = os.environ | variables
    process = _SERVER.Process(target=_begin, args=(act, given, said, environment))
    process.start()
    return process


def run(
    act: Callable[..., object], *given: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Do something in a process of its own and wait for its end, see `start`."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(act, *given, said=Path(folder), **variables)
        process.join()
        out, err = ((Path(folder) / name).read_text() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(given, process.exitcode, out, err)


def module(name: str, *arguments: str) -> None:
    """What `python -m NAME ARGUMENTS` does."""
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _begin(
    act: Callable[..., object], given: tuple, said: Path, environment: dict[str, str]
) -> None:
    # What it starts in its turn, as loaders of images, starts as from any other process.
    multiprocessing.set_start_method(None, force=True)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    act(*given)
