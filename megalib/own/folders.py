"""Pictures in a folder: which files are some, which are left out, and whose folders they are in."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from megalib.errors import UserError
from megalib.files.names import kind_of
from megalib.files.places import shown
from megalib.own.names import UNKNOWN, WORDS, clean, is_nobody
from megalib.own.report import Notes, listed

PICTURES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"),
    *(".heic", ".heif", ".mpo", ".gif"),
)
VIDEOS = (
    *(".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mts", ".m2ts", ".wmv", ".mpg", ".mpeg", ".3gp"),
    *(".webm", ".flv", ".asf"),
)
RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
FRAMES = "a video: take pictures out of it first, as by `ffmpeg -i VIDEO -vf fps=1 %04d.jpg`"
HIDDEN, OF_PROGRAM = "hidden", " of a program"
NOT_UTF8 = "of a name that is not UTF-8: give it another"
PERIOD = re.compile(r"(?:19|20)\d\d(?:[-_. ]?\d{1,2}){0,2}")  # a folder named after a year or day
PARTS = {"known", "new", "train", "test", "val", "query", "database", "gallery", "images", "photos"}


@dataclass(frozen=True)
class Found:
    """A picture's path below the root, with slashes, and the name of its individual."""

    path: str
    identity: str


@cache
def _programs() -> frozenset[str]:
    lines = (WORDS / "folders.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.casefold() for line in lines if line and not line.startswith("# "))


def is_left_out(folder: str) -> bool:
    """Whether a folder holds what programs keep: hidden things, thumbnails, trash, archives."""
    return folder.startswith(".") or folder.casefold() in _programs() or folder.endswith(".lrdata")


def walk(root: Path) -> Iterator[tuple[str, str]]:
    """All that is no folder below a root, and why it is no picture ("" for pictures).

    Links are followed, each folder once: links come after the folders that are really there, and
    one that leads to a folder read already, or above the root, is left out. Folders that may not
    be read are empty.
    """
    top = os.path.realpath(root)
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        links: list[str] = []
        for start in waiting:
            place = Path(root, start)
            if start and (_contains(place, top) or _identity_of(place) in seen):
                yield start, "a link to a folder that is read already"
                continue
            yield from _one_tree(root, start, seen, links)
        waiting = sorted(links)


def _one_tree(
    root: Path, start: str, seen: set[tuple[int, int]], links: list[str]
) -> Iterator[tuple[str, str]]:
    """The files of a folder and of the folders in it; links to folders are put aside."""
    for parent, folders, names in os.walk(Path(root, start)):
        seen.add(_identity_of(Path(parent)))
        below = os.path.relpath(parent, root)
        above = "" if below == os.curdir else below + os.sep
        kept = [name for name in sorted(folders) if not is_left_out(name)]
        for name in sorted(set(folders) - set(kept)):
            for inner, _, files in os.walk(Path(parent, name)):
                inner = os.path.relpath(inner, root)
                for file in sorted(files):
                    yield f"{inner}{os.sep}{file}", f"in the folder {name!r}{OF_PROGRAM}"
        links += [above + name for name in kept if Path(parent, name).is_symlink()]
        folders[:] = [name for name in kept if above + name not in set(links)]
        for name in sorted(names):
            yield above + name, why_no_picture(Path(parent, name))


def _identity_of(folder: Path) -> tuple[int, int]:
    try:
        facts = folder.stat()
    except OSError:
        return (0, 0)
    return facts.st_dev, facts.st_ino


def _contains(folder: Path, top: str) -> bool:
    """Whether a link leads to the root itself or above it."""
    real = os.path.realpath(folder)
    return os.path.commonpath([real, top]) == real


def why_no_picture(file: Path) -> str:
    """Why a file is no picture to be read; "" for one that is."""
    name, kind = file.name, file.suffix.lower()
    if name.startswith("."):
        return HIDDEN
    if kind in VIDEOS:
        return FRAMES
    if kind in RAW:
        return "of a camera's raw format: save it as JPEG first"
    if kind not in PICTURES:
        short = kind.isprintable() and len(kind) <= 12
        return f"no picture ({(kind or 'no ending') if short else 'another ending'})"
    if kind_of(file) != "file":
        return "not a regular file"
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    return ""


def read(root: Path, named: bool, level: int, notes: Notes) -> list[Found]:
    """The pictures anywhere below a folder, sorted by path, with the names of their individuals.

    Args:
        root: the folder.
        named: whether its sub-folders name individuals.
        level: which sub-folder does, counted from the root; 1 is the outermost.
        notes: takes what is left out, and doubts about the level.

    Raises:
        UserError: there is no picture, or none lies in a sub-folder of that level.
    """
    paths = []
    for path, reason in walk(root):
        if reason:
            readable = path.encode(errors="backslashreplace").decode()
            notes.leave_out("", readable, reason, reason == HIDDEN or reason.endswith(OF_PROGRAM))
        else:
            paths.append(path.replace(os.sep, "/"))
    paths.sort()
    if not paths:
        raise UserError(f"{shown(root)} holds no picture{_what_else(notes)}")
    if not named:
        return [Found(path, UNKNOWN) for path in paths]
    if not any(path.count("/") >= level for path in paths):
        raise UserError(_no_level(root, level))
    notes.doubts += doubts(paths, level)
    return [Found(path, _identity(path, level)) for path in paths]


def _what_else(notes: Notes) -> str:
    counts = Counter(one.reason for one in notes.left_out)
    each = "; ".join(f"{count} {reason}" for reason, count in counts.most_common(4))
    return f": {each}" if each else f" ({', '.join(PICTURES)})"


def _no_level(root: Path, level: int) -> str:
    if level > 1:
        return (
            f"no picture of {shown(root)} is in a sub-folder of level {level}: name the level of "
            "the folders that are called after individuals by -p individual_level"
        )
    return (
        f"the images of {shown(root)} are in no sub-folder: make one per individual, named after "
        "it, or describe them in a CSV file with the columns path and identity"
    )


def _identity(path: str, level: int) -> str:
    parts = path.split("/")[:-1]
    name = clean(parts[level - 1]) if len(parts) >= level else ""
    return UNKNOWN if is_nobody(name) else name


def doubts(paths: list[str], level: int) -> list[str]:
    """Why the folders of a level may not be called after individuals, in a sentence; or none.

    They are doubtful if they are called after years or parts of a dataset, if there is but one, or
    if those within them are at least twice as many; and if a deeper level may name individuals.
    """
    parts = [path.split("/")[:-1] for path in paths]
    depth = min(map(len, parts))  # of the folders that all pictures are in
    names = {each: {folders[each - 1] for folders in parts} for each in range(level, depth + 1)}
    deeper = [each for each in names if each > level and _may_be_individuals(names[each])]
    if not deeper:
        return []
    here, within = names[level], names[level + 1]
    strange = sorted(name for name in here if _is_period(name) or name.casefold() in PARTS)
    if not (strange or len(here) == 1 or _is_period(*within) or len(within) >= 2 * len(here)):
        return []
    further = deeper[0]
    return [
        f"folders of level {level} are taken for individuals ({listed(strange or sorted(here))}): "
        f"if those of level {further} ({listed(sorted(names[further]))}) are, give "
        f"-p individual_level {further}"
    ]


def _may_be_individuals(names: set[str]) -> bool:
    return len(names) > 1 and not _is_period(*names) and not {x.casefold() for x in names} <= PARTS


def _is_period(*names: str) -> bool:
    return all(PERIOD.fullmatch(name) for name in names)
