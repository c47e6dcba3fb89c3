"""One's own pictures as rows of a dataset.

Either a folder with one sub-folder per individual, or a CSV file (UTF-8) with the columns `path`
(from the file's own folder) and `identity`, and if wanted `bbox` (x, y, width, height in pixels),
`date`, `orientation`, `encounter`, `station` and `image_id`.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd

from megalib import stamp
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.files import csv_files, pictures
from megalib.files.names import kind_of
from megalib.files.places import shown


def rows(root: Path, table: Path | None, named: bool) -> pd.DataFrame:
    """One row per animal and picture.

    Args:
        root: the folder of the pictures.
        table: the CSV file, if there is one.
        named: whether the pictures must say who is in them; if not, all animals are unknown.

    Returns:
        `identity, path`, what else the file has, and `unique`, which tells rows apart.

    Raises:
        UserError: the folder or the file is not as described above.
    """
    if table is not None:
        result = pictures.in_table(table, named)
        return result.assign(identity=result["identity"].replace("", UNKNOWN))
    paths = pd.Series(pictures.in_folder(root))
    if named and not paths.str.contains("/").any():
        raise UserError(
            f"the images of {shown(root)} lie in no sub-folder: make one per individual, named "
            "after it, or describe them in a CSV file with the columns path and identity"
        )
    identity = paths.str.split("/").str[0].where(paths.str.contains("/") & named, UNKNOWN)
    return pd.DataFrame({"identity": identity, "path": paths, "unique": paths})


def digest(source: Path) -> str:
    """A digest of what a folder or a CSV file holds: names of files, sizes, times of change.

    By it the pipeline notices new, changed and removed pictures. Mistakes are no matter here: they
    are told when the pictures are read. Only a CSV file that is a regular file is opened.
    """
    files = {source}
    if kind_of(source) == "file":
        paths = csv_files.column(source, "path")
        files |= {source.parent / pictures.portable(path) for path in paths if path.strip()}
    else:
        files |= {source / path for path, _ in pictures.walk(source)}
    return stamp.digest(_states(files))


def _states(files: set[Path]) -> Iterator[str]:
    for file in sorted(files):
        if kind_of(file) == "file":
            with suppress(OSError):  # gone by now
                facts = file.stat()
                yield f"{file} {facts.st_size} {facts.st_mtime_ns}"
