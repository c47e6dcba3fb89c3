"""Whether one's own pictures have changed since: a digest of names, sizes and times of change."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from megalib import stamp
from megalib.errors import UserError
from megalib.files.names import kind_of
from megalib.own import folders
from megalib.own.lists import rows_of
from megalib.own.options import Options


def digest(source: Path) -> str:
    """A digest of what a folder or a list holds.

    By it the pipeline notices new, changed and removed pictures. Mistakes are no matter here: they
    are told when the pictures are read.
    """
    files = {source}
    if kind_of(source) == "folder":
        files |= {source / path for path, _ in folders.walk(source)}
    else:
        with suppress(UserError):
            files |= {source.parent / path for path in rows_of.pictures(source, Options())}
    return stamp.digest(_states(files))


def _states(files: set[Path]) -> Iterator[str]:
    for file in sorted(files):
        if kind_of(file) == "file":
            with suppress(OSError):  # gone by now
                facts = file.stat()
                name = str(file).encode(errors="backslashreplace").decode()
                yield f"{name} {facts.st_size} {facts.st_mtime_ns}"
