"""New photographs beside their candidates."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from megalib.data.images import load
from megalib.evaluation.judging import flags
from megalib.files.places import inside
from megalib.files.plain import in_figure
from megalib.look import INK, WRONG, hide_frame


def candidates(new: Path, known: Path, table: pd.DataFrame, most: int = 6) -> Figure:
    """Animals on new photographs, one a row, and beside each the known individuals most similar.

    Args:
        new: folder of the prepared new photographs.
        known: folder of the prepared known ones.
        table: of `judging.rank`.
        most: how many animals to show.
    """
    shown = list(table.groupby(["photograph", "animal"], sort=False))[:most]
    columns = 1 + table["rank"].max()
    figure, axes = plt.subplots(
        len(shown), columns, figsize=(1.45 * columns, 1.75 * len(shown)), squeeze=False
    )
    for row, (_, rows) in zip(axes, shown, strict=True):
        is_flagged = rows["unlike_all_known"].iloc[0] == "yes"
        for axis in row:
            hide_frame(axis)
        row[0].imshow(load(inside(new, rows["path"].iloc[0])))
        row[0].set_title(flags.FLAG if is_flagged else "new photograph", fontsize=8)
        row[0].title.set_color(WRONG if is_flagged else INK)
        found = rows.dropna(subset="candidate")  # none where only the other flank is known
        for axis, candidate in zip(row[1 : 1 + len(found)], found.itertuples(), strict=True):
            axis.imshow(load(inside(known, candidate.known_path)))
            chance = "" if pd.isna(candidate.probability) else f"{candidate.probability:.0%}, "
            axis.set_title(in_figure(candidate.candidate), fontsize=8, fontweight="normal")
            axis.set_xlabel(f"{chance}similarity {candidate.similarity:.2f}", fontsize=7)
    return figure
