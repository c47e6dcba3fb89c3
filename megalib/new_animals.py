"""Questions to a run that go beyond its own split: new animals, sure answers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from megalib import inference, open_set
from megalib.files import Run


def matches(
    run: Run, flavour: str, datasets: Sequence[str], share: float, seed: int
) -> pd.DataFrame:
    """Match all test images after hiding a share of the individuals from the database.

    Args:
        run: whose features are used.
        flavour: name of the network.
        datasets: names.
        share: part of the individuals that becomes new.
        seed: of their choice.

    Returns:
        The columns of `inference.match`, with `dataset` and `is_new`. Identities carry the
        dataset's name, since two datasets may both know a Leo.

    Raises:
        UserError: the run lacks the features, or too few individuals are there to hide some.
    """
    tables = []
    for dataset in datasets:
        metadata, rows = inference.embedded(run, flavour, dataset)
        hidden = open_set.hide_individuals(metadata, share, seed)
        table = inference.match(hidden, rows)
        table["is_new"] = hidden.loc[hidden["split"] == "test", "is_new"].to_numpy()
        for column in ("identity", "predicted"):
            table[column] = dataset + "_" + table[column]
        tables.append(table.assign(dataset=dataset))
    return pd.concat(tables, ignore_index=True)


def chosen_and_judged(matches: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Choose a threshold on one half of the individuals and judge it on the other.

    Args:
        matches: of `matches`.
        seed: of the halves.

    Returns:
        Two rows, "chosen on" and "judged on": number of `individuals`, the `threshold`, and
        `BAKS`, `BAUS` and their `geometric mean`, see `open_set`, in [0, 1].

    Raises:
        UserError: a half lacks known or new individuals.
    """
    rng = np.random.default_rng(seed)
    chosen_on = set()
    for is_new in (False, True):
        names = np.sort(matches.loc[matches["is_new"] == is_new, "identity"].unique())
        chosen_on |= set(rng.permutation(names)[::2])
    is_first = matches["identity"].isin(chosen_on)
    table = open_set.sweep(matches[is_first])
    threshold = table.loc[table["geometric_mean"].idxmax(), "threshold"]
    rows = {}
    for name, part in (("chosen on", matches[is_first]), ("judged on", matches[~is_first])):
        identity, is_new = part["identity"].to_numpy(), part["is_new"].to_numpy()
        decided = open_set.decide(
            part["predicted"].to_numpy(), part["similarity"].to_numpy(), threshold
        )
        known = open_set.baks(identity, decided, is_new)
        unknown = open_set.baus(decided, is_new, identity)
        rows[name] = {
            "individuals": part["identity"].nunique(),
            "threshold": threshold,
            "BAKS": known,
            "BAUS": unknown,
            "geometric mean": open_set.geometric_mean(known, unknown),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def calibrated(known: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Calibrate on one half of the matches, apply to the other half.

    Args:
        known: matches of known individuals, with `similarity` and `correct`.
        seed: of the halves.

    Returns:
        For each method of `open_set.CALIBRATIONS` the rows of `open_set.reliability` of the second
        half, with `method` and its expected calibration `error`.
    """
    order = np.random.default_rng(seed).permutation(len(known))
    learn, judge = known.iloc[order[::2]], known.iloc[order[1::2]]
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
