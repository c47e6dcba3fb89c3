"""Which file a list means, also where it was written on another computer."""

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from megalib.errors import told
from megalib.files.names import kind_of
from megalib.own.folders import PICTURES
from megalib.own.report import Notes, listed

DRIVE = re.compile(r"[A-Za-z]:/")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://[^/]*/", re.IGNORECASE)


def portable(path: str) -> str:
    """A path as Windows writes it becomes one for all systems."""
    return path.strip().strip("'\"").replace("\\", "/")


@dataclass(frozen=True)
class Files:
    """The pictures below a folder, found by the last parts of a path; read when first asked."""

    root: Path

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths below the root, by their last part, in one case and one Unicode form."""
        found = defaultdict(list)
        for parent, _, names in os.walk(self.root, followlinks=False):
            below = os.path.relpath(parent, self.root)
            start = "" if below == os.curdir else below.replace(os.sep, "/") + "/"
            for name in names:
                if name.lower().endswith(PICTURES):
                    found[_same(name)].append(start + name)
        return found

    def nearest(self, path: str) -> str:
        """The one picture that shares most last parts with a path; "" where none or several do.

        A name alone is shared by many cameras: a folder must be the same, too, or one of the two
        paths has no more parts.
        """
        candidates = self._by_name.get(_same(path.rpartition("/")[2]), [])
        shared = [(_shared(path, candidate), candidate) for candidate in candidates]
        most = max((count for count, _ in shared), default=0)
        best = [candidate for count, candidate in shared if count == most]
        if len(best) != 1:
            return ""
        is_whole = most in {path.count("/") + 1, best[0].count("/") + 1}
        return best[0] if most > 1 or is_whole else ""


def _same(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _shared(one: str, other: str) -> int:
    """How many last parts two paths share."""
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    count = 0
    for mine, theirs in pairs:
        if _same(mine) != _same(theirs):
            break
        count += 1
    return count


def find(
    root: Path, written: Sequence[str], places: Sequence[str], notes: Notes
) -> tuple[list[str], list[str]]:
    r"""The file below a root that each path of a list means.

    A path of another computer, such as `E:\owls\1.jpg` or `https://…/1.jpg`, one of other case
    and one of another Unicode form are looked up by their last parts; the notes say how many.

    Args:
        root: the folder of the list.
        written: the paths as they are written.
        places: where each is, such as "line 3".
        notes: takes how many paths were found in another way than as they are written.

    Returns:
        Paths below the root in their shortest form, and for each why it is none ("" if it is).
        Whether there is such a file is seen when it is read.
    """
    files, found, reasons, looked_up = Files(root), [], [], []
    for text in written:
        path, reason, is_other = _one(root, portable(text), files)
        found.append(path)
        reasons.append(reason)
        if is_other:
            looked_up.append(f"{text.strip()} is {path}")
    if looked_up:
        notes.understood.append(
            f"{len(looked_up)} paths were found by their last parts ({listed(looked_up)})"
        )
    return found, reasons


def _one(root: Path, path: str, files: Files) -> tuple[str, str, bool]:
    """The path, why it is none, and whether it was found in another way than as it is written."""
    if not path:
        return "", "the path is empty", False
    if address := ADDRESS.match(path):
        nearest = files.nearest(unquote(path[address.end() :]).partition("?")[0])
        reason = f"is not on this disk: {told(path)}"
        return (nearest, "", True) if nearest else (path, reason, False)
    short = _below(root, path)
    if short in {"..", "."} or DRIVE.match(path):
        nearest = files.nearest(path)
        where = "its folder itself" if short == "." else "a file outside its folder"
        reason = f"the list names {where}: {told(path)}"
        return (nearest, "", True) if nearest else (path, reason, False)
    kind = kind_of(Path(root, short))
    if kind in {"folder", "other"}:
        what = "a folder" if kind == "folder" else "not a regular file"
        return path, f"{told(path)} is {what}, so no picture", False
    if not kind and (nearest := files.nearest(path)):
        return nearest, "", True
    return short, "", False


def _below(root: Path, path: str) -> str:
    """A path in its shortest form, counted from the root; ".." for all that is outside.

    Only its letters count: links are followed wherever they lead.
    """
    top = Path.cwd() / root
    short = os.path.relpath(path, top) if posixpath.isabs(path) else posixpath.normpath(path)
    short = short.replace(os.sep, "/")
    return ".." if short.startswith("../") else short
