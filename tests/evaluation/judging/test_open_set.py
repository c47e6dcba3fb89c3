"""New animals: curves, decisions and their scores, and what may be rejected."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation.judging import open_set

few = settings(deadline=None, max_examples=40)


similarities = st.sampled_from([-0.5, 0.0, 0.25, 0.3, 0.75, 1.0])


names = st.sampled_from(["a", "b", "c"])


NEW = {"x", "y"}


@st.composite
def flagged(draw):
    """Flags of both kinds, and as many similarities."""
    flags = [True, False, *draw(st.lists(st.booleans(), max_size=25))]
    values = draw(st.lists(similarities, min_size=len(flags), max_size=len(flags)))
    return np.array(flags), np.array(values, dtype=np.float32)


@st.composite
def matched(draw):
    """Matches with queries of known individuals a, b, c and of new ones x, y."""
    rows = st.tuples(st.sampled_from(["a", "b", "c", "x", "y"]), names, similarities)
    drawn = draw(st.lists(rows, max_size=25))
    drawn += [("a", draw(names), draw(similarities)), ("x", draw(names), draw(similarities))]
    matches = pd.DataFrame(drawn, columns=["identity", "predicted", "similarity"])
    return matches.assign(is_new=matches["identity"].isin(NEW))


def naive_share(flags):
    return sum(flags) / len(flags)


def naive_mean_share(right, identity):
    """Mean over individuals of the share of their queries that is right, in plain loops."""
    shares = []
    for name in sorted(set(identity)):
        own = [flag for flag, other in zip(right, identity, strict=True) if other == name]
        shares.append(naive_share(own))
    return sum(shares) / len(shares)


@few
@given(flagged())
def test_the_curve_counts_what_lies_below_each_threshold(data):
    is_new, similarity = data
    curve = open_set.known_unknown_roc(is_new, similarity)
    assert list(curve) == ["threshold", "false_alarms", "found"]
    assert len(curve) == len(set(similarity.tolist())) + 1
    assert curve["threshold"].is_monotonic_increasing
    for row in curve.itertuples():
        called = [value < row.threshold for value in similarity.tolist()]
        known = [call for call, new in zip(called, is_new, strict=True) if not new]
        new = [call for call, new in zip(called, is_new, strict=True) if new]
        assert row.false_alarms == pytest.approx(naive_share(known))
        assert row.found == pytest.approx(naive_share(new))
    assert tuple(curve.iloc[0, 1:]) == (0, 0)
    assert tuple(curve.iloc[-1, 1:]) == (1, 1)


@few
@given(flagged())
def test_the_area_is_the_share_of_pairs_in_the_right_order(data):
    is_new, similarity = data
    pairs = [
        1 if new < known else 0.5 if new == known else 0
        for new in similarity[is_new].tolist()
        for known in similarity[~is_new].tolist()
    ]
    area = open_set.known_unknown_auc(is_new, similarity)
    assert area == pytest.approx(naive_share(pairs))
    curve = open_set.known_unknown_roc(is_new, similarity)
    assert area == pytest.approx(np.trapezoid(curve["found"], curve["false_alarms"]))


def test_perfect_hopeless_and_blind_similarities():
    is_new = np.array([True, True, False, False])
    parted = np.array([0.1, 0.2, 0.8, 0.9])
    assert open_set.known_unknown_auc(is_new, parted) == 1
    assert open_set.known_unknown_auc(is_new, -parted) == 0
    assert open_set.known_unknown_auc(is_new, np.ones(4)) == 0.5
    assert open_set.known_unknown_roc(is_new, parted)["threshold"].iloc[2] == 0.5


def test_thresholds_between_adjacent_numbers_part_them():
    # Of two neighbouring pairs, the mean of one is rounded up and that of the other down.
    second = np.nextafter(0.9, 1)
    for low in (np.float32(0.9), np.float64(0.9), second):
        similarity = np.array([low, np.nextafter(low, type(low)(1))])
        curve = open_set.known_unknown_roc(np.array([True, False]), similarity)
        assert curve[["false_alarms", "found"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 1]]
        decided = open_set.decide(np.array(["a", "b"]), similarity, float(curve["threshold"][1]))
        assert decided.tolist() == ["unknown", "b"]


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("measure", [open_set.known_unknown_roc, open_set.known_unknown_auc])
def test_queries_of_one_kind_have_no_curve(measure, flag):
    with pytest.raises(UserError, match="known and new queries"):
        measure(np.array([flag, flag]), np.array([0.1, 0.2]))


def test_below_the_threshold_an_animal_is_called_new():
    predicted = np.array(["a", "b", "Maximilian"], dtype=object)
    decided = open_set.decide(predicted, np.array([0.49, 0.5, 0.51], dtype=np.float32), 0.5)
    assert decided.tolist() == [UNKNOWN, "b", "Maximilian"]
    assert decided.dtype.kind == "U"


@few
@given(matched(), similarities)
def test_balanced_accuracies_are_those_of_plain_loops_and_of_others(matches, threshold):
    from wildlife_datasets import metrics  # takes seconds to import

    identity, is_new = matches["identity"].to_numpy(), matches["is_new"].to_numpy()
    decided = open_set.decide(matches["predicted"], matches["similarity"], threshold)
    scores = open_set.sweep(matches, [threshold]).iloc[0]
    triples = list(zip(identity, decided, is_new, strict=True))
    known = [(name == answer, name) for name, answer, new in triples if not new]
    new = [(answer == "unknown", name) for name, answer, new in triples if new]

    baks, baus = scores["baks"], scores["baus"]
    assert baks == pytest.approx(naive_mean_share(*zip(*known, strict=True)))
    assert baks == pytest.approx(metrics.BAKS(identity, decided, list(NEW)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # answers that are no true class
        assert baks == pytest.approx(
            balanced_accuracy_score(identity[~is_new].astype(str), decided[~is_new])
        )

    assert baus == pytest.approx(naive_mean_share(*zip(*new, strict=True)))
    assert baus == pytest.approx(metrics.BAUS(identity, decided, list(NEW), "unknown"))

    assert scores["geometric_mean"] ** 2 == pytest.approx(baks * baus)


def test_every_individual_weighs_the_same():
    matches = pd.DataFrame({"identity": ["a"] * 9 + ["b"] + ["x"] * 3 + ["y"], "predicted": "a"})
    matches["is_new"] = [False] * 10 + [True] * 4
    matches["similarity"] = [0.9] * 10 + [0.1] * 3 + [0.9]
    scores = open_set.sweep(matches, [0.5]).iloc[0]
    assert scores[["baks", "baus"]].tolist() == [0.5, 0.5]
    assert open_set.geometric_mean(0.5, 0.5) == 0.5
    assert open_set.geometric_mean(1, 0.25) == 0.5
    assert open_set.geometric_mean(1, 0) == 0


@few
@given(matched())
def test_a_sweep_tells_at_each_threshold_what_the_decision_scores(matches):
    table = open_set.sweep(matches)
    distinct = sorted(set(matches["similarity"]))
    middles = [(low + high) / 2 for low, high in pairwise(distinct)]
    thresholds = table["threshold"].tolist()
    assert thresholds[1:-1] == pytest.approx(middles)
    assert thresholds[0] < distinct[0]
    assert thresholds[-1] > distinct[-1]
    given_ones = open_set.sweep(matches, np.array([0.3, -0.5, 0.75]))
    assert given_ones["threshold"].tolist() == [0.3, -0.5, 0.75]
    for row in pd.concat([table, given_ones]).itertuples():
        is_new = matches["is_new"]
        called_new = matches["similarity"] < row.threshold
        right = ~called_new & (matches["identity"] == matches["predicted"])
        baks = naive_mean_share(right[~is_new], matches["identity"][~is_new])
        baus = naive_mean_share(called_new[is_new], matches["identity"][is_new])
        assert (row.baks, row.baus) == pytest.approx((baks, baus))
        assert row.geometric_mean == pytest.approx((baks * baus) ** 0.5)
    assert (table["baus"].iloc[0], table["baus"].iloc[-1]) == (0, 1)
    assert table["baks"].iloc[-1] == 0


def test_perfect_and_hopeless_matches():
    matches = pd.DataFrame(
        {
            "identity": ["a", "a", "b", "x", "y"],
            "predicted": ["a", "a", "b", "a", "b"],
            "similarity": np.array([0.9, 0.8, 0.7, 0.2, 0.1], dtype=np.float32),
            "is_new": [False, False, False, True, True],
        }
    )
    best = open_set.sweep(matches).set_index("geometric_mean").loc[1.0]
    assert best["threshold"] == pytest.approx(0.45)
    wrong = open_set.sweep(matches.assign(predicted=["b", "b", "a", "a", "b"]))
    assert (wrong["geometric_mean"] == 0).all()


def test_a_sweep_of_many_queries_is_thinned_and_quick():
    rng = np.random.default_rng(0)
    number = rng.integers(0, 1000, 10_000)
    matches = pd.DataFrame(
        {
            "identity": number.astype(str),
            "predicted": number.astype(str),
            "similarity": rng.random(10_000),
            "is_new": number < 200,
        }
    )
    table = open_set.sweep(matches)
    assert len(table) == 200
    ranks = np.searchsorted(np.sort(matches["similarity"]), table["threshold"])
    assert (ranks[0], ranks[-1]) == (0, 10_000)
    assert np.diff(ranks).min() >= 50
    assert np.diff(ranks).max() <= 51


def test_scores_that_are_not_defined_are_refused():
    matches = pd.DataFrame(
        {"identity": ["a"], "predicted": ["a"], "similarity": [0.5], "is_new": [False]}
    )
    with pytest.raises(UserError, match="no query shows a new"):
        open_set.sweep(matches)
    with pytest.raises(UserError, match="no query shows a known"):
        open_set.sweep(matches.assign(is_new=True))
    with pytest.raises(UserError, match="lack the columns is_new"):
        open_set.sweep(matches.drop(columns="is_new"))


@few
@given(flagged())
def test_rejection_keeps_the_most_similar(data):
    correct, similarity = data
    curve = open_set.rejection_curve(correct, similarity)
    levels = sorted(set(similarity.tolist()), reverse=True)
    assert len(curve) == len(levels)
    for level, row in zip(levels, curve.itertuples(), strict=True):
        kept = [right for right, value in zip(correct, similarity, strict=True) if value >= level]
        assert row.kept == pytest.approx(len(kept) / len(correct))
        assert row.accuracy == pytest.approx(naive_share(kept))


def test_nothing_to_reject():
    with pytest.raises(UserError, match="no queries"):
        open_set.rejection_curve(np.array([], dtype=bool), np.array([]))
