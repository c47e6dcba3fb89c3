"""How good matching is, as figures. Each takes data, returns a figure and computes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from megalib.data.images import load
from megalib.files.places import inside
from megalib.files.plain import in_figure
from megalib.flavours import short_name
from megalib.look import (
    INK,
    PAPER,
    QUIET,
    RIGHT,
    WRONG,
    hide_frame,
    legend,
    picture_in_box,
    wrapped,
)


def hardest(folder: Path, rows: pd.DataFrame) -> Figure:
    """Queries above the wrong images that were nearest, with the rank of the first right one.

    Args:
        folder: of the prepared images.
        rows: of `mistakes.hardest_images`.
    """
    figure, axes = plt.subplots(2, len(rows), figsize=(1.3 * len(rows), 3.3), squeeze=False)
    for row, (above, below) in zip(rows.itertuples(), axes.T, strict=True):
        for axis, path in ((above, row.path), (below, row.match_path)):
            picture_in_box(axis, load(inside(folder, path)))
        above.set_title(wrapped(row.identity), fontsize=8, fontweight="normal")
        below.set_title(wrapped(row.predicted), fontsize=8, color=WRONG)
        below.set_xlabel(f"right one at {row.rank + 1}", fontsize=8)
    axes[0, 0].set_ylabel("query", fontsize=9)
    axes[1, 0].set_ylabel("nearest image", fontsize=9)
    return figure


def pair_similarities(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Histograms of similarities of the same and of different individuals, one panel a dataset.

    Args:
        tables: of `mistakes.pair_similarities`, by dataset.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(8, 2.6), sharex=True, sharey=True, squeeze=False
    )
    for axis, (name, table) in zip(axes[0], tables.items(), strict=True):
        for same, label, colour in ((True, "same", RIGHT), (False, "different", WRONG)):
            values = table.loc[table["same"] == same, "similarity"]
            axis.hist(values, bins=40, density=True, alpha=0.6, color=colour, label=label)
        axis.set_title(in_figure(name), fontsize=9)
        axis.set_yticks([])
    figure.supxlabel("cosine similarity of two images", fontsize=10)
    axes[0, 0].legend(frameon=False, fontsize=8, title="individual", title_fontsize=8)
    return figure


def projection(plane: np.ndarray, identity: np.ndarray, is_test: np.ndarray) -> Figure:
    """Embeddings in a plane: colour and shape for the individual, filled for test images.

    Args:
        plane: of `mistakes.projection`, (n, 2).
        identity: text (n,).
        is_test: bool (n,).
    """
    names = np.unique(identity)
    colours, shapes = sns.color_palette("colorblind", 10), "os^Dv<>Ph*X"
    figure, axis = plt.subplots(figsize=(8, 4.6))
    marks = []
    for number, name in enumerate(names):
        own = identity == name
        style = {"color": colours[number % 10], "marker": shapes[number % len(shapes)], "s": 28}
        style["rasterized"] = True  # thousands of points would make a large page
        marks.append(axis.scatter(*plane[own & is_test].T, **style))
        axis.scatter(*plane[own & ~is_test].T, **style, alpha=0.25)
    axis.set(xticks=[], yticks=[])
    if len(names) <= 40:
        place = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "ncols": 2}
        legend(axis, marks, names, fontsize=7, **place)
    return figure


def similarity_map(files: Sequence[Path], shares: Sequence[np.ndarray], cosine: float) -> Figure:
    """Two images, and below each how much its places add to their similarity.

    Args:
        files: of the query and of the image that matches it.
        shares: of the places of each, see `mistakes.similarity_map`, (h, w).
        cosine: the similarity of the two.
    """
    most = max(np.abs(part).max() for part in shares)
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.6))
    for column, (file, part) in enumerate(zip(files, shares, strict=True)):
        image = load(file)
        axes[0, column].imshow(image)
        axes[0, column].set_title(("query", "nearest image")[column], fontsize=10)
        axes[1, column].imshow(image.convert("L"), cmap="gray")
        heat = axes[1, column].imshow(
            part,
            extent=(0, image.width, image.height, 0),
            cmap="PuOr_r",
            vmin=-most,
            vmax=most,
            alpha=0.6,
            interpolation="bilinear",
        )
        for axis in axes[:, column]:
            hide_frame(axis)
    figure.colorbar(heat, ax=axes, shrink=0.6, label="share of the similarity")
    figure.suptitle(f"cosine {cosine:.2f}", fontsize=10)
    return figure


def sensitivity(table: pd.DataFrame) -> Figure:
    """Top-1 of each way of inference, a dot per dataset and a bar for their mean, in per cent.

    Args:
        table: of `sensitivity.measure`.
    """
    names = list(table["variant"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.42 * len(names) + 1.2))
    for row, name in enumerate(names):
        values = 100 * table.loc[table["variant"] == name, "accuracy"]
        axis.scatter(values, np.full(len(values), row), color=QUIET, s=20)
        axis.scatter(values.mean(), row, color=RIGHT, marker="|", s=260, linewidth=3)
    axis.set_yticks(np.arange(len(names)), names)
    axis.set(xlabel="top-1 accuracy, % (grey: a dataset; blue: their mean)", xlim=(0, 102))
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    return figure


def match_curves(table: pd.DataFrame) -> Figure:
    """Cumulative match characteristic: a line per dataset, in per cent.

    Args:
        table: of `results.match_curves`.
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


