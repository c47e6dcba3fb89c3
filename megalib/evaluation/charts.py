"""Accuracies by dataset and flavour as figures, published ones and those of a run.

Each takes a table in per cent and computes nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from megalib.data import published
from megalib.evaluation import metrics
from megalib.files.plain import in_figure
from megalib.flavours import short_name
from megalib.look import RIGHT, WRONG


def accuracy_matrix(table: pd.DataFrame, label: str) -> Figure:
    """Heat map of accuracies in per cent, datasets in rows and flavours in columns."""
    figure, axis = plt.subplots(figsize=(8, 0.3 * len(table) + 1.6))
    sns.heatmap(
        table.rename(in_figure),
        annot=True,
        fmt=".1f",
        vmin=0,
        vmax=100,
        cmap="cividis",
        linewidths=0.5,
        annot_kws={"fontsize": 8},
        cbar_kws={"label": label},
        ax=axis,
    )
    axis.set(xlabel="", ylabel="")
    axis.set_xticks(axis.get_xticks(), [short_name(name) for name in table])
    axis.tick_params(labelrotation=0)
    return figure


def accuracy_by_flavour(table: pd.DataFrame, label: str) -> Figure:
    """A box per flavour and a dot per dataset, smallest network first; values in per cent."""
    long = table.melt(var_name="flavour", value_name="accuracy")
    long["flavour"] = long["flavour"].map(short_name)
    figure, axis = plt.subplots(figsize=(8, 3.8))
    sns.boxplot(
        long, x="flavour", y="accuracy", color="#cfe8f7", showfliers=False, width=0.5, ax=axis
    )
    sns.stripplot(long, x="flavour", y="accuracy", color=RIGHT, size=4, alpha=0.7, ax=axis)
    axis.set(xlabel="", ylabel=label, ylim=(0, 103))
    return figure


def published_intervals() -> pd.DataFrame:
    """The published accuracies with their Wilson 95 % intervals, in per cent, hardest first.

    Returns:
        `dataset, flavour, accuracy, low, high`, 145 rows.
    """
    long = published.accuracies_long()
    bounds = [metrics.wilson_interval(row.n_correct, row.n_test) for row in long.itertuples()]
    long["low"], long["high"] = zip(*bounds, strict=True)
    long[["accuracy", "low", "high"]] *= 100
    order = {name: place for place, name in enumerate(published.accuracies().index)}
    long = long.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return long[["dataset", "flavour", "accuracy", "low", "high"]].reset_index(drop=True)


def accuracy_intervals(intervals: pd.DataFrame) -> Figure:
    """A dot with its 95 % interval for each dataset (row) and flavour, hardest dataset first.

    Args:
        intervals: of `published_intervals`.
    """
    datasets, names = intervals["dataset"].unique(), intervals["flavour"].unique()
    figure, axis = plt.subplots(figsize=(8, 0.36 * len(datasets) + 1.4))
    colours, shapes = sns.color_palette("colorblind", len(names)), "os^Dv"
    for number, name in enumerate(names):
        own = intervals[intervals["flavour"] == name]
        rows = np.arange(len(own)) + 0.15 * (number - (len(names) - 1) / 2)
        reach = [own["accuracy"] - own["low"], own["high"] - own["accuracy"]]
        axis.errorbar(
            own["accuracy"],
            rows,
            xerr=np.maximum(reach, 0),
            fmt=shapes[number],
            color=colours[number],
            markersize=3.5,
            linewidth=1,
            label=short_name(name),
        )
    axis.set_yticks(np.arange(len(datasets)), datasets, fontsize=9)
    axis.set(xlim=(0, 101), xlabel="published top-1 accuracy and its 95 % interval, %")
    axis.set_ylim(len(datasets) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.legend(ncols=len(names), frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


def gains(points: pd.Series) -> Figure:
    """Points that size adds on each dataset.

    Args:
        points: of `published.gains`.
    """
    figure, axis = plt.subplots(figsize=(8, 0.26 * len(points) + 1))
    rows = np.arange(len(points))
    axis.barh(rows, points, color=np.where(points >= 0, RIGHT, WRONG))
    axis.set_yticks(rows, points.index, fontsize=9)
    axis.set(xlabel="points of L-384 above T-224")
    axis.set_ylim(len(points) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    return figure


def accuracy_against_cost(means: pd.Series, sizes: pd.DataFrame, label: str) -> Figure:
    """Mean accuracy in per cent against each measure of size, a panel each.

    Args:
        means: by flavour.
        sizes: of `cost.sizes`, the same flavours.
        label: of the accuracy.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    for axis, (name, values) in zip(axes, sizes.items(), strict=True):
        values = values.tolist()
        axis.plot(values, means, marker="o", color=RIGHT)
        for flavour, x, y in zip(means.index, values, means, strict=True):
            axis.annotate(
                short_name(flavour),
                (x, y),
                xytext=(-6, 6),
                textcoords="offset points",
                ha="right",
                fontsize=9,
            )
        axis.set(xscale="log", xlabel=name)
        axis.set_xticks(values[:-1] if values[-2] == values[-1] else values)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.margins(x=0.25, y=0.15)
    axes[0].set_ylabel(label)
    return figure
