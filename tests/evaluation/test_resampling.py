"""Intervals of clustered values, against drawing individuals one by one."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from megalib.evaluation import metrics, resampling


def clustered(seed, datasets):
    """Values of individuals right or wrong together; names are the same in all datasets."""
    rng, rows = np.random.default_rng(seed), []
    for dataset in range(datasets):
        for individual in range(rng.integers(2, 9)):
            share = rng.choice([0.1, 0.95])
            size = rng.integers(1, 12)
            rows += [(float(rng.random() < share), individual, f"d{dataset}") for _ in range(size)]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    return tuple(map(np.array, zip(*rows, strict=True)))


def drawn_by_hand(values, cluster, stratum, seed, drawings):
    """The mean over datasets of individuals that are drawn one by one, image by image."""
    rng, by_dataset = np.random.default_rng(seed), []
    for dataset in sorted(set(stratum)):
        own = sorted(set(cluster[stratum == dataset]))
        means = []
        for _ in range(drawings):
            images = []
            for place in rng.integers(len(own), size=len(own)):
                is_drawn = (stratum == dataset) & (cluster == own[place])
                images += values[is_drawn].tolist()
            means.append(sum(images) / len(images))
        by_dataset.append(means)
    return np.percentile(np.mean(by_dataset, axis=0), [2.5, 97.5])


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9999), st.integers(1, 3), st.integers(1, 40))
def test_cluster_interval_is_that_of_drawing_individuals_one_by_one(seed, datasets, at_once):
    given = clustered(seed, datasets)
    small = {"DRAWINGS": 60, "AT_ONCE": at_once}
    with mock.patch.multiple(resampling, **small):
        found = resampling.cluster_interval(*given, seed=seed)
    assert found == pytest.approx(drawn_by_hand(*given, seed, 60), abs=1e-12)


def test_cluster_interval_of_single_images_is_the_bootstrap_of_scipy_and_of_clusters_is_wider():
    rng = np.random.default_rng(0)
    right = (rng.random(300) < 0.7).astype(float)
    found = np.array(resampling.cluster_interval(right, np.arange(300)))
    by_scipy = bootstrap(
        [right], np.mean, method="percentile", n_resamples=9999, random_state=1
    ).confidence_interval
    # An interval of 90 % would be narrower by a sixth: a twelfth on either side.
    assert found == pytest.approx(np.array(by_scipy), abs=(found[1] - found[0]) / 16)
    narrower = resampling.cluster_interval(right, np.arange(300), confidence=0.9)
    assert narrower != pytest.approx(found, abs=(found[1] - found[0]) / 16)
    # Ten images of each of thirty individuals, all right or all wrong: thirty samples, not 300.
    together = np.repeat((rng.random(30) < 0.7).astype(float), 10)
    low, high = resampling.cluster_interval(together, np.repeat(np.arange(30), 10))
    wilson = metrics.wilson_interval(int(together.sum()), 300)
    assert high - low > 2.5 * (wilson[1] - wilson[0])


def test_cluster_interval_of_nothing_but_right_images_has_no_width():
    assert resampling.cluster_interval(np.ones(9), np.arange(9) // 3) == (1, 1)


@pytest.mark.parametrize("animals", [1, 2, 7, 10])
def test_halves_are_made_of_whole_individuals(animals):
    cluster = np.repeat([f"a{number}" for number in range(animals)], 3)
    chosen = set()
    for seed in range(20):
        is_first = resampling.halves(cluster, np.random.default_rng(seed))
        first, second = set(cluster[is_first]), set(cluster[~is_first])
        assert not first & second
        assert (len(first), len(second)) == (-(-animals // 2), animals // 2)
        chosen.add(frozenset(first))
    assert len(chosen) > 1 or animals == 1
