"""One function per figure. Each takes data, returns a matplotlib figure and computes nothing."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from PIL import Image

from megalib.files import inside
from megalib.flavours import short_name
from megalib.images import load
from megalib.plain import in_figure

INK, PAPER = "#1f2933", "#ffffff"
RIGHT, WRONG, QUIET = "#0072b2", "#d55e00", "#9aa5b1"  # Okabe and Ito: safe for colour-blind eyes

MOST_PAIRS = 6  # pairs of images side by side


def use_style() -> None:
    """The style of the book: opaque paper, so that figures are read in light and dark mode.

    What stands between two dollar signs is text, too, in figures and in tables: names come from
    strangers, and half a formula would stop the notebook.
    """
    pd.set_option("display.html.use_mathjax", False)
    sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")
    plt.rcParams.update(
        {
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "axes.titleweight": "bold",
            "axes.titlesize": "medium",
            "text.color": INK,
            "text.parse_math": False,
            "figure.constrained_layout.use": True,
        }
    )
    shell = get_ipython()
    if shell is not None:  # in a notebook, whose backend sets its own formats when it is loaded
        plt.switch_backend(plt.get_backend())
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, as_vector)


def as_vector(figure: Figure) -> str | None:
    """A figure as SVG; None where it holds photographs, which are shown as pixels."""
    if any(axis.images for axis in figure.axes):
        return None
    return print_figure(figure, "svg")


def stamp(figure: Figure, text: str) -> Figure:
    """Write under a figure what made it, so that it stays known where the figure is copied."""
    figure.supxlabel(in_figure(text), fontsize=8, color="#52606d", ha="right", x=0.995)
    return figure


def mark_rows(figure: Figure, marks: Mapping[str, str]) -> Figure:
    """Add a sign to the names of rows that say less than they seem to, and set them in italics.

    Args:
        figure: with a dataset per row, named on the left.
        marks: of `published.marks`; datasets that the figure does not show are passed over.
    """
    axis = figure.axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    axis.set_yticks(axis.get_yticks(), [f"{name} {marks.get(name, '')}".strip() for name in names])
    for name, label in zip(names, axis.get_yticklabels(), strict=True):
        if name in marks:
            label.set(style="italic", color="#52606d")
    return figure


def sample_grid(
    folder: Path, metadata: pd.DataFrame, individuals: int = 6, images: int = 5, seed: int = 0
) -> Figure:
    """Prepared images: one row per individual, its images side by side.

    Args:
        folder: of the prepared images.
        metadata: with `identity` and `path`.
        individuals: rows of the grid.
        images: columns of the grid.
        seed: of the choice among individuals and images.
    """
    counts = metadata["identity"].value_counts()
    fit = counts[counts >= images].sort_index()
    names = (fit if len(fit) else counts).index.to_series()
    names = names.sample(min(individuals, len(names)), random_state=seed).sort_values()
    figure, axes = plt.subplots(
        len(names), images, figsize=(1.7 * images, 1.6 * len(names)), squeeze=False
    )
    for row, name in zip(axes, names, strict=True):
        own = metadata[metadata["identity"] == name]
        own = own.sample(min(images, len(own)), random_state=seed)
        for axis in row:
            _hide_frame(axis)
        for axis, path in zip(row, own["path"], strict=False):
            axis.imshow(load(inside(folder, path)))
        row[0].set_ylabel(in_figure(name), rotation=0, ha="right", va="center", fontsize=9)
    return figure


def _hide_frame(axis: plt.Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def images_per_individual(metadata: pd.DataFrame) -> Figure:
    """Stacked bars: training, test and discarded images of each individual."""
    parts = metadata["split"].fillna("discarded")
    counts = pd.crosstab(metadata["identity"], parts)
    order = [part for part in ("train", "test", "discarded") if part in counts]
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index, order]
    colours = {"train": RIGHT, "test": "#e69f00", "discarded": QUIET}
    figure, axis = plt.subplots(figsize=(8, 3.2))
    bottom = np.zeros(len(counts))
    for part in order:
        axis.bar(
            np.arange(len(counts)), counts[part], bottom=bottom, color=colours[part], label=part
        )
        bottom += counts[part].to_numpy()
    axis.set(xlabel="individuals, most photographed first", ylabel="images")
    axis.set_xticks([])
    axis.grid(axis="x", visible=False)
    axis.legend(ncols=len(order), frameon=False)
    return figure


def dataset_sizes(table: pd.DataFrame) -> Figure:
    """Images, and images per individual, of each dataset; both on a logarithmic scale.

    Args:
        table: of `overview.published_datasets`; datasets without counts are left out.
    """
    table = table.dropna(subset="images")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 0.24 * len(table) + 1.2), sharey=True)
    rows = np.arange(len(table))
    for axis, column, label in (
        (left, "images", "images"),
        (right, "images each", "images per individual"),
    ):
        axis.hlines(rows, 1, table[column], color=QUIET, linewidth=1)
        axis.scatter(table[column], rows, color=RIGHT, s=22, zorder=3)
        axis.set(xscale="log", xlabel=label)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.grid(axis="y", visible=False)
    left.set_yticks(rows, table.index, fontsize=9)
    left.set_ylim(len(table) - 0.5, -0.5)
    return figure


def training_curves(history: pd.DataFrame) -> Figure:
    """Loss, learning rate and, where it was measured, accuracy by epoch, side by side."""
    curves = [("loss", "Mean loss", RIGHT, 1), ("learning_rate", "Learning rate", WRONG, 1)]
    if history["validation"].notna().any():
        curves.append(("validation", "Top-1 on the test parts, %", INK, 100))
    figure, axes = plt.subplots(1, len(curves), figsize=(8, 2.8))
    for axis, (column, title, colour, factor) in zip(axes, curves, strict=True):
        rows = history.dropna(subset=column)
        axis.plot(rows["epoch"], factor * rows[column], marker="o", markersize=3, color=colour)
        axis.set(xlabel="epoch", title=title, ylim=(0, None))
    return figure


def match_gallery(
    folders: Mapping[str, Path],
    predictions: Mapping[str, pd.DataFrame],
    measure: str = "cosine",
    right: int = 1,
    wrong: int = 1,
    wrong_in_all: int | None = None,
    seed: int = 0,
) -> Figure:
    """Queries above their nearest database images, right and wrong ones of each dataset.

    Blue frames mark right answers, orange ones wrong answers. Images are shown whole, in squares.

    Args:
        folders: of the prepared images, by dataset.
        predictions: tables of `inference.match`, by dataset.
        measure: what `similarity` is.
        right: how many right matches to show per dataset.
        wrong: how many wrong matches to show per dataset.
        wrong_in_all: how many wrong matches to show at most; those of the first datasets.
        seed: of the choice.
    """
    chosen, left = [], wrong * len(predictions) if wrong_in_all is None else wrong_in_all
    for dataset, table in predictions.items():
        for correct, number in ((True, right), (False, min(wrong, left))):
            pool = table[table["correct"] == correct]
            rows = pool.sample(min(number, len(pool)), random_state=seed)
            chosen += [(folders[dataset], row) for row in rows.itertuples()]
            left -= 0 if correct else len(rows)
    bands = max(1, -(-len(chosen) // MOST_PAIRS))
    columns = -(-len(chosen) // bands)
    size = (1.4 * columns, 3.5 * bands)
    figure, axes = plt.subplots(2 * bands, columns, figsize=size, squeeze=False)
    figure.set_layout_engine("constrained", h_pad=0.07)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, (folder, row) in enumerate(chosen):
        band, column = divmod(number, columns)
        above, below = axes[2 * band : 2 * band + 2, column]
        for axis, path in ((above, row.path), (below, row.match_path)):
            _picture_in_box(axis, load(inside(folder, path)))
        above.set_title(_wrapped(row.identity), fontsize=7.5, fontweight="normal")
        verdict, colour = ("right", RIGHT) if row.correct else ("wrong", WRONG)
        below.set_title(_wrapped(row.predicted), fontsize=7.5, fontweight="normal", color=colour)
        told = f"{row.similarity:.2f}".removesuffix(".00")
        below.set_xlabel(f"{verdict}, {measure} {told}", fontsize=7.5, color=colour)
        for spine in below.spines.values():
            spine.set(color=colour, linewidth=2.5)
        if column == 0:
            above.set_ylabel("query", fontsize=9)
            below.set_ylabel("nearest image", fontsize=9)
    return figure


def _picture_in_box(axis: plt.Axes, image: Image.Image) -> None:
    """Show an image whole in a square, so that images of all shapes make even rows."""
    axis.set_axis_on()
    axis.imshow(image)
    axis.set(xticks=[], yticks=[], box_aspect=1)
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(False)


def _wrapped(name: str) -> str:
    """A name on as many lines as fit above a picture."""
    return in_figure("\n".join(textwrap.wrap(str(name), 17)) or " ")


def hardest(folder: Path, rows: pd.DataFrame) -> Figure:
    """Queries above the wrong images that were nearest, with the rank of the first right one.

    Args:
        folder: of the prepared images.
        rows: of `analysis.hardest_images`.
    """
    figure, axes = plt.subplots(2, len(rows), figsize=(1.3 * len(rows), 3.3), squeeze=False)
    for row, (above, below) in zip(rows.itertuples(), axes.T, strict=True):
        for axis, path in ((above, row.path), (below, row.match_path)):
            _picture_in_box(axis, load(inside(folder, path)))
        above.set_title(_wrapped(row.identity), fontsize=8, fontweight="normal")
        below.set_title(_wrapped(row.predicted), fontsize=8, color=WRONG)
        below.set_xlabel(f"right one at {row.rank + 1}", fontsize=8)
    axes[0, 0].set_ylabel("query", fontsize=9)
    axes[1, 0].set_ylabel("nearest image", fontsize=9)
    return figure


def pair_similarities(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Histograms of similarities of the same and of different individuals, one panel a dataset.

    Args:
        tables: of `analysis.pair_similarities`, by dataset.
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
        plane: of `analysis.projection`, (n, 2).
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
        _name(axis, marks, names, fontsize=7, **place)
    return figure


def _name(axis: plt.Axes, marks: Sequence[Artist], names: Iterable[object], **style: Any) -> None:
    """A legend of given names; the usual one leaves out those that begin with an underscore."""
    axis.legend(marks, [in_figure(name) for name in names], frameon=False, **style)


def similarity_map(files: Sequence[Path], shares: Sequence[np.ndarray], cosine: float) -> Figure:
    """Two images, and below each how much its places add to their similarity.

    Args:
        files: of the query and of the image that matches it.
        shares: of the places of each, see `analysis.similarity_map`, (h, w).
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
            _hide_frame(axis)
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


