"""Exact nearest neighbours by cosine similarity, in blocks of bounded memory.

The whole matrix of queries against the database is never made. Similarities are float32; of equal
ones the lowest index comes first.
"""

import numpy as np
import pandas as pd
import torch

from megalib.errors import UserError

QUERIES, ENTRIES = 1024, 8192  # rows and columns of a block: 32 MiB of similarities
_LAST = 0xFFFFFFFF  # the greatest index that a key holds
_NONE = torch.iinfo(torch.int64).min  # below every key


def nearest(
    query: np.ndarray, database: np.ndarray, device: str | torch.device = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the database row of greatest cosine similarity for each query.

    Args:
        query: float32 array of shape (n, d).
        database: float32 array of shape (m, d), m ≥ 1.
        device: where to compute.

    Returns:
        Indices into the database, int64 of shape (n,), and similarities in [-1, 1], float32 of
        shape (n,).

    Raises:
        UserError: see `neighbours`.
    """
    index, similarity = neighbours(query, database, 1, device)
    return index[:, 0], similarity[:, 0]


def neighbours(
    query: np.ndarray, database: np.ndarray, k: int, device: str | torch.device = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k database rows of greatest cosine similarity for each query, nearest first.

    Args:
        query: float32 array of shape (n, d).
        database: float32 array of shape (m, d), m ≥ k.
        k: how many neighbours, 1 or more.
        device: where to compute.

    Returns:
        Indices into the database, int64 of shape (n, k), and similarities in [-1, 1], float32 of
        shape (n, k).

    Raises:
        UserError: there is nothing to compare, k is out of range, widths differ, or an embedding
            is zero or not finite.
    """
    queries, entries = unit(query, "query"), unit(database, "database")
    _check_widths(queries, entries)
    if not 1 <= k <= len(entries):
        raise UserError(f"k must lie between 1 and the {len(entries)} database images, not {k}")
    entries = entries.to(device)
    found = [_neighbours_in_blocks(part.to(device), entries, k) for part in queries.split(QUERIES)]
    index = torch.cat([part.cpu() for part, _ in found])
    similarity = torch.cat([part.cpu() for _, part in found])
    return index.numpy(), similarity.numpy()


def _check_widths(queries: torch.Tensor, entries: torch.Tensor) -> None:
    if queries.shape[1] != entries.shape[1]:
        shapes = tuple(queries.shape), tuple(entries.shape)
        raise UserError(f"cannot compare {shapes[0]} with a database of {shapes[1]}")


def unit(rows: np.ndarray, name: str) -> torch.Tensor:
    """Scale embeddings to length one.

    Args:
        rows: float (n, d), n ≥ 1.
        name: what they are, for the message.

    Returns:
        float32 (n, d).

    Raises:
        UserError: there are none, or one is zero or not finite.
    """
    if rows.ndim != 2 or len(rows) == 0:
        raise UserError(f"no {name} embeddings to compare: their shape is {rows.shape}")
    tensor = torch.from_numpy(rows).float()
    lengths = tensor.norm(dim=1)
    unfit = ~torch.isfinite(lengths) | (lengths == 0)
    if unfit.any():
        first = int(unfit.nonzero()[0])
        raise UserError(
            f"{int(unfit.sum())} {name} embeddings are zero or not finite, the first is row "
            f"{first}: extract the features again"
        )
    return torch.nn.functional.normalize(tensor)


def _neighbours_in_blocks(
    queries: torch.Tensor, entries: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Index and similarity of the k nearest entries of a block of queries."""
    best = torch.empty((len(queries), 0), dtype=torch.int64, device=entries.device)
    for start in range(0, len(entries), ENTRIES):
        block = queries @ entries[start : start + ENTRIES].T
        if k == 1:  # `max` takes the leftmost of equals by itself, and is much faster than topk
            value, place = block.max(dim=1, keepdim=True)
            keys = _keys(value, place + start)
        else:
            keys = _keys(block, _places(start, block)).topk(min(k, block.shape[1]), dim=1).values
        best = torch.cat([best, keys], dim=1)
        best = best.topk(min(k, best.shape[1]), dim=1).values
    return _unpacked(best)


def _places(start: int, block: torch.Tensor) -> torch.Tensor:
    """Indices of the entries that the columns of a block belong to, (1, m)."""
    return torch.arange(start, start + block.shape[1], device=block.device)[None]


def _keys(similarity: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Numbers that sort like the similarities and, among equal ones, by the lower index first.

    topk orders equals as it likes, and scattering keeps no index; a key carries both: the bits of
    the float32, made to sort as an integer, above the index counted from the end.
    """
    bits = (similarity + 0.0).view(torch.int32)  # the sum turns -0 into 0, which is equal to it
    return (_flipped(bits).long() << 32) | (_LAST - index)


def _unpacked(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Index and similarity out of keys."""
    similarity = _flipped((keys >> 32).int()).view(torch.float32)
    return _LAST - (keys & _LAST), similarity


def _flipped(bits: torch.Tensor) -> torch.Tensor:
    """Turn the order of negative numbers around, which floats store by size; its own inverse."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def nearest_individuals(
    query: np.ndarray,
    database: np.ndarray,
    identity: np.ndarray,
    k: int = 10,
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k individuals whose nearest image is nearest to each query, nearest first.

    Args:
        query: float32 array of shape (n, d).
        database: float32 array of shape (m, d).
        identity: of each database image, text of shape (m,).
        k: how many individuals, at most as many as there are.
        device: where to compute.

    Returns:
        Identities, text of shape (n, k); the index of the nearest image of each, int64 of shape
        (n, k), and its similarity in [-1, 1], float32 of shape (n, k). Of individuals equally near,
        the one whose image comes first in the database stands first.

    Raises:
        UserError: as `neighbours`.
    """
    queries, entries = unit(query, "query"), unit(database, "database")
    _check_widths(queries, entries)
    codes, names = pd.factorize(np.asarray(identity))
    if not 1 <= k <= len(names):
        raise UserError(f"k must lie between 1 and the {len(names)} individuals, not {k}")
    entries, columns = entries.to(device), torch.from_numpy(codes).to(device)
    found = []
    for part in queries.split(QUERIES):
        best = torch.full((len(part), len(names)), _NONE, dtype=torch.int64, device=device)
        for start in range(0, len(entries), ENTRIES):
            block = part.to(device) @ entries[start : start + ENTRIES].T
            individual = columns[start : start + ENTRIES].expand(len(part), -1)
            best.scatter_reduce_(1, individual, _keys(block, _places(start, block)), "amax")
        found.append(best.topk(k, dim=1).values.cpu())
    index, similarity = (part.numpy() for part in _unpacked(torch.cat(found)))
    return np.asarray(identity)[index], index, similarity


def vote(identity: np.ndarray) -> np.ndarray:
    """Predict by the majority of the nearest neighbours.

    Where several individuals share the majority among k neighbours, the farthest neighbour is
    left out until one has it alone, as the reference documents its rule.

    Args:
        identity: of the neighbours, nearest first, text of shape (n, k).

    Returns:
        One identity per query, text of shape (n,).
    """
    if identity.shape[1] == 1:
        return identity[:, 0]
    return np.array([_majority(row) for row in identity], dtype=object)


def _majority(row: np.ndarray) -> str:
    for size in range(len(row), 1, -1):
        names, counts = np.unique(row[:size], return_counts=True)
        if (counts == counts.max()).sum() == 1:
            return names[counts.argmax()]
    return row[0]
