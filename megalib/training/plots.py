"""How a network learned, and what its loss asks for."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.look import INK, PAPER, QUIET, RIGHT, WRONG, hide_frame


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
        hide_frame(axis)
    return figure
