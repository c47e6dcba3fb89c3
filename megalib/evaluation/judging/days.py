"""What the day of a photograph gives away: the same search without it, and without the animal.

Photographs of one day resemble each other for reasons that are not the animal. A random split lets
them stand on both sides, and flatters every method that sees light or background.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from megalib.data import splits
from megalib.data.images import load
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import resampling
from megalib.files.places import Run, inside
from megalib.retrieval import features, matching

THUMBNAILS_OF = 256  # pixels, the prepared size that is shrunk


def earlier_days(run: Run) -> Run:
    """The run that lies in another and knows its earlier days alone, see `in_time.divide`."""
    return Run(f"{run.profile}/earlier-days", images_of=run.profile)


def other_days(
    run: Run, flavour: str, datasets: Sequence[str], report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Accuracy with and without the photographs of the query's own day in the database.

    Both are asked for the same test images: those with a date whose animal was also photographed,
    for the training part, on another day. The network may have been trained on photographs of
    that day, so what the day gives away is more than what is lost here. Thumbnails were trained on
    nothing.

    Args:
        run: whose features and images are used.
        flavour: name of the network.
        datasets: names; those without dates are left out.
        report: takes a line for a dataset whose dates allow no such search.

    Returns:
        For each dated `dataset` and each `descriptor`, "network" or "thumbnails", the two rows of
        `accuracies`, by `database`: "all days" and "other days".

    Raises:
        UserError: the run lacks features or images.
    """
    tables = [pd.DataFrame()]
    for dataset in datasets:
        metadata, embeddings = features.embedded(run, flavour, dataset)
        if "date" not in metadata:
            continue
        descriptors = {"network": embeddings, "thumbnails": thumbnails(run, dataset)}
        try:
            for descriptor, rows in descriptors.items():
                table = accuracies(_all_and_other_days(metadata, rows), "database")
                table.insert(0, "dataset", dataset)
                table.insert(1, "descriptor", descriptor)
                tables.append(table)
        except UserError as error:  # a date cannot be read, or no animal has two days
            report(f"{dataset}: left out, {error}")
    return pd.concat(tables, ignore_index=True)


def _all_and_other_days(metadata: pd.DataFrame, rows: np.ndarray) -> dict[str, pd.DataFrame]:
    """The same test images searched among all training images, and among those of other days."""
    day = splits.day_of(metadata["date"])
    is_train, is_test = metadata["split"] == "train", metadata["split"] == "test"
    found = []
    for one in day[is_test].dropna().unique():
        database = is_train & (day != one)
        is_known = metadata["identity"].isin(metadata.loc[database, "identity"])
        query = is_test & (day == one) & is_known
        if query.any():
            part = np.select([database, query], ["train", "test"], "")
            found.append(matching.match(metadata.assign(split=part), rows))
    if not found:
        raise UserError("no animal of the test part was seen on two days")
    elsewhere, everywhere = pd.concat(found), matching.match(metadata, rows)
    everywhere = everywhere[everywhere["image_id"].isin(elsewhere["image_id"])]
    return {"all days": everywhere, "other days": elsewhere}


def accuracies(matches: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Compare several sets of matches.

    Args:
        matches: tables of `matching.match` by what they are called.
        name: of the column that says what they are called.

    Returns:
        One row per set: its name, the number of `test images`, `top-1` in [0, 1], and `low` and
        `high`, its 95 % interval over individuals, see `resampling.cluster_interval`.
    """
    rows = [
        (key, len(table), right.mean(), *resampling.cluster_interval(right, table["identity"]))
        for key, table in matches.items()
        for right in [table["correct"]]
    ]
    return pd.DataFrame(rows, columns=[name, "test images", "top-1", "low", "high"])


def thumbnails(run: Run, dataset: str, side: int = 8) -> np.ndarray:
    """Images of a dataset, shrunk to a few pixels, less the mean image; a row per image.

    A descriptor that knows no animals and was trained on nothing: it sees light, background and
    pose, hardly a coat. An animal that it finds was given away by something else.

    Returns:
        float32 (images, 3 * side * side), rows as in the metadata.

    Raises:
        UserError: the dataset has not been prepared, or an image cannot be read.
    """
    folder = run.images(THUMBNAILS_OF, dataset)
    paths = read_metadata(run.metadata(dataset))["path"]
    small = [load(inside(folder, path)).resize((side, side)) for path in paths]
    rows = np.stack([np.asarray(image, dtype=np.float32).ravel() for image in small])
    return rows - rows.mean(axis=0)
