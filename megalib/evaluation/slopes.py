"""A picture of what accuracies lose from one way of asking to another: a line per method."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.files.plain import in_figure
from megalib.look import INK, RIGHT, WRONG

STYLES = {"network": (RIGHT, "o-"), "SIFT": (WRONG, "s--"), "thumbnails": (INK, "^:")}


def plot(table: pd.DataFrame, column: str, ends: Sequence[str]) -> Figure:
    """A line per method from its accuracy at the left end to that at the right; a panel each.

    Args:
        table: with `dataset`, `method` (a key of `STYLES`), the column, and `top-1`, `low` and
            `high` in [0, 1]; one row or more. Of each method as many rows as there are ends, in
            their order.
        column: that says which end a row is of.
        ends: its values, from left to right.
    """
    names = list(table["dataset"].unique())
    across = min(len(names), 4)
    down = -(-len(names) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(8, 3.2 * down), sharex=True, sharey=True, squeeze=False
    )
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    shift = dict(zip(STYLES, (-0.03, 0, 0.03), strict=True))  # bars beside each other
    for axis, name in zip(axes.flat, names, strict=False):
        own = table[table["dataset"] == name]
        for method, rows in own.groupby("method", sort=False):
            accuracy = 100 * rows["top-1"].to_numpy()
            reach = [accuracy - 100 * rows["low"], 100 * rows["high"] - accuracy]
            colour, style = STYLES[method]
            axis.errorbar(
                [ends.index(end) + shift[method] for end in rows[column]],
                accuracy,
                yerr=np.maximum(reach, 0),
                fmt=style,
                color=colour,
                capsize=2,
                label=method,
            )
        axis.set_title(in_figure(name), fontsize=9)
        axis.set_xticks(range(len(ends)), ends)
        axis.set(xlim=(-0.3, len(ends) - 0.7), ylim=(0, 102))
    figure.supylabel("top-1 accuracy, %", fontsize=10)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure
