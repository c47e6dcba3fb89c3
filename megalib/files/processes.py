"""Processes that end with the one that started them, however that one ended."""

import argparse
import multiprocessing
import os
import threading
import time
from collections.abc import Callable

import psutil

LOOK_EVERY = 1.0  # seconds


def end_with_parent(*_: object) -> None:
    """Let this worker process end when the process that started it is gone, also by a kill.

    It is called in a process that `multiprocessing` started, and fits as an initializer of a pool
    and as `worker_init_fn` of torch's loader, whose arguments it ignores.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        _when_done(parent.join)


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option by which a command learns with which other process it shall end."""
    parser.add_argument(
        "--end-with", type=int, metavar="PROCESS", help="end when the process of that number does"
    )


def obey(arguments: argparse.Namespace) -> None:
    """Let this process end when the one of `add_argument` is gone, if there is one."""
    if arguments.end_with is not None:
        end_with(arguments.end_with)


def end_with(process: int) -> None:
    """Let this process end when another one, given by its number, is gone."""
    try:
        other = psutil.Process(process)
    except psutil.NoSuchProcess:
        os._exit(1)

    def wait() -> None:
        while other.is_running():  # not fooled by a new process of the same number
            time.sleep(LOOK_EVERY)

    _when_done(wait)


def _when_done(wait: Callable[[], object]) -> None:
    """End this process at once when a function returns; nobody is left who could be told."""

    def watch() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
