"""Files that hold the same picture, found by what they hold, whatever they are called."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def contents(files: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of the files that may hold the same as another one.

    Only files of equal length are read: hardly any two photographs have the same. Others, and those
    that cannot be read, are not in the answer.
    """
    by_length = defaultdict(set)
    for file in files:
        try:
            by_length[file.stat().st_size].add(file)
        except OSError:
            continue
    found = {}
    for several in by_length.values():
        for file in several if len(several) > 1 else ():
            try:
                with file.open("rb") as content:
                    found[file] = hashlib.file_digest(content, "sha256").hexdigest()
            except OSError:
                continue
    return found


def groups(root: Path, paths: Iterable[str]) -> list[list[str]]:
    """Paths of files that hold the same bytes, in sorted groups of two or more."""
    by_file = {Path(root, path): path for path in paths}
    found = defaultdict(list)
    for file, digest in contents(by_file).items():
        found[digest].append(by_file[file])
    return sorted(sorted(group) for group in found.values() if len(group) > 1)
