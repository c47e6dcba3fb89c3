"""Copies: files that hold the same picture, under whatever names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from megalib.errors import UserError
from megalib.files.places import inside
from megalib.identify.photographs import Photographs
from megalib.own import same


def numbers(photographs: Photographs) -> np.ndarray:
    """A number for each photograph, equal for those whose files hold the same bytes, int64 (n,)."""
    return _numbers(_files(photographs))


def already_known(new: Photographs, known: Photographs) -> pd.DataFrame:
    """New photographs of which a copy is among the known ones.

    Returns:
        One row per pair of files: the new `photograph`, the `known_photograph`, and the `identity`
        that this shows; several animals on it are several rows.
    """
    count = len(new.metadata)
    both = _numbers([*_files(new), *_files(known)])
    ours = new.metadata[["photograph"]].assign(content=both[:count])
    theirs = known.metadata[["photograph", "identity"]].assign(content=both[count:])
    theirs = theirs.rename(columns={"photograph": "known_photograph"})
    found = ours.drop_duplicates().merge(theirs.drop_duplicates(), on="content")
    return found.drop(columns="content")


def _files(photographs: Photographs) -> list[Path | None]:
    """The user's own file of each photograph; None where it is not known or not to be read."""
    if photographs.source is None:
        return [None] * len(photographs.metadata)
    return [_file(photographs.source, name) for name in photographs.metadata["photograph"]]


def _file(folder: Path, name: str) -> Path | None:
    try:
        return inside(folder, name)
    except UserError:
        return None


def _numbers(files: Sequence[Path | None]) -> np.ndarray:
    contents = same.contents(file for file in files if file is not None)
    # A file that has no equal, or cannot be read, is a content of its own.
    names = [contents.get(file) or str(file or place) for place, file in enumerate(files)]
    return pd.factorize(np.array(names, dtype=object))[0]
