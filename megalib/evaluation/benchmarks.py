"""What the benchmarks measured, kept in `data/measured/` for the book."""

from pathlib import Path

import pandas as pd

from megalib.files.places import DATA
from megalib.files.writing import whole_file

FOLDER = DATA / "measured"
TEXT = dict.fromkeys(("torch", "timm", "cuda"), str)  # versions look like numbers
LAST = ["hardware", *TEXT, "command"]  # the numbers come first, for narrow screens


def file(stage: str) -> Path:
    """The table of one stage, such as "training"."""
    return FOLDER / f"{stage}.csv"


def read(stage: str) -> pd.DataFrame:
    """The measurements of one stage, one row each.

    Args:
        stage: "preparation", "training", "features" or "retrieval".

    Returns:
        What was measured, the numbers, and the `hardware`, versions and `command`. NaN where
        something was not measured.
    """
    return pd.read_csv(file(stage), dtype=TEXT)


def keep(stage: str, rows: pd.DataFrame, kind: list[str]) -> None:
    """Add rows to the measurements of a stage, in place of older ones of their kind.

    Args:
        stage: see `read`.
        rows: with the columns of the table, and new ones if wanted.
        kind: the columns in which a row and the older one are the same.

    Raises:
        UserError: the file cannot be written.
    """
    known = [read(stage)] if file(stage).is_file() else []
    table = pd.concat([*known, rows]).drop_duplicates(kind, keep="last")
    last = [name for name in LAST if name in table]
    table = table[[name for name in table if name not in last] + last]
    with whole_file(file(stage)) as temporary:
        table.to_csv(temporary, index=False)
