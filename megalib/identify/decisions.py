"""What a person decided about new photographs: `decisions.csv`, as the page of candidates saves it.

One line per animal, text in quotes, with the columns

==============  ===================================================================================
`photograph`    the file, below the folder of new photographs
`animal`        1, 2, … within the photograph; 1 where this is empty
`image_id`      of its prepared image
`decision`      `confirmed`: it is the known individual `identity`; `new`: it is a new animal that
                is called `identity`; `unknown`: nobody can say who it is; `skipped`: nobody decided
`identity`      the name; empty where nobody is named
`decided_at`    when, as ISO 8601 in UTC, "2024-05-31T21:40:00Z"
`decided_by`    who decided
`rank`          which of the candidates was confirmed, from 1; empty for any other animal
`look`          what the animal looked like, see `thumbnails.look`
==============  ===================================================================================

A file written by hand needs `photograph`, `decision` and, where somebody is named, `identity`.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os.path import commonpath, relpath
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.data import images
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError, choose, told
from megalib.files import spreadsheet
from megalib.files.places import inside, shown
from megalib.identify.page import thumbnails
from megalib.identify.photographs import Photographs
from megalib.own.lists.tables import mistake

COLUMNS = (
    *("photograph", "animal", "image_id", "decision", "identity", "decided_at", "decided_by"),
    *("rank", "look"),
)
CONFIRMED, NEW, SKIPPED = "confirmed", "new", "skipped"
WORDS = (CONFIRMED, NEW, UNKNOWN, SKIPPED)
_NEEDED = ("photograph", "decision")
_DECIDED = ["decision", "identity", "decided_at", "decided_by", "rank"]


@dataclass(frozen=True)
class Decided:
    """The photographs after the decisions.

    `known` has the confirmed and the new animals, too, and `new` only those that nobody decided
    about. `animals` are the metadata of all decided ones with the columns of their decisions, the
    unknown ones included. `file` is all that the file says. `in_words` counts it, and what of the
    file was ignored.
    """

    known: Photographs
    new: Photographs
    animals: pd.DataFrame
    file: pd.DataFrame
    in_words: str


def read(file: Path) -> pd.DataFrame:
    """Read a file of decisions; a spreadsheet may have saved it with semicolons or tabs.

    Returns:
        `COLUMNS`, as text, and the `line` of each; one row per animal.

    Raises:
        UserError: the file cannot be read or lacks a column, or a line names no decision, nobody
            where somebody must be named, no number of an animal, or what another line contradicts.
    """
    rows = _rows(file)
    header = [spreadsheet.unguarded(name).strip().casefold() for name in next(rows, (0, []))[1]]
    lacking = [name for name in _NEEDED if name not in header]
    if lacking:
        raise UserError(
            f"{shown(file)} lacks the column {' and '.join(lacking)}: take the file that the page "
            "of candidates saved"
        )
    found: dict[tuple[str, str], dict] = {}
    for line, row in rows:
        cells = dict(zip(header, map(spreadsheet.unguarded, row), strict=False))
        one = {name: cells.get(name, "").strip() for name in COLUMNS} | {"line": line}
        _check(file, one)
        before = found.setdefault((one["photograph"], one["animal"]), one)
        if any(before[name] != one[name] for name in ("decision", "identity")):
            raise mistake(
                file,
                line,
                f"{told(one['photograph'])}, animal {one['animal']}, is {_in_words(one)} here and "
                f"{_in_words(before)} in line {before['line']}: keep one of the two",
            )
    return pd.DataFrame(list(found.values()), columns=[*COLUMNS, "line"])


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line; the separator is the one that the header has most of."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read the decisions {shown(file)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(file)} is not UTF-8: save the file as CSV UTF-8") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        yield from ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise mistake(file, reader.line_num, f"this is no CSV: {error}") from error


def _check(file: Path, one: dict) -> None:
    """Fill in and check the values of a line."""
    one["animal"] = one["animal"] or "1"
    one["decision"] = one["decision"].casefold()
    if not one["photograph"]:
        raise mistake(file, one["line"], "names no photograph")
    if not one["animal"].isdecimal():
        raise mistake(file, one["line"], f"animal must be 1, 2, …, not {told(one['animal'])}")
    if one["decision"] not in WORDS:
        try:
            choose("decision", one["decision"], WORDS)
        except UserError as error:
            raise mistake(file, one["line"], str(error)) from error
    names_somebody = one["decision"] in (CONFIRMED, NEW)
    if names_somebody and one["identity"].casefold() in {"", UNKNOWN}:
        raise mistake(
            file, one["line"], f"{one['decision']}, but identity names nobody: write the name"
        )
    if not names_somebody:
        one["identity"] = ""


def _in_words(one: dict) -> str:
    return " ".join(filter(None, (one["decision"], one["identity"])))


def apply(file: pd.DataFrame, known: Photographs, new: Photographs) -> Decided:
    """Add the named animals to the known ones, and leave the decided ones out of the new ones.

    No image is copied: the paths of the known ones count from the folder that both have in common.
    Skipped animals stay among the new ones. A line is ignored, and told, if the photograph is not
    among the new ones, or if a picture of another `look` has its name today.

    Args:
        file: of `read`.
        known: photographs of known individuals.
        new: the new photographs.

    Raises:
        UserError: there are decisions, and not one of their photographs is among the new ones.
    """
    places = {
        (photograph, str(animal)): place
        for place, (photograph, animal) in enumerate(
            zip(new.metadata["photograph"], new.metadata["animal"], strict=True)
        )
    }
    rows = file.assign(place=[places.get(key, -1) for key in zip(*_keys(file), strict=True)])
    here = rows[rows["place"] >= 0]
    if len(rows) and here.empty:
        raise UserError(
            f"none of the {len(rows)} photographs of the decisions is among the new ones, such as "
            f"{told(rows['photograph'].iloc[0])}: name the folder that they were made for"
        )
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        same = pool.map(lambda row: _is_same(new, row), here.itertuples())
        is_same = np.array(list(same), dtype=bool)
    in_force = here[is_same & (here["decision"] != SKIPPED)]
    animals = new.metadata.iloc[in_force["place"]].drop(columns="identity")
    animals = animals.assign(**{name: in_force[name].to_numpy() for name in _DECIDED})
    ignored = {
        "are not among the new photographs": rows[rows["place"] < 0],
        "look different today": here[~is_same],
    }
    is_left = ~np.isin(np.arange(len(new.metadata)), in_force["place"])
    return Decided(
        _joined(known, new, in_force),
        replace(new, metadata=new.metadata[is_left].reset_index(drop=True), rows=new.rows[is_left]),
        animals,
        file.drop(columns="line"),
        _counted(in_force, rows, known, ignored),
    )


def _keys(file: pd.DataFrame) -> tuple[list[str], list[str]]:
    return file["photograph"].tolist(), [str(int(number)) for number in file["animal"]]


def _is_same(new: Photographs, row: tuple) -> bool:
    """Whether a decision was made about the picture that has its name today."""
    if not row.look:
        return True
    path = inside(new.folder, new.metadata["path"].iloc[row.place])
    return not thumbnails.looks_different(row.look, thumbnails.look(images.load(path)))


def _joined(known: Photographs, new: Photographs, in_force: pd.DataFrame) -> Photographs:
    """The known photographs and those new ones that show a named animal."""
    named = in_force[in_force["decision"].isin([CONFIRMED, NEW])]
    if named.empty:
        return known
    root = Path(commonpath([known.folder.resolve(), new.folder.resolve()]))
    added = new.metadata.iloc[named["place"]].assign(identity=named["identity"].to_numpy())
    parts = [
        part.assign(path=_below(root, folder) + part["path"])
        for part, folder in ((known.metadata, known.folder), (added, new.folder))
    ]
    # Ids are digests of paths, so two folders may have the same: one photograph, one id.
    taken = parts[1]["image_id"].isin(known.metadata["image_id"])
    parts[1]["image_id"] = parts[1]["image_id"].where(~taken, "new-" + parts[1]["image_id"])
    return replace(
        known,
        metadata=pd.concat(parts, ignore_index=True),
        rows=np.concatenate([known.rows, new.rows[named["place"]]]),
        folder=root,
    )


def _below(root: Path, folder: Path) -> str:
    below = relpath(folder.resolve(), root)
    return "" if below == "." else f"{below}/"


def _counted(
    in_force: pd.DataFrame,
    rows: pd.DataFrame,
    known: Photographs,
    ignored: dict[str, pd.DataFrame],
) -> str:
    count = Counter(in_force["decision"])
    called = set(in_force.loc[in_force["decision"] == NEW, "identity"])
    text = (
        f"decisions: {count[CONFIRMED]} animals are confirmed, {count[NEW]} are called new "
        f"({len(called)} individuals), {count[UNKNOWN]} stay unknown"
    )
    if skipped := (rows["decision"] == SKIPPED).sum():
        text += f"; {skipped} were skipped and are asked about again"
    if there := sorted(called & set(known.metadata["identity"])):
        text += f"; {_some(there)} were called new and are among the known ones: taken for these"
    for reason, lines in ignored.items():
        if len(lines):
            some = _some(lines["photograph"])
            text += f"; {len(lines)} lines are ignored, since their pictures {reason}: {some}"
    return text


def _some(names: Sequence[str]) -> str:
    """The first few of some names."""
    return ", ".join(map(told, list(names)[:3])) + (", …" if len(names) > 3 else "")
