"""How many key points photographs share with those of the individuals on their lists.

A second opinion beside the network's. What was counted is kept: where photographs are added, only
these cost time.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from megalib.files.places import inside
from megalib.files.writing import sweep, whole_file
from megalib.identify.learning import key_points
from megalib.identify.learning.candidates import Lists, Pairs
from megalib.identify.photographs import Photographs
from megalib.retrieval import search, sift

PHOTOGRAPHS = 300  # of the individuals on a list that are compared with one photograph, at most
AT_ONCE = 500  # queries after which what was counted is kept
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: it makes one number of two that no others make


@dataclass(frozen=True)
class Shared:
    """How many points photographs share with those of the individuals on their lists.

    `places` are those of the photographs that were compared, the most similar first, and `counts`
    the points shared with each, both int64 (n, s, m), -1 where there is none.
    """

    places: np.ndarray
    counts: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """The points shared with the best photograph, int64 (n, s), 0 where there is none."""
        return self.counts.max(axis=2).clip(min=0)

    @property
    def place(self) -> np.ndarray:
        """The place of that photograph, of equals the most similar, int64 (n, s), -1 if none."""
        most = self.counts.argmax(axis=2)[:, :, None]
        return np.take_along_axis(self.places, most, axis=2)[:, :, 0]


@dataclass(frozen=True)
class Counted:
    """What was counted before: numbers of pairs, uint64, sorted, and their points, int16."""

    pairs: np.ndarray
    counts: np.ndarray

    def of(self, pairs: np.ndarray) -> np.ndarray:
        """The points of some pairs, int64 of the same shape; -1 where nobody has counted them."""
        if not len(self.pairs):
            return np.full(pairs.shape, -1, dtype=np.int64)
        at = np.searchsorted(self.pairs, pairs).clip(max=len(self.pairs) - 1)
        return np.where(self.pairs[at] == pairs, self.counts[at], -1).astype(np.int64)

    def with_more(self, pairs: np.ndarray, counts: np.ndarray) -> "Counted":
        """These and others."""
        pairs, first = np.unique(np.concatenate([self.pairs, pairs]), return_index=True)
        return Counted(pairs, np.concatenate([self.counts, counts.astype(np.int16)])[first])


def shared(query: Photographs, database: Photographs, found: Lists, apart: Pairs) -> Shared:
    """Count the points that photographs share with those of the individuals on their lists.

    Of each individual its most similar photographs are compared, as many as `PHOTOGRAPHS` allows.

    Args:
        query: n photographs.
        database: those of known individuals.
        found: the lists of the queries.
        apart: which pairs are not compared.

    Raises:
        UserError: a prepared image cannot be read, or a file cannot be written.
    """
    places = _photographs_of_lists(query, database, found, apart)
    return Shared(places, _counts(query, database, places))


def _photographs_of_lists(
    query: Photographs, database: Photographs, found: Lists, apart: Pairs
) -> np.ndarray:
    """The most similar photographs of each individual on each list, int64 (n, s, m), -1 if none."""
    identity = database.metadata["identity"].to_numpy(dtype=str)
    codes = np.searchsorted(found.names, identity)
    album = np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1])
    each = max(1, PHOTOGRAPHS // found.individual.shape[1])
    places = np.full((*found.individual.shape, min(each, max(map(len, album)))), -1)
    queries = search.unit(query.rows, "query").numpy()
    entries = search.unit(database.rows, "database").numpy()
    for number, (row, individuals) in enumerate(zip(queries, found.individual, strict=True)):
        for column, individual in enumerate(individuals[individuals >= 0]):
            own = album[individual]
            own = own[~apart.barred(np.array([number]), own)[0]]
            nearest = own[np.argsort(-(entries[own] @ row), kind="stable")][: places.shape[2]]
            places[number, column, : len(nearest)] = nearest
    return places


def _counts(query: Photographs, database: Photographs, places: np.ndarray) -> np.ndarray:
    """The points that each query shares with the photographs at some places, -1 if there is none.

    Raises:
        UserError: see `shared`.
    """
    ours, theirs = _states(query), _states(database)
    keys = ours[:, None, None] * MULTIPLIER + theirs[places]
    file = None
    if query.kept is not None and database.kept is not None:
        file = database.kept.parent / f"{query.kept.name}-in-{database.kept.name}.safetensors"
        sweep(file)
    for photographs in (query, database):
        key_points.sweep_kept(photographs)
    known = _read_counts(file)
    counts = np.where(places >= 0, known.of(keys), -1)
    todo = np.flatnonzero(((places >= 0) & (counts < 0)).any(axis=(1, 2)))
    for start in range(0, len(todo), AT_ONCE):
        chosen = todo[start : start + AT_ONCE]
        missing = (places[chosen] >= 0) & (counts[chosen] < 0)
        wanted = [own[lack] for own, lack in zip(places[chosen], missing, strict=True)]
        label = f"shared points, to {start + len(chosen)} of {len(todo)}"
        found = counts[chosen]
        found[missing] = np.concatenate(_count(query, database, chosen, wanted, label))
        counts[chosen] = found
        known = known.with_more(keys[chosen][missing], found[missing])
        if file is not None:
            with whole_file(file) as temporary:
                save_file(vars(known), temporary)
    return counts


def _count(
    query: Photographs,
    database: Photographs,
    chosen: np.ndarray,
    wanted: Sequence[np.ndarray],
    label: str,
) -> list[np.ndarray]:
    """Of some queries, the points shared with the photographs wanted, int64, on all threads."""
    needed = np.unique(np.concatenate(wanted))
    threads = torch.get_num_threads()
    how = {"initializer": torch.set_num_threads, "initargs": (1,)}
    bar = {"mininterval": 2, "leave": False, "unit": "image"}
    with ThreadPoolExecutor(threads, **how) as pool:
        wants = [(query, one) for one in chosen] + [(database, one) for one in needed]
        jobs = {key_points.file_of(*job): job for job in wants}.values()  # each image once
        list(tqdm(pool.map(lambda job: key_points.of(*job), jobs), "key points", len(jobs), **bar))

        def of_query(pair: tuple[int, np.ndarray]) -> np.ndarray:
            one, places = pair
            entries = [key_points.of(database, place).tensor for place in places]
            return sift.correspondences(
                key_points.of(query, one).tensor, entries, [key_points.RATIO]
            )[:, 0]

        pairs = list(zip(chosen, wanted, strict=True))
        return list(tqdm(pool.map(of_query, pairs), label, len(pairs), **bar))


def _states(photographs: Photographs) -> np.ndarray:
    """A number for each photograph that changes with its image and its path, uint64 (n,)."""
    texts = (
        f"{path} {key_points.state(inside(photographs.folder, path))}"
        for path in photographs.metadata["path"]
    )
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _read_counts(file: Path | None) -> Counted:
    """What was counted before; nothing where the file is missing or damaged."""
    try:
        found = load_file(file) if file is not None and file.is_file() else {}
        return Counted(found["pairs"], found["counts"])
    except (SafetensorError, KeyError):
        return Counted(np.zeros(0, np.uint64), np.zeros(0, np.int16))
