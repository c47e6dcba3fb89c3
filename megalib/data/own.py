"""One's own pictures as a dataset of wildlife-datasets.

Either a folder with one sub-folder per individual, or a CSV file (UTF-8) with the columns `path`
(from the file's own folder) and `identity`, and if wanted `bbox` (x, y, width, height in pixels),
`date` and `image_id`.
"""

import hashlib
import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
from PIL import Image

from megalib.data.metadata import UNKNOWN
from megalib.data.wildlife import datasets
from megalib.errors import UserError, told
from megalib.files import csv_files
from megalib.files.csv_files import mistake
from megalib.files.names import kind_of
from megalib.files.places import inside, shown

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
NOT_UTF8 = "of a name that is not UTF-8"


class OwnPictures(datasets.WildlifeDataset):
    """Pictures in a folder of one's own; `table` names the CSV file, if there is one.

    Pictures that need not be `named` are all of unknown animals, whatever their folders.
    """

    def create_catalogue(self, table: Path | None = None, named: bool = True) -> pd.DataFrame:
        """One row per animal and picture.

        Raises:
            UserError: the folder or the file is not as described above.
        """
        root = Path(self.root)
        rows = _from_folders(root, named) if table is None else _from_table(table, root, named)
        return self.finalize_catalogue(rows)

    def apply_segmentation(self, img: Image.Image, idx: int) -> Image.Image:
        """Cut out the box; one that leaves the picture is refused, not filled up with black.

        Raises:
            ValueError: the box leaves the picture.
        """
        box = self.df["bbox"].iloc[idx] if self.img_load == "bbox" else None
        if box is not None:
            x, y, width, height = box
            corners = [round(number) for number in (x, y, x + width, y + height)]  # as Pillow does
            if min(corners[:2]) < 0 or corners[2] > img.width or corners[3] > img.height:
                raise ValueError(
                    f"the box {box} leaves the picture of {img.width} x {img.height} pixels"
                )
        return super().apply_segmentation(img, idx)


def digest(source: Path) -> str:
    """SHA-256 of what a folder or a CSV file holds: names of files, sizes, times of change.

    By it the pipeline notices new, changed and removed pictures. Mistakes are no matter here: they
    are told when the pictures are read. Only a CSV file that is a regular file is opened.
    """
    files = {source}
    if kind_of(source) == "file":
        paths = csv_files.column(source, "path")
        files |= {source.parent / _portable(path) for path in paths if path.strip()}
    else:
        files |= {source / path for path, _ in _walk(source)}
    total = hashlib.sha256()
    for file in sorted(files):
        if kind_of(file) == "file":
            with suppress(OSError):  # gone by now
                facts = file.stat()
                line = f"{file} {facts.st_size} {facts.st_mtime_ns}\n"
                total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()


def _walk(root: Path) -> Iterator[tuple[str, bool]]:
    """All that is no folder below a root, by its path there, and whether it is a linked folder.

    Links to folders are not followed, so there is no circle; folders that may not be read are
    empty.
    """
    for parent, folders, names in os.walk(root):
        below = os.path.relpath(parent, root)
        start = "" if below == os.curdir else below + os.sep
        yield from ((start + name, False) for name in names)
        yield from ((start + name, True) for name in folders if _is_link(Path(parent, name)))


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # in a folder that may be listed and no more
        return False


def _from_folders(root: Path, named: bool) -> pd.DataFrame:
    """Identity is the first folder below the root."""
    found, left_out, example = [], Counter(), ""
    for path, is_folder in _walk(root):
        reason = "link to a folder" if is_folder else _why_left_out(root, path)
        if not reason:
            found.append(path.replace(os.sep, "/"))
        elif reason != "hidden":
            left_out[reason] += 1
        if reason == NOT_UTF8 and not example:
            example = f", such as {told(Path(path).name)}"
    if left_out:
        each = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        print(f"{shown(root)}: {sum(left_out.values())} files are left out ({each}{example})")
    if not found:
        raise UserError(f"{shown(root)} holds no image ({', '.join(IMAGES)})")
    paths = pd.Series(sorted(found))
    if named and not paths.str.contains("/").any():
        raise UserError(
            f"the images of {shown(root)} lie in no sub-folder: make one per individual, named "
            "after it, or describe them in a CSV file with the columns path and identity"
        )
    identity = paths.str.split("/").str[0].where(paths.str.contains("/") & named, UNKNOWN)
    ids = datasets.utils.create_id(paths)
    return pd.DataFrame({"image_id": ids, "identity": identity, "path": paths})


