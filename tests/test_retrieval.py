from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib import retrieval
from megalib.errors import UserError


def naive(query, database):
    """One similarity at a time, in float64; the first of the greatest wins."""
    best = []
    for q in query.astype(np.float64):
        row = [float(q @ d / np.linalg.norm(q) / np.linalg.norm(d)) for d in database]
        best.append(max(range(len(row)), key=lambda index: (row[index], -index)))
    return best


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 8),
    st.integers(1, 12),
    st.integers(0, 99),
)
def test_blocks_of_any_size_agree_with_the_naive_way(n, m, width, block, seed):
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(n, width)).astype(np.float32)
    database = rng.normal(size=(m, width)).astype(np.float32)
    with mock.patch.multiple(retrieval, QUERIES=block, ENTRIES=block):
        index, similarity = retrieval.nearest(query, database)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, database)]
    matrix = unit[0].astype(np.float64) @ unit[1].astype(np.float64).T
    # Of neighbours closer than float32 can tell, either may win.
    np.testing.assert_allclose(similarity, matrix.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(matrix[np.arange(n), index], matrix.max(axis=1), atol=1e-6)
    clear = np.partition(matrix, -2, axis=1)[:, -2] < matrix.max(axis=1) - 1e-5 if m > 1 else True
    assert (np.asarray(naive(query, database)) == index)[clear].all()


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_of_equals_the_lowest_index_wins(block):
    database = np.array([[0, 1], [2, 0], [1, 0], [4, 0]], dtype=np.float32)
    with mock.patch.multiple(retrieval, QUERIES=block, ENTRIES=block):
        index, similarity = retrieval.nearest(np.array([[3, 0]], dtype=np.float32), database)
    assert index.tolist() == [1]
    assert similarity.tolist() == [1.0]


def test_length_does_not_count():
    database = np.array([[100, 100], [0, 0.1]], dtype=np.float32)
    index, _ = retrieval.nearest(np.array([[0, 5]], dtype=np.float32), database)
    assert index.tolist() == [1]


def ranking_by_hand(similarities):
    """Indices of one row, greatest first, of equals the lowest."""
    return sorted(range(len(similarities)), key=lambda index: (-similarities[index], index))


# Directions with few different cosines between them: nearly every similarity is shared.
TIED = np.array([[1, 0], [0, 1], [1, 1], [-1, 0], [2, 0], [0, 3], [1, -1]], dtype=np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.lists(st.integers(0, 6), min_size=1, max_size=25),
    st.integers(1, 25),
    st.integers(1, 9),
)
def test_neighbours_among_many_equals_are_ordered_by_index(queries, entries, k, block):
    query, database = TIED[queries], TIED[entries]
    k = min(k, len(database))
    with mock.patch.multiple(retrieval, QUERIES=block, ENTRIES=block):
        index, similarity = retrieval.neighbours(query, database, k)
    unit = [torch.nn.functional.normalize(torch.from_numpy(rows)) for rows in (query, database)]
    for row, found, values in zip(unit[0], index, similarity, strict=True):
        told = [float(row[None] @ entry[None].T) for entry in unit[1]]
        assert found.tolist() == ranking_by_hand(told)[:k]
        assert values.tolist() == [told[place] for place in found]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 8), st.integers(1, 40), st.integers(1, 6), st.integers(1, 9), st.integers(0, 99)
)
def test_nearest_individuals_agree_with_the_naive_way(n, m, names, block, seed):
    rng = np.random.default_rng(seed)
    query, database = TIED[rng.integers(0, 7, n)], TIED[rng.integers(0, 7, m)]
    identity = np.array([f"animal{number}" for number in rng.integers(0, names, m)])
    k = len(set(identity))
    with mock.patch.multiple(retrieval, QUERIES=block, ENTRIES=block):
        names, index, similarity = retrieval.nearest_individuals(query, database, identity, k)
    unit = [torch.nn.functional.normalize(torch.from_numpy(rows)) for rows in (query, database)]
    for row, ranked, places, values in zip(unit[0], names, index, similarity, strict=True):
        told = [float(row[None] @ entry[None].T) for entry in unit[1]]
        order = ranking_by_hand(told)
        first = {}
        for place in order:
            first.setdefault(identity[place], place)
        assert ranked.tolist() == list(first)
        assert places.tolist() == list(first.values())
        assert values.tolist() == [told[place] for place in first.values()]


@pytest.mark.parametrize(
    ("row", "winner"),
    [
        (["a"], "a"),
        (["a", "b"], "a"),
        (["a", "b", "b"], "b"),
        (["a", "b", "b", "a"], "b"),  # shared by four; of the first three, b has two
        (["a", "b", "c"], "a"),
        (["c", "b", "a", "a", "b"], "a"),  # shared by five; of the first four, a has two
        (["a", "b", "c", "c", "c"], "c"),
    ],
)
def test_a_shared_majority_is_settled_by_fewer_neighbours(row, winner):
    assert retrieval.vote(np.array([row])).tolist() == [winner]


@pytest.mark.parametrize("shape", [(0, 3), (4, 2)])
def test_an_unfit_database_is_refused(shape):
    with pytest.raises(UserError, match=r"no database embeddings|cannot compare"):
        retrieval.nearest(np.ones((2, 3), np.float32), np.ones(shape, np.float32))


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_embeddings_that_point_nowhere_are_named(wrong, place):
    sides = [np.ones((3, 2), np.float32), np.ones((4, 2), np.float32)]
    sides[place][2] = wrong
    name = ("query", "database")[place]
    with pytest.raises(UserError, match=f"1 {name} embeddings are zero or not finite.*row 2"):
        retrieval.nearest(*sides)


@pytest.mark.parametrize("k", [0, 5])
def test_more_neighbours_than_there_are_images_are_refused(k):
    rows = np.ones((4, 2), np.float32)
    with pytest.raises(UserError, match=f"between 1 and the 4 database images, not {k}"):
        retrieval.neighbours(rows, rows, k)
    with pytest.raises(UserError, match="between 1 and the 2 individuals"):
        retrieval.nearest_individuals(rows, rows, np.array(["a", "b", "a", "b"]), 3 if k else 0)
