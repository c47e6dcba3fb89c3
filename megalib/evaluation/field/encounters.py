"""Encounters judged as one: a single answer for all photographs of a meeting.

A burst shows one animal, so its photographs need one answer, not one each. A photograph that is
blurred or half hidden is then carried by the others.
"""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.data import splits
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation import resampling
from megalib.evaluation.field.photographs import Photographs
from megalib.look import QUIET, RIGHT, WRONG
from megalib.retrieval import search

WAYS = {"one photograph": (QUIET, "o"), "the most similar": (WRONG, "s"), "together": (RIGHT, "D")}
SIZES = ("2 photographs", "3 photographs", "4 or more", "all")


def similarity_to_each(
    query: np.ndarray, database: np.ndarray, animal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How similar each query is to the most similar image of each animal.

    Args:
        query: embeddings, float32 (n, d).
        database: embeddings, float32 (m, d), m ≥ 1.
        animal: that each of these shows, text (m,).

    Returns:
        The animals in the order of the alphabet, text (k,), and the cosines, float32 (n, k).
    """
    names, codes = np.unique(np.asarray(animal, dtype=str), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names)))
    queries, entries = search.unit(query, "query"), search.unit(database[order], "database")
    return names, np.maximum.reduceat((queries @ entries.T).numpy(), starts, axis=1)


def meetings(table: pd.DataFrame) -> pd.Series:
    """Which encounter each photograph belongs to; where none is noted, an animal's day is one.

    Two animals of one encounter count as two meetings: who is who within it is taken as known.

    Args:
        table: with `identity` and `encounter` or `date`, of which `encounter` counts first.

    Returns:
        A text for each row; missing where nobody knows the animal or the encounter.

    Raises:
        UserError: there is neither column, or a date cannot be read.
    """
    if "encounter" in table:
        met = table["encounter"]
    elif "date" in table:
        met = splits.day_of(table["date"]).dt.strftime("%Y-%m-%d")
    else:
        raise UserError("neither encounters nor days are noted")
    text = met.astype(str) + " " + table["identity"]
    return text.where(met.notna() & (table["identity"] != UNKNOWN))


def ask(photographs: Sequence[Photographs], report: Callable[[str], None] = print) -> pd.DataFrame:
    """Judge each encounter with several test images, one by one and as one.

    The database is the training part without images of the encounter itself. Together, the animal
    wins whose similarity is greatest on average over the photographs, where each photograph counts
    the most similar image of each animal.

    Args:
        photographs: of each dataset; the first descriptor is taken.
        report: takes a line for a dataset that is left out, with the reason.

    Returns:
        One row per encounter: `dataset`, `identity`, number of `photographs`; and how often each of
        `WAYS` is right, in [0, 1]: "one photograph" is the mean over them, "the most similar" the
        answer of that which is most similar to its match, "together" the answer to all.
    """
    columns = ["dataset", "identity", "photographs", *WAYS]
    rows = []
    for one in photographs:
        try:
            found = _of_dataset(one)
        except UserError as error:
            report(f"{one.dataset}: left out, {error}")
            continue
        if not found:
            report(f"{one.dataset}: left out, no encounter has several test images")
        rows += [(one.dataset, *row) for row in found]
    return pd.DataFrame(rows, columns=columns)


def _of_dataset(one: Photographs) -> list[tuple]:
    """The rows of `ask` of one dataset, without its name."""
    table, rows = one.table, one.descriptors["network"]
    met, identity = meetings(table).to_numpy(), table["identity"].to_numpy()
    is_train, is_test = ((table["split"] == part).to_numpy() for part in ("train", "test"))
    sizes = pd.Series(met[is_test]).value_counts(sort=False)
    found = []
    for meeting in sizes.index[sizes > 1]:
        here = met == meeting
        query, database = is_test & here, is_train & ~here
        name = identity[query][0]
        if name not in identity[database]:
            continue  # the right answer is not there to be found
        names, similarity = similarity_to_each(rows[query], rows[database], identity[database])
        alone = names[similarity.argmax(axis=1)] == name
        surest = similarity.max(axis=1).argmax()
        together = names[similarity.mean(axis=0).argmax()] == name
        ways = alone.mean(), float(alone[surest]), float(together)
        found.append((name, int(query.sum()), *ways))
    return found


def by_size(encounters: pd.DataFrame) -> pd.DataFrame:
    """How often each way is right, by the number of photographs.

    Args:
        encounters: of `ask`, one row or more.

    Returns:
        One row per entry of `SIZES` that there is and per `way` of `WAYS`: number of `encounters`
        and their `photographs`, the share that is `right` in [0, 1], and `low` and `high`, its 95 %
        interval over individuals.
    """
    kinds = encounters["photographs"].map(lambda size: SIZES[min(size, 4) - 2])
    names = encounters["dataset"] + " " + encounters["identity"]
    rows = []
    for size in SIZES:
        part = encounters[kinds == size] if size != "all" else encounters
        for way in WAYS if len(part) else ():
            interval = resampling.cluster_interval(part[way], names[part.index])
            counts = len(part), int(part["photographs"].sum())
            rows.append((size, way, *counts, part[way].mean(), *interval))
    columns = ["size", "way", "encounters", "photographs", "right", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def in_words(encounters: pd.DataFrame) -> str:
    """The answer in a few sentences, which the numbers choose.

    Args:
        encounters: of `ask`, one row or more.
    """
    gain = encounters["together"] - encounters["one photograph"]
    names = encounters["dataset"] + " " + encounters["identity"]
    low, high = resampling.cluster_interval(gain, names)
    one, together = (100 * encounters[way].mean() for way in ("one photograph", "together"))
    if low > 0:
        verdict = "Judging an encounter as one finds more animals"
    elif high < 0:
        verdict = "Judging an encounter as one finds fewer animals"
    else:
        verdict = "These encounters do not show whether judging them as one finds more animals"
    return (
        f"{len(encounters)} encounters have two or more test images, "
        f"{encounters['photographs'].sum()} in all. A single photograph of them is right in "
        f"{one:.0f} % of the cases, all photographs together in {together:.0f} %. {verdict} "
        f"({100 * gain.mean():+.0f} points, 95 % interval {100 * low:+.0f} to {100 * high:+.0f})."
    )


def plot(encounters: pd.DataFrame) -> Figure:
    """How often each way is right, a row per number of photographs.

    Args:
        encounters: of `ask`, one row or more.
    """
    table = by_size(encounters)
    sizes = list(table["size"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.8 + 0.6 * len(sizes)))
    for shift, (way, (colour, mark)) in zip((-0.15, 0, 0.15), WAYS.items(), strict=True):
        own = table[table["way"] == way]
        right = 100 * own["right"].to_numpy()
        reach = [right - 100 * own["low"], 100 * own["high"] - right]
        places = np.array([sizes.index(size) for size in own["size"]]) + shift
        axis.errorbar(
            right, places, xerr=np.maximum(reach, 0), fmt=mark, color=colour, capsize=2, label=way
        )
    counts = table.groupby("size")["encounters"].first()
    labels = [f"{size}\n{counts[size]} encounters" for size in sizes]
    axis.set_yticks(range(len(sizes)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.set(xlim=(-2, 102), xlabel="right, %")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
