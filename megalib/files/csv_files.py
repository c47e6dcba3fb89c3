"""A CSV file that a user wrote: its header and its rows, each mistake told with its line."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from megalib.errors import UserError, told
from megalib.files.names import kind_of
from megalib.files.places import shown

LARGEST = 2**30  # bytes; a line takes about a hundred


def mistake(file: Path, line: int, what: str) -> UserError:
    """The error that names a line of a file, counted from 1."""
    return UserError(f"{shown(file)}, line {line}: {what}")


def read(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows of a CSV file in UTF-8; lines without anything are left out.

    Returns:
        The names of the columns, and each row with the line in which it begins. Rows are as long
        as the header: what is missing at the end of a line is empty.

    Raises:
        UserError: the file cannot be read, is not UTF-8 or no CSV, names a column twice, or has a
            line of more columns than the header.
    """
    rows = _parse(file, _text(file))
    _, header = next(rows, (0, []))
    if not header:
        raise UserError(f"{shown(file)} is empty: it must begin with the names of its columns")
    names = [name for name in header if name]
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise mistake(file, 1, f"the column {told(twice[0])} stands there twice")
    result = []
    for line, row in rows:
        if len(row) > len(header):
            what = (
                f"{len(row)} columns, the header has {len(header)}: put text with a comma in quotes"
            )
            raise mistake(file, line, what)
        result.append((line, row + [""] * (len(header) - len(row))))
    return header, result


def header(file: Path) -> list[str]:
    """The names of the columns alone; none of a file that `read` would refuse."""
    if kind_of(file) != "file":
        return []
    try:
        with file.open("rb") as content:
            text = content.read(2**20).decode("utf-8-sig", errors="replace")
        return next(_parse(file, text), (0, []))[1]
    except (OSError, UserError):
        return []


def column(file: Path, name: str) -> list[str]:
    """The texts of one column as far as the file can be read; never raises."""
    found: list[str] = []
    try:
        rows = _parse(file, _text(file, errors="replace"))
        _, names = next(rows, (0, []))
        if name in names:
            position = names.index(name)
            for _, row in rows:
                found += row[position : position + 1]
    except UserError:  # told when the pictures are read
        pass
    return found


def _text(file: Path, errors: str = "strict") -> str:
    if kind_of(file) != "file":
        raise UserError(f"{shown(file)} is not a regular file")
    try:
        if file.stat().st_size > LARGEST:
            raise UserError(
                f"{shown(file)} is larger than {LARGEST >> 30} GiB: no list of pictures"
            )
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {shown(file)}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig", errors=errors)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise mistake(file, line, "not UTF-8: save the file as CSV UTF-8") from error


def _parse(file: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text, each with the line in which it begins."""
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    try:
        for row in reader:
            if "\0" in "".join(row):
                raise mistake(file, line, "a NUL byte: this is no CSV file")
            if len(row) > 1 or (row and row[0].strip()):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:  # a quote that is not closed, a field of more than 131072 letters
        raise mistake(file, line, f"this is no CSV: {error}") from error
