"""What a dataset holds: samples, and how many images of whom."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.data.images import load
from megalib.files.places import inside
from megalib.files.plain import in_figure
from megalib.look import QUIET, RIGHT, hide_frame


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
            hide_frame(axis)
        for axis, path in zip(row, own["path"], strict=False):
            axis.imshow(load(inside(folder, path)))
        row[0].set_ylabel(in_figure(name), rotation=0, ha="right", va="center", fontsize=9)
    return figure


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
