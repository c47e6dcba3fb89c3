"""One's own pictures as rows, one for each animal on each picture, and what was understood.

A folder with one sub-folder per individual, or a list: CSV, TSV, XLSX, JSON of MegaDetector or of
COCO Camera Traps, or a folder that holds a Camtrap DP.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from megalib.errors import UserError
from megalib.files.names import kind_of
from megalib.files.places import shown
from megalib.own import folders, summary
from megalib.own.lists import exchange, rows_of
from megalib.own.options import Options
from megalib.own.report import LeftOut, Notes, counted, left_out_in_words

COLUMNS = (
    *("image_id", "identity", "path", "bbox", "date", "moment"),
    *("orientation", "encounter", "station", "split", "unique"),
)


@dataclass(frozen=True)
class Listing:
    """The pictures below `root`: a row of `COLUMNS` for each animal; missing values are None.

    `bbox` is x, y, width and height in pixels of the upright picture, or None for all of it.
    `understood` and `doubts` are sentences; `left_out` names each line and file that is not read.
    """

    root: Path
    rows: pd.DataFrame
    understood: list[str]
    doubts: list[str]
    left_out: list[LeftOut]

    def report(self) -> str:
        """All that was understood, what is doubtful and what is left out, a line each."""
        lines = [*self.understood, *left_out_in_words(self.left_out)]
        lines += [f"look: {doubt}" for doubt in self.doubts]
        return "\n".join(f"  {line}" for line in lines)


def read(source: Path, named: bool, options: Options | None = None) -> Listing:
    """Read a folder or a list of pictures.

    Args:
        source: the folder or file.
        named: whether it must say who is on the pictures; if not, all animals are unknown.
        options: see `Options`.

    Raises:
        UserError: nothing of it can be used; the message says why.
    """
    options, notes = options or Options(), Notes()
    root = source if kind_of(source) == "folder" else source.parent
    if root is source and not exchange.is_camtrap_dp(root):
        rows = _of_folder(root, named, options, notes)
    else:
        rows = rows_of.a_list(root, source, named, options, notes)
    if rows.empty:
        raise UserError(f"no picture of {shown(source)} can be used{_why(notes)}")
    notes.understood.insert(0, summary.in_words(rows, named))
    whole = int(rows["bbox"].isna().sum()) if "bbox" in rows else len(rows)
    if whole:
        notes.understood.append(f"{counted(whole, 'picture')} without a box, taken as a whole")
    summary.check_pictures(root, rows["path"], notes)
    notes.doubts += summary.odd_names(rows) if named else []
    rows = rows.reindex(columns=list(COLUMNS)).astype(object)
    rows = rows.where(rows.notna(), None).reset_index(drop=True)
    return Listing(root, rows, notes.understood, notes.doubts, notes.left_out)


def _why(notes: Notes) -> str:
    wrong = [one for one in notes.left_out if not one.is_usual]
    if not wrong:
        return ""
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f": {wrong[0].where or wrong[0].path}: {wrong[0].reason}{more}"


def _of_folder(root: Path, named: bool, options: Options, notes: Notes) -> pd.DataFrame:
    found = folders.read(root, named, options.individual_level, notes)
    rows = pd.DataFrame([(one.path, one.identity) for one in found], columns=["path", "identity"])
    return rows.assign(unique=rows["path"], place=rows["path"])
