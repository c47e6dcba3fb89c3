"""One's own pictures as a dataset of wildlife-datasets.

Either a folder with one sub-folder per individual, or a CSV file (UTF-8) with the columns `path`
(from the file's own folder) and `identity`, and if wanted `bbox` (x, y, width, height in pixels),
`date` and `image_id`.
"""

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path

import pandas as pd
from PIL import Image

from megalib.errors import UserError
from megalib.files import inside, shown
from megalib.splits import UNKNOWN
from megalib.wildlife import datasets

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


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

    By it the pipeline notices new, changed and removed pictures.
    """
    files = [source]
    if source.is_file():
        with source.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            paths = [row.get("path") for row in csv.DictReader(file)]
        files += [source.parent / _portable(path) for path in paths if path]
    else:
        files += source.rglob("*")
    facts = [(str(file), file.stat()) for file in sorted(set(files)) if file.is_file()]
    lines = [f"{name} {fact.st_size} {fact.st_mtime_ns}" for name, fact in facts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _from_folders(root: Path, named: bool) -> pd.DataFrame:
    """Identity is the first folder below the root."""
    found = datasets.utils.find_images(str(root), IMAGES)
    if found.empty:
        raise UserError(f"{shown(root)} holds no image ({', '.join(IMAGES)})")
    _tell_left_out(root)
    paths = [Path(row.path, row.file).as_posix() for row in found.itertuples()]
    paths = pd.Series(sorted(paths))
    if named and not paths.str.contains("/").any():
        raise UserError(
            f"the images of {shown(root)} lie in no sub-folder: make one per individual, named "
            "after it, or describe them in a CSV file with the columns path and identity"
        )
    identity = paths.str.split("/").str[0].where(paths.str.contains("/") & named, UNKNOWN)
    ids = datasets.utils.create_id(paths)
    return pd.DataFrame({"image_id": ids, "identity": identity, "path": paths})


def _tell_left_out(root: Path) -> None:
    """Say how many files are no images that can be read, and of which kind; hidden ones aside."""
    files = [path for path in root.rglob("[!.]*") if path.is_file()]
    kinds = Counter(path.suffix.lower() or "no extension" for path in files)
    left_out = {kind: count for kind, count in sorted(kinds.items()) if kind not in IMAGES}
    if left_out:
        each = ", ".join(f"{count} {kind}" for kind, count in left_out.items())
        print(f"{shown(root)}: {sum(left_out.values())} files are left out ({each})")


def _from_table(table: Path, root: Path, named: bool) -> pd.DataFrame:
    """Read the CSV file; an empty identity is an unknown animal, and the only empty text."""
    try:
        rows = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = table.read_bytes()[: error.start].count(b"\n") + 1
        raise _mistake(table, line, "not UTF-8: save the file as CSV UTF-8") from error
    except ValueError as error:  # another number of columns in a line, or no line
        raise UserError(f"{shown(table)} is no CSV file: {' '.join(str(error).split())}") from error
    if not named:
        rows["identity"] = UNKNOWN
    missing = {"path", "identity"} - set(rows)
    if missing:
        raise UserError(f"{shown(table)} lacks the column {' and '.join(sorted(missing))}")
    rows["path"] = rows["path"].map(_portable)
    rows["identity"] = rows["identity"].replace("", UNKNOWN)
    boxes = rows.get("bbox", pd.Series("", rows.index))
    for line, path in enumerate(rows["path"], start=2):
        _check_path(table, line, root, path)
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
        rows["bbox"] = [_box(text, table, line) for line, text in enumerate(boxes, start=2)]
    kept = [name for name in ("image_id", "identity", "path", "bbox", "date") if name in rows]
    return rows[kept]


def _portable(path: str) -> str:
    """A path as Windows writes it becomes one for all systems."""
    return path.strip().replace("\\", "/")


def _mistake(table: Path, line: int, what: str) -> UserError:
    return UserError(f"{shown(table)}, line {line}: {what}")


def _check_path(table: Path, line: int, root: Path, path: str) -> None:
    if not path:
        raise _mistake(table, line, "the path is empty")
    try:
        inside(root, path)
    except UserError as error:
        raise _mistake(table, line, str(error)) from error


def _check_dates(table: Path, dates: pd.Series) -> None:
    read = pd.to_datetime(dates, errors="coerce", format="ISO8601")
    wrong = read.isna() & (dates != "")
    if wrong.any():
        first = wrong.idxmax()
        what = f"a date is year-month-day such as 2024-05-31, not {dates[first]!r}"
        raise _mistake(table, first + 2, what)


def _check_ids(table: Path, ids: pd.Series) -> None:
    """An image id becomes part of a file name."""
    wrong = ~ids.str.fullmatch(r"[\w.-]+")
    if wrong.any():
        first = wrong.idxmax()
        what = f"an image_id is made of letters, digits, '_', '-' and '.', not {ids[first]!r}"
        raise _mistake(table, first + 2, what)
    _refuse_repeated(table, ids, "this image_id is there already")


def _refuse_repeated(table: Path, names: pd.Series, what: str) -> None:
    if names.duplicated().any():
        raise _mistake(table, names.duplicated().idxmax() + 2, what)


def _box(text: str, table: Path, line: int) -> list[float] | None:
    """Four numbers, however they are separated; None where the whole picture is meant."""
    if not text.strip():
        return None
    numbers = [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text)]
    if len(numbers) != 4 or min(numbers[2:]) <= 0:
        raise _mistake(table, line, f"a bbox is x, y, width, height in pixels, not {text!r}")
    return numbers
