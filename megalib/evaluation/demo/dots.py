"""The truth table as a picture: a dot for each training, in the band that is expected."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from megalib.evaluation.demo import expectations, record
from megalib.evaluation.demo.expectations import BACKGROUND, FLANK, LATER, NAMES, RANDOM, Row
from megalib.flavours import SIFT
from megalib.look import INK, PAPER, RIGHT, WRONG

BAND, LINES = "#d5e8d4", "#e1e5ea"
METHODS = ["thumbnails", SIFT, *NAMES]
# The weights of the networks of each panel, what is asked in it, and its title.
PANELS = (
    ("random", RANDOM, "random weights"),
    ("imagenet", RANDOM, "ImageNet weights, frozen"),
    ("imagenet", expectations.NEAR_AND_FLAT, "frozen, near and flat coats"),
    ("trained", RANDOM, "trained"),
    ("trained", LATER, "trained on earlier days, asked about later"),
    ("trained", FLANK, "shown the other flank"),
    ("trained", BACKGROUND, "in front of another background"),
)


def rows(panel: tuple[str, str, str] | None = None) -> list[Row]:
    """The rows of a panel, or those of all panels, each once."""
    if panel is None:
        return list(dict.fromkeys(row for one in PANELS for row in rows(one)))
    weights, condition, _ = panel
    return [Row(name, weights if name in NAMES else "", condition) for name in METHODS]


def are(means: pd.DataFrame, row: Row) -> pd.Series:
    """Which of the means are of a row of the truth table, bool.

    Args:
        means: of `record.means`.
        row: whose they are.
    """
    return (means[list(Row._fields)] == list(row)).all(axis=1)


def plot(table: pd.DataFrame, own: Mapping[Row, float]) -> Figure:
    """A dot per training and a bar for the mean of each world, in the band that is expected.

    Args:
        table: of `record.read`, one row or more.
        own: what a run measured itself, in per cent by row: an open diamond each.
    """
    figure, axes = plt.subplots(4, 2, figsize=(8.4, 9), sharex=True, sharey=True)
    found, means = expectations.worlds(table), record.means(table)
    bands, colours = expectations.bands(found), _colours(found)
    for axis, panel in zip(axes.flat, PANELS, strict=False):
        for place, row in enumerate(rows(panel)):
            low, high = bands.get(row, (0, 0))
            axis.barh(place, max(high - low, 0), 0.86, low, color=BAND, linewidth=0)
            for number, seed in enumerate(found):
                part = means.loc[are(means, row) & (means["world_seed"] == seed), "top_1"]
                height = place + 0.44 * (number - (len(found) - 1) / 2) / max(len(found) - 1, 1)
                style = {"color": colours[seed, row], "zorder": 3}
                axis.scatter(part, np.full(len(part), height), s=16, linewidth=0, **style)
                axis.vlines(part.mean(), height - 0.2, height + 0.2, linewidth=1.2, **style)
            if row in own:
                diamond = {"s": 30, "marker": "D", "color": PAPER, "edgecolor": INK, "alpha": 0.8}
                axis.scatter(own[row], place, zorder=4, **diamond)
        axis.set_title(panel[2], fontsize=9, loc="left")
        axis.tick_params(labelsize=8, labelbottom=axis in (axes[-1, 0], axes[-2, 1]))
        axis.grid(axis="y", visible=False)
        axis.grid(axis="x", color=LINES, linewidth=0.8)
        axis.set_axisbelow(False)  # lines above the bands
        sns.despine(ax=axis, left=True, bottom=True)
    axes[0, 0].set(xlim=(0, 100), ylim=(len(METHODS) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(METHODS)), METHODS)
    figure.supxlabel("top-1 accuracy, mean over the species, %", fontsize=9)
    _legend(axes[-1, -1], list(found), bool(own))
    return figure


def _colours(found: Mapping[int, expectations.World]) -> dict[tuple[int, Row], str]:
    """The colour of each world and row: a shade for the world, of orange where a row misses."""
    judged = expectations.judged(found)
    missed = judged[~judged["is_met"]]
    missed = set(zip(missed["world_seed"], missed["row"], strict=True))
    return {
        (seed, row): _shade(WRONG if (seed, row) in missed else RIGHT, number, len(found))
        for number, seed in enumerate(found)
        for row in rows()
    }


def _shade(colour: str, number: int, of: int) -> str:
    """A colour, the lighter the later in a row of several."""
    lighter = 0.5 * number / max(of - 1, 1)
    return to_hex(tuple(part + (1 - part) * lighter for part in to_rgb(colour)))


def _legend(axis: plt.Axes, seeds: list[int], has_own: bool) -> None:
    """What the marks mean, in the place of the last panel."""
    marks = {
        f"world {seed}: trainings, and their mean": Line2D(
            [], [], color=_shade(RIGHT, number, len(seeds)), marker="o", linestyle="", markersize=4
        )
        for number, seed in enumerate(seeds)
    }
    marks["the same, where an expectation is not met"] = Line2D(
        [], [], color=WRONG, marker="o", linestyle="", markersize=4
    )
    marks["what is expected"] = Patch(color=BAND)
    if has_own:
        own = {"color": PAPER, "markeredgecolor": INK, "marker": "D", "linestyle": ""}
        marks["this run, another world"] = Line2D([], [], markersize=5, **own)
    axis.legend(marks.values(), marks, frameon=False, fontsize=8, loc="center left")
    axis.set_axis_off()
