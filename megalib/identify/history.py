"""Capture history: which individual was photographed on which occasion, for mark-recapture.

Written as CSV, and as the encounter histories that program MARK reads (White and Burnham, 1999,
Bird Study 46), and with it `convert.inp` of RMark and `read.inp` of openCR: a line per individual
with its zeros and ones, how many animals have this history, and a semicolon.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.files import spreadsheet
from megalib.files.writing import whole_file

_NO_DAY = (
    "no photograph of a known individual has a day; give the list a column date, as 2024-05-31"
)
_DAY = r"\d{4}-\d{2}-\d{2}"  # a year or a month alone says no occasion


@dataclass(frozen=True)
class History:
    """Who was seen when.

    `table` has a row per individual, by name, and a column per occasion, named after its first day
    ("2024-05-31"), with 1 where the individual was photographed and 0 where not; there are no
    occasions on which nobody was. `intervals` are the times from each occasion to the next, in
    occasions. `in_words` says what was left out.
    """

    table: pd.DataFrame
    intervals: list[int]
    in_words: str


def capture_history(photographs: pd.DataFrame, occasion_days: int = 1) -> History:
    """Count whom the photographs show on which occasion.

    Occasions have equal lengths and follow each other from the first day on which a known
    individual was photographed. Days on which none was are no occasion: the photographs do not say
    whether anybody looked.

    Args:
        photographs: with `identity`, and where it is known `date`.
        occasion_days: length of an occasion in days, 1 or more.

    Returns:
        The history; it is empty where no photograph of a known individual has a day.

    Raises:
        UserError: an occasion is shorter than a day.
    """
    if occasion_days < 1:
        raise UserError(f"occasion_days must be 1 or more, not {occasion_days}")
    named = photographs[photographs["identity"] != UNKNOWN]
    days = _days(named)
    dated = named[days.notna()]
    if dated.empty:
        return History(pd.DataFrame(), [], "no capture history: " + _NO_DAY)
    days = days[days.notna()]
    number = (days - days.min()).dt.days // occasion_days
    seen = pd.crosstab(dated["identity"], number).clip(upper=1)
    begins = [days.min() + pd.Timedelta(days=int(one) * occasion_days) for one in seen.columns]
    intervals = seen.columns.to_series().diff().dropna().astype(int).tolist()
    seen.columns = [day.strftime("%Y-%m-%d") for day in begins]
    left_out = {
        "that have no day": len(named) - len(dated),
        "that show nobody known": len(photographs) - len(named),
    }
    return History(seen.rename_axis("individual"), intervals, _in_words(seen, days, left_out))


def _days(photographs: pd.DataFrame) -> pd.Series:
    """The day of each photograph, missing where it is not known to the day."""
    if "date" not in photographs:
        return pd.Series(pd.NaT, index=photographs.index)
    text = photographs["date"].astype(str).str[:10]
    return pd.to_datetime(text.where(text.str.fullmatch(_DAY)), errors="coerce")


def _in_words(seen: pd.DataFrame, days: pd.Series, left_out: dict[str, int]) -> str:
    text = (
        f"capture history: {len(seen)} individuals on {len(seen.columns)} occasions from "
        f"{days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}"
    )
    told = [f"{count} photographs {reason}" for reason, count in left_out.items() if count]
    return text + (f"; left out are {' and '.join(told)}" if told else "")


def as_inp(history: History) -> str:
    """A capture history as program MARK reads it.

    The first lines are a comment, which says when the occasions began and how far they are apart.
    Comments may hold the names in letters of English alone, and each with a number: RMark takes
    them for the names of rows.
    """
    occasions = ", ".join(history.table.columns)
    intervals = ", ".join(map(str, history.intervals))
    lines = [f"/* occasions: {occasions} */", f"/* time intervals: {intervals} */"]
    width = len(str(len(history.table)))
    for number, (name, row) in enumerate(history.table.iterrows(), 1):
        seen = "".join(map(str, row))
        lines.append(f"/* {number:0{width}d} {_plain(name)} */ {seen} 1;")
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    """A name for a comment: a semicolon or a star and slash there would end more than the name."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", letters).strip("_") or "unnamed"


def write(folder: Path, history: History) -> list[Path]:
    """Write `capture_history.csv` and `capture_history.inp`; of an empty history, neither is left.

    Returns:
        The files that were written.

    Raises:
        UserError: a file cannot be written.
    """
    table, inp = (folder / f"capture_history.{ending}" for ending in ("csv", "inp"))
    if history.table.empty:
        for file in (table, inp):
            file.unlink(missing_ok=True)
        return []
    spreadsheet.write(table, history.table)
    with whole_file(inp) as temporary:
        temporary.write_text(as_inp(history), encoding="ascii")
    return [table, inp]
