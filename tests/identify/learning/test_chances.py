"""Probabilities never run backwards, and never say "certainly" of little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.identify.learning import chances


def table(seed, photographs, candidates):
    rng = np.random.default_rng(seed)
    score = -np.sort(-rng.normal(size=(photographs, candidates)).round(1), axis=1)
    right = rng.random(score.shape) < rng.random()
    score[rng.random(photographs) < 0.2, -1] = np.nan
    return score, right & ~np.isnan(score)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 9999), st.integers(1, 30), st.integers(1, 4))
def test_a_greater_similarity_never_has_a_smaller_probability(seed, photographs, candidates):
    score, right = table(seed, photographs, candidates)
    probability_of = chances.learn(score, right)
    asked = np.linspace(-4, 4, 50)
    first = probability_of(asked)
    there = ~np.isnan(first)
    assert (np.diff(first[there]) >= 0).all()
    wide = probability_of(np.tile(asked[:, None], candidates))
    assert np.array_equal(wide[:, 0], first, equal_nan=True)
    for column in wide.T[1:]:
        known = ~np.isnan(column)
        assert (np.diff(column[known]) >= 0).all()
        assert (column[known] <= first[known]).all()
    assert ((first[there] >= 0) & (first[there] <= 1)).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.randoms())
def test_the_order_of_photographs_decides_nothing(seed, random):
    score, right = table(seed, 20, 3)
    order = random.sample(range(20), 20)
    asked = np.linspace(-4, 4, 30)
    told = [chances.learn(*both)(asked) for both in ((score, right), (score[order], right[order]))]
    np.testing.assert_allclose(*told, atol=1e-12)


def test_all_right_is_laplace_and_not_certain():
    score = np.linspace(0.5, 0.9, 10)[:, None]
    told = chances.learn(score, np.full(score.shape, True))(np.array([0.1, 0.6, 0.9, np.nan]))
    assert told[:3] == pytest.approx([11 / 12] * 3)
    assert np.isnan(told[3])


def test_first_and_further_candidates_are_learned_apart():
    """As similar as a first one, a second candidate is less likely: somebody is above it."""
    score = np.array([[0.8, 0.7], [0.6, 0.5]] * 50)
    right = np.array([[True, False], [True, False]] * 50)
    told = chances.learn(score, right)(np.array([[0.7, 0.6]]))
    assert told[0, 0] > 0.95 and told[0, 1] < 0.05


def test_similarity_tells_where_the_right_ones_are_above_the_others():
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(30).astype(str), 5)
    good, random = rng.integers(0, 5, 150).astype(float), rng.integers(0, 30, 150).astype(float)
    assert chances.tells(good, 30, 30, identity)
    assert not chances.tells(29 - good, 30, 30, identity)
    assert not chances.tells(random, 30, 30, identity)
    beyond = np.where(random < 10, random, np.inf)  # on a list of ten
    assert not chances.tells(beyond, 10, 30, identity)
