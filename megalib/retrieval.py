"""Exact nearest neighbours by cosine similarity, in blocks of bounded memory."""

import numpy as np
import torch

BLOCK = 4096


def nearest(query: np.ndarray, database: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the database row of greatest cosine similarity for each query.

    The similarity is computed in float32. Of equal similarities the lowest index wins, as in
    the reference.

    Args:
        query: float32 array of shape (n, d).
        database: float32 array of shape (m, d), m ≥ 1.

    Returns:
        Indices into the database, int64 of shape (n,), and similarities in [-1, 1], float32 of
        shape (n,).

    Raises:
        ValueError: the database is empty or the widths differ.
    """
    if len(database) == 0 or query.shape[1:] != database.shape[1:]:
        raise ValueError(f"cannot compare {query.shape} with a database of {database.shape}")
    queries, entries = _unit(query), _unit(database)
    index = torch.empty(len(queries), dtype=torch.int64)
    similarity = torch.empty(len(queries))
    for start in range(0, len(queries), BLOCK):
        rows = slice(start, start + BLOCK)
        similarity[rows], index[rows] = _nearest_in_blocks(queries[rows], entries)
    return index.numpy(), similarity.numpy()


def _unit(rows: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows).float())


def _nearest_in_blocks(
    queries: torch.Tensor, entries: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    best = torch.full((len(queries),), -torch.inf)
    where = torch.zeros(len(queries), dtype=torch.int64)
    for start in range(0, len(entries), BLOCK):
        value, position = (queries @ entries[start : start + BLOCK].T).max(dim=1)
        better = value > best  # strictly: an earlier block keeps the place
        best[better] = value[better]
        where[better] = position[better] + start
    return best, where
