"""Which column of a list means what, whatever it is called."""

import difflib
from collections.abc import Sequence
from functools import cache

import yaml

from megalib.errors import told
from megalib.own.names import WORDS, folded
from megalib.own.report import Notes

FOUR = ("x", "y", "width", "height")  # of a box; corners have other ends
CORNERS = ("x", "y", "x_end", "y_end")
DAY = ("year", "month", "day")
NEAR = 0.66  # how alike the letters of a misspelt name must be


@cache
def _words() -> dict[str, list[str]]:
    words = yaml.safe_load((WORDS / "columns.yaml").read_text(encoding="utf-8"))
    return {
        meaning: [folded(name).replace(" ", "") for name in names]
        for meaning, names in words.items()
    }


def _plain(name: str) -> str:
    """A header as it is compared; a table's name before the last point is no matter."""
    return folded(name.rpartition(".")[2] or name).replace(" ", "")


def meanings(header: Sequence[str], notes: Notes) -> dict[str, int]:
    """The position of each column that is understood, by what it means.

    Notes which columns were read and which were ignored, with what may have been meant.

    Args:
        header: the names of the columns.
        notes: takes the two sentences.

    Returns:
        Positions by `path`, `identity`, `bbox` or four of its parts, `date`, …; each column has one
        meaning at most.
    """
    plain = [_plain(name) for name in header]
    found: dict[str, int] = {}
    for meaning, names in _words().items():
        places = [plain.index(name) for name in names if name in plain]
        free = [place for place in places if place not in found.values()]
        if free:
            found[meaning] = free[0]
    _drop_incomplete(found)
    read = [
        header[place] + (f" as {meaning}" if _plain(header[place]) != _same(meaning) else "")
        for meaning, place in sorted(found.items(), key=lambda item: item[1])
    ]
    if read:
        notes.understood.append("columns read: " + ", ".join(read))
    ignored = [place for place in range(len(header)) if place not in found.values()]
    hints = [_hint(header[place], found) for place in ignored if header[place].strip()]
    if hints:
        notes.understood.append("columns ignored: " + ", ".join(hints))
    return found


def _same(meaning: str) -> str:
    return meaning.replace("_", "")


def _drop_incomplete(found: dict[str, int]) -> None:
    """A box needs all its parts, and one of its forms suffices; so do the parts of a day."""
    has_corners, has_four = (all(part in found for part in parts) for parts in (CORNERS, FOUR))
    kept = set()
    if "bbox" not in found:
        kept = set(CORNERS if has_corners and not has_four else FOUR if has_four else ())
    for part in {*FOUR, *CORNERS} - kept:
        found.pop(part, None)
    if "date" in found or "year" not in found:
        for part in (*DAY, "hour", "minute"):
            found.pop(part, None)
    if "date" not in found:
        found.pop("time", None)


def _hint(name: str, found: dict[str, int]) -> str:
    """An ignored column, and the meaning that may have been meant, unless another column has it."""
    plain = _plain(name)
    for meaning, names in _words().items():
        alike = difflib.get_close_matches(plain, names, n=1, cutoff=NEAR)
        if alike and meaning not in found and meaning not in {*FOUR, *CORNERS}:
            return f"{told(name)} (did you mean {meaning}?)"
    return told(name)
