"""Every number against its definition, written out, and against scikit-learn where it has it."""

from math import comb, sqrt
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from megalib.evaluation import metrics
from megalib.retrieval import ranking, search

NAMES = ("Ada", "Bo", "Cleo", "Dot")


def task(seed: int, queries: int = 6, images: int = 15):
    """Embeddings with few directions, so that many similarities are equal, and identities."""
    rng = np.random.default_rng(seed)
    query, database = (rng.integers(-1, 2, (n, 2)) for n in (queries, images))
    query[:, 0] += 3  # no zero vectors
    database[:, 0] += 3
    names = [rng.choice(NAMES, n) for n in (queries, images)]
    return query.astype(np.float32), database.astype(np.float32), *names


def order_by_hand(query, database):
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, database)]
    found = []
    for row in unit[0].astype(np.float32):
        told = [round(float(row @ entry), 5) for entry in unit[1].astype(np.float32)]
        found.append(sorted(range(len(told)), key=lambda place: (-told[place], place)))
    return found


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 9999), st.integers(1, 7))
def test_ranks_and_average_precision(seed, block):
    query, database, asked, known = task(seed)
    with mock.patch.object(search, "QUERIES", block):
        ranks = ranking.rank_matches(query, database, asked, known)
    for number, order in enumerate(order_by_hand(query, database)):
        right = [known[place] == asked[number] for place in order]
        if not any(right):
            assert ranks.first_match[number] == len(known)
            assert np.isnan(ranks.average_precision[number])
            continue
        assert ranks.first_match[number] == right.index(True)
        shares = [sum(right[: place + 1]) / (place + 1) for place in range(15) if right[place]]
        assert ranks.average_precision[number] == pytest.approx(sum(shares) / len(shares))
    for k in (1, 5):
        shares = [
            any(known[place] == name for place in order[:k])
            for order, name in zip(order_by_hand(query, database), asked, strict=True)
        ]
        assert metrics.top_k(ranks, k) == pytest.approx(sum(shares) / len(shares))


def test_average_precision_is_that_of_scikit_learn_where_nothing_is_equal():
    rng = np.random.default_rng(0)
    query, database = (rng.normal(size=(n, 8)).astype(np.float32) for n in (9, 40))
    asked, known = rng.choice(NAMES, 9), rng.choice(NAMES, 40)
    ranks = ranking.rank_matches(query, database, asked, known)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, database)]
    expected = [
        average_precision_score(known == name, row @ unit[1].T)
        for name, row in zip(asked, unit[0], strict=True)
    ]
    np.testing.assert_allclose(ranks.average_precision, expected)
    assert metrics.mean_average_precision(ranks) == pytest.approx(np.mean(expected))


def test_an_individual_that_is_not_in_the_database_is_never_found_and_has_no_precision():
    query = np.array([[1, 0], [0, 1]], np.float32)
    asked, known = np.array(["Eve", "Ada"]), np.array(["Bo", "Ada"])
    ranks = ranking.rank_matches(query, query, asked, known)
    assert ranks.first_match.tolist() == [2, 0]
    assert metrics.top_k(ranks, 2) == 0.5
    assert metrics.mean_average_precision(ranks) == 1.0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.floats(0, 1))
def test_wilson_interval(total, share):
    correct = round(total * share)
    p, z = correct / total, 1.959963984540054
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    found = metrics.wilson_interval(correct, total)
    assert found == pytest.approx((max(middle - half, 0), min(middle + half, 1)), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=30))
def test_balanced_accuracy(pairs):
    identity, predicted = (np.array(part) for part in zip(*pairs, strict=True))
    shares = []
    for name in set(identity):
        own = [guess == name for true, guess in pairs if true == name]
        shares.append(sum(own) / len(own))
    found = metrics.balanced_accuracy(identity, predicted)
    assert found == pytest.approx(sum(shares) / len(shares))
    if set(predicted) <= set(identity):
        assert found == pytest.approx(balanced_accuracy_score(identity, predicted))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=12),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=12),
)
def test_chance_is_the_share_of_right_pairs(asked, known):
    right = [one == other for one in asked for other in known]
    found = metrics.chance_of_top_1(np.array(asked), np.array(known))
    assert found == pytest.approx(sum(right) / len(right))


def test_gain_runs_from_guessing_to_perfect():
    assert metrics.normalised_gain(0.25, 0.25) == 0
    assert metrics.normalised_gain(1.0, 0.25) == 1
    assert metrics.normalised_gain(0.1, 0.25) == pytest.approx(-0.2)
    assert metrics.normalised_gain(1.0, 1.0) == 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_mcnemar(pairs):
    first, second = (np.array(part) for part in zip(*pairs, strict=True))
    one = sum(a and not b for a, b in pairs)
    other = sum(b and not a for a, b in pairs)
    total = one + other
    tail = sum(comb(total, k) for k in range(min(one, other) + 1)) / 2**total
    expected = 1.0 if total == 0 else min(1.0, 2 * tail)
    assert metrics.mcnemar(first, second) == pytest.approx(expected)
