"""Probabilities of being right, and how far they can be trusted."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.errors import UserError
from megalib.evaluation.judging import calibration

few = settings(deadline=None, max_examples=40)


similarities = st.sampled_from([-0.5, 0.0, 0.25, 0.3, 0.75, 1.0])


@st.composite
def flagged(draw):
    """Flags of both kinds, and as many similarities."""
    flags = [True, False, *draw(st.lists(st.booleans(), max_size=25))]
    values = draw(st.lists(similarities, min_size=len(flags), max_size=len(flags)))
    return np.array(flags), np.array(values, dtype=np.float32)


@few
@given(flagged(), st.sampled_from(calibration.CALIBRATIONS))
def test_calibrated_similarities_are_monotone_probabilities_that_keep_the_mean(data, method):
    correct, similarity = data
    probability = calibration.calibrate(similarity, correct, method)
    values = probability(np.linspace(-2, 2, 101))
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1)).all()
    steps = np.diff(values)
    assert (steps >= 0).all() or (method == "logistic" and (steps <= 0).all())
    assert probability(similarity).mean() == pytest.approx(correct.mean(), abs=1e-4)


def test_the_isotonic_calibration_gives_back_the_frequencies():
    similarity = np.repeat([0.2, 0.5, 0.8], 10)
    correct = np.concatenate([np.arange(10) < right for right in (1, 4, 9)])
    probability = calibration.calibrate(similarity, correct)
    assert probability(np.array([0.2, 0.5, 0.8])) == pytest.approx([0.1, 0.4, 0.9])
    assert probability(np.array([-1.0, 1.0])) == pytest.approx([0.1, 0.9])
    assert calibration.expected_calibration_error(probability(similarity), correct) < 1e-9


@pytest.mark.parametrize(("centre", "spread"), [(0.0, 1.0), (0.95, 0.002), (0.99, 1e-5)])
def test_the_logistic_calibration_gives_back_a_curve_of_its_kind(centre, spread):
    # Of 1000 queries at each place, as many are right as 1 / (1 + exp(-(2 z + 0.5))) says.
    places = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    truth = 1 / (1 + np.exp(-(2 * places + 0.5)))
    correct = np.concatenate([np.arange(1000) < round(1000 * share) for share in truth])
    similarity = centre + spread * places
    probability = calibration.calibrate(np.repeat(similarity, 1000), correct, "logistic")
    assert probability(similarity) == pytest.approx(truth, abs=1e-3)


def test_a_logistic_calibration_of_parted_matches_is_sure_and_does_not_complain():
    similarity, correct = np.linspace(0, 1, 20), np.arange(20) >= 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probability = calibration.calibrate(similarity, correct, "logistic")(np.array([0.0, 1.0]))
    assert probability == pytest.approx([0, 1], abs=1e-3)


@pytest.mark.parametrize("flag", [True, False])
def test_calibration_needs_right_and_wrong_matches(flag):
    with pytest.raises(UserError, match="right and wrong matches"):
        calibration.calibrate(np.array([0.1, 0.2]), np.array([flag, flag]))


def test_an_unknown_calibration_is_named():
    with pytest.raises(UserError, match="did you mean 'isotonic'"):
        calibration.calibrate(np.array([0.1, 0.2]), np.array([True, False]), "isotone")


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
            mean = np.mean([value for value, _ in inside])
            right = np.mean([right for _, right in inside])
            rows.append((mean, right, len(inside)))
            error += len(inside) / len(pairs) * abs(mean - right)
    table = calibration.reliability(probability, correct, bins)
    assert list(table) == ["probability", "share_right", "count"]
    assert table.to_numpy() == pytest.approx(np.array(rows))
    assert calibration.expected_calibration_error(probability, correct, bins) == pytest.approx(
        error
    )


def test_sure_answers_are_perfect_when_right_and_hopeless_when_wrong():
    sure = np.ones(5)
    assert calibration.expected_calibration_error(sure, sure) == 0
    assert calibration.expected_calibration_error(sure, 1 - sure) == 1


@pytest.mark.parametrize("values", [[], [1.1], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(values):
    with pytest.raises(UserError, match="between 0 and 1"):
        calibration.reliability(np.array(values), np.ones(len(values), dtype=bool))
