"""A list that a user wrote, as CSV, TSV or XLSX: header and rows, each mistake with its line."""

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from megalib.errors import UserError, told
from megalib.files.names import kind_of
from megalib.files.places import shown
from megalib.own.report import Notes

LARGEST = 2**30  # bytes; a line takes about a hundred
SEPARATORS = ",;\t|"
SHEETS = {".xlsx", ".xlsm"}
OTHER_SHEETS = {".xls", ".ods", ".numbers", ".xlsb"}


@dataclass(frozen=True)
class Table:
    """Header and rows; each row comes with its place ("line 3"), and is as long as the header."""

    file: Path
    header: list[str]
    rows: list[tuple[str, list[str]]]
    separator: str = ","


def mistake(file: Path, line: int, what: str) -> UserError:
    """The error that names a line of a file, counted from 1."""
    return UserError(f"{shown(file)}, line {line}: {what}")


def read(file: Path, notes: Notes) -> Table:
    """Header and rows of a list; lines without anything are passed over.

    Text may be UTF-8, UTF-16 or Windows-1252, its columns separated by comma, semicolon, tab or
    `|`; of XLSX, the first sheet is read. A line of more columns than the header is left out.

    Raises:
        UserError: the file cannot be read, is no such list, or is empty.
    """
    if kind_of(file) != "file":
        raise UserError(f"{shown(file)} is not a regular file")
    kind = file.suffix.lower()
    if kind in OTHER_SHEETS:
        raise UserError(f"{shown(file)}: save the list as CSV UTF-8 or as .xlsx")
    rows, separator = (_sheet(file), ",") if kind in SHEETS else _text_rows(file, notes)
    _, header = next(rows, (0, []))
    if not any(name.strip() for name in header):
        raise UserError(f"{shown(file)} is empty: it must begin with the names of its columns")
    while header and not header[-1].strip():
        header = header[:-1]
    return Table(file, header, list(_fitting(rows, len(header), notes)), separator)


def _fitting(
    rows: Iterator[tuple[int, list[str]]], width: int, notes: Notes
) -> Iterator[tuple[str, list[str]]]:
    """Rows as long as the header; those with more in them are left out."""
    for line, row in rows:
        while len(row) > width and not row[-1].strip():
            row = row[:-1]
        if len(row) > width:
            what = f"{len(row)} columns, the header has {width}: put text with a comma in quotes"
            notes.leave_out(f"line {line}", "", what)
        elif any(cell.strip() for cell in row):
            yield f"line {line}", row + [""] * (width - len(row))


def header(file: Path) -> list[str]:
    """The names of the columns alone; none of a file that `read` would refuse."""
    try:
        return read(file, Notes()).header
    except UserError:
        return []


# Text


def _text_rows(file: Path, notes: Notes) -> tuple[Iterator[tuple[int, list[str]]], str]:
    text = decoded(file, notes)
    first, _, rest = text.partition("\n")
    told_separator = re.fullmatch(r'"?sep=(.)"?[;,\t|]*\r?', first.strip(" "))
    if told_separator:  # as Excel writes it
        return _parse(file, rest, told_separator[1], 2), told_separator[1]
    separator = separator_of(text)
    return _parse(file, text, separator, 1), separator


def separator_of(text: str) -> str:
    """The separator that is most often in the header, outside quotes; a comma where none is."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    counts = Counter(re.sub(r'"[^"]*"', "", line[:100_000]))
    return max(SEPARATORS, key=lambda letter: counts[letter])


def decoded(file: Path, notes: Notes) -> str:
    """The text of a file, whatever common encoding it has; says so if that is not UTF-8.

    Raises:
        UserError: the file cannot be read, is too large, or is no text.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise UserError(
                f"{shown(file)} is larger than {LARGEST >> 30} GiB: no list of pictures"
            )
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {shown(file)}: {error.strerror}") from error
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            continue
        if encoding == "cp1252":
            notes.doubts.append(
                f"{shown(file)} is not UTF-8 (line {line}) and was read as Windows-1252: if names "
                "look wrong, save it as CSV UTF-8"
            )
        return text
    raise mistake(file, line, "not UTF-8: save the file as CSV UTF-8")


def _encodings(content: bytes) -> list[str]:
    """The encodings to try, from the mark of byte order or from where the NUL bytes are."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    head = content[:4000]
    odd, even = head[1::2].count(0), head[::2].count(0)
    if max(odd, even) > len(head) / 4 and min(odd, even) < len(head) / 50:
        return ["utf-16-le" if odd > even else "utf-16-be"]
    # A NUL shows that it is no text of one byte a letter.
    return ["utf-8-sig"] if b"\0" in content else ["utf-8-sig", "cp1252"]


def _parse(
    file: Path, text: str, separator: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text, each with the line in which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = first_line
    try:
        for row in reader:
            if "\0" in "".join(row):
                raise mistake(file, line, "a NUL byte: this is no CSV file")
            if any(cell.strip() for cell in row):
                yield line, row
            line = first_line + reader.line_num
    except csv.Error as error:  # a quote that is not closed, a field of more than 131072 letters
        raise mistake(file, line, f"this is no CSV: {error}") from error


# Spreadsheets


def _sheet(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet of a workbook, as text."""
    import openpyxl  # takes a while to import

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        rows = [list(map(_cell, row)) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(file)} as a workbook: {reason}") from error
    yield from (
        (line, row) for line, row in enumerate(rows, 1) if any(cell.strip() for cell in row)
    )


def _cell(value: object) -> str:
    """A cell as its text: whole numbers without a point, times as ISO writes them."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def described(table: Table) -> str:
    """How a list was read, where that is not plain CSV; "" where it is."""
    names = {";": "semicolons", "\t": "tabs", "|": "bars"}
    if table.file.suffix.lower() in SHEETS:
        return "the first sheet of the workbook"
    name = names.get(table.separator, told(table.separator))
    return "" if table.separator == "," else f"columns separated by {name}"
