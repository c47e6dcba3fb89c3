"""Where in the order of nearness a query finds its individual."""

import numpy as np
import pandas as pd
import torch

from megalib.retrieval import search
from megalib.retrieval.found import Ranks
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
        parts.append(ranks_of_order(known[order] == asked[start : start + len(order), None]))
        start += len(order)
    return Ranks(
        np.concatenate([part.first_match for part in parts]),
        np.concatenate([part.average_precision for part in parts]),
    )


def ranks_of_order(right: np.ndarray) -> Ranks:
    """The same for a database that has been sorted by any method.

    Args:
        right: whether each database image shows the query's individual, nearest first, bool (n, m).
    """
    found = right.any(axis=1)
    first = np.where(found, right.argmax(axis=1), right.shape[1])
    counts = np.arange(1, right.shape[1] + 1)
    hits = (right * (right.cumsum(axis=1) / counts)).sum(axis=1)
    precision = np.where(found, hits / np.maximum(right.sum(axis=1), 1), np.nan)
    return Ranks(first, precision)


def rank(metadata: pd.DataFrame, rows: np.ndarray, device: str | torch.device = "cpu") -> Ranks:
    """Where in the order of nearness the test images find their individual, see `found.Ranks`."""
    test, train = parts_of(metadata)
    identity = metadata["identity"].to_numpy()
    return rank_matches(rows[test], rows[train], identity[test], identity[train], device)
