from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib import retrieval


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
    with mock.patch.object(retrieval, "BLOCK", block):
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
    with mock.patch.object(retrieval, "BLOCK", block):
        index, similarity = retrieval.nearest(np.array([[3, 0]], dtype=np.float32), database)
    assert index.tolist() == [1]
    assert similarity.tolist() == [1.0]


def test_length_does_not_count():
    database = np.array([[100, 100], [0, 0.1]], dtype=np.float32)
    index, _ = retrieval.nearest(np.array([[0, 5]], dtype=np.float32), database)
    assert index.tolist() == [1]


@pytest.mark.parametrize("shape", [(0, 3), (4, 2)])
def test_an_unfit_database_is_refused(shape):
    with pytest.raises(ValueError, match="cannot compare"):
        retrieval.nearest(np.ones((2, 3), np.float32), np.ones(shape, np.float32))
