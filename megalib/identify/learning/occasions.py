"""Occasions: which photographs were taken together, so that one gives the other away.

The photographs of a burst, an encounter or a day resemble each other for more reasons than the
animal. What is learned from known photographs must not find them in one another.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from megalib.data import splits
from megalib.data.metadata import UNKNOWN

GAP = pd.Timedelta(minutes=60)  # without a photograph, after which another occasion begins


def of(metadata: pd.DataFrame, copies: np.ndarray | None = None) -> np.ndarray:
    """The occasion of each photograph.

    An `encounter` is one. Where none is noted, photographs belong together whose `moment` follows
    that of another within `GAP`, at one `station`; where no station is noted, in one folder and of
    one individual. Where there is no moment, a `date` is an occasion; where there is none, each
    photograph. Photographs with the same content belong to one occasion whatever is noted.

    Args:
        metadata: of `Photographs`; the columns above may be missing.
        copies: a number for each photograph, equal for those with the same content, int (n,).

    Returns:
        Names of the occasions, text (n,).

    Raises:
        UserError: a date cannot be read.
    """
    names = ("photograph " + metadata["photograph"]).to_numpy(dtype=object)
    if "date" in metadata:
        day = splits.day_of(metadata["date"]).dt.strftime("%Y-%m-%d")
        names = np.where(day.notna(), "date " + day, names)
    met = meetings(metadata)
    names = np.where(met.notna(), "encounter " + met, names).astype(str)
    return names if copies is None else _joined(names, copies)


def meetings(metadata: pd.DataFrame) -> pd.Series:
    """The encounter of each photograph, as noted or else by `GAP`; missing where neither is known.

    Args:
        metadata: of `Photographs`.
    """
    given = metadata.get("encounter", pd.Series(np.nan, metadata.index)).astype(object)
    return given.where(given.notna(), _by_gaps(metadata))


def _by_gaps(metadata: pd.DataFrame) -> pd.Series:
    """Encounters named after their place and their first moment."""
    if "moment" not in metadata:
        return pd.Series(np.nan, metadata.index, dtype=object)
    moment = pd.to_datetime(metadata["moment"], format="ISO8601").dt.tz_localize(None)
    folder = metadata["photograph"].str.rpartition("/")[0]
    place = metadata.get("station", pd.Series(np.nan, metadata.index)).astype(object)
    table = pd.DataFrame({"moment": moment, "place": place.where(place.notna(), folder)})
    table["who"] = metadata["identity"].where(place.isna(), "")
    table = table.sort_values(["place", "who", "moment"], kind="stable")
    groups = table.groupby(["place", "who"])["moment"]
    begins = ~(groups.diff() <= GAP)
    first = table["moment"].where(begins).groupby([table["place"], table["who"]]).ffill()
    who = table["who"].where(table["who"] != UNKNOWN, "")
    name = table["place"] + " " + who + " " + first.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return name.str.split().str.join(" ").where(table["moment"].notna())[metadata.index]


def _joined(names: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """One name for all occasions that share a copy of a photograph: the first by the alphabet."""
    known, codes = np.unique(names, return_inverse=True)
    contents = np.unique(copies, return_inverse=True)[1] + len(known)
    size = len(known) + contents.max(initial=-1) + 1
    links = coo_array((np.ones(len(codes)), (codes, contents)), shape=(size, size))
    _, part = connected_components(links, directed=False)
    parts, first = np.unique(part[: len(known)], return_index=True)  # the names are sorted
    return known[first[np.searchsorted(parts, part[codes])]]


def in_words(metadata: pd.DataFrame) -> str:
    """By what photographs are held apart, and what that leaves open, in one sentence."""
    noted = [name for name in ("encounter", "moment", "date") if metadata.get(name) is not None]
    shares = {name: metadata[name].notna().mean() for name in noted}
    named = {"encounter": "their encounter", "moment": "their time", "date": "their date"}
    used = [named[name] for name, share in shares.items() if share > 0]
    if not used:
        return (
            "No encounter, time or date is noted, so each photograph counts as an occasion of its "
            "own: where several were taken in a row, these numbers flatter."
        )
    alone = metadata[noted].isna().all(axis=1).sum()
    text = f"Photographs of one occasion, by {' or '.join(used)}, are never compared for this."
    return text if not alone else f"{text} Of {alone} none is noted: each counts by itself."
