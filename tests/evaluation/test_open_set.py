import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from megalib.data import splits
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation import open_set

few = settings(deadline=None, max_examples=40)

# Few distinct similarities, so that equal ones are common.
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


# Hiding individuals


@st.composite
def closed_sets(draw):
    """Metadata in which every individual has a training image, and two or more a test image."""
    rows = [("unknown", None)]
    for name in ["ann", "bob", "cyd", "dan", "eve"][: draw(st.integers(2, 5))]:
        tests = draw(st.integers(1 if name in {"ann", "bob"} else 0, 3))
        rows += [(name, "train")] * draw(st.integers(1, 3)) + [(name, "test")] * tests
    rows = draw(st.permutations(rows))
    metadata = pd.DataFrame(rows, columns=["identity", "split"])
    return metadata.assign(image_id=[str(number) for number in range(len(rows))])


@few
@given(closed_sets(), st.floats(0.01, 0.99), st.integers(0, 9))
def test_hidden_individuals_lose_all_training_rows_and_nobody_else_any(metadata, share, seed):
    before = metadata.copy()
    result = splits.hide_individuals(metadata, share, seed)
    pd.testing.assert_frame_equal(metadata, before)
    hidden = set(result.loc[result["is_new"], "identity"])
    tested = set(metadata.loc[metadata["split"] == "test", "identity"])
    assert result["is_new"].dtype == bool
    assert (result["is_new"] == metadata["identity"].isin(hidden)).all()
    assert hidden < tested
    assert len(hidden) == min(max(round(share * len(tested)), 1), len(tested) - 1)
    for old, new, is_new in zip(metadata["split"], result["split"], result["is_new"], strict=True):
        if is_new and old == "train":
            assert pd.isna(new)
        else:
            assert new == old or (pd.isna(new) and pd.isna(old))


