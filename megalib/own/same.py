"""Files that hold the same picture, found by what they hold, whatever they are called."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def digest_of(file: Path) -> str:
    """SHA-256 of what a file holds; "" where it cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""


def groups(root: Path, paths: Iterable[str]) -> list[list[str]]:
    """Paths of files that hold the same bytes, in sorted groups of two or more.

    Only files of equal length are read.
    """
    by_length = defaultdict(list)
    for path in paths:
        try:
            by_length[Path(root, path).stat().st_size].append(path)
        except OSError:
            continue
    found = defaultdict(list)
    for several in by_length.values():
        if len(several) > 1:
            for path in several:
                if digest := digest_of(Path(root, path)):
                    found[digest].append(path)
    return sorted(sorted(group) for group in found.values() if len(group) > 1)
