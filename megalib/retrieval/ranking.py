"""Where in the order of nearness a query finds its individual, and whom it finds first."""

from dataclasses import fields

import numpy as np
import pandas as pd
import torch

from megalib.retrieval import search
from megalib.retrieval.found import CANDIDATES, Ranks
from megalib.retrieval.matching import parts_of


def rank_matches(
    query: np.ndarray,
    database: np.ndarray,
    query_identity: np.ndarray,
    database_identity: np.ndarray,
    device: str | torch.device = "cpu",
) -> Ranks:
    """Rank the database for each query by cosine similarity, of equals the lowest index first.

    The average precision of a query is the mean, over the database images of its individual, of
    the share of right images up to and including their rank (Manning, Raghavan and Schütze, 2008,
    Introduction to Information Retrieval, section 8.4).

    Args:
        query: float32 (n, d).
        database: float32 (m, d).
        query_identity: text (n,).
        database_identity: text (m,).
        device: where to compare.

    Raises:
        UserError: see `search.neighbours`.
    """
    # Numbers are compared faster than names.
    codes, _ = pd.factorize(np.concatenate([database_identity, query_identity]))
    known, asked = codes[: len(database)], codes[len(database) :]
    parts, start = [], 0
    for order, _ in search.neighbours_by_part(query, database, len(database), device):
        parts.append(ranks_of_order(order, known, asked[start : start + len(order)]))
        start += len(order)
    names = [field.name for field in fields(Ranks)]
    return Ranks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def ranks_of_order(order: np.ndarray, known: np.ndarray, asked: np.ndarray) -> Ranks:
    """The same for a database that has been sorted by any method.

    Args:
        order: the database images for each query, nearest first, int64 (n, m).
        known: codes of the individuals on the database images, int64 (m,).
        asked: codes of those on the queries, int64 (n,).
    """
    shown = known[order]
    right = shown == asked[:, None]
    found = right.any(axis=1)
    first = np.where(found, right.argmax(axis=1), right.shape[1])
    counts = np.arange(1, right.shape[1] + 1)
    hits = (right * (right.cumsum(axis=1) / counts)).sum(axis=1)
    precision = np.where(found, hits / np.maximum(right.sum(axis=1), 1), np.nan)
    places = _first_of_each(shown, min(CANDIDATES, len(np.unique(known))))
    return Ranks(first, precision, np.take_along_axis(order, places, 1))


def _first_of_each(shown: np.ndarray, k: int) -> np.ndarray:
    """Where the first k individuals of each row are met for the first time, int64 (n, k)."""
    places, left = [], np.ones(shown.shape, dtype=bool)
    for _ in range(k):
        places.append(left.argmax(axis=1)[:, None])
        left &= shown != np.take_along_axis(shown, places[-1], 1)
    return np.hstack(places)


def rank(metadata: pd.DataFrame, rows: np.ndarray, device: str | torch.device = "cpu") -> Ranks:
    """Where in the order of nearness the test images find their individual, see `found.Ranks`.

    Database indices count the training images.
    """
    test, train = parts_of(metadata)
    identity = metadata["identity"].to_numpy()
    return rank_matches(rows[test], rows[train], identity[test], identity[train], device)
