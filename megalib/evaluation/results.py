"""What each method reached in a run: counted, written, read again, and shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib import flavours
from megalib.errors import UserError
from megalib.evaluation import metrics, resampling
from megalib.files.places import Run, shown
from megalib.files.plain import in_figure
from megalib.files.writing import whole_file
from megalib.look import INK, PAPER, QUIET, RIGHT, legend
from megalib.retrieval import predictions
from megalib.retrieval.found import Found

# Columns of intervals, by which clusters are drawn anew; those of encounters only where the
# metadata name them. `low` and `high` take each image for a sample of its own.
CLUSTERS = {
    "identity": ("low_individuals", "high_individuals"),
    "encounter": ("low_encounters", "high_encounters"),
}
# Short names of the shares that `write` puts beside top-1.
MEASURES = {
    "top_5": "top-5",
    "top_10": "top-10",
    "mean_average_precision": "mAP",
    "balanced_accuracy": "balanced",
    "normalised_gain": "gain",
    "untrained_accuracy": "untrained",
    "frozen_accuracy": "frozen ImageNet",
}
NEEDED = ("dataset", "flavour", "scale", "n_query", "n_correct", "accuracy", "low", "high")
SHOWN = ("identity", "path", "predicted", "match_path", "similarity", "correct")


def write(run: Run, found: Mapping[str, Found]) -> pd.DataFrame:
    """Count what one method found, and write its results.

    Args:
        run: that receives them.
        found: by dataset, what `inference.infer` or `sift.infer` returned.

    Returns:
        The results, one row per dataset: `dataset, flavour, scale`, of a network also `weights,
        precision, votes`; the columns of `counts`; of SIFT its `ratio`; `images_per_second`; and
        `untrained_accuracy` and `frozen_accuracy` in [0, 1], those of the network before it was
        trained, if they were asked for.

    Raises:
        UserError: the file cannot be written.
    """
    rows = []
    for dataset, one in found.items():
        row = {"dataset": dataset, **one.method, **counts(one), **one.details}
        row |= {f"{name}_accuracy": table["correct"].mean() for name, table in one.before.items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    with whole_file(run.results(table["flavour"].iloc[0])) as temporary:
        table.to_csv(temporary, index=False)
    return table


def counts(found: Found) -> dict[str, float]:
    """What a method reaches on a dataset; definitions stand in `metrics`.

    Returns:
        `n_database, n_query, n_correct`, and in [0, 1] `accuracy`, `low` and `high` of its Wilson
        95 % interval, the ends of the intervals of `CLUSTERS`, see `resampling.cluster_interval`,
        `top_5`, `top_10`, `mean_average_precision`, `balanced_accuracy` and `normalised_gain`.
    """
    matches, ranks = found.matches, found.ranks
    correct, total = int(matches["correct"].sum()), len(matches)
    low, high = metrics.wilson_interval(correct, total)
    database = found.metadata.loc[found.metadata["split"] == "train", "identity"].to_numpy()
    chance = metrics.chance_of_top_1(matches["identity"].to_numpy(), database)
    return {
        "n_database": len(database),
        "n_query": total,
        "n_correct": correct,
        "accuracy": correct / total,
        "low": low,
        "high": high,
        **_cluster_intervals(found),
        "top_5": metrics.top_k(ranks, 5),
        "top_10": metrics.top_k(ranks, 10),
        "mean_average_precision": metrics.mean_average_precision(ranks),
        "balanced_accuracy": metrics.balanced_accuracy(
            matches["identity"].to_numpy(), matches["predicted"].to_numpy()
        ),
        "normalised_gain": metrics.normalised_gain(correct / total, chance),
    }


def _cluster_intervals(found: Found) -> dict[str, float]:
    """The interval of top-1 for each kind of cluster that is known of all test images."""
    tested = found.metadata.set_index("image_id").loc[found.matches["image_id"]]
    ends = {}
    for cluster, names in CLUSTERS.items():
        if cluster in tested and tested[cluster].notna().all():
            right, group = found.matches["correct"].to_numpy(), tested[cluster].to_numpy(dtype=str)
            ends |= dict(zip(names, resampling.cluster_interval(right, group), strict=True))
    return ends


def plot_before_and_after(results: pd.DataFrame) -> Figure:
    """Accuracy by dataset, of the network before and after training, with a line between.

    Args:
        results: with `dataset`, and in [0, 1] `accuracy`, `untrained_accuracy`, and where it is
            known `frozen_accuracy`.
    """
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(results) + 1.4))
    rows = np.arange(len(results))
    before, after = 100 * results["untrained_accuracy"], 100 * results["accuracy"]
    axis.hlines(rows, before, after, color=QUIET, linewidth=2)
    axis.scatter(before, rows, color=PAPER, edgecolor=INK, zorder=3, label="random weights")
    if "frozen_accuracy" in results:
        frozen = 100 * results["frozen_accuracy"]
        axis.scatter(frozen, rows, color=QUIET, edgecolor=INK, zorder=3, label="frozen ImageNet")
    axis.scatter(after, rows, color=RIGHT, zorder=4, label="as run here")
    axis.set(xlim=(0, 100), xlabel="test images whose nearest image shows the same individual, %")
    axis.set_yticks(rows, results["dataset"].map(in_figure))
    axis.set_ylim(len(results) - 0.5, -0.5)
    axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def read(run: Run, names: Sequence[str]) -> pd.DataFrame:
    """The result rows of those flavours that the run has finished, in the order given.

    Returns:
        The columns of `write`.

    Raises:
        UserError: none of them has been run, or a file of results is damaged.
    """
    done = [run.results(name) for name in names if run.results(name).is_file()]
    if not done:
        raise UserError(
            f"no results in {shown(run.folder)}: run 3_infer.ipynb first, or `make book`"
        )
    return pd.concat([predictions.read_table(path, NEEDED) for path in done], ignore_index=True)


def missing(run: Run, names: Sequence[str]) -> list[str]:
    """The flavours that the run has not finished."""
    return [name for name in names if not run.results(name).is_file()]


def folders_and_predictions(
    run: Run, flavour: str, results: pd.DataFrame
) -> tuple[dict[str, Path], dict[str, pd.DataFrame]]:
    """Image folders and predictions of one flavour by dataset, as `match_gallery` takes."""
    size = flavours.get(flavour).stored_size
    names = results.loc[results["flavour"] == flavour, "dataset"]
    folders = {name: run.images(size, name) for name in names}
    return folders, {name: predictions.read(run, flavour, name, SHOWN) for name in names}


def for_reading(results: pd.DataFrame) -> pd.DataFrame:
    """The results of one flavour with short names, one row per dataset."""
    names = {
        "n_query": "test images",
        "accuracy": "top-1",
        "low": "low",
        "high": "high",
        **{end: end.replace("_", ", ") for ends in CLUSTERS.values() for end in ends},
        **MEASURES,
        "images_per_second": "images/s",
    }
    kept = {column: name for column, name in names.items() if column in results}
    table = results.set_index("dataset").rename_axis(None)
    return table[list(kept)].rename(columns=kept)


def match_curves(found: Mapping[str, pd.DataFrame], up_to: int = 20) -> pd.DataFrame:
    """Cumulative match characteristic of each dataset, in per cent.

    Args:
        found: predictions with the `rank` of the first right image, from 0, by dataset.
        up_to: the longest list looked at.

    Returns:
        One row per length of the list, 1 to `up_to`, one column per dataset.
    """
    lengths = range(1, up_to + 1)
    shares = {
        name: [100 * (table["rank"] < length).mean() for length in lengths]
        for name, table in found.items()
    }
    return pd.DataFrame(shares, index=pd.Index(lengths, name="nearest images looked at"))


def plot_match_curves(table: pd.DataFrame) -> Figure:
    """Cumulative match characteristic: a line per dataset, in per cent.

    Args:
        table: of `match_curves`.
    """
    figure, axis = plt.subplots(figsize=(8, 3.2))
    styles = ("-", "--", "-.", ":")  # told apart without colour, too
    lines = [
        axis.plot(table.index, table[name], styles[number % 4])[0]
        for number, name in enumerate(table)
    ]
    axis.set(xlabel=table.index.name, ylabel="found, %", ylim=(0, 102))
    axis.set_xticks(table.index[::2])
    legend(axis, lines, table, ncols=2, fontsize=9)
    return figure
