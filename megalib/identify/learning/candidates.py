"""Candidates: the individuals whose photographs are most similar to one, by the network alone.

Learning and answering ask here, so that what was learned holds for the answers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from megalib.identify.photographs import Photographs
from megalib.retrieval import search

MOST = 50  # individuals on a list: those beyond are never compared by key points, or proposed
SIDES = ("left", "right")


@dataclass(frozen=True)
class Lists:
    """The individuals most similar to each of n photographs, the nearest first.

    `names` are those of all individuals, text, sorted. `individual` is a place among these and
    `place` that of the nearest photograph in the database, both int64 (n, s), -1 where there is
    nobody left to compare with; `cosine` is float32 (n, s), there NaN.
    """

    names: np.ndarray
    individual: np.ndarray
    place: np.ndarray
    cosine: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Which photographs are not compared with each other.

    Numbers of sides, 0 where it is not known, and of occasions, int64 (n,) and (m,).
    """

    query_side: np.ndarray
    side: np.ndarray
    query_occasion: np.ndarray
    occasion: np.ndarray

    def barred(self, queries: slice | np.ndarray, entries: slice | np.ndarray) -> np.ndarray:
        """Whether two show opposite sides or one occasion, bool (queries, entries)."""
        one, other = self.query_side[queries, None], self.side[None, entries]
        opposite = (one != other) & (one > 0) & (other > 0)
        return opposite | (self.query_occasion[queries, None] == self.occasion[None, entries])

    @property
    def matter(self) -> bool:
        """Whether there can be such pairs at all."""
        sides = set(self.query_side) | set(self.side)
        return {1, 2} <= sides or bool(np.isin(self.query_occasion, self.occasion).any())


def pairs(
    query: pd.DataFrame,
    database: pd.DataFrame,
    query_occasion: np.ndarray | None = None,
    occasion: np.ndarray | None = None,
) -> Pairs:
    """Which pairs are not compared: those of opposite flanks, and those of one occasion.

    Args:
        query: metadata of photographs.
        database: of those that they are compared with.
        query_occasion: names of occasions, text; None where the two have none in common.
        occasion: of the database.
    """
    if query_occasion is None or occasion is None:
        numbers = np.full(len(query), -1), np.arange(len(database))
    else:
        together = np.unique(np.concatenate([query_occasion, occasion]), return_inverse=True)[1]
        numbers = together[: len(query)], together[len(query) :]
    return Pairs(_sides(query), _sides(database), *numbers)


def _sides(metadata: pd.DataFrame) -> np.ndarray:
    """1 for left, 2 for right, 0 for what may be either, from words such as "front left"."""
    if "orientation" not in metadata:
        return np.zeros(len(metadata), dtype=np.int64)
    words = metadata["orientation"].fillna("").astype(str).str.casefold()
    has = [words.str.contains(side).to_numpy() for side in SIDES]
    return np.select([has[0] & ~has[1], has[1] & ~has[0]], [1, 2], 0)


def lists(
    query: Photographs,
    database: Photographs,
    apart: Pairs,
    most: int = MOST,
    device: str | torch.device = "cpu",
) -> Lists:
    """The individuals whose nearest photograph is most similar to each query.

    Args:
        query: n photographs.
        database: those of known individuals.
        apart: which pairs are not compared.
        most: individuals on each list, or all where they are fewer.
        device: where to compare.
    """
    identity = database.metadata["identity"].to_numpy(dtype=str)
    names, codes = np.unique(identity, return_inverse=True)
    barred: Callable | None = apart.barred if apart.matter else None
    _, place, cosine = search.nearest_individuals(
        query.rows, database.rows, identity, min(most, len(names)), device, barred
    )
    return Lists(names, np.where(place >= 0, codes[place], -1), place, cosine)
