"""How many animals are there? Photographs of nobody known, grouped so that each group is an animal.

Photographs are joined by average linkage of cosines as long as they are similar enough. What is
enough is learned on known animals, since an estimate depends on nothing more than on that.
"""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

from megalib.data.metadata import UNKNOWN
from megalib.evaluation import resampling
from megalib.evaluation.field.photographs import Photographs
from megalib.files.plain import in_figure
from megalib.look import INK, RIGHT
from megalib.retrieval import search

POOLS = KNOWN, STRANGERS = "other half of the known", "strangers"
MOST = 5_000  # photographs: all pairs of them are compared
THRESHOLDS = 200  # that are tried


def tree(rows: np.ndarray) -> np.ndarray:
    """Join photographs one after another by average linkage, the most similar groups first.

    It is `AgglomerativeClustering(linkage="average", metric="cosine")` of scikit-learn, whose tree
    can be cut at many thresholds.

    Args:
        rows: embeddings, float32 (n, d), n ≥ 2.

    Returns:
        A linkage of scipy, float64 (n - 1, 4); the third column is 1 - cosine, on average.
    """
    unit = search.unit(rows, "image").numpy().astype(np.float64)
    return hierarchy.linkage(unit, "average", metric="cosine")


def groups(joined: np.ndarray, threshold: float) -> np.ndarray:
    """The groups that are joined at a cosine of the threshold or more.

    Args:
        joined: of `tree`.
        threshold: the least average cosine at which two groups become one.

    Returns:
        A number for each photograph, int (n,).
    """
    return hierarchy.fcluster(joined, 1 - threshold, "distance")


def learn_threshold(joined: np.ndarray, animal: np.ndarray) -> float:
    """The threshold whose groups agree best with the animals, by the adjusted Rand index.

    Args:
        joined: of `tree`.
        animal: that each photograph shows, text (n,).

    Returns:
        A cosine; of several that are best, the middle one.
    """
    heights = np.unique(joined[:, 2])
    cuts = np.concatenate([[heights[0] - 0.01], (heights[:-1] + heights[1:]) / 2])
    cuts = np.append(cuts, heights[-1] + 0.01)
    cuts = cuts[np.linspace(0, len(cuts) - 1, min(len(cuts), THRESHOLDS)).round().astype(int)]
    scores = np.array([adjusted_rand_score(animal, groups(joined, 1 - cut)) for cut in cuts])
    best = np.flatnonzero(scores == scores.max())
    return float(1 - cuts[best[len(best) // 2]])


def over_divisions(
    photographs: Sequence[Photographs], seed: int = 0, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Learn the threshold on half of the known animals, and count others by it, again and again.

    Of known animals only test images take part: those that the network was not trained on.
    Strangers are images of an unknown identity whose animal is known all the same, as of drawn
    animals.

    Args:
        photographs: of each dataset; the first descriptor is taken.
        seed: of the divisions of the known animals into halves.
        report: takes a line for a dataset that is left out, with the reason.

    Returns:
        One row per `dataset`, `division` and `who` (`KNOWN` or `STRANGERS`): number of
        `photographs`, the true number of `animals`, the `estimated` one, the `ARI` in [-0.5, 1] and
        the `threshold`.
    """
    tables = [pd.DataFrame()]
    for one in photographs:
        table = one.table
        is_test = (table["split"] == "test").to_numpy()
        names = table.loc[is_test, "animal"]
        if names.nunique() < 4:
            report(f"{one.dataset}: left out, fewer than four animals have test images")
        elif is_test.sum() > MOST:
            report(f"{one.dataset}: left out, more than {MOST} test images")
        else:
            tables.append(_divided(one, is_test, seed).assign(dataset=one.dataset))
    return pd.concat(tables, ignore_index=True)


def _divided(one: Photographs, is_test: np.ndarray, seed: int) -> pd.DataFrame:
    """The rows of `over_divisions` of one dataset."""
    animal, rows = one.table["animal"].to_numpy(), one.descriptors["network"]
    is_stranger = ((one.table["identity"] == UNKNOWN) & one.table["animal"].notna()).to_numpy()
    strangers = tree(rows[is_stranger]) if is_stranger.sum() > 1 else None
    found = []
    for division in range(resampling.DIVISIONS):
        is_first = resampling.halves(animal[is_test], np.random.default_rng(seed + division))
        first, second = (np.flatnonzero(is_test)[part] for part in (is_first, ~is_first))
        threshold = learn_threshold(tree(rows[first]), animal[first])
        pools = {KNOWN: (tree(rows[second]), animal[second])}
        if strangers is not None:
            pools[STRANGERS] = strangers, animal[is_stranger]
        for who, (joined, truth) in pools.items():
            own = groups(joined, threshold)
            counts = len(truth), len(set(truth)), own.max()
            score = adjusted_rand_score(truth, own)
            found.append((division, who, *counts, score, threshold))
    columns = ["division", "who", "photographs", "animals", "estimated", "ARI", "threshold"]
    return pd.DataFrame(found, columns=columns)


def summary(divisions: pd.DataFrame) -> pd.DataFrame:
    """Means over the divisions, and the middle 95 % of the estimated numbers.

    Args:
        divisions: of `over_divisions`, one row or more.

    Returns:
        One row per `who` and `dataset`: mean number of `photographs` and of `animals`, the mean
        `estimated` number with `low` and `high`, and the mean `ARI`.
    """
    grouped = divisions.groupby(["who", "dataset"], sort=False)
    table = grouped[["photographs", "animals", "estimated", "ARI"]].mean()
    ends = grouped["estimated"].quantile([0.025, 0.975]).unstack()
    table.insert(3, "low", ends[0.025])
    table.insert(4, "high", ends[0.975])
    return table.reset_index()


def in_words(divisions: pd.DataFrame) -> str:
    """The answer in a few sentences, which the numbers choose.

    Args:
        divisions: of `over_divisions`, one row or more.
    """
    told = []
    for who, own in summary(divisions).groupby("who", sort=False):
        animals, estimated = own["animals"].sum(), own["estimated"].sum()
        parts = own["photographs"].sum(), f"{animals:.0f} animals", f"{estimated:.0f} are estimated"
        told.append(
            f"{who.capitalize()}: {parts[0]:.0f} photographs of {parts[1]}, {parts[2]} "
            f"({100 * (estimated / animals - 1):+.0f} %), with an ARI of {own['ARI'].mean():.2f}"
        )
    return (
        f"Means over {divisions['division'].nunique()} divisions, summed over the datasets. "
        f"{'; '.join(told)}."
    )


def plot(divisions: pd.DataFrame) -> Figure:
    """True and estimated numbers, a row per dataset; known animals on the left, strangers right.

    Args:
        divisions: of `over_divisions`, one row or more.
    """
    table = summary(divisions)
    kinds, names = list(table["who"].unique()), list(table["dataset"].unique())
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(8, 1.2 + 0.4 * len(names)), sharey=True, squeeze=False
    )
    for axis, who in zip(axes[0], kinds, strict=True):
        own = table[table["who"] == who]
        places = [names.index(name) for name in own["dataset"]]
        reach = [own["estimated"] - own["low"], own["high"] - own["estimated"]]
        axis.errorbar(
            own["estimated"], places, xerr=reach, fmt="o", color=RIGHT, capsize=3, label="estimated"
        )
        axis.plot(own["animals"], places, "|", color=INK, markersize=16, label="true", zorder=3)
        axis.set(title=who, xlabel="animals")
        axis.set_xlim(left=0)
    axes[0, 0].set_yticks(range(len(names)), [in_figure(name) for name in names], fontsize=9)
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
