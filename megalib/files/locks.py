"""One process at a time makes a thing: who comes second waits, or is told whom to wait for.

A lock is a file beside what it guards, as long as a process holds it. The system gives it up when
that process ends, however it ends, so nothing has to be unlocked after a kill. On a file system
without such locks a file that holds its owner's number serves; `make unlock` removes those that a
dead process on another machine left.

On the command line::

    python -m megalib.files.locks demo
"""

import argparse
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import told_if_unwritable


@contextmanager
def held(guarded: Path, what: str, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a thing while the block makes it.

    Args:
        guarded: what is made; the lock lies beside it.
        what: it is, for the message: "training of MegaDescriptor-T-224".
        wait: whether to wait for another process that makes it, and say so; else it is refused.

    Raises:
        UserError: another process holds it, or the lock cannot be written.
    """
    lock, owner = FileLock(_file(guarded, "lock")), _file(guarded, "owner")
    with told_if_unwritable(guarded, Path(lock.lock_file)):
        guarded.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            told = f"another process does the {what}: {_owner(guarded)}"
            if not wait:
                raise UserError(f"{told}; wait until it has ended, or end it") from None
            print(f"{told}; waiting until it has ended", flush=True)
            lock.acquire(poll_interval=0.5)
    try:
        with told_if_unwritable(guarded, owner):
            owner.write_text(json.dumps(_ourselves()) + "\n")
        yield
    finally:
        # While the lock is held: who waits for a file that is gone notices it, and begins anew.
        for file in (owner, Path(lock.lock_file)):
            with suppress(OSError):
                file.unlink()
        lock.release()


def _file(guarded: Path, kind: str) -> Path:
    return guarded.with_name(f".{guarded.name}.{kind}")


def _ourselves() -> dict[str, str | int]:
    return {"process": os.getpid(), "host": socket.gethostname()}


def _owner(guarded: Path) -> str:
    """Who holds a lock, in words."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads(_file(guarded, "owner").read_text())
        return f"process {owner['process']} on {owner['host']}"
    return "it has not said which"  # it is just beginning or ending


def remove_dead(run: Run) -> list[Path]:
    """Remove the lock files of a run that no process holds.

    Args:
        run: whose locks they are.

    Returns:
        What was removed.

    Raises:
        UserError: a process holds one; the message names it.
    """
    removed = []
    for file in sorted(run.folder.rglob(".*.lock")):
        guarded = file.with_name(file.name[1:].removesuffix(".lock"))
        with held(guarded, f"work on {shown(guarded)}", wait=False):
            removed.append(file)  # it goes when it is given up
    return removed


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Remove the locks of dead processes.")
    parser.add_argument("profile", help="whose locks they are")
    try:
        removed = remove_dead(Run(parser.parse_args().profile))
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{len(removed)} locks removed")


if __name__ == "__main__":
    main()
