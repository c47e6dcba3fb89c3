from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import infer
from megalib.errors import UserError
from megalib.retrieval import ranking, search
from megalib.retrieval.found import CANDIDATES


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
    with mock.patch.multiple(search, QUERIES=block, ENTRIES=block):
        index, similarity = search.nearest(query, database)
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
    with mock.patch.multiple(search, QUERIES=block, ENTRIES=block):
        index, similarity = search.nearest(np.array([[3, 0]], dtype=np.float32), database)
    assert index.tolist() == [1]
    assert similarity.tolist() == [1.0]


def test_length_does_not_count():
    database = np.array([[100, 100], [0, 0.1]], dtype=np.float32)
    index, _ = search.nearest(np.array([[0, 5]], dtype=np.float32), database)
    assert index.tolist() == [1]


def ranking_by_hand(similarities):
    """Indices of one row, greatest first, of equals the lowest."""
    return sorted(range(len(similarities)), key=lambda index: (-similarities[index], index))


def cosine_by_hand(one, other):
    """In float64, rounded to what float32 can tell, so that equal ones are equal."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    return round(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), 6)


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
    with mock.patch.multiple(search, QUERIES=block, ENTRIES=block):
        index, similarity = search.neighbours(query, database, k)
    for row, found, values in zip(query, index, similarity, strict=True):
        told = [cosine_by_hand(row, entry) for entry in database]
        assert found.tolist() == ranking_by_hand(told)[:k]
        assert values.tolist() == pytest.approx([told[place] for place in found], abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 8), st.integers(1, 40), st.integers(1, 6), st.integers(1, 9), st.integers(0, 99)
)
def test_nearest_individuals_agree_with_the_naive_way(n, m, names, block, seed):
    rng = np.random.default_rng(seed)
    query, database = TIED[rng.integers(0, 7, n)], TIED[rng.integers(0, 7, m)]
    identity = np.array([f"animal{number}" for number in rng.integers(0, names, m)])
    k = len(set(identity))
    with mock.patch.multiple(search, QUERIES=block, ENTRIES=block):
        names, index, similarity = search.nearest_individuals(query, database, identity, k)
    for row, ranked, places, values in zip(query, names, index, similarity, strict=True):
        told = [cosine_by_hand(row, entry) for entry in database]
        order = ranking_by_hand(told)
        first = {}
        for place in order:
            first.setdefault(identity[place], place)
        assert ranked.tolist() == list(first)
        assert places.tolist() == list(first.values())
        expected = [told[place] for place in first.values()]
        assert values.tolist() == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.integers(1, 30), st.integers(1, 9), st.integers(0, 999))
def test_barred_pairs_are_not_compared(n, m, block, seed):
    rng = np.random.default_rng(seed)
    query, database = TIED[rng.integers(0, 7, n)], TIED[rng.integers(0, 7, m)]
    identity = np.array([f"animal{number}" for number in rng.integers(0, 4, m)])
    apart = rng.random((n, m)) < rng.random()
    with mock.patch.multiple(search, QUERIES=block, ENTRIES=block):
        names, index, similarity = search.nearest_individuals(
            query, database, identity, len(set(identity)), barred=lambda one, two: apart[one, two]
        )
    for number in range(n):
        free = np.flatnonzero(~apart[number])
        told = [cosine_by_hand(query[number], database[place]) for place in free]
        first = {}
        for place in free[ranking_by_hand(told)]:
            first.setdefault(identity[place], place)
        there = index[number] >= 0
        assert names[number][there].tolist() == list(first)
        assert index[number][there].tolist() == list(first.values())
        assert (np.isnan(similarity[number]) == ~there).all()
        assert there.tolist() == sorted(there, reverse=True)


@pytest.mark.parametrize("queries", [1, 3, 40])
@pytest.mark.parametrize("entries", [8193, 8197, 8200])
@pytest.mark.parametrize("width", [768, 1536])
def test_equal_embeddings_are_equal_in_blocks_of_every_size(width, entries, queries):
    """Twins in the first, whole block and in the last, narrow one: the first of them wins."""
    rng = np.random.default_rng(entries + queries)
    centre = rng.standard_normal(width, dtype=np.float32)
    query = centre + 0.3 * rng.standard_normal((queries, width), dtype=np.float32)
    database = rng.standard_normal((entries, width), dtype=np.float32)
    twins = [5, 700, 8191, *range(8192, entries)]
    database[twins] = centre
    index, similarity = search.neighbours(query, database, len(twins))
    assert index.tolist() == [twins] * queries
    assert (similarity == similarity[:, :1]).all()
    assert (search.nearest(query, database)[0] == 5).all()
    identity = np.arange(entries).astype(str)
    _, index, _ = search.nearest_individuals(query, database, identity, len(twins))
    assert index.tolist() == [twins] * queries


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 70), st.integers(2, 200), st.integers(1, 33), st.integers(0, 99))
def test_the_first_of_many_twins_ranks_first(queries, entries, width, seed):
    """Odd widths and few rows, for which libraries have routines of their own."""
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((queries, width)).astype(np.float32)
    database = np.tile(rng.standard_normal(width).astype(np.float32), (entries, 1))
    with mock.patch.multiple(search, QUERIES=64, ENTRIES=64):
        index, _ = search.neighbours(query, database, entries)
        ranks = ranking.rank_matches(
            query, database, np.full(queries, "0"), np.arange(entries).astype(str)
        )
    assert (index == np.arange(entries)).all()
    assert (ranks.first_match == 0).all()


def test_the_first_rank_is_the_nearest_neighbour():
    """Among near twins, of which float32 can just tell the order."""
    rng = np.random.default_rng(0)
    query = rng.standard_normal((700, 96)).astype(np.float32)
    database = np.repeat(rng.standard_normal((3, 96)), 70, axis=0).astype(np.float32)
    database *= 1 + 1e-7 * rng.standard_normal(database.shape).astype(np.float32)
    index, _ = search.nearest(query, database)
    identity = np.arange(len(database)).astype(str)
    ranks = ranking.rank_matches(query, database, identity[index], identity)
    assert (ranks.first_match == 0).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 6), st.integers(0, 99))
def test_candidates_are_the_nearest_image_of_each_of_the_nearest_individuals(
    queries, entries, names, seed
):
    """Whatever sorted the database; beside a search that is told to look for individuals."""
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((queries, 5)).astype(np.float32)
    database = rng.integers(-1, 2, (entries, 5)).astype(np.float32) + 0.1  # with twins
    identity = rng.integers(0, names, entries).astype(str)
    asked = rng.integers(0, names, queries).astype(str)
    with mock.patch.object(search, "QUERIES", 4):
        ranks = ranking.rank_matches(query, database, asked, identity)
    k = min(CANDIDATES, len(set(identity)))
    _, expected, _ = search.nearest_individuals(query, database, identity, k)
    assert ranks.candidates.tolist() == expected.tolist()


def test_similarities_stay_between_minus_one_and_one():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 100)).astype(np.float32)
    both = np.concatenate([rows, -rows])
    _, similarity = search.neighbours(rows, both, len(both))
    assert np.abs(similarity).max() == 1
    _, _, similarity = search.nearest_individuals(rows, both, np.arange(600).astype(str), 600)
    assert np.abs(similarity).max() == 1


@pytest.mark.parametrize(
    ("row", "winner"),
    [
        (["a"], "a"),
        (["a", "b"], "a"),  # one vote each; a is nearer
        (["a", "b", "b"], "b"),
        (["a", "b", "b", "a"], "b"),  # 0.9 and 0.1 are less on average than 0.8 and 0.7
        (["b", "c", "a"], "b"),
        (["a", "b", "c", "c", "c"], "c"),
    ],
)
def test_a_shared_majority_is_settled_by_the_mean_similarity(row, winner):
    similarity = np.array([[0.9, 0.8, 0.7, 0.1, 0.0]])[:, : len(row)]
    assert search.vote(np.array([row]), similarity).tolist() == [winner]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=9))
def test_the_vote_is_that_of_plain_loops(neighbours):
    neighbours = sorted(neighbours, key=lambda pair: -pair[1])
    values = {}
    for name, similarity in neighbours:
        values.setdefault(name, []).append(similarity)
    most = max(map(len, values.values()))
    shared = sorted(name for name, own in values.items() if len(own) == most)
    winner = max(shared, key=lambda name: sum(values[name]) / most)  # the first of equals
    if len(neighbours) == 1:
        winner = neighbours[0][0]
    names, similarity = (np.array([part]) for part in zip(*neighbours, strict=True))
    assert search.vote(names, similarity).tolist() == [winner]


@pytest.mark.parametrize("shape", [(0, 3), (4, 2)])
def test_an_unfit_database_is_refused(shape):
    with pytest.raises(UserError, match=r"no database embeddings|cannot compare"):
        search.nearest(np.ones((2, 3), np.float32), np.ones(shape, np.float32))


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_embeddings_that_point_nowhere_are_named(wrong, place):
    sides = [np.ones((3, 2), np.float32), np.ones((4, 2), np.float32)]
    sides[place][2] = wrong
    name = ("query", "database")[place]
    with pytest.raises(UserError, match=f"1 {name} embeddings are zero or not finite.*row 2"):
        search.nearest(*sides)


@pytest.mark.parametrize("k", [0, 5])
def test_more_neighbours_than_there_are_images_are_refused(k):
    rows = np.ones((4, 2), np.float32)
    with pytest.raises(UserError, match=f"between 1 and the 4 database images, not {k}"):
        search.neighbours(rows, rows, k)
    with pytest.raises(UserError, match="between 1 and the 2 individuals"):
        search.nearest_individuals(rows, rows, np.array(["a", "b", "a", "b"]), 3 if k else 0)


@pytest.mark.parametrize("task", ["nearest", "identities"])
def test_the_reference_of_the_benchmark_gives_the_same_answers(task):
    """What the benchmark calls the reference is another way to the same result."""
    options = SimpleNamespace(queries=20, entries=3000, width=16, reference_queries=7, device="cpu")
    reference = getattr(infer, f"reference_{task}")(options)()
    ours = getattr(infer, f"megalib_{task}")(options)()
    assert len(ours) == 20
    assert reference.tolist() == ours[:7].tolist()
    assert infer.agreement(reference, ours) == "100.0000% of the answers are the same"
