"""Days and moments as people, cameras and spreadsheets write them."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from megalib.own.names import is_nobody
from megalib.own.report import Notes, counted, listed

YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:[-:/.](?P<m>\d{1,2})(?:[-:/.](?P<d>\d{1,2}))?)?(?P<rest>[ T_].*)?"
)
COMPACT = re.compile(r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?P<rest>[ T_]?\d{6})?")
DAY_FIRST = re.compile(
    r"(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})[./-](?P<y>\d{4})(?P<rest>[ T,].*)?"
)
TIME = re.compile(
    r"(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([AaPp])?\.?[Mm]?\.?\s*(?:Z|UTC|[+-]\d{2}:?(?:\d{2})?)?"
)
WORDS = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d-%b-%Y", "%d. %B %Y")
SERIAL = re.compile(r"[2-5]\d{4}(?:\.\d+)?")  # days since 1899-12-30, as spreadsheets count
ZEROS = "0:-/. T"
EXPECTED = "a date is year-month-day such as 2024-05-31"


def read(texts: Sequence[str], places: Sequence[str], notes: Notes) -> list[tuple[str, str]]:
    """The day and the moment of each text.

    Whether `5/6/2024` is in May or June is decided for all texts together. Where nothing decides,
    such dates are left empty, and the notes say so. Times keep the clock they were written by; an
    offset to UTC is dropped.

    Args:
        texts: as they are written.
        places: where each is, such as "line 3".
        notes: takes what could not be read.

    Returns:
        "2024-05-31" (or "2024-05", "2024") and "2024-05-31T23:40:00"; "" where it is not known.
    """
    texts = [text.strip().strip("'") for text in texts]
    texts = [text.removesuffix(".0") if len(text) == len("2011.0") else text for text in texts]
    day_first = _day_first(texts)
    found, wrong, unclear = [], [], []
    for text, place in zip(texts, places, strict=True):
        parts = _parts(text, day_first)
        if parts is None and not _is_empty(text):
            (unclear if _is_unclear(text, day_first) else wrong).append(f"{place}: {text}")
        found.append(parts or ("", ""))
    zeros = sum(bool(text) and not text.strip(ZEROS) for text in texts)
    if zeros:
        notes.understood.append(f"{counted(zeros, 'date')} of zeros alone, taken for none")
    if wrong:
        notes.doubts.append(
            f"{len(wrong)} dates cannot be read and are left empty ({listed(wrong)}): {EXPECTED}"
        )
    if unclear:
        notes.doubts.append(
            f"{len(unclear)} dates may begin with the day or with the month and are left empty "
            f"({listed(unclear)}): write them as 2024-05-31"
        )
    return found


def _is_empty(text: str) -> bool:
    """Whether a text says that there is no date: nothing, a word for it, or zeros alone."""
    return is_nobody(text) or not text.strip(ZEROS)


def _day_first(texts: Sequence[str]) -> bool | None:
    """Whether days come before months in `5/6/2024`; None where nothing decides."""
    pairs = [(int(m["a"]), int(m["b"]), m["sep"]) for m in map(DAY_FIRST.fullmatch, texts) if m]
    day, month = (any(pair[place] > 12 for pair in pairs) for place in (0, 1))
    if any(sep == "." for _, _, sep in pairs):  # only languages that begin with the day
        return True
    return None if day == month else day


def _is_unclear(text: str, day_first: bool | None) -> bool:
    return day_first is None and DAY_FIRST.fullmatch(text) is not None


def _parts(text: str, day_first: bool | None) -> tuple[str, str] | None:
    if _is_empty(text):
        return None
    if match := COMPACT.fullmatch(text) or YEAR_FIRST.fullmatch(text):
        return _checked(match["y"], match["m"], match["d"], match["rest"])
    if match := DAY_FIRST.fullmatch(text):
        first, second = match["a"], match["b"]
        if day_first is None and first != second:
            return None
        day, month = (first, second) if day_first else (second, first)
        return _checked(match["y"], month, day, match["rest"])
    if SERIAL.fullmatch(text):
        moment = datetime(1899, 12, 30) + timedelta(days=float(text))
        return moment.date().isoformat(), moment.isoformat(timespec="seconds") * ("." in text)
    for form in WORDS:
        try:
            return datetime.strptime(text, form).date().isoformat(), ""
        except ValueError:
            continue
    return None


def _checked(
    year: str, month: str | None, day: str | None, rest: str | None
) -> tuple[str, str] | None:
    """Day and moment of parts that are a date; None where they are none."""
    if int(year) < 1800 or (month and not int(month)):
        return None
    if not month or not day or not int(day):
        if not month:
            return year, ""
        return (f"{year}-{int(month):02}", "") if int(month) <= 12 else None
    time = (rest or "").strip(" T_,")
    clock = _clock(time)
    if time and clock is None:
        return None
    try:
        moment = datetime(int(year), int(month), int(day), *(clock or ()))
    except ValueError:
        return None
    return moment.date().isoformat(), moment.isoformat(timespec="seconds") if clock else ""


def _clock(text: str) -> tuple[int, int, int] | None:
    """Hour, minute and second; None where no time is written, or one that cannot be."""
    if re.fullmatch(r"\d{6}", text):
        text = f"{text[:2]}:{text[2:4]}:{text[4:]}"
    match = TIME.fullmatch(text)
    if not match:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if match[4]:
        hour = hour % 12 + 12 * (match[4] in "Pp")
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None
