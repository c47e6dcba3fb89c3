"""Pairs of photographs: the queries, and what was nearest to them."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from megalib.data.images import load
from megalib.files.places import inside
from megalib.look import RIGHT, WRONG, picture_in_box, wrapped

MOST_PAIRS = 6  # pairs of images side by side


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
        predictions: tables of `matching.match`, by dataset.
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
            picture_in_box(axis, load(inside(folder, path)))
        above.set_title(wrapped(row.identity), fontsize=7.5, fontweight="normal")
        verdict, colour = ("right", RIGHT) if row.correct else ("wrong", WRONG)
        below.set_title(wrapped(row.predicted), fontsize=7.5, fontweight="normal", color=colour)
        told = f"{row.similarity:.2f}".removesuffix(".00")
        below.set_xlabel(f"{verdict}, {measure} {told}", fontsize=7.5, color=colour)
        for spine in below.spines.values():
            spine.set(color=colour, linewidth=2.5)
        if column == 0:
            above.set_ylabel("query", fontsize=9)
            below.set_ylabel("nearest image", fontsize=9)
    return figure
