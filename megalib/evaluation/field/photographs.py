"""Photographs as the field sees them: who, when, from which side, in which encounter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from megalib.data import noted, splits, truth
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation.judging import days
from megalib.files.places import Run
from megalib.retrieval import features


@dataclass(frozen=True)
class Photographs:
    """The photographs of one dataset, and what describes each of them.

    `table` has the metadata, what was noted (see `noted.NOTED`), and `animal`: who it is, as far as
    anybody knows, else missing. `has_truth` says that somebody knows of all, strangers too, as of
    drawn animals. `descriptors` are float32 (len(table), d), by the names "network" and
    "thumbnails". `trained_on` says what the network was trained on.
    """

    dataset: str
    table: pd.DataFrame
    has_truth: bool
    descriptors: Mapping[str, np.ndarray]
    trained_on: str


def read(
    run: Run,
    flavour: str,
    datasets: Sequence[str],
    weights: str = "trained",
    report: Callable[[str], None] = print,
) -> list[Photographs]:
    """Read what a run has made.

    Args:
        run: that holds the datasets, their images and the features of the network.
        flavour: name of the network.
        datasets: names.
        weights: of the network. If they are "trained", the network of the earlier days is taken
            with its split, where `in_time` has made its features; else the run's own.
        report: takes a line for a dataset that was not divided in time.

    Raises:
        UserError: the run lacks features or images, or a file cannot be read.
    """
    found, earlier = [], days.earlier_days(run)
    for dataset in datasets:
        is_earlier = weights == "trained" and earlier.features(flavour, dataset).is_file()
        metadata, rows = features.embedded(earlier if is_earlier else run, flavour, dataset)
        if weights == "trained" and not is_earlier:
            report(f"{dataset}: not divided in time, its random split is taken")
        table = noted.with_noted(run, dataset, metadata)
        has_truth = run.truth(dataset).is_file()
        if has_truth:
            table["animal"] = table["image_id"].map(truth.read_truth(run, dataset)["animal"])
        else:
            table["animal"] = table["identity"].mask(table["identity"] == UNKNOWN)
        descriptors = {"network": rows, "thumbnails": days.thumbnails(run, dataset)}
        trained_on = "the earlier days" if is_earlier else "the random training part"
        if weights != "trained":
            trained_on = "nothing by this run"
        found.append(Photographs(dataset, table, has_truth, descriptors, trained_on))
    return found


def what_is_there(photographs: Sequence[Photographs]) -> pd.DataFrame:
    """Of each dataset, what questions of the field can be asked of.

    Returns:
        One row per dataset: numbers of `images`, of `individuals` and of `images of strangers`;
        of different `days`, `sides` and `encounters`, 0 where none was noted; and what the network
        was trained on.
    """
    rows = {}
    for one in photographs:
        table, sides = one.table, one.table.get("orientation", pd.Series(dtype=object))
        rows[one.dataset] = {
            "images": len(table),
            "individuals": table.loc[table["identity"] != UNKNOWN, "identity"].nunique(),
            "images of strangers": int((table["identity"] == UNKNOWN).sum()),
            "days": _number_of_days(table),
            "sides": ", ".join(sorted(sides.dropna().unique())) or "none",
            "encounters": table["encounter"].nunique() if "encounter" in table else 0,
            "the network was trained on": one.trained_on,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _number_of_days(table: pd.DataFrame) -> int:
    try:
        return splits.day_of(table["date"]).nunique() if "date" in table else 0
    except UserError:  # which questions that need days report
        return 0


def of_published() -> str:
    """Which of the published datasets have what the questions need, in words."""
    table = noted.of_published()
    needs = {
        "the other flank (a side is noted)": table["orientation"],
        "encounters (an encounter, a video or a day is noted)": table["encounter"] | table["date"],
        "other days, and the census (a day is noted)": table["date"],
    }
    told = [f"* {need}: {', '.join(table.index[has])}" for need, has in needs.items()]
    bare = table.index[~table.any(axis=1)]
    told.append("* how many animals there are: all of them, since names are enough")
    told.append(f"* nothing of this is noted: {', '.join(bare)}")
    return "\n".join(told)
