"""One's own pictures as a dataset of wildlife-datasets.

Either a folder with one sub-folder per individual, or a CSV file with the columns `path` (from the
file's own folder) and `identity`, and if wanted `bbox` (x, y, width, height in pixels), `date` and
`image_id`.
"""

import re
from pathlib import Path

import pandas as pd

from megalib.errors import UserError
from megalib.files import inside, shown
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


def _from_folders(root: Path, named: bool) -> pd.DataFrame:
    """Identity is the first folder below the root."""
    found = datasets.utils.find_images(str(root), IMAGES)
    if found.empty:
        raise UserError(f"{shown(root)} holds no image ({', '.join(IMAGES)})")
    paths = [Path(row.path, row.file).as_posix() for row in found.itertuples()]
    paths = pd.Series(sorted(paths))
    if named and not paths.str.contains("/").any():
        raise UserError(
            f"the images of {shown(root)} lie in no sub-folder: make one per individual, named "
            "after it, or describe them in a CSV file with the columns path and identity"
        )
    identity = paths.str.split("/").str[0].where(paths.str.contains("/") & named, "unknown")
    ids = datasets.utils.create_id(paths)
    return pd.DataFrame({"image_id": ids, "identity": identity, "path": paths})


def _from_table(table: Path, root: Path, named: bool) -> pd.DataFrame:
    """Read the CSV file; an empty identity is an unknown animal."""
    rows = pd.read_csv(table, dtype=str)
    if not named:
        rows["identity"] = "unknown"
    missing = {"path", "identity"} - set(rows)
    if missing:
        raise UserError(f"{shown(table)} lacks the column {' and '.join(sorted(missing))}")
    if rows["path"].isna().any():
        line = int(rows["path"].isna().idxmax()) + 2
        raise UserError(f"{shown(table)}, line {line}: the path is empty")
    for path in rows["path"]:
        inside(root, path)
    rows["identity"] = rows["identity"].fillna("unknown")
    if "image_id" not in rows:
        boxes = rows.get("bbox", pd.Series("", rows.index)).fillna("")
        names = rows["path"] + " " + boxes
        if names.duplicated().any():
            line = int(names.duplicated().idxmax()) + 2
            raise UserError(f"{shown(table)}, line {line}: this picture is there already")
        rows["image_id"] = datasets.utils.create_id(names)
    if "bbox" in rows:
        rows["bbox"] = [_box(text, table, line) for line, text in enumerate(rows["bbox"], start=2)]
    kept = [name for name in ("image_id", "identity", "path", "bbox", "date") if name in rows]
    return rows[kept]


def _box(text: object, table: Path, line: int) -> list[float] | None:
    """Four numbers, however they are separated; None where the whole picture is meant."""
    if not isinstance(text, str):
        return None
    numbers = [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text)]
    if len(numbers) != 4 or min(numbers[2:]) <= 0:
        raise UserError(
            f"{shown(table)}, line {line}: a bbox is x, y, width, height in pixels, not {text!r}"
        )
    return numbers
