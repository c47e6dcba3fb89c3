"""Pictures that a user gave: those of a folder, or those that a CSV file names.

Whatever lies there, only regular files inside the folder are taken for pictures; a mistake in the
file is told with its line.
"""

import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from PIL import Image

from megalib.errors import UserError, told
from megalib.files import csv_files
from megalib.files.csv_files import mistake
from megalib.files.names import kind_of
from megalib.files.places import inside, shown

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
NOTED = ("orientation", "encounter", "station")
COLUMNS = ("image_id", "identity", "path", "bbox", "date", *NOTED, "unique")
NOT_UTF8 = "of a name that is not UTF-8"
# The first and the last bytes of whole files, of JPEG and of PNG.
BEGIN_AND_END = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND\xaeB`\x82"))


def walk(root: Path) -> Iterator[tuple[str, bool]]:
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


def in_folder(root: Path) -> list[str]:
    """The pictures anywhere below a folder, sorted, by their paths there, with slashes.

    Prints how many files of which kinds are left out.

    Raises:
        UserError: there is none.
    """
    found, left_out, example = [], Counter(), ""
    for path, is_folder in walk(root):
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
    return sorted(found)


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


def in_table(table: Path, named: bool) -> pd.DataFrame:
    """The rows of a CSV file (UTF-8) that names pictures, checked.

    Args:
        table: the file, with the columns `path` (from its own folder) and `identity`, and if
            wanted `bbox` (x, y, width, height in pixels), `date`, `NOTED` and `image_id`.
        named: whether it must have the column `identity`; if not, that is left empty.

    Returns:
        These columns; `bbox` as four numbers, or None where the whole picture is meant; `identity`
        may be empty; `unique` tells one row from another.

    Raises:
        UserError: the file cannot be read, or has a mistake; the message names its line.
    """
    root = table.parent
    header, lines = csv_files.read(table)
    rows = pd.DataFrame(
        [row for _, row in lines], columns=header, index=[line for line, _ in lines], dtype=object
    )
    if not named:
        rows["identity"] = ""
    missing = {"path", "identity"} - set(rows)
    if missing:
        raise UserError(f"{shown(table)} lacks the column {' and '.join(sorted(missing))}")
    if rows.empty:
        raise UserError(f"{shown(table)} names no picture: it ends after the names of the columns")
    rows["path"] = [_checked_path(table, line, root, path) for line, path in rows["path"].items()]
    boxes = rows.get("bbox", pd.Series("", rows.index))
    if "date" in rows:
        _check_dates(table, rows["date"])
        rows["date"] = rows["date"].replace("", None)
    for name in set(NOTED) & set(rows):
        rows[name] = rows[name].replace("", None)
    rows["unique"] = rows["path"] + " " + boxes
    if "image_id" in rows:
        _check_ids(table, rows["image_id"])
    else:
        _refuse_repeated(table, rows["unique"], "this picture is there already")
    if "bbox" in rows:
        rows["bbox"] = [_box(text, table, line) for line, text in boxes.items()]
    return rows[[name for name in COLUMNS if name in rows]].reset_index(drop=True)


def portable(path: str) -> str:
    """A path as Windows writes it becomes one for all systems."""
    return path.strip().replace("\\", "/")


def _checked_path(table: Path, line: int, root: Path, written: str) -> str:
    """The path of a picture, in its shortest form; whether there is one is seen later."""
    path = portable(written)
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


def ends_early(path: Path) -> bool:
    """Whether a picture is cut off, as by an interrupted copy; some decoders fill it up with grey.

    Most files show by their last bytes that they are whole. Only others are decoded.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, path.stat().st_size - 64))
        tail = file.read().rstrip(b"\0\r\n")
    if any(head.startswith(begin) and tail.endswith(end) for begin, end in BEGIN_AND_END):
        return False
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        return "truncat" in str(error).lower()
    return False
