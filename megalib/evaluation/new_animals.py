"""Questions to a run that go beyond its own split: animals that are new, answers that are sure."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.data import splits
from megalib.errors import UserError
from megalib.evaluation import calibration, open_set
from megalib.files.places import Run
from megalib.look import QUIET, RIGHT, WRONG
from megalib.retrieval import features, matching

JUDGED = ["individuals", "threshold", "BAKS", "BAUS", "geometric mean"]


def hide_and_match(
    run: Run,
    flavour: str,
    datasets: Sequence[str],
    share: float,
    seed: int,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Match all test images after hiding a share of the individuals from the database.

    Args:
        run: whose features are used.
        flavour: name of the network.
        datasets: names.
        share: part of the individuals that becomes new.
        seed: of their choice.
        report: takes a line for a dataset of which no individual can be hidden.

    Returns:
        The columns of `matching.match`, with `dataset` and `is_new`. Identities carry the
        dataset's name, since two datasets may both know a Leo.

    Raises:
        UserError: the run lacks the features, or no dataset has individuals enough to hide some.
    """
    tables = []
    for dataset in datasets:
        metadata, rows = features.embedded(run, flavour, dataset)
        try:
            hidden = splits.hide_individuals(metadata, share, seed)
        except UserError as error:
            report(f"{dataset}: left out, {error}")
            continue
        table = matching.match(hidden, rows)
        table["is_new"] = hidden.loc[hidden["split"] == "test", "is_new"].to_numpy()
        for column in ("identity", "predicted"):
            table[column] = dataset + "_" + table[column]
        tables.append(table.assign(dataset=dataset))
    if not tables:
        raise UserError("no dataset has individuals enough to hide some of them")
    return pd.concat(tables, ignore_index=True)


def plot_similarities(matches: pd.DataFrame) -> Figure:
    """Histograms of the similarity of the nearest image, of known and of new animals.

    Args:
        matches: of `hide_and_match`.
    """
    figure, axis = plt.subplots(figsize=(8, 3))
    for is_new, label, colour in ((False, "known animals", RIGHT), (True, "new animals", WRONG)):
        values = matches.loc[matches["is_new"] == is_new, "similarity"]
        axis.hist(values, bins=30, density=True, alpha=0.6, color=colour, label=label)
    axis.set(xlabel="cosine similarity of the nearest image", ylabel="density")
    axis.legend(frameon=False)
    return figure


def plot_thresholds(roc: pd.DataFrame, sweep: pd.DataFrame) -> Figure:
    """What thresholds do: new animals found against false alarms, and balanced accuracies.

    Args:
        roc: of `open_set.known_unknown_roc`.
        sweep: of `open_set.sweep`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    left.plot(100 * roc["false_alarms"], 100 * roc["found"], color=RIGHT)
    left.plot([0, 100], [0, 100], color=QUIET, linestyle=":")
    left.set(xlabel="known animals called new, %", ylabel="new animals found, %")
    for column, label, style in (
        ("baks", "known individuals (BAKS)", "--"),
        ("baus", "new individuals (BAUS)", ":"),
        ("geometric_mean", "geometric mean", "-"),
    ):
        right.plot(sweep["threshold"], 100 * sweep[column], style, label=label)
    right.set(xlabel="threshold", ylabel="balanced accuracy, %")
    right.legend(frameon=False, fontsize=8)
    return figure


def chosen_and_judged(
    matches: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Choose a threshold on one half of the individuals and judge it on the other.

    Args:
        matches: of `hide_and_match`.
        seed: of the halves.
        report: takes a line where that is not possible.

    Returns:
        Two rows, "chosen on" and "judged on": number of `individuals`, the `threshold`, and
        `BAKS`, `BAUS` and their `geometric mean` in [0, 1], see `open_set.sweep`. No rows where a
        half lacks known or new individuals.
    """
    first, second = (pd.concat(part) for part in zip(*_halves_of_kinds(matches, seed), strict=True))
    try:
        table = open_set.sweep(first)
        threshold = table.loc[table["geometric_mean"].idxmax(), "threshold"]
        rows = {"chosen on": _judged(first, threshold), "judged on": _judged(second, threshold)}
    except UserError as error:
        report(f"no threshold can be judged: {error}")
        rows = {}
    return pd.DataFrame.from_dict(rows, orient="index", columns=JUDGED)


def _halves_of_kinds(matches: pd.DataFrame, seed: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """The halves of the known individuals, and those of the new ones."""
    rng = np.random.default_rng(seed)
    return [_halves(matches[matches["is_new"] == is_new], rng) for is_new in (False, True)]


def _halves(matches: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The matches of one half of the individuals, and of the other; an odd one is in the first."""
    names = np.sort(matches["identity"].unique())
    is_first = matches["identity"].isin(rng.permutation(names)[::2])
    return matches[is_first], matches[~is_first]


def _judged(part: pd.DataFrame, threshold: float) -> list[float]:
    """A row of `chosen_and_judged`."""
    scores = open_set.sweep(part, [threshold]).iloc[0]
    return [part["identity"].nunique(), *scores[["threshold", "baks", "baus", "geometric_mean"]]]


def calibrated(
    known: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Calibrate on the matches of one half of the individuals, apply to those of the other half.

    Args:
        known: matches of known individuals, with `identity`, `similarity` and `correct`.
        seed: of the halves.
        report: takes a line where that is not possible.

    Returns:
        For each method of `calibration.CALIBRATIONS` the rows of `calibration.reliability` of the
        second half, with `method` and its expected calibration `error`. No rows where the matches
        of the first half are all right or all wrong, or the second half is empty.
    """
    learn, judge = _halves(known, np.random.default_rng(seed))
    try:
        return _reliability(learn, judge)
    except UserError as error:
        report(f"no calibration: {error}")
        return pd.DataFrame(columns=["probability", "share_right", "count", "method", "error"])


def _reliability(learn: pd.DataFrame, judge: pd.DataFrame) -> pd.DataFrame:
    right = judge["correct"].to_numpy()
    tables = []
    for method in calibration.CALIBRATIONS:
        probability_of = calibration.calibrate(
            learn["similarity"].to_numpy(), learn["correct"].to_numpy(), method
        )
        probability = probability_of(judge["similarity"].to_numpy())
        error = calibration.expected_calibration_error(probability, right)
        table = calibration.reliability(probability, right)
        tables.append(table.assign(method=method, error=error))
    return pd.concat(tables, ignore_index=True)


def plot_reliability(table: pd.DataFrame) -> Figure:
    """Share of right matches against the probability they were given, one line per method.

    Args:
        table: of `calibrated`.
    """
    figure, axis = plt.subplots(figsize=(8, 3.4))
    axis.plot([0, 100], [0, 100], color=QUIET, linestyle=":", label="as often as said")
    for (method, rows), style in zip(table.groupby("method"), ("o-", "s--"), strict=False):
        axis.plot(100 * rows["probability"], 100 * rows["share_right"], style, label=method)
    axis.set(xlabel="probability of being right, as calibrated, %", ylabel="right, %")
    axis.legend(frameon=False)
    return figure


def plot_rejection(curve: pd.DataFrame) -> Figure:
    """Accuracy among the answered queries against the share that is answered.

    Args:
        curve: of `open_set.rejection_curve`.
    """
    figure, axis = plt.subplots(figsize=(8, 3))
    axis.plot(100 * curve["kept"], 100 * curve["accuracy"], color=RIGHT)
    axis.set(xlabel="answered, the most similar first, %", ylabel="right among them, %")
    axis.set(xlim=(0, 100), ylim=(0, 102))
    return figure