def similarities(matches: pd.DataFrame) -> Figure:
    """Histograms of the similarity of the nearest image, of known and of new animals.

    Args:
        matches: of `new_animals.matches`.
    """
    figure, axis = plt.subplots(figsize=(8, 3))
    for is_new, label, colour in ((False, "known animals", RIGHT), (True, "new animals", WRONG)):
        values = matches.loc[matches["is_new"] == is_new, "similarity"]
        axis.hist(values, bins=30, density=True, alpha=0.6, color=colour, label=label)
    axis.set(xlabel="cosine similarity of the nearest image", ylabel="density")
    axis.legend(frameon=False)
    return figure


def new_against_known(roc: pd.DataFrame, sweep: pd.DataFrame) -> Figure:
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


def reliability(table: pd.DataFrame) -> Figure:
    """Share of right matches against the probability they were given, one line per method.

    Args:
        table: of `new_animals.calibrated`.
    """
    figure, axis = plt.subplots(figsize=(8, 3.4))
    axis.plot([0, 100], [0, 100], color=QUIET, linestyle=":", label="as often as said")
    for (method, rows), style in zip(table.groupby("method"), ("o-", "s--"), strict=False):
        axis.plot(100 * rows["probability"], 100 * rows["share_right"], style, label=method)
    axis.set(xlabel="probability of being right, as calibrated, %", ylabel="right, %")
    axis.legend(frameon=False)
    return figure


def rejection(curve: pd.DataFrame) -> Figure:
    """Accuracy among the answered queries against the share that is answered.

    Args:
        curve: of `open_set.rejection_curve`.
    """
    figure, axis = plt.subplots(figsize=(8, 3))
    axis.plot(100 * curve["kept"], 100 * curve["accuracy"], color=RIGHT)
    axis.set(xlabel="answered, the most similar first, %", ylabel="right among them, %")
    axis.set(xlim=(0, 100), ylim=(0, 102))
    return figure


def before_and_after(results: pd.DataFrame) -> Figure:
    """Accuracy by dataset, of the untrained and of the trained network, with a line between.

    Args:
        results: with `dataset`, `accuracy` and `untrained_accuracy` in [0, 1].
    """
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(results) + 1.4))
    rows = np.arange(len(results))
    before, after = 100 * results["untrained_accuracy"], 100 * results["accuracy"]
    axis.hlines(rows, before, after, color=QUIET, linewidth=2)
    axis.scatter(before, rows, color=PAPER, edgecolor=INK, zorder=3, label="untrained")
    axis.scatter(after, rows, color=RIGHT, zorder=3, label="trained")
    axis.set(xlim=(0, 100), xlabel="test images whose nearest image shows the same individual, %")
    axis.set_yticks(rows, results["dataset"].map(in_figure))
    axis.set_ylim(len(results) - 0.5, -0.5)
    axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return figure


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


def accuracy_intervals(intervals: pd.DataFrame) -> Figure:
    """A dot with its 95 % interval for each dataset (row) and flavour, hardest dataset first.

    Args:
        intervals: of `results.published_intervals`.
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
