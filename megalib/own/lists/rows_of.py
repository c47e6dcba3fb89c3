"""The rows of a list: paths, names, dates and boxes of its columns, each mistake with its line."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from megalib.errors import UserError, told
from megalib.files.names import kind_of
from megalib.files.places import shown
from megalib.own import names, pixels
from megalib.own.lists import boxes, columns, dates, exchange, paths, tables
from megalib.own.lists.tables import Table
from megalib.own.names import UNKNOWN
from megalib.own.options import Options
from megalib.own.report import Notes, listed

PART_OF = {
    **dict.fromkeys(("train", "training", "database", "gallery", "reference"), "train"),
    **dict.fromkeys(("test", "testing", "query", "probe", "val", "validation"), "test"),
}


def a_list(root: Path, source: Path, named: bool, options: Options, notes: Notes) -> pd.DataFrame:
    """The rows of a list whose columns are understood; what cannot be used costs its line.

    Args:
        root: the folder of the list, from which its paths count.
        source: the file, or the folder of a Camtrap DP.
        named: whether it must say who is on the pictures.
        options: how it is read.
        notes: takes what was understood and what is left out.

    Raises:
        UserError: the list cannot be read, lacks a column, or names no picture.
    """
    table = _table(source, options, notes)
    meaning = columns.meanings(table.header, notes)
    takes_folders = table.header is exchange.HEADER  # those of programs name nobody
    wanted = {"path"} | ({"identity"} if named else set())
    if missing := sorted(wanted - set(meaning)):
        raise UserError(
            f"{shown(table.file)} lacks the column {' and '.join(missing)}; it has "
            f"{listed(table.header, 8)}"
        )
    if not table.rows:
        raise UserError(
            f"{shown(table.file)} names no picture: it ends after the names of the columns"
        )
    places = [place for place, _ in table.rows]
    texts = {name: [row[position] for _, row in table.rows] for name, position in meaning.items()}
    rows = pd.DataFrame({"place": places, "text of box": ""})
    rows["path"], reasons = paths.find(root, texts["path"], places, notes)
    rows["identity"] = _identities(
        texts.get("identity"), rows["path"], named, options, notes, takes_folders
    )
    _add_dates(rows, texts, places, notes)
    _add_facts(rows, texts)
    box_reasons = _add_boxes(root, rows, texts, meaning, table, notes)
    reasons = [one or other for one, other in zip(reasons, box_reasons, strict=True)]
    for place, path, reason in zip(places, rows["path"], reasons, strict=True):
        if reason:
            notes.leave_out(place, path, reason)
    rows = rows[[not reason for reason in reasons]]
    rows = _of_one_part(rows, options, notes)
    return _with_ids(_without_repeated(rows, notes), texts.get("image_id"), notes)


def pictures(source: Path, options: Options) -> list[str]:
    """The paths of the pictures that a list names, from its own folder; nothing else is read.

    Raises:
        UserError: see `a_list`.
    """
    table = _table(source, options, Notes())
    meaning = columns.meanings(table.header, Notes())
    if "path" not in meaning:
        return []
    written = [row[meaning["path"]] for _, row in table.rows]
    found, _ = paths.find(source.parent, written, written, Notes())
    return found


def _identities(
    written: Sequence[str] | None,
    found: Sequence[str],
    named: bool,
    options: Options,
    notes: Notes,
    takes_folders: bool,
) -> list[str]:
    """Names without accidents of typing; those of folders where a program's list has none."""
    if not named or written is None:
        return [UNKNOWN] * len(found)
    if takes_folders and not any(text.strip() for text in written):
        level = options.individual_level
        written = [path.split("/")[level - 1] if path.count("/") >= level else "" for path in found]
        notes.understood.append(f"individuals are named by the folders of level {level}")
    nobody = Counter(text.strip() for text in written if names.is_nobody(text))
    words = [f"{word} ({count})" for word, count in nobody.most_common() if word]
    if words:
        notes.understood.append(f"taken for nobody known: {', '.join(words[:8])}")
    return [UNKNOWN if names.is_nobody(text) else names.clean(text) for text in written]


def _add_dates(
    rows: pd.DataFrame, texts: dict[str, list[str]], places: Sequence[str], notes: Notes
) -> None:
    written = texts.get("date")
    if written is None and "year" in texts:
        written = _of_parts(texts)
    if written is None:
        return
    if "time" in texts:
        pairs = zip(written, texts["time"], strict=True)
        written = [f"{day} {time}".strip() if day.strip() else "" for day, time in pairs]
    found = dates.read(written, places, notes)
    rows["date"] = [day or None for day, _ in found]
    rows["moment"] = [moment or None for _, moment in found]


def _of_parts(texts: dict[str, list[str]]) -> list[str]:
    """Dates of columns for year, month, day, hour and minute."""
    parts = [
        texts.get(name) or [""] * len(texts["year"])
        for name in ("year", "month", "day", "hour", "minute")
    ]
    written = []
    for year, month, day, hour, minute in zip(*parts, strict=True):
        date = "-".join(part.strip() for part in (year, month, day) if part.strip())
        time = f" {hour.strip()}:{minute.strip() or 0:0>2}" if hour.strip() and day.strip() else ""
        written.append(date + time)
    return written


