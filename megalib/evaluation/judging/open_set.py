"""Animals that are not in the database: to find them, and to count mistakes.

A nearest image exists for every query, also for an animal never seen before. Its similarity says
more: below a threshold a query is flagged, as unlike all known ones. Everything here works on
similarities, predicted and true identities alone, so on the matches of any method, see
`matching.match`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.look import QUIET, RIGHT

MARGIN = 0.01  # of the outermost thresholds beyond the least and the greatest similarity
THRESHOLDS = 200  # at most so many in a sweep


def known_unknown_roc(is_new: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    """How many new animals are found, at the price of how many false alarms.

    Args:
        is_new: whether each query shows an animal that the database does not hold, bool (n,).
        similarity: of each query to its nearest image, float (n,).

    Returns:
        One row per distinct similarity and one more, in order of rising `threshold`, float64:
        `false_alarms`, the share of the known queries that are flagged, and `found`, the share of
        the new ones that are, both in [0, 1] and from 0 to 1. A query is flagged when its
        similarity is below the threshold.

    Raises:
        UserError: the queries are all known or all new.
    """
    is_new, similarity = _both_kinds(is_new), as_float(similarity)
    # A new animal is the positive case, so that low similarity must be a high score. Keeping all
    # points gives one per distinct score after the first, where nothing is flagged.
    false_alarms, found, _ = roc_curve(is_new, -similarity, drop_intermediate=False)
    return pd.DataFrame(
        {"threshold": _cuts(similarity), "false_alarms": false_alarms, "found": found}
    )


def known_unknown_auc(is_new: np.ndarray, similarity: np.ndarray) -> float:
    """The area under the curve of `known_unknown_roc`.

    It is the probability that a new query is less similar to its match than a known one, where
    equal ones count half: 1 if a threshold parts them, 0.5 by chance.

    Args:
        is_new: as for `known_unknown_roc`.
        similarity: as for `known_unknown_roc`.

    Returns:
        A number in [0, 1].

    Raises:
        UserError: the queries are all known or all new.
    """
    return float(roc_auc_score(_both_kinds(is_new), -as_float(similarity)))


def decide(predicted: np.ndarray, similarity: np.ndarray, threshold: float) -> np.ndarray:
    """Call queries new whose match is not similar enough.

    Args:
        predicted: identity of the nearest image, text (n,).
        similarity: of each query to it, float (n,).
        threshold: the least similarity at which a prediction stands.

    Returns:
        The predicted identity, or `metadata.UNKNOWN` where the similarity lies below the threshold,
        text (n,).
    """
    return np.where(as_float(similarity) < threshold, UNKNOWN, np.asarray(predicted, dtype=str))


def geometric_mean(baks: float, baus: float) -> float:
    """The score of AnimalCLEF 2025, sqrt(BAKS · BAUS) in [0, 1]; 0 if either is 0."""
    return float(np.sqrt(baks * baus))


def sweep(matches: pd.DataFrame, thresholds: np.ndarray | None = None) -> pd.DataFrame:
    """Balanced accuracies at every threshold, to choose one; both as in AnimalCLEF 2025.

    BAKS = mean over the known individuals of the share of their queries decided rightly: a known
    animal that is flagged counts as wrong. BAUS = mean over the new individuals of the share of
    their queries that are. `BAKS` and `BAUS` of `wildlife_datasets.metrics` are the same.

    Choose on one set of queries and report on another: the best row of a set flatters it.

    Args:
        matches: one row per query with `identity`, `predicted` and `similarity`, see
            `matching.match`, and `is_new`, see `splits.hide_individuals`. The matches stand in the
            order of the test rows of the metadata, so that their flags can be put beside them:
            `matches.assign(is_new=metadata.loc[metadata["split"] == "test", "is_new"].to_numpy())`
        thresholds: float (k,); without them one between any two neighbouring similarities, one
            below and one above all, thinned evenly to at most 200.

    Returns:
        One row per threshold, in the order given or else rising: `threshold`, `baks` and `baus`
        in [0, 1], and `geometric_mean`, see there; all float64.

    Raises:
        UserError: a column is missing, or the queries are all known or all new.
    """
    missing = {"identity", "predicted", "similarity", "is_new"} - set(matches)
    if missing:
        raise UserError(f"the matches lack the columns {', '.join(sorted(missing))}")
    similarity = as_float(matches["similarity"])
    is_new = matches["is_new"].to_numpy(dtype=bool)
    identity = matches["identity"].to_numpy()
    # The names are turned into numbers once, not at every threshold.
    known_codes, new_codes = _known_codes(identity[~is_new]), _new_codes(identity[is_new])
    correct = (identity == matches["predicted"].to_numpy())[~is_new]
    if thresholds is None:
        cuts = _cuts(similarity)
        number = min(len(cuts), THRESHOLDS)
        thresholds = cuts[np.linspace(0, len(cuts) - 1, number).round().astype(int)]
    rows = []
    for threshold in np.asarray(thresholds, dtype=np.float64):
        called_new = similarity < threshold
        known = _balanced(correct & ~called_new[~is_new], known_codes)
        unknown = _balanced(called_new[is_new], new_codes)
        rows.append((threshold, known, unknown, geometric_mean(known, unknown)))
    return pd.DataFrame(rows, columns=["threshold", "baks", "baus", "geometric_mean"])


def rejection_curve(correct: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    """The accuracy that remains when the least similar matches are left to an expert.

    It is one minus the selective risk of El-Yaniv and Wiener (2010).

    Args:
        correct: whether each match is right, bool (n,).
        similarity: of each query to its match, float (n,).

    Returns:
        One row per distinct similarity, the greatest first: `kept`, the share of queries at least
        so similar, in (0, 1], and the `accuracy` among these, in [0, 1]. Equal similarities are
        kept or rejected together.

    Raises:
        UserError: there are no queries.
    """
    correct, similarity = np.asarray(correct, dtype=bool), as_float(similarity)
    if len(correct) == 0:
        raise UserError("no queries: there is nothing to reject")
    order = np.argsort(-similarity)
    # The last of each group of equals: there, and at the end, the similarity changes.
    last = np.append(np.flatnonzero(np.diff(similarity[order])), len(order) - 1)
    answered = last + 1
    right = np.cumsum(correct[order])[last]
    return pd.DataFrame({"kept": answered / len(order), "accuracy": right / answered})


def plot_thresholds(roc: pd.DataFrame, sweep: pd.DataFrame) -> Figure:
    """What thresholds do: new animals found against false alarms, and balanced accuracies.

    Args:
        roc: of `known_unknown_roc`.
        sweep: of `sweep`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    left.plot(100 * roc["false_alarms"], 100 * roc["found"], color=RIGHT)
    left.plot([0, 100], [0, 100], color=QUIET, linestyle=":")
    left.set(xlabel="known animals flagged, %", ylabel="new animals flagged, %")
    for column, label, style in (
        ("baks", "known individuals (BAKS)", "--"),
        ("baus", "new individuals (BAUS)", ":"),
        ("geometric_mean", "geometric mean", "-"),
    ):
        right.plot(sweep["threshold"], 100 * sweep[column], style, label=label)
    right.set(xlabel="threshold", ylabel="balanced accuracy, %")
    right.legend(frameon=False, fontsize=8)
    return figure


