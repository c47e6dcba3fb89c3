"""Exact nearest neighbours by cosine similarity, in blocks of bounded memory.

The whole matrix of queries against the database is never made. Similarities are float32; of equal
ones the lowest index comes first. Equal embeddings have equal similarities wherever they stand:
libraries multiply matrices of other shapes by other routines, whose sums differ in the last bit, so
all products of a search have one shape, see `_blocks`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch

from megalib.errors import UserError

QUERIES, ENTRIES = 512, 8192  # rows and columns of a block: 16 MiB of similarities
TILE = 64  # rows of a block are filled up to a multiple of this, which routines treat alike
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
    found = list(neighbours_by_part(query, database, k, device))
    index, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return index, similarity


def neighbours_by_part(
    query: np.ndarray, database: np.ndarray, k: int, device: str | torch.device = "cpu"
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same for `QUERIES` queries at a time: with a large k, the answers fill the memory.

    Raises:
        UserError: see `neighbours`.
    """
    queries, entries = unit(query, "query"), unit(database, "database")
    _check_widths(queries, entries)
    if not 1 <= k <= len(entries):
        raise UserError(f"k must lie between 1 and the {len(entries)} database images, not {k}")
    entries = entries.to(device)
    for part in queries.split(QUERIES):
        index, similarity = _neighbours(part, entries, k)
        yield index.cpu().numpy(), similarity.clamp(-1, 1).cpu().numpy()


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


def _blocks(queries: torch.Tensor, entries: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Similarities of some queries to the database, block by block, by products of one shape.

    The queries and the last entries are filled up with zeros, whose products are cut off again.
    Sums of float32 may leave [-1, 1] by the last bit: cut them off after sorting, not before.

    Args:
        queries: of length one, float32 (n, d), n ≤ `QUERIES`, on any device.
        entries: of length one, float32 (m, d), on the device where to compute.

    Yields:
        The index of a block's first entry, and its similarities, float32 (n, b), b ≤ `ENTRIES`.
    """
    rows = _filled_up(queries.to(entries.device), TILE)
    for start in range(0, len(entries), ENTRIES):
        block = entries[start : start + ENTRIES]
        columns = _filled_up(block, TILE if len(entries) <= ENTRIES else ENTRIES)
        yield start, (rows @ columns.T)[: len(queries), : len(block)]


def _filled_up(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Rows, and as many zeros below them as make their number a multiple of `size`."""
    missing = -len(rows) % size
    return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows


def _neighbours(
    queries: torch.Tensor, entries: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Index and similarity of the k nearest entries of a block of queries."""
    best = []
    for start, block in _blocks(queries, entries):
        if k == 1:  # `max` takes the leftmost of equals by itself, and is much faster than topk
            value, place = block.max(dim=1, keepdim=True)
            best.append(_keys(value, place + start))
        else:
            keys = _keys(block, _places(start, block))
            best.append(keys.topk(k, dim=1).values if k < block.shape[1] else keys)
        # Seldom: for a whole ranking, where k is the number of entries, once at the end.
        if sum(keys.shape[1] for keys in best) > 2 * k:
            best = [torch.cat(best, dim=1).topk(k, dim=1).values]
    return _unpacked(torch.cat(best, dim=1).topk(k, dim=1).values)


def _places(start: int, block: torch.Tensor) -> torch.Tensor:
    """Indices of the entries that the columns of a block belong to, int64 (1, b)."""
    return torch.arange(start, start + block.shape[1], device=block.device)[None]


def _keys(similarity: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Numbers that sort like the similarities and, among equal ones, by the lower index first.

    topk orders equals as it likes, and scattering keeps no index; a key carries both: the bits of
    the float32, made to sort as an integer, above the index counted from the end.
    """
    bits = (similarity + 0.0).view(torch.int32)  # the sum turns -0 into 0, which is equal to it
    keys = _flipped(bits).long()
    # In place, since fetching new memory takes longer than the arithmetic.
    return keys.bitwise_left_shift_(32).bitwise_or_(_LAST - index)


def _unpacked(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Index and similarity out of keys."""
    similarity = _flipped((keys >> 32).int()).view(torch.float32)
    return _LAST - (keys & _LAST), similarity


def _flipped(bits: torch.Tensor) -> torch.Tensor:
    """Turn the order of negative numbers around, which floats store by size; its own inverse."""
    return (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)


def nearest_individuals(
    query: np.ndarray,
    database: np.ndarray,
    identity: np.ndarray,
    k: int = 10,
    device: str | torch.device = "cpu",
    barred: Callable[[slice, slice], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k individuals whose nearest image is nearest to each query, nearest first.

    Args:
        query: float32 array of shape (n, d).
        database: float32 array of shape (m, d).
        identity: of each database image, text of shape (m,).
        k: how many individuals, at most as many as there are.
        device: where to compute.
        barred: says of some queries and some images which pairs are not to be compared, bool of
            shape (queries, images).

    Returns:
        Identities, text of shape (n, k); the index of the nearest image of each, int64 of shape
        (n, k), and its similarity in [-1, 1], float32 of shape (n, k). Of individuals equally near,
        the one whose image comes first in the database stands first. Where all images of the
        individuals that are left are barred, the index is -1, the similarity NaN, and the identity
        means nothing.

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
    for first, part in zip(range(0, len(queries), QUERIES), queries.split(QUERIES), strict=True):
        best = torch.full((len(part), len(names)), _NONE, dtype=torch.int64, device=device)
        for start, block in _blocks(part, entries):
            individual = columns[start : start + ENTRIES].expand(len(part), -1)
            keys = _keys(block, _places(start, block))
            if barred is not None:
                apart = barred(slice(first, first + len(part)), slice(start, start + ENTRIES))
                keys.masked_fill_(torch.from_numpy(apart).to(keys.device), _NONE)
            best.scatter_reduce_(1, individual, keys, "amax")
        found.append(best.topk(k, dim=1).values.cpu())
    keys = torch.cat(found)
    index, similarity = _unpacked(keys)
    index[keys == _NONE], similarity[keys == _NONE] = -1, torch.nan
    index, similarity = index.numpy(), similarity.numpy()
    return np.asarray(identity)[index], index, similarity.clip(-1, 1)


def vote(identity: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Predict by the majority of the nearest neighbours.

    Of individuals that share the majority, the one whose neighbours are most similar on average
    wins, and of these the first in the order of the alphabet: the rule of `KnnClassifier` in
    wildlife-tools 1.x. (Version 0.0.9 documents another: fewer neighbours vote.)

    Args:
        identity: of the neighbours, nearest first, text of shape (n, k).
        similarity: of the same, float of shape (n, k).

    Returns:
        One identity per query, text of shape (n,).
    """
    if identity.shape[1] == 1:
        return identity[:, 0]
    pairs = zip(identity, similarity.astype(np.float64), strict=True)
    return np.array([_majority(*pair) for pair in pairs], dtype=object)


def _majority(names: np.ndarray, similarity: np.ndarray) -> str:
    found, codes, votes = np.unique(names, return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=similarity) / votes
    return found[np.where(votes == votes.max(), means, -np.inf).argmax()]  # the first of equals
