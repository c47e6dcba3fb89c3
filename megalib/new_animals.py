"""Questions to a run that go beyond its own split: new animals, sure answers, other days."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from megalib import inference, metrics, open_set, splits
from megalib.files import Run, inside
from megalib.images import load

THUMBNAILS_OF = 256  # pixels, the prepared size that is shrunk


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


def other_days(run: Run, flavour: str, datasets: Sequence[str]) -> pd.DataFrame:
    """Accuracy with and without the photographs of the query's own day in the database.

    Both are asked for the same test images: those with a date whose animal was also photographed,
    for the training part, on another day. The network may have been trained on photographs of
    that day, so what the day gives away is more than what is lost here. Thumbnails were trained on
    nothing.

    Returns:
        For each dated `dataset` and each `descriptor`, "network" or "thumbnails", the two rows of
        `accuracies`, by `database`: "all days" and "other days".

    Raises:
        UserError: the run lacks features or images, or a date cannot be read.
    """
    tables = [pd.DataFrame()]
    for dataset in datasets:
        metadata, embeddings = inference.embedded(run, flavour, dataset)
        if "date" not in metadata:
            continue
        for descriptor, rows in (
            ("network", embeddings),
            ("thumbnails", thumbnails(run, dataset)),
        ):
            elsewhere = _on_other_days(metadata, rows)
            everywhere = inference.match(metadata, rows)
            everywhere = everywhere[everywhere["image_id"].isin(elsewhere["image_id"])]
            table = accuracies({"all days": everywhere, "other days": elsewhere}, "database")
            table.insert(0, "dataset", dataset)
            table.insert(1, "descriptor", descriptor)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _on_other_days(metadata: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Match each test image with the training images of all days but its own."""
    day, identity = open_set.day_of(metadata["date"]), metadata["identity"]
    is_train, is_test = metadata["split"] == "train", metadata["split"] == "test"
    tables = [inference.match(metadata, rows).iloc[:0]]
    for one in day[is_test].dropna().unique():
        database = is_train & (day != one)
        query = is_test & (day == one) & identity.isin(identity[database])
        if query.any():
            part = np.select([database, query], ["train", "test"], "")
            tables.append(inference.match(metadata.assign(split=part), rows))
    return pd.concat(tables, ignore_index=True)


def accuracies(matches: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Compare several sets of matches.

    Args:
        matches: tables of `inference.match` by what they are called.
        name: of the column that says what they are called.

    Returns:
        One row per set: its name, the number of `test images`, `top-1` in [0, 1], and `low` and
        `high`, its 95 % interval.
    """
    rows = [
        (key, len(table), right.mean(), *metrics.wilson_interval(int(right.sum()), len(table)))
        for key, table in matches.items()
        for right in [table["correct"]]
    ]
    return pd.DataFrame(rows, columns=[name, "test images", "top-1", "low", "high"])


def thumbnails(run: Run, dataset: str, side: int = 8) -> np.ndarray:
    """Images of a dataset, shrunk to a few pixels, less the mean image; a row per image.

    A descriptor that knows no animals and was trained on nothing: it sees light, background and
    pose, hardly a coat. An animal that it finds was given away by something else.

    Returns:
        float32 (images, 3 * side * side), rows as in the metadata.

    Raises:
        UserError: the dataset has not been prepared, or an image cannot be read.
    """
    folder = run.images(THUMBNAILS_OF, dataset)
    paths = splits.read(run.metadata(dataset))["path"]
    small = [load(inside(folder, path)).resize((side, side)) for path in paths]
    rows = np.stack([np.asarray(image, dtype=np.float32).ravel() for image in small])
    return rows - rows.mean(axis=0)