@few
@given(closed_sets(), st.integers(0, 9), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_rows(metadata, seed, random):
    order = random.sample(range(len(metadata)), len(metadata))
    expected = splits.hide_individuals(metadata, 0.5, seed)
    shuffled = splits.hide_individuals(metadata.iloc[order], 0.5, seed)
    pd.testing.assert_frame_equal(shuffled, expected.iloc[order])


def test_another_seed_hides_others():
    metadata = pd.DataFrame(
        {"identity": list("abcdefgh") * 2, "split": ["train"] * 8 + ["test"] * 8}
    )
    chosen = {
        tuple(metadata["identity"][splits.hide_individuals(metadata, 0.25, seed)["is_new"]])
        for seed in range(10)
    }
    assert len(chosen) > 1


def test_what_cannot_be_hidden_is_told():
    metadata = pd.DataFrame({"identity": ["a", "a", "b", "b"], "split": ["train", "test"] * 2})
    for share in (0, 1, -0.5, 2):
        with pytest.raises(UserError, match="share must lie between"):
            splits.hide_individuals(metadata, share)
    with pytest.raises(UserError, match="needs two"):
        splits.hide_individuals(metadata[metadata["identity"] == "a"])
    with pytest.raises(UserError, match="closed-set"):
        splits.hide_individuals(metadata.drop(index=0))


# Known or new


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


# Decisions and their scores


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
    triples = list(zip(identity, decided, is_new, strict=True))
    known = [(name == answer, name) for name, answer, new in triples if not new]
    new = [(answer == "unknown", name) for name, answer, new in triples if new]

    baks = open_set.baks(identity, decided, is_new)
    assert baks == pytest.approx(naive_mean_share(*zip(*known, strict=True)))
    assert baks == pytest.approx(metrics.BAKS(identity, decided, list(NEW)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # answers that are no true class
        assert baks == pytest.approx(
            balanced_accuracy_score(identity[~is_new].astype(str), decided[~is_new])
        )

    baus = open_set.baus(decided, is_new, identity)
    assert baus == pytest.approx(naive_mean_share(*zip(*new, strict=True)))
    assert baus == pytest.approx(metrics.BAUS(identity, decided, list(NEW), "unknown"))

    assert open_set.geometric_mean(baks, baus) ** 2 == pytest.approx(baks * baus)


def test_every_individual_weighs_the_same():
    identity = np.array(["a"] * 9 + ["b"] + ["x"] * 3 + ["y"])
    decided = np.array(["a"] * 9 + ["a"] + ["unknown"] * 3 + ["a"])
    is_new = np.array([False] * 10 + [True] * 4)
    assert open_set.baks(identity, decided, is_new) == 0.5
    assert open_set.baus(decided, is_new, identity) == 0.5
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
        decided = open_set.decide(matches["predicted"], matches["similarity"], row.threshold)
        baks = open_set.baks(matches["identity"], decided, matches["is_new"])
        baus = open_set.baus(decided, matches["is_new"], matches["identity"])
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
    one = np.array(["a"])
    with pytest.raises(UserError, match="no query shows a new"):
        open_set.baus(one, np.array([False]), one)
    with pytest.raises(UserError, match="no query shows a known"):
        open_set.baks(one, one, np.array([True]))
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


# Calibration


@few
@given(flagged(), st.sampled_from(open_set.CALIBRATIONS))
def test_calibrated_similarities_are_monotone_probabilities_that_keep_the_mean(data, method):
    correct, similarity = data
    probability = open_set.calibrate(similarity, correct, method)
    values = probability(np.linspace(-2, 2, 101))
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1)).all()
    steps = np.diff(values)
    assert (steps >= 0).all() or (method == "logistic" and (steps <= 0).all())
    assert probability(similarity).mean() == pytest.approx(correct.mean(), abs=1e-4)


def test_the_isotonic_calibration_gives_back_the_frequencies():
    similarity = np.repeat([0.2, 0.5, 0.8], 10)
    correct = np.concatenate([np.arange(10) < right for right in (1, 4, 9)])
    probability = open_set.calibrate(similarity, correct)
    assert probability(np.array([0.2, 0.5, 0.8])) == pytest.approx([0.1, 0.4, 0.9])
    assert probability(np.array([-1.0, 1.0])) == pytest.approx([0.1, 0.9])
    assert open_set.expected_calibration_error(probability(similarity), correct) < 1e-9


@pytest.mark.parametrize(("centre", "spread"), [(0.0, 1.0), (0.95, 0.002), (0.99, 1e-5)])
def test_the_logistic_calibration_gives_back_a_curve_of_its_kind(centre, spread):
    # Of 1000 queries at each place, as many are right as 1 / (1 + exp(-(2 z + 0.5))) says.
    places = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    truth = 1 / (1 + np.exp(-(2 * places + 0.5)))
    correct = np.concatenate([np.arange(1000) < round(1000 * share) for share in truth])
    similarity = centre + spread * places
    probability = open_set.calibrate(np.repeat(similarity, 1000), correct, "logistic")
    assert probability(similarity) == pytest.approx(truth, abs=1e-3)


def test_a_logistic_calibration_of_parted_matches_is_sure_and_does_not_complain():
    similarity, correct = np.linspace(0, 1, 20), np.arange(20) >= 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probability = open_set.calibrate(similarity, correct, "logistic")(np.array([0.0, 1.0]))
    assert probability == pytest.approx([0, 1], abs=1e-3)


@pytest.mark.parametrize("flag", [True, False])
def test_calibration_needs_right_and_wrong_matches(flag):
    with pytest.raises(UserError, match="right and wrong matches"):
        open_set.calibrate(np.array([0.1, 0.2]), np.array([flag, flag]))


def test_an_unknown_calibration_is_named():
    with pytest.raises(UserError, match="did you mean 'isotonic'"):
        open_set.calibrate(np.array([0.1, 0.2]), np.array([True, False]), "isotone")


@few
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_reliability_and_its_error_are_those_of_plain_loops(pairs, bins):
    # Twentieths are often on an edge of the bins.
    probability = np.array([twentieth / 20 for twentieth, _ in pairs])
    correct = np.array([right for _, right in pairs])
    edges = np.linspace(0, 1, bins + 1)
    rows, error = [], 0
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = [
            (value, right)
            for value, right in zip(probability, correct, strict=True)
            if (low < value or number == 0) and value <= high
        ]
        if inside:
            mean = naive_share([value for value, _ in inside])
            right = naive_share([right for _, right in inside])
            rows.append((mean, right, len(inside)))
            error += len(inside) / len(pairs) * abs(mean - right)
    table = open_set.reliability(probability, correct, bins)
    assert list(table) == ["probability", "share_right", "count"]
    assert table.to_numpy() == pytest.approx(np.array(rows))
    assert open_set.expected_calibration_error(probability, correct, bins) == pytest.approx(error)


def test_sure_answers_are_perfect_when_right_and_hopeless_when_wrong():
    sure = np.ones(5)
    assert open_set.expected_calibration_error(sure, sure) == 0
    assert open_set.expected_calibration_error(sure, 1 - sure) == 1


@pytest.mark.parametrize("values", [[], [1.1], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(values):
    with pytest.raises(UserError, match="between 0 and 1"):
        open_set.reliability(np.array(values), np.ones(len(values), dtype=bool))


# Time


@st.composite
def dated(draw):
    """Metadata with dates; Ann has two days at least, some rows have no date or no name."""
    days = st.sampled_from(["2014-05-30", "2014-05-31", "2014-06-01", "2015-01-01", None])
    rows = draw(
        st.lists(st.tuples(st.sampled_from(["ann", "bob", "cyd", "unknown"]), days), max_size=30)
    )
    rows += [("ann", "2014-05-31 23:59:00"), ("ann", "2014-06-01 00:01:00")]
    metadata = pd.DataFrame(draw(st.permutations(rows)), columns=["identity", "date"])
    # An index that says nothing about the rows.
    return metadata.set_axis([7] * len(metadata))


@few
@given(dated(), st.sampled_from([0.1, 0.5, 0.8, 0.99]))
def test_training_days_come_before_test_days(metadata, share):
    before = metadata.copy()
    result = splits.time_aware_split(metadata, share)
    pd.testing.assert_frame_equal(metadata, before)
    pd.testing.assert_frame_equal(result[["identity", "date"]], before)
    unusable = metadata["date"].isna() | (metadata["identity"] == "unknown")
    assert (result["split"].isna() == unusable).all()
    for _, own in result[~unusable].groupby("identity"):
        days = own["date"].str[:10]
        train = set(days[own["split"] == "train"])
        test = set(days[own["split"] == "test"])
        assert not train & test
        total = len(train) + len(test)
        # Half-way cases are rounded to even, here and there.
        assert len(train) == max(1, min(total - 1, round(share * total)))
        if test:
            assert max(train) < min(test)
    assert {"train", "test"} <= set(result["split"].dropna())


def test_dates_of_one_zone_keep_their_day_and_numbers_are_years():
    late = ["2014-05-31T23:30:00+02:00", "2014-06-01T00:30:00+02:00"]
    metadata = pd.DataFrame({"identity": ["a", "a"], "date": late})
    assert splits.time_aware_split(metadata)["split"].tolist() == ["train", "test"]
    years = pd.DataFrame({"identity": ["a", "a"], "date": [2015, 2014]})
    assert splits.time_aware_split(years)["split"].tolist() == ["test", "train"]


def test_metadata_without_enough_time_are_refused():
    dates = ["2014-05-31 08:00", "2014-05-31 09:00", None]
    metadata = pd.DataFrame({"identity": ["a", "a", "b"], "date": dates})
    with pytest.raises(UserError, match="two days"):
        splits.time_aware_split(metadata)
    with pytest.raises(UserError, match="two days"):
        splits.time_aware_split(metadata.assign(date=None))
    with pytest.raises(UserError, match="column `date`"):
        splits.time_aware_split(metadata.drop(columns="date"))
    with pytest.raises(UserError, match="cannot be read"):
        splits.time_aware_split(metadata.assign(date=["2014-05-31", "last spring", None]))
    with pytest.raises(UserError, match="mix time zones"):
        zones = ["2014-05-31T12:00:00+02:00", "2014-06-01T12:00:00+01:00", None]
        splits.time_aware_split(metadata.assign(date=zones))
    for share in (0, 1):
        with pytest.raises(UserError, match="share must lie between"):
            splits.time_aware_split(metadata, share)
