"""Questions to a run that go beyond its own split: animals that are new, answers that are sure."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from megalib.data import splits
from megalib.errors import UserError
from megalib.evaluation import open_set
from megalib.files.places import Run
from megalib.retrieval import inference, matching

JUDGED = ["individuals", "threshold", "BAKS", "BAUS", "geometric mean"]


def matches(
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
        metadata, rows = inference.embedded(run, flavour, dataset)
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


def chosen_and_judged(
    matches: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Choose a threshold on one half of the individuals and judge it on the other.

    Args:
        matches: of `matches`.
        seed: of the halves.
        report: takes a line where that is not possible.

    Returns:
        Two rows, "chosen on" and "judged on": number of `individuals`, the `threshold`, and
        `BAKS`, `BAUS` and their `geometric mean`, see `open_set`, in [0, 1]. No rows where a half
        lacks known or new individuals.
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
    identity, is_new = part["identity"].to_numpy(), part["is_new"].to_numpy()
    similarity = part["similarity"].to_numpy()
    decided = open_set.decide(part["predicted"].to_numpy(), similarity, threshold)
    known = open_set.baks(identity, decided, is_new)
    unknown = open_set.baus(decided, is_new, identity)
    mean = open_set.geometric_mean(known, unknown)
    return [part["identity"].nunique(), threshold, known, unknown, mean]


def calibrated(
    known: pd.DataFrame, seed: int, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Calibrate on the matches of one half of the individuals, apply to those of the other half.

    Args:
        known: matches of known individuals, with `identity`, `similarity` and `correct`.
        seed: of the halves.
        report: takes a line where that is not possible.

    Returns:
        For each method of `open_set.CALIBRATIONS` the rows of `open_set.reliability` of the second
        half, with `method` and its expected calibration `error`. No rows where the matches of the
        first half are all right or all wrong, or the second half is empty.
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
    for method in open_set.CALIBRATIONS:
        probability_of = open_set.calibrate(
            learn["similarity"].to_numpy(), learn["correct"].to_numpy(), method
        )
        probability = probability_of(judge["similarity"].to_numpy())
        error = open_set.expected_calibration_error(probability, right)
        table = open_set.reliability(probability, right)
        tables.append(table.assign(method=method, error=error))
    return pd.concat(tables, ignore_index=True)
