"""Files and folders that appear whole or not at all."""

import errno
import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from megalib.errors import UserError
from megalib.files.places import shown


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path; rename it to `path` when the block ends well.

    It has the same name, in a folder of its own beside `path`, since some writers make further
    files there. What gets its name is on the disk before. A block that fails leaves nothing; what
    a killed process left of an earlier try is removed.

    Some writers do not notice a short write. Let those encode to memory, and use `write_whole`.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    with _folder_beside(path) as folder:
        temporary = folder / path.name
        yield temporary
        to_disk(temporary)  # a disk that writes late tells here that it is full
        temporary.replace(path)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; for the many small ones of a run, such as images.

    Unlike `whole_file` it does not wait for the disk, nor look for what a killed process left:
    `record` finds both.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    temporary = _beside(path)
    try:
        with told_if_unwritable(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
    finally:
        with suppress(OSError):  # it has its name by now, or could not be made
            temporary.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` when the block ends well.

    An older folder of that name is replaced, after everything in the new one is on the disk. A
    block that fails gives its space back at once; so does what a killed process left.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    with _folder_beside(path) as temporary:
        yield temporary
        for file in (*temporary.rglob("*"), temporary):
            to_disk(file)
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
        to_disk(path.parent)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """An empty folder beside a file or folder that is written; it is gone when the block ends."""
    folder = _beside(path)
    try:
        with told_if_unwritable(path, folder):
            sweep(path)
            folder.mkdir(parents=True)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(path: Path) -> Path:
    """The temporary name of a file or folder in this process."""
    return path.with_name(f".{path.name}.part{os.getpid()}")


def sweep(path: Path) -> None:
    """Remove what killed processes left of a file or folder that they were writing."""
    beginning = f".{path.name}.part"
    for leftover in path.parent.glob(f"{glob.escape(beginning)}*"):
        process = leftover.name.removeprefix(beginning)
        if not process.isdecimal() or _is_writing(int(process), leftover):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_writing(process: int, leftover: Path) -> bool:
    """Whether another process that lives may be writing a file, and none that got its number."""
    try:
        began = psutil.Process(process).create_time()
        return process != os.getpid() and began <= leftover.stat().st_mtime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:  # it lives, and is somebody else's
        return True


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def told_if_unwritable(path: Path, *temporary: Path) -> Iterator[None]:
    """Turn what writers raise on a full disk or in a locked folder into one line.

    Args:
        path: what is written, for the message.
        *temporary: under which names it is written.

    Raises:
        UserError: the block could not write one of these; other errors pass through.
    """
    try:
        yield
    except Exception as error:
        reason = _why_unwritable(error, (path, *temporary))
        if reason is None:
            raise
        raise UserError(
            f"cannot write {shown(path)}: {reason}; "
            "free or unlock that folder, or set MEGALIB_RUNS to another one"
        ) from error


def _why_unwritable(error: Exception, paths: tuple[Path, ...]) -> str | None:
    """The system's reason where an error comes from writing these paths; otherwise None."""
    if not isinstance(error, OSError):
        # safetensors, which is written in Rust, quotes the system's error by its number.
        number = re.search(r"\(os error (\d+)\)", str(error))
        return os.strerror(int(number[1])) if number else None
    if error.errno in {None, errno.ENAMETOOLONG}:  # an encoder's complaint; not the disk's fault
        return None
    if error.filename is not None:  # a full disk is reported without a name
        name = Path(error.filename)
        if not any(name == path or path in name.parents or name in path.parents for path in paths):
            return None  # it comes from what the block read
    return error.strerror
