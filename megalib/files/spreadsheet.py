"""CSV files that people open in a spreadsheet: a text of strangers must not become a formula.

A spreadsheet computes a cell that begins with a sign such as "=", wherever the text came from. An
apostrophe in front prevents that, see "CSV Injection" of OWASP. Files that programs read, such as
metadata and predictions, have no such apostrophes.
"""

import csv
import re
from pathlib import Path

import pandas as pd

from megalib.files.writing import whole_file

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # the last four are full-width ones
# Where a formula could begin. Quotes do not help inside a text, once a spreadsheet divides the
# lines at semicolons or tabs, as it does in half of Europe: there, each part is looked at.
_CELL = rf"(?='*[{_SIGNS}\t\r\n])"
_PART = rf"(?=[\"']*[{_SIGNS}])"
_OPEN = re.compile(rf"\A{_CELL}|(?<=[;\t\r\n]){_PART}")
_CLOSED = re.compile(rf"\A'{_CELL}|(?<=[;\t\r\n])'{_PART}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def guarded(text: str) -> str:
    """A text with one apostrophe more wherever a formula could begin; a plain number as it is."""
    return text if _NUMBER.fullmatch(text) else _OPEN.sub("'", text)


def unguarded(text: str) -> str:
    """The text of which `guarded` made this one."""
    return _CLOSED.sub("", text)


def write(path: Path, table: pd.DataFrame, index: bool = True) -> None:
    """Write a table as CSV for a spreadsheet: all text is guarded and quoted, numbers are not.

    Args:
        path: of the file.
        table: with columns of one level; its rows may have labels of several.
        index: whether the names of the rows are written.

    Raises:
        UserError: the file cannot be written.
    """
    if index:
        labels = table.index.to_frame(index=False)
        header = ["" if name is None else name for name in table.index.names]
        header += list(table.columns)
        table = pd.concat([labels, table.reset_index(drop=True)], axis=1)
    else:
        header = list(table.columns)
    with whole_file(path) as temporary:
        table.apply(_safe_column).to_csv(
            temporary,
            index=False,
            header=[_safe(name) for name in header],
            quoting=csv.QUOTE_NONNUMERIC,
        )


def read(path: Path) -> pd.DataFrame:
    """Read a file of `write` back, every cell as text."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    names = [unguarded(name) for name in header]
    return pd.DataFrame([map(unguarded, row) for row in rows], columns=names, dtype=str)


def _safe_column(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column
    return column.astype(object).map(_safe)


def _safe(value: object) -> object:
    """A number or a missing value as it is, everything else as guarded text."""
    if pd.api.types.is_number(value) or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return value
    return guarded(str(value))