def candidates(new: Path, known: Path, table: pd.DataFrame, most: int = 6) -> Figure:
    """New photographs, one a row, and beside each the known individuals most similar to it.

    Args:
        new: folder of the prepared new photographs.
        known: folder of the prepared known ones.
        table: of `identify.rank`.
        most: how many photographs to show.
    """
    shown = list(table.groupby("photograph", sort=False))[:most]
    columns = 1 + table["rank"].max()
    figure, axes = plt.subplots(
        len(shown), columns, figsize=(1.45 * columns, 1.75 * len(shown)), squeeze=False
    )
    for row, (_, rows) in zip(axes, shown, strict=True):
        is_new = rows["new_individual"].iloc[0] == "yes"
        for axis in row:
            _hide_frame(axis)
        row[0].imshow(load(inside(new, rows["path"].iloc[0])))
        row[0].set_title("probably new" if is_new else "new photograph", fontsize=8)
        row[0].title.set_color(WRONG if is_new else INK)
        for axis, candidate in zip(row[1:], rows.itertuples(), strict=True):
            axis.imshow(load(inside(known, candidate.known_path)))
            chance = "" if pd.isna(candidate.probability) else f"{candidate.probability:.0%}, "
            axis.set_title(in_figure(candidate.candidate), fontsize=8, fontweight="normal")
            axis.set_xlabel(f"{chance}cosine {candidate.similarity:.2f}", fontsize=7)
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
    _name(axis, lines, table, ncols=2, fontsize=9)
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


