"""How likely a match of some similarity is right, and how far such probabilities can be trusted."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from megalib.errors import UserError, choose
from megalib.evaluation.judging.open_set import as_float

CALIBRATIONS = ("isotonic", "logistic")


def calibrate(
    similarity: np.ndarray, correct: np.ndarray, method: str = "isotonic"
) -> Callable[[np.ndarray], np.ndarray]:
    """Learn how likely a match of some similarity is right.

    Fit on one set of queries and apply to another.

    Args:
        similarity: of each query to its match, float (n,).
        correct: whether the match is right, bool (n,).
        method: "isotonic", the best rising staircase (Zadrozny and Elkan, 2002), which needs many
            queries; or "logistic", 1 / (1 + exp(-(a · similarity + b))) of greatest likelihood
            (Platt, 1999, but without his smoothed targets), which does with few.

    Returns:
        A function from similarities, float (m,), to probabilities in [0, 1], float64 (m,). The
        isotonic one never falls, and stays constant beyond the similarities it was fitted on. The
        logistic one rises or falls, as the data do.

    Raises:
        UserError: the method is unknown, or the matches are all right or all wrong.
    """
    choose("calibration", method, CALIBRATIONS)
    similarity, correct = as_float(similarity), np.asarray(correct, dtype=bool)
    if correct.all() or not correct.any():
        raise UserError(
            f"calibration needs right and wrong matches, {correct.sum()} of {len(correct)} are "
            "right"
        )
    if method == "isotonic":
        stairs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        stairs.fit(similarity, correct.astype(np.float64))
        return lambda values: stairs.predict(as_float(values))
    # Scaled, since the similarities of a network may all lie close together; C = ∞ is without a
    # penalty, which would pull the probabilities together.
    line = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000))
    line.fit(similarity[:, None], correct)
    return lambda values: line.predict_proba(as_float(values)[:, None])[:, 1]


def reliability(probability: np.ndarray, correct: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Compare the probabilities with how often matches are right.

    Args:
        probability: that each match is right, float in [0, 1] of shape (n,), n ≥ 1.
        correct: whether it is, bool (n,).
        bins: number of equally wide bins; an edge belongs to the bin below it.

    Returns:
        One row per bin that is not empty, from low to high: the mean `probability`, the
        `share_right`, both in [0, 1], and the `count`, int.

    Raises:
        UserError: there are no matches, or a probability lies outside [0, 1].
    """
    probability = as_float(probability)
    if len(probability) == 0 or not ((probability >= 0) & (probability <= 1)).all():
        raise UserError("reliability needs one probability or more, all between 0 and 1")
    share_right, mean = calibration_curve(
        np.asarray(correct, dtype=int), probability, n_bins=bins, strategy="uniform"
    )
    # scikit-learn does not tell the counts; its bins are these.
    edges = np.linspace(0, 1, bins + 1)
    count = np.bincount(np.searchsorted(edges[1:-1], probability))
    return pd.DataFrame(
        {"probability": mean, "share_right": share_right, "count": count[count > 0]}
    )


def expected_calibration_error(
    probability: np.ndarray, correct: np.ndarray, bins: int = 10
) -> float:
    """How far probabilities lie from frequencies on average (Naeini et al., 2015).

    ECE = Σ over bins of count / n · abs(share right - mean probability).

    Args:
        probability: as for `reliability`.
        correct: as for `reliability`.
        bins: as for `reliability`.

    Returns:
        A number in [0, 1]; 0 is best.

    Raises:
        UserError: as `reliability`.
    """
    table = reliability(probability, correct, bins)
    gaps = (table["share_right"] - table["probability"]).abs()
    return float(np.average(gaps, weights=table["count"]))