def _add_facts(rows: pd.DataFrame, texts: dict[str, list[str]]) -> None:
    """Side, encounter, station and split; None where nothing is written."""
    for name in ("orientation", "encounter", "station", "split"):
        if name in texts:
            cleaned = map(names.side if name == "orientation" else names.clean, texts[name])
            rows[name] = [text or None for text in cleaned]


def _add_boxes(
    root: Path,
    rows: pd.DataFrame,
    texts: dict[str, list[str]],
    meaning: dict[str, int],
    table: Table,
    notes: Notes,
) -> list[str]:
    """The boxes in pixels, and for each line why its box cannot be used ("" where it can)."""
    parts = columns.CORNERS if "x_end" in meaning else columns.FOUR
    if "bbox" in texts:
        written = texts["bbox"]
    elif "width" in meaning or "x_end" in meaning:
        written = [";".join(cells) for cells in zip(*(texts[part] for part in parts), strict=True)]
    else:
        return [""] * len(rows)
    is_empty = [names.is_nobody(text.replace(";", " ")) for text in written]
    has_comma = table.separator != "," and "bbox" not in texts
    read = partial(boxes.numbers, decimal_comma=has_comma)
    found = [None if empty else read(text) for text, empty in zip(written, is_empty, strict=True)]
    frames = [
        _frame(root, path) if box else None for path, box in zip(rows["path"], found, strict=True)
    ]
    corners = True if "x_end" in meaning else False if "width" in meaning else None
    pixels_of, reasons = boxes.in_pixels(found, frames, list(rows["place"]), corners, notes)
    for number, (text, empty, box) in enumerate(zip(written, is_empty, found, strict=True)):
        if not empty and box is None:
            reasons[number] = f"a box is x, y, width, height, not {told(text)}"
    rows["bbox"] = pd.Series(pixels_of, dtype=object)
    rows["text of box"] = ["" if box is None else str(box) for box in pixels_of]
    return reasons


def _frame(root: Path, path: str) -> boxes.Frame | None:
    head = pixels.head_of(Path(root, path))
    return head.frame if head else None


def _of_one_part(rows: pd.DataFrame, options: Options, notes: Notes) -> pd.DataFrame:
    """The rows with the split as `train` and `test`; of one part alone, where that is wanted."""
    if "split" not in rows:
        return rows
    given = rows["split"].map(lambda text: PART_OF.get(str(text).casefold()))
    odd = sorted({str(text) for text in rows.loc[given.isna(), "split"].dropna()})
    if odd:
        notes.doubts.append(f"words of the split that are not understood: {listed(odd)}")
    counts = given.value_counts()
    if given.notna().any():
        each = ", ".join(f"{count} {part}" for part, count in sorted(counts.items()))
        notes.understood.append(f"the list divides its pictures, which is respected: {each}")
    rows = rows.assign(split=given)
    if options.part and len(counts) == 2:
        kept = rows["split"] == options.part
        notes.understood.append(
            f"of these, the part {options.part!r} is taken: {int(kept.sum())} of {len(rows)}"
        )
        rows = rows[kept]
    return rows


def _without_repeated(rows: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """Each animal once; a box that has several names keeps them all, and that is doubtful."""
    unique = (rows["path"] + " " + rows["text of box"]).str.strip()
    again = pd.DataFrame({"unique": unique, "identity": rows["identity"]}).duplicated()
    for place, path in rows.loc[again, ["place", "path"]].itertuples(index=False):
        notes.leave_out(place, path, "this animal of this picture is there already")
    rows, unique = rows[~again], unique[~again]
    several = unique.duplicated(keep=False)
    if several.any():
        notes.doubts.append(
            f"{unique[several].nunique()} pictures have several names and no boxes that keep the "
            f"animals apart ({listed(sorted(set(rows.loc[several, 'path'])))}): give each its bbox"
        )
    later = unique.duplicated()
    return rows.assign(unique=unique.mask(later, unique + " " + rows["identity"]))


def _with_ids(rows: pd.DataFrame, ids: Sequence[str] | None, notes: Notes) -> pd.DataFrame:
    """Ids of the user's own, where each can be part of a file name and no two are equal."""
    if ids is None:
        return rows
    own = pd.Series([text.strip() for text in ids], dtype=object)[rows.index]
    good = own.map(lambda text: re.fullmatch(r"[\w.-]{1,100}", text) is not None)
    if own.duplicated().any() or not good.all():
        why = "are given twice" if own.duplicated().any() else "are no names of files"
        wrong = own[own.duplicated() | ~good]
        notes.understood.append(
            f"ids are made anew, since {len(wrong)} of image_id {why} ({listed(wrong)})"
        )
        return rows
    return rows.assign(image_id=own)


def _table(source: Path, options: Options, notes: Notes) -> Table:
    if kind_of(source) == "folder":
        return exchange.from_camtrap_dp(source, notes)
    if source.suffix.lower() == ".json":
        return exchange.from_json(source, options.detection_threshold, notes)
    table = tables.read(source, notes)
    if how := tables.described(table):
        notes.understood.append(f"read: {how}")
    return exchange.with_one_picture_a_line(table, notes)