def arcface(margin: float = 0.5) -> Figure:
    """What the margin of ArcFace does, on a circle: two individuals and one image.

    Args:
        margin: in radians.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.9))
    circle = np.linspace(0, np.pi, 200)
    own, other, image = 0.5, 2.3, 1.1
    for axis, added, title in (
        (axes[0], 0.0, "without a margin"),
        (axes[1], margin, f"with a margin of {margin:g} rad"),
    ):
        axis.plot(np.cos(circle), np.sin(circle), color=QUIET, linewidth=1)
        for angle, label, colour in (
            (own, "its individual", RIGHT),
            (other, "another individual", WRONG),
        ):
            axis.annotate(
                "",
                (np.cos(angle), np.sin(angle)),
                (0, 0),
                arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2},
            )
            axis.text(
                1.1 * np.cos(angle),
                1.08 * np.sin(angle),
                label,
                color=colour,
                fontsize=8,
                ha="left" if np.cos(angle) > 0 else "right",
            )
        shown = image + added
        axis.plot(np.cos(image), np.sin(image), "o", color=INK, markersize=8)
        axis.plot([0, np.cos(image)], [0, np.sin(image)], color=INK, linewidth=1)
        axis.text(np.cos(image) + 0.05, np.sin(image) + 0.06, "image", fontsize=8)
        if added:
            axis.plot([0, np.cos(shown)], [0, np.sin(shown)], color=INK, linestyle=":")
            axis.plot(np.cos(shown), np.sin(shown), "o", mec=INK, mfc=PAPER, markersize=8)
            axis.text(
                np.cos(shown) - 0.04,
                np.sin(shown) + 0.07,
                "as the loss sees it",
                fontsize=8,
                ha="right",
            )
        arc = np.linspace(own, shown, 60)
        axis.plot(0.45 * np.cos(arc), 0.45 * np.sin(arc), color=RIGHT)
        middle = arc[40]
        axis.text(0.52 * np.cos(middle), 0.52 * np.sin(middle), "θ + m" if added else "θ")
        axis.set(title=title, xlim=(-1.7, 1.7), ylim=(-0.1, 1.35), aspect="equal")
        _hide_frame(axis)
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