def plot_rejection(curve: pd.DataFrame) -> Figure:
    """Accuracy among the answered queries against the share that is answered.

    Args:
        curve: of `rejection_curve`.
    """
    figure, axis = plt.subplots(figsize=(8, 3))
    axis.plot(100 * curve["kept"], 100 * curve["accuracy"], color=RIGHT)
    axis.set(xlabel="answered, the most similar first, %", ylabel="right among them, %")
    axis.set(xlim=(0, 100), ylim=(0, 102))
    return figure


def as_float(values: np.ndarray) -> np.ndarray:
    """Similarities as float64: numpy rounds a threshold to float32 to compare it with float32."""
    return np.asarray(values, dtype=np.float64)


def _both_kinds(is_new: np.ndarray) -> np.ndarray:
    """The flags as bool, after a look whether there are known and new queries."""
    is_new = np.asarray(is_new, dtype=bool)
    if is_new.all() or not is_new.any():
        raise UserError(
            f"known and new queries are needed, {is_new.sum()} of {len(is_new)} are new"
        )
    return is_new


def _cuts(similarity: np.ndarray) -> np.ndarray:
    """One threshold below all similarities, one between any two neighbours, one above all."""
    distinct = np.unique(similarity)
    low, high = distinct[:-1], distinct[1:]
    middle = (low + high) / 2
    # Between two adjacent numbers there is none, and the mean may be rounded down to the lower.
    middle = np.where(middle > low, middle, high)
    return np.concatenate([[distinct[0] - MARGIN], middle, [distinct[-1] + MARGIN]])


def _known_codes(identity: np.ndarray) -> np.ndarray:
    if len(identity) == 0:
        raise UserError("no query shows a known individual: BAKS is not defined")
    return pd.factorize(identity)[0]


def _new_codes(identity: np.ndarray) -> np.ndarray:
    if len(identity) == 0:
        raise UserError("no query shows a new individual: BAUS is not defined")
    return pd.factorize(identity)[0]


def _balanced(right: np.ndarray, codes: np.ndarray) -> float:
    """Mean over the individuals, numbered 0, 1, …, of the share of their queries that is right."""
    return float((np.bincount(codes, weights=right) / np.bincount(codes)).mean())
