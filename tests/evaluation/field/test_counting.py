"""Photographs are grouped into animals by a threshold that others have taught."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from megalib.evaluation import resampling
from megalib.evaluation.field import counting
from tests.evaluation.field.making import photographs
from tests.figures import drawn


def rows_of(seed, count):
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def partition(labels):
    """Groups as sets of places, whatever they are called."""
    return {frozenset(np.flatnonzero(np.asarray(labels) == label)) for label in set(labels)}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20), st.floats(-0.9, 0.95))
def test_groups_are_those_of_scikit_learn(seed, count, threshold):
    rows = rows_of(seed, count)
    theirs = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - threshold
    ).fit_predict(rows.astype(np.float64))
    assert partition(counting.groups(counting.tree(rows), threshold)) == partition(theirs)


def adjusted_rand(truth, labels):
    """Hubert and Arabie (1985), by all pairs of photographs."""
    pairs = list(combinations(range(len(truth)), 2))
    one = np.array([truth[a] == truth[b] for a, b in pairs])
    other = np.array([labels[a] == labels[b] for a, b in pairs])
    expected = one.sum() * other.sum() / len(pairs)
    most = (one.sum() + other.sum()) / 2
    return 1.0 if most == expected else ((one & other).sum() - expected) / (most - expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_no_other_threshold_agrees_better_with_the_animals(seed, count):
    rng, rows = np.random.default_rng(seed), rows_of(seed, count)
    animal, joined = rng.choice(["a", "b", "c"], count), counting.tree(rows)
    ours = counting.learn_threshold(joined, animal)
    reached = adjusted_rand(animal, counting.groups(joined, ours))
    for threshold in np.linspace(-1.1, 1.1, 111):
        found = adjusted_rand(animal, counting.groups(joined, threshold))
        assert found <= reached + 1e-9


def test_a_threshold_lies_in_the_middle_of_those_that_make_the_same_groups():
    """Two animals whose images are alike: all thresholds between two heights part them."""
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    joined = counting.tree(rows)
    low, high = 1 - joined[2, 2], 1 - joined[1, 2]
    threshold = counting.learn_threshold(joined, np.array(["a", "a", "b", "b"]))
    assert threshold == pytest.approx((low + high) / 2)


def test_of_several_best_thresholds_the_middle_one_is_taken(monkeypatch):
    """Images of different animals are alike: nothing joined and all joined are equally good."""
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.2, 1]], np.float32)
    joined, animal = counting.tree(rows), np.array(["a", "b", "a", "b"])
    assert adjusted_rand(animal, [1, 2, 3, 4]) == adjusted_rand(animal, [1, 1, 1, 1]) == 0
    assert adjusted_rand(animal, [1, 1, 2, 2]) < 0
    assert set(counting.groups(joined, counting.learn_threshold(joined, animal))) == {1}
    # Where all are equally good: of three heights, there are four thresholds.
    monkeypatch.setattr(counting, "adjusted_rand_score", lambda *_: 1.0)
    middle = 1 - (joined[1, 2] + joined[2, 2]) / 2
    assert counting.learn_threshold(joined, animal) == pytest.approx(middle)


def survey(animals=12, strangers=3, spread=0.05, **more):
    """Animals with a training and three test images each, and strangers with three."""
    rng, rows, table = np.random.default_rng(2), [], []
    for number in range(animals + strangers):
        name, centre = f"a{number}", rng.normal(size=16)
        for picture in range(4 if number < animals else 3):
            known = number < animals
            rows.append(centre + spread * rng.normal(size=16))
            split = ("train" if picture == 0 else "test") if known else None
            table.append((name if known else "unknown", split, name))
    columns = ["identity", "split", "animal"]
    return photographs(pd.DataFrame(table, columns=columns), rows, **more)


def test_the_other_half_and_strangers_are_counted():
    one = survey()
    table = counting.over_divisions([one], seed=5, report=pytest.fail)
    assert len(table) == 2 * resampling.DIVISIONS
    known, strangers = (table[table["who"] == who] for who in (counting.KNOWN, counting.STRANGERS))
    # Images that the network was trained on take no part.
    assert (known["photographs"] == 18).all() and (known["animals"] == 6).all()
    assert (strangers["photographs"] == 9).all() and (strangers["animals"] == 3).all()
    assert (table["estimated"] == table["animals"]).all() and (table["ARI"] == 1).all()
    again = counting.over_divisions([one], seed=6)
    assert again["threshold"].iloc[0] == table["threshold"].iloc[2], "the next seed, a division on"
    assert table["threshold"].nunique() > 1


def test_the_threshold_comes_from_the_first_half_alone():
    one = survey(spread=0.7)
    table = counting.over_divisions([one], seed=1)
    is_test = (one.table["split"] == "test").to_numpy()
    animal, rows = one.table["animal"].to_numpy()[is_test], one.descriptors["network"][is_test]
    for division in (0, 7):
        first = resampling.halves(animal, np.random.default_rng(1 + division))
        threshold = counting.learn_threshold(counting.tree(rows[first]), animal[first])
        labels = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - threshold
        ).fit_predict(rows[~first])
        row = table[(table["division"] == division) & (table["who"] == counting.KNOWN)].iloc[0]
        assert row["estimated"] == len(set(labels)) and row["threshold"] == threshold
        assert row["ARI"] == pytest.approx(adjusted_rand(animal[~first], labels))


def test_without_strangers_or_with_too_few_animals(monkeypatch):
    lines = []
    alone = survey(strangers=0)
    table = counting.over_divisions([alone, survey(animals=3, dataset="Few")], 0, lines.append)
    assert set(table["who"]) == {counting.KNOWN} and set(table["dataset"]) == {"Made"}
    assert lines == ["Few: left out, fewer than four animals have test images"]
    assert set(counting.over_divisions([survey(strangers=1)])["who"]) == set(counting.POOLS)
    nobody = survey()
    nobody.table["animal"] = nobody.table["identity"].mask(nobody.table["identity"] == "unknown")
    assert set(counting.over_divisions([nobody])["who"]) == {counting.KNOWN}
    monkeypatch.setattr(counting, "MOST", 35)
    assert counting.over_divisions([survey()], 0, lines.append).empty
    assert lines[-1] == "Made: left out, more than 35 test images"


def divisions():
    columns = ["dataset", "division", "who", "photographs", "animals", "estimated", "ARI"]
    rows = [
        ("A", 0, counting.KNOWN, 20, 10, 11, 0.5),
        ("A", 0, counting.STRANGERS, 8, 4, 7, 0.1),
        ("A", 1, counting.KNOWN, 22, 10, 13, 0.7),
        ("A", 1, counting.STRANGERS, 8, 4, 5, 0.3),
        ("B", 0, counting.KNOWN, 10, 5, 2, 0.2),
        ("B", 1, counting.KNOWN, 10, 5, 2, 0.4),
    ]
    return pd.DataFrame(rows, columns=columns).assign(threshold=0.5)


def test_the_summary_and_the_sentence_are_means_over_the_divisions():
    table = counting.summary(divisions()).set_index(["who", "dataset"])
    row = table.loc[(counting.KNOWN, "A")]
    assert row[["photographs", "animals", "estimated", "ARI"]].tolist() == pytest.approx(
        [21, 10, 12, 0.6]
    )
    assert row[["low", "high"]].tolist() == pytest.approx([11.05, 12.95])
    told = counting.in_words(divisions())
    assert "Means over 2 divisions, summed over the datasets." in told
    assert "Other half of the known: 31 photographs of 15 animals, 14 are estimated (-7 %)" in told
    assert "with an ARI of 0.45; Strangers: 8 photographs of 4 animals, 6 are estimated" in told
    assert told.endswith("(+50 %), with an ARI of 0.20.")


def test_the_figure_shows_the_summary():
    figure = counting.plot(divisions())
    drawn(figure)
    left, right = figure.axes
    assert [left.get_title(), right.get_title()] == list(counting.POOLS)
    assert [label.get_text() for label in left.get_yticklabels()] == ["A", "B"]
    assert left.containers[0].lines[0].get_xdata().tolist() == [12, 2]
    assert right.containers[0].lines[0].get_xdata().tolist() == [6]
    true = [line for line in left.lines if line.get_marker() == "|" and line.get_label() == "true"]
    assert true[0].get_xdata().tolist() == [10, 5]
