"""Scores of two matchers, and of several photographs together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from megalib.errors import UserError
from megalib.identify.learning import scores


def lists(seed, photographs=40, individuals=4):
    """Cosines and counts that say something about who is right, and places without anybody."""
    rng = np.random.default_rng(seed)
    right = rng.random((photographs, individuals)) < 0.3
    cosine = (rng.random(right.shape) * 0.7 + 0.3 * right).astype(np.float32)
    count = rng.poisson(2 + 6 * right)
    nobody = rng.random(right.shape) < 0.1
    return np.where(nobody, np.nan, cosine), count, right & ~nobody


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 999))
def test_the_score_is_the_mean_of_what_both_matchers_were_worth(seed):
    cosine, count, right = lists(seed)
    fusion = scores.learn_fusion(cosine, count, right)
    score = scores.score(cosine, count, fusion)
    there = ~np.isnan(cosine)
    told = [
        IsotonicRegression(out_of_bounds="clip").fit(values[there], right[there]).predict
        for values in (cosine, count)
    ]
    expected = (told[0](cosine[there]) + told[1](count[there])) / 2
    assert score[there] == pytest.approx(expected, abs=2e-6)
    assert np.isnan(score[~there]).all()
    assert ((score[there] >= 0) & (score[there] <= 1)).all()
    # Where both say the same of two candidates, the greater cosine is first.
    equal = np.flatnonzero(there & (count == 0))[:2]
    if len(equal) == 2 and len(set(told[0](cosine.ravel()[equal]))) == 1:
        a, b = equal
        assert (score.ravel()[a] > score.ravel()[b]) == (cosine.ravel()[a] > cosine.ravel()[b])


def test_without_key_points_the_score_is_the_cosine():
    cosine, count, right = lists(0)
    assert np.array_equal(scores.score(cosine, None, None), cosine, equal_nan=True)
    nobody = np.array([[np.nan, -np.inf]])
    fusion = scores.learn_fusion(cosine, count, right)
    assert np.array_equal(scores.score(nobody, count[:1, :2], fusion), nobody, equal_nan=True)
    with pytest.raises(UserError, match="right and wrong"):
        scores.learn_fusion(cosine, count, np.zeros_like(right))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 9999), st.integers(1, 4), st.integers(2, 5))
def test_photographs_together_are_the_plain_mean(seed, photographs, listed):
    rng = np.random.default_rng(seed)
    individual = np.array([rng.permutation(6)[:listed] for _ in range(photographs)])
    score = -np.sort(-rng.random(individual.shape), axis=1)
    short = rng.random(photographs) < 0.4  # lists that have room left
    individual[short, -1], score[short, -1] = -1, np.nan
    found, means = scores.together(individual, score)
    expected = {}
    for number in set(individual[individual >= 0]):
        values = []
        for own, told in zip(individual, score, strict=True):
            if number in own:
                values.append(told[list(own).index(number)])
            elif (own >= 0).all():
                values.append(told.min())
        expected[number] = np.mean(values)
    assert dict(zip(found, means, strict=True)) == pytest.approx(expected)
    assert means.tolist() == sorted(means, reverse=True)
