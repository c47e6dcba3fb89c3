"""The metadata of a prepared dataset: one row per image, with identity and split."""

from pathlib import Path

import pandas as pd

from megalib.errors import UserError, told
from megalib.files.places import shown
from megalib.own.names import UNKNOWN as UNKNOWN  # the identity of whom nobody knows

PARTS = ("train", "test")
AGAIN = "run 1_prepare.ipynb again"  # what to do about metadata that no preparation wrote
TEXT_COLUMNS = {"image_id": str, "identity": str, "path": str, "date": str, "split": str}


def read_metadata(path: Path) -> pd.DataFrame:
    """Read a metadata file; ids and identities stay text, whatever they look like.

    An animal may be called "007", "NA" or "None". Only an empty split or date is a missing one.

    Raises:
        UserError: the file is missing, is no such file, or says what no preparation says: twice
            the same image, an image of nobody, a part that is neither "train" nor "test".
    """
    if not path.is_file():
        raise UserError(
            f"no prepared data at {shown(path)}: run 1_prepare.ipynb first, or `make book`"
        )
    try:
        metadata = pd.read_csv(
            path,
            index_col=0,
            dtype=TEXT_COLUMNS,
            keep_default_na=False,
            na_values={"split": [""], "date": [""]},
        )
    except (OSError, ValueError) as error:  # not to be read; empty, not UTF-8, ragged
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(path)} ({reason}): {AGAIN}") from error
    missing = {"image_id", "identity", "path", "split"} - set(metadata)
    if missing:
        columns = ", ".join(sorted(missing))
        raise UserError(f"{shown(path)} lacks the columns {columns}: {AGAIN}")
    fault = _fault(metadata)
    if fault:
        raise UserError(f"{shown(path)} {fault}: {AGAIN}")
    return metadata


def _fault(metadata: pd.DataFrame) -> str:
    """What is wrong with metadata that have all columns, in words; "" if nothing is."""
    if metadata.empty:
        return "holds no image"
    for column in ("image_id", "identity", "path"):
        empty = metadata[column].isna() | (metadata[column] == "")
        if empty.any():
            return f"has no {column} in row {empty.argmax() + 1}"
    # In the training set of several datasets, each has its own ids.
    within = ["dataset"] if "dataset" in metadata else []
    for column in ("image_id", "path"):
        twice = metadata.duplicated([column, *within])
        if twice.any():
            return f"names the {column} {told(metadata[column].iloc[twice.argmax()])} twice"
    wrong = metadata["split"].notna() & ~metadata["split"].isin(PARTS)
    if wrong.any():
        part = told(metadata["split"].iloc[wrong.argmax()])
        return f"has the split {part}, which is neither train nor test"
    return ""