def _why_left_out(root: Path, path: str) -> str:
    """The kind of a file that is no image to be read; "" for one that is."""
    file = root / path
    name, kind = file.name, file.suffix.lower()
    if kind not in IMAGES and name.startswith("."):
        return "hidden"
    if kind_of(file) != "file":
        return "not a regular file"
    if kind not in IMAGES:
        short = kind.isprintable() and len(kind) <= 12
        return (kind or "no extension") if short else "another extension"
    try:
        path.encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    try:
        inside(root, path)
    except UserError:
        return "link to outside"
    return ""


def _from_table(table: Path, root: Path, named: bool) -> pd.DataFrame:
    """Read the CSV file; an empty identity is an unknown animal, and the only empty text.

    Rows are named by their line in the file until they are returned.
    """
    header, lines = csv_files.read(table)
    rows = pd.DataFrame(
        [row for _, row in lines], columns=header, index=[line for line, _ in lines], dtype=object
    )
    if not named:
        rows["identity"] = UNKNOWN
    missing = {"path", "identity"} - set(rows)
    if missing:
        raise UserError(f"{shown(table)} lacks the column {' and '.join(sorted(missing))}")
    if rows.empty:
        raise UserError(f"{shown(table)} names no picture: it ends after the names of the columns")
    rows["path"] = [_checked_path(table, line, root, path) for line, path in rows["path"].items()]
    rows["identity"] = rows["identity"].replace("", UNKNOWN)
    boxes = rows.get("bbox", pd.Series("", rows.index))
    if "date" in rows:
        _check_dates(table, rows["date"])
        rows["date"] = rows["date"].replace("", None)
    if "image_id" in rows:
        _check_ids(table, rows["image_id"])
    else:
        names = rows["path"] + " " + boxes
        _refuse_repeated(table, names, "this picture is there already")
        rows["image_id"] = datasets.utils.create_id(names)
    if "bbox" in rows:
        rows["bbox"] = [_box(text, table, line) for line, text in boxes.items()]
    kept = [name for name in ("image_id", "identity", "path", "bbox", "date") if name in rows]
    return rows[kept].reset_index(drop=True)


def _portable(path: str) -> str:
    """A path as Windows writes it becomes one for all systems."""
    return path.strip().replace("\\", "/")


def _checked_path(table: Path, line: int, root: Path, written: str) -> str:
    """The path of a picture, in its shortest form; whether there is one is seen later."""
    path = _portable(written)
    if not path:
        raise mistake(table, line, "the path is empty")
    try:
        file = inside(root, path)
    except UserError as error:
        raise mistake(table, line, str(error)) from error
    kind = kind_of(file)
    if kind in {"folder", "other"}:
        what = "a folder" if kind == "folder" else "not a regular file"
        raise mistake(table, line, f"{told(path)} is {what}, so no picture")
    return posixpath.normpath(path) if not posixpath.isabs(path) else path


def _check_dates(table: Path, dates: pd.Series) -> None:
    read = pd.to_datetime(dates, errors="coerce", format="ISO8601")
    wrong = read.isna() & (dates != "")
    if wrong.any():
        line = wrong.idxmax()
        what = f"a date is year-month-day such as 2024-05-31, not {told(dates[line])}"
        raise mistake(table, line, what)


def _check_ids(table: Path, ids: pd.Series) -> None:
    """An image id becomes part of a file name."""
    wrong = ~ids.str.fullmatch(r"[\w.-]+")
    if wrong.any():
        line = wrong.idxmax()
        what = f"an image_id is made of letters, digits, '_', '-' and '.', not {told(ids[line])}"
        raise mistake(table, line, what)
    _refuse_repeated(table, ids, "this image_id is there already")


def _refuse_repeated(table: Path, names: pd.Series, what: str) -> None:
    if names.duplicated().any():
        raise mistake(table, names.duplicated().idxmax(), what)


def _box(text: str, table: Path, line: int) -> list[float] | None:
    """Four numbers, however they are separated; None where the whole picture is meant."""
    if not text.strip():
        return None
    numbers = [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text)]
    if len(numbers) != 4 or min(numbers[2:]) <= 0 or not all(map(math.isfinite, numbers)):
        raise mistake(table, line, f"a bbox is x, y, width, height in pixels, not {told(text)}")
    return numbers
