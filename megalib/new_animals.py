"""Questions to a run that go beyond its own split: new animals, sure answers, later days."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from megalib import features, inference, metrics, open_set, splits
from megalib.errors import UserError
from megalib.files import Run, shown


def _prepared(run: Run, flavour: str, dataset: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Metadata of a dataset and the embeddings that the inference notebook wrote."""
    metadata, file = splits.read(run.metadata(dataset)), run.features(flavour, dataset)
    rows = features.read(file)
    if rows is None or len(rows) != len(metadata):
        raise UserError(f"no features of all images in {shown(file)}: run 3_infer.ipynb first")
    return metadata, rows


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
        metadata, rows = _prepared(run, flavour, dataset)
        hidden = open_set.hide_individuals(metadata, share, seed)
        table = inference.match(hidden, rows)
        table["is_new"] = hidden.loc[hidden["split"] == "test", "is_new"].to_numpy()
        for column in ("identity", "predicted"):
            table[column] = dataset + "_" + table[column]
        tables.append(table.assign(dataset=dataset))
    return pd.concat(tables, ignore_index=True)


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


def later_days(run: Run, flavour: str, datasets: Sequence[str]) -> pd.DataFrame:
    """Accuracy by the run's random split and by one in time, for the datasets that have dates.

    The network was trained on the random split, so it has seen some of the later days: the split
    in time changes only what is searched among what.

    Returns:
        One row per dated dataset: top-1 accuracy in [0, 1] and number of test images of either
        split.
    """
    rows = {}
    for dataset in datasets:
        metadata, embeddings = _prepared(run, flavour, dataset)
        if "date" not in metadata:
            continue
        row = {}
        parts = {"random": metadata, "in time": open_set.time_aware_split(metadata)}
        for name, table in parts.items():
            found = inference.match(table, embeddings)
            low, high = metrics.wilson_interval(int(found["correct"].sum()), len(found))
            row[f"{name}, top-1"] = found["correct"].mean()
            row[f"{name}, low"], row[f"{name}, high"] = low, high
            row[f"{name}, test images"] = len(found)
        rows[dataset] = row
    return pd.DataFrame.from_dict(rows, orient="index")
