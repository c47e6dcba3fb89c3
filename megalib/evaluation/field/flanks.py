"""The other side: is an animal found when the database shows only its other flank?

The coats of the two flanks of an animal differ in most species. A network that was trained on both
under one name can learn that they belong together, for the animals it was trained on and no others.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.evaluation import resampling, slopes
from megalib.evaluation.field.photographs import Photographs
from megalib.evaluation.judging import days
from megalib.retrieval import matching

OTHER = {"left": "right", "right": "left"}
ENDS = ("same side", "other side")


def ask(photographs: Sequence[Photographs], report: Callable[[str], None] = print) -> pd.DataFrame:
    """Search each test image among training images of its own side, and among those of the other.

    Only images whose `orientation` is left or right take part, and only test images of animals that
    the training part shows from both sides, so that both searches can succeed.

    Args:
        photographs: of each dataset.
        report: takes a line for a dataset that is left out, with the reason.

    Returns:
        The rows of `matching.match`, with `dataset`, `method` (the descriptor), `database` ("same
        side" or "other side"), and `chance`, the share of this database that shows the animal of
        the query. Each test image has one row per method and database.
    """
    tables = [pd.DataFrame()]
    for one in photographs:
        table = one.table
        if "orientation" not in table:
            report(f"{one.dataset}: left out, no side is noted")
            continue
        known = _seen_from_both(table)
        is_asked = (table["split"] == "test") & table["identity"].isin(known)
        is_asked &= table["orientation"].isin(OTHER)
        if not is_asked.any():
            report(f"{one.dataset}: left out, no test image shows an animal known from both sides")
            continue
        for method, rows in one.descriptors.items():
            found = _by_side(table, is_asked, rows).assign(dataset=one.dataset, method=method)
            tables.append(found)
    return pd.concat(tables, ignore_index=True)


def _seen_from_both(table: pd.DataFrame) -> set[str]:
    """The animals that the training part shows from the left and from the right."""
    train = table[table["split"] == "train"]
    sides = [set(train.loc[train["orientation"] == side, "identity"]) for side in OTHER]
    return sides[0] & sides[1]


def _by_side(table: pd.DataFrame, is_asked: pd.Series, rows: np.ndarray) -> pd.DataFrame:
    """The answers to all test images of one dataset, by one descriptor."""
    found = []
    for side, other in OTHER.items():
        query = is_asked & (table["orientation"] == side)
        for name, shown in zip(ENDS, (side, other), strict=True):
            database = (table["split"] == "train") & (table["orientation"] == shown)
            part = np.select([database, query], ["train", "test"], "")
            if query.any():
                answers = matching.match(table.assign(split=part), rows)
                shares = table.loc[database, "identity"].value_counts(normalize=True)
                chance = answers["identity"].map(shares)
                found.append(answers.assign(database=name, chance=chance))
    return pd.concat(found)


def accuracies(answers: pd.DataFrame) -> pd.DataFrame:
    """How often each method is right, by dataset.

    Args:
        answers: of `ask`, one row or more.

    Returns:
        One row per `dataset`, `method` and `database`, with the columns of `days.accuracies` and
        `chance` in [0, 1].
    """
    tables = []
    for (dataset, method), own in answers.groupby(["dataset", "method"], sort=False):
        parts = {name: own[own["database"] == name] for name in ENDS}
        table = days.accuracies(parts, "database")
        table["chance"] = [part["chance"].mean() for part in parts.values()]
        table.insert(0, "dataset", dataset)
        table.insert(1, "method", method)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def in_words(answers: pd.DataFrame) -> str:
    """The answer in a few sentences, which the numbers choose.

    Args:
        answers: of `ask`, one row or more.
    """
    means = 100 * accuracies(answers).groupby(["method", "database"])[["top-1", "chance"]].mean()
    number = answers["dataset"].nunique()
    text = (
        f"Where the database shows the same side of each animal, the network is right on "
        f"{means.loc[('network', ENDS[0]), 'top-1']:.0f} % of the test images; where it shows only "
        f"the other side, on {means.loc[('network', ENDS[1]), 'top-1']:.0f} % (mean over "
        f"{number} {'dataset' if number == 1 else 'datasets'}). Guessing would be right on "
        f"{means.loc[('network', ENDS[1]), 'chance']:.0f} %."
    )
    return f"{text} {_verdict(answers, 'network')} {_verdict(answers, 'thumbnails')}"


def _verdict(answers: pd.DataFrame, method: str) -> str:
    """Whether the other side is found more often than by guessing."""
    own = answers[(answers["method"] == method) & (answers["database"] == ENDS[1])]
    gain = own["correct"] - own["chance"]
    low, high = resampling.cluster_interval(gain, own["identity"], own["dataset"])
    mean = gain.groupby(own["dataset"]).mean().mean()
    name = {"network": "The network", "thumbnails": "Thumbnails"}[method]
    verb = {"network": "finds", "thumbnails": "find"}[method]
    if low > 0:
        how = f"{verb} the other side more often than guessing does"
    elif high < 0:
        how = f"{verb} the other side less often than guessing does"
    else:
        how = f"{verb} the other side about as often as guessing does"
    points = f"{100 * mean:+.0f} points, 95 % interval {100 * low:+.0f} to {100 * high:+.0f}"
    return f"{name} {how} ({points})."


def plot(answers: pd.DataFrame) -> Figure:
    """From the accuracy among images of the same side to that of the other; a panel per dataset.

    Args:
        answers: of `ask`, one row or more.
    """
    table = accuracies(answers)
    figure = slopes.plot(table, "database", ENDS)
    names = list(table["dataset"].unique())
    for axis, name in zip(figure.axes, names, strict=False):
        other = (table["dataset"] == name) & (table["database"] == ENDS[1])
        chance = 100 * table.loc[other, "chance"].iloc[0]
        axis.axhline(chance, color="0.6", linewidth=1, linestyle="-")
        axis.annotate("chance", (-0.25, chance + 1), color="0.4", fontsize=7)
    return figure
