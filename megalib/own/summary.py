"""What rows of pictures hold, in words: how many, of whom, and what looks odd."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from megalib.own import names, pixels, same
from megalib.own.names import UNKNOWN
from megalib.own.report import Notes, counted, listed

THREADS = 8  # that read the heads of pictures, mostly waiting for the disk


def check_pictures(root: Path, paths: Iterable[str], notes: Notes) -> None:
    """Note pictures that are turned, transparent, animated, or the same as another."""
    files = sorted(set(paths))
    with ThreadPoolExecutor(THREADS) as pool:
        heads = list(pool.map(lambda path: pixels.head_of(Path(root, path)), files))
    there = [(path, head) for path, head in zip(files, heads, strict=True) if head]
    kinds = {
        "turned upright by what the camera noted": [
            path for path, head in there if head.frame.orientation != 1
        ],
        "animated, and read by their first image": [
            path
            for path, head in there
            if head.frames > 1 and path.lower().endswith((".gif", ".webp", ".png"))
        ],
    }
    for what, found in kinds.items():
        if found:
            notes.understood.append(f"{counted(len(found), 'picture')} {what} ({listed(found)})")
    clear = [path for path, head in there if head.is_transparent]
    if clear:
        notes.doubts.append(
            f"{counted(len(clear), 'picture')} with transparent parts, which become black "
            f"({listed(clear)})"
        )
    for group in same.groups(root, files):
        notes.doubts.append(f"the same picture {len(group)} times: {listed(group)}")


def in_words(rows: pd.DataFrame, named: bool) -> str:
    """How many photographs, animals and individuals there are; those with fewest photographs first.

    Args:
        rows: of `listing.read`.
        named: whether they say who is on them.
    """
    pictures = rows["path"].nunique()
    text = counted(pictures, "photograph")
    if len(rows) != pictures:
        text += f", {counted(len(rows), 'animal')} on them"
    if not named:
        return text
    known = rows.loc[rows["identity"] != UNKNOWN, "identity"].value_counts()
    nobody = len(rows) - int(known.sum())
    text += f", {counted(len(known), 'individual')}"
    if nobody:
        text += f", {nobody} of nobody known"
    ordered = known.sort_index().sort_values(kind="stable")
    each = ", ".join(f"{name} {count}" for name, count in ordered.items())
    return f"{text}: {each}" if len(ordered) <= 40 else f"{text}: {_few(ordered)}"


def _few(ordered: pd.Series) -> str:
    """The individuals with the fewest and with the most photographs."""
    ends = [
        ", ".join(f"{name} {count}" for name, count in part.items())
        for part in (ordered.head(15), ordered.tail(5))
    ]
    return f"{ends[0]}, …, {ends[1]}"


def odd_names(rows: pd.DataFrame) -> list[str]:
    """Sentences about names that may be mistakes, and about individuals of a single photograph."""
    known = rows.loc[rows["identity"] != UNKNOWN, "identity"].value_counts()
    found = [
        f"names that differ in case, blanks or marks alone: {listed(group)}"
        for group in names.alike(known.index)
    ]
    single = sorted(known.index[known == 1])
    if single and len(known) > 1:
        found.append(
            f"{counted(len(single), 'individual')} with a single photograph ({listed(single)}): it "
            "helps to search among, but cannot be tested"
        )
    like_nobody = [name for name in known.index if _resembles_nobody(name)]
    if like_nobody:
        found.append(f"taken for individuals: {listed(sorted(like_nobody))}")
    return found


def _resembles_nobody(name: str) -> bool:
    """Whether a name is a word for nobody with a number behind it, or just "new"."""
    return names.folded(name) == "new" or names.is_nobody(re.sub(r"[\d\W_]+$", "", name))
