"""Questions to a run that go beyond its own split: animals that are new, answers that are sure."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.data import splits
from megalib.errors import UserError
from megalib.evaluation import resampling
from megalib.evaluation.judging import calibration, flags, open_set
from megalib.files.places import Run
from megalib.look import QUIET, RIGHT, WRONG
from megalib.retrieval import features, matching

JUDGED = ["individuals", "threshold", "BAKS", "BAUS", "geometric mean", *flags.MEASURES]
BINS = 10  # of probabilities


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


def chosen_and_judged(
    matches: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Choose a threshold on one half of the individuals and judge it on the other.

    Args:
        matches: of `hide_and_match`.
        seed: of the halves.
        report: takes a line where that is not possible.

    Returns:
        Two rows, "chosen on" and "judged on": number of `individuals`, the `threshold`, and in
        [0, 1] `BAKS`, `BAUS` and their `geometric mean`, see `open_set.sweep`, and the measures of
        the flag, see `flags.measures`. No rows where a half lacks known or new individuals.
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
    is_first = resampling.halves(matches["identity"].to_numpy(dtype=str), rng)
    return matches[is_first], matches[~is_first]


def _judged(part: pd.DataFrame, threshold: float) -> list[float]:
    """A row of `chosen_and_judged`."""
    scores = open_set.sweep(part, [threshold]).iloc[0]
    columns = ["threshold", "baks", "baus", "geometric_mean"]
    counts = flags.two_by_two(part["similarity"] < threshold, part["is_new"])
    measured = flags.measures(counts)
    return [part["identity"].nunique(), *scores[columns], *measured.values()]


def over_divisions(
    matches: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """`chosen_and_judged` for `resampling.DIVISIONS` divisions of the individuals into halves.

    Args:
        matches: of `hide_and_match`.
        seed: of the first division; the next one has the next number.
        report: takes a line where that is not possible.

    Returns:
        One row per `division`, from 0, and `half`, with the columns of `chosen_and_judged`.
    """
    tables = {}
    for number in range(resampling.DIVISIONS):
        table = chosen_and_judged(matches, seed + number, report)
        if table.empty:  # the numbers of individuals are the same in all divisions
            break
        tables[number] = table
    if not tables:
        empty = pd.MultiIndex.from_tuples([], names=["division", "half"])
        return pd.DataFrame(columns=JUDGED, index=empty, dtype=float)
    return pd.concat(tables, names=["division", "half"])


def mean_and_spread(divisions: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation, least and greatest over the divisions, of the half judged on.

    Args:
        divisions: of `over_divisions`, one row or more.

    Returns:
        One row per column of `JUDGED`: `mean`, `deviation`, `least`, `greatest`.
    """
    judged = divisions.xs("judged on", level="half")
    told = judged.agg(["mean", lambda values: values.std(ddof=0), "min", "max"]).T
    return told.set_axis(["mean", "deviation", "least", "greatest"], axis=1)


def flattery_in_words(divisions: pd.DataFrame) -> str:
    """How much better a threshold looks on the animals that it was chosen on, in one sentence.

    Args:
        divisions: of `over_divisions`, one row or more.
    """
    score = 100 * divisions["geometric mean"].unstack("half")
    gap = score["chosen on"] - score["judged on"]
    return (
        f"Over {len(gap)} divisions, the threshold reaches a geometric mean of "
        f"{score['chosen on'].mean():.1f} % on average on the half that it was chosen on, and of "
        f"{score['judged on'].mean():.1f} % on the other half. It looks better on its own half in "
        f"{(gap > 0).sum()} of them."
    )


def mean_two_by_two(matches: pd.DataFrame, divisions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Photographs by flag and truth, on the halves judged on, as means over the divisions.

    Args:
        matches: of `hide_and_match`.
        divisions: of `over_divisions`, with the same seed, one row or more.
        seed: of the first division.

    Returns:
        As `flags.two_by_two`, float64.
    """
    thresholds = divisions["threshold"].xs("judged on", level="half")
    tables = []
    for number, threshold in thresholds.items():
        part = pd.concat([half[1] for half in _halves_of_kinds(matches, seed + number)])
        tables.append(flags.two_by_two(part["similarity"] < threshold, part["is_new"]))
    return sum(tables) / len(tables)


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


def calibrated_over_divisions(
    known: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """`calibrated` for `resampling.DIVISIONS` divisions of the individuals into halves.

    Args:
        known: see `calibrated`.
        seed: of the first division; the next one has the next number.
        report: takes a line for each division in which that is not possible.

    Returns:
        The rows of `calibrated` with their `division`, from 0.
    """
    tables = [
        calibrated(known, seed + number, report).assign(division=number)
        for number in range(resampling.DIVISIONS)
    ]
    return pd.concat(tables, ignore_index=True)


def errors_of_calibration(judged: pd.DataFrame) -> pd.DataFrame:
    """The expected calibration error of each method: mean and spread over the divisions.

    Args:
        judged: of `calibrated_over_divisions`.

    Returns:
        By method: `divisions`, and the `mean`, standard `deviation`, `least` and `greatest` error.
    """
    errors = judged.groupby(["method", "division"])["error"].first().groupby("method")
    told = errors.agg(["count", "mean", lambda values: values.std(ddof=0), "min", "max"])
    names = ["divisions", "mean", "deviation", "least", "greatest"]
    return told.set_axis(names, axis=1).rename_axis(None)


def plot_reliability(table: pd.DataFrame) -> Figure:
    """Share of right matches against the probability they were given, a line per method.

    Each mark is the mean over all divisions of the matches of one bin of probabilities, and its
    bar the standard deviation over the divisions.

    Args:
        table: of `calibrated_over_divisions`.
    """
    figure, axis = plt.subplots(figsize=(8, 3.4))
    axis.plot([0, 100], [0, 100], color=QUIET, linestyle=":", label="as often as said")
    # An edge belongs to the bin below it, as in `calibration.reliability`.
    bins = np.ceil(BINS * table["probability"]).clip(lower=1)
    for (method, rows), style in zip(table.groupby("method"), ("o-", "s--"), strict=False):
        parts = [part for _, part in rows.groupby(bins)]
        told, right = (
            [100 * np.average(part[name], weights=part["count"]) for part in parts]
            for name in ("probability", "share_right")
        )
        spread = [100 * part["share_right"].std(ddof=0) for part in parts]
        axis.errorbar(told, right, yerr=spread, fmt=style, capsize=3, linewidth=1, label=method)
    axis.set(xlabel="calibrated probability of being right, %", ylabel="right, %", ylim=(-2, 102))
    axis.legend(frameon=False)
    return figure
