"""What the calendar gives away: trained on the earlier days, and asked about the later ones.

A random split puts photographs of one day on both sides. A split in time asks what the field asks:
is this an animal that was photographed before? A network can be judged by it only if it was trained
on the earlier days alone, so it is trained once more, as the run trained it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from megalib import stamp
from megalib.data import splits, training_set
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import slopes
from megalib.evaluation.judging import days
from megalib.files.places import Run, inside, shown
from megalib.files.writing import whole_file
from megalib.flavours import Flavour, Recipe
from megalib.models import export
from megalib.retrieval import caching, extraction, features, matching, sift
from megalib.training import loop
from megalib.training.settings import Settings

SPLITS = ("random", "in time")


def divide(
    run: Run, datasets: Sequence[str], report: Callable[[str], None] = print
) -> tuple[Run, list[str]]:
    """Write the metadata of a run anew with a split in time, for a run that lies in it.

    Datasets whose dates allow no such split keep the one they have, so that the network is trained
    on as many animals as before.

    Args:
        run: that holds the datasets and their images.
        datasets: names.
        report: takes a line for a dataset whose dates allow no split in time.

    Returns:
        The run of the earlier days, which uses the images of the other; and the names of the
        datasets that are divided in time, see `splits.time_aware_split`.

    Raises:
        UserError: a dataset has not been prepared, or a file cannot be written.
    """
    earlier = days.earlier_days(run)
    dated = []
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        if "date" in metadata:
            try:
                metadata = splits.time_aware_split(metadata)
                dated.append(dataset)
            except UserError as error:
                report(f"{dataset}: left out, {error}")
        with whole_file(earlier.metadata(dataset)) as temporary:
            metadata.to_csv(temporary)
    return earlier, dated


def train(
    flavour: Flavour, run: Run, earlier: Run, datasets: Sequence[str], settings: Settings
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train a flavour on the earlier days as the run has trained it: recipe, seed and start.

    Args:
        flavour: which network.
        run: that has trained it.
        earlier: of `divide`; its weights, checkpoints and history lie in it.
        datasets: those of the training.
        settings: how it runs; the precision is that of the run's training.

    Returns:
        As `loop.train`, which also goes on where it was stopped, and keeps what is finished.

    Raises:
        UserError: the run has not trained the flavour; else as `loop.train`.
    """
    folder = run.weights(flavour.name)
    facts = stamp.read(folder / export.STAMP)
    fields = Recipe.__dataclass_fields__
    if not set(fields) | {"seed", "start", "precision"} <= set(facts):
        raise UserError(f"{shown(folder)} does not say how it was trained: run 2_train.ipynb first")
    recipe = Recipe(**{name: facts[name] for name in fields})
    start = facts["start"].rsplit(" (SHA-256", 1)[0]  # a folder is followed by its digest
    settings = replace(settings, precision=facts["precision"])
    combined = training_set.aggregate(earlier, datasets)
    return loop.train(flavour, recipe, combined, earlier, facts["seed"], start, settings)


def match(
    network: torch.nn.Module,
    flavour: Flavour,
    earlier: Run,
    datasets: Sequence[str],
    device: torch.device,
    workers: int = 0,
) -> dict[str, pd.DataFrame]:
    """Search the later days among the earlier ones; what is embedded is not embedded again.

    Args:
        network: of `train`.
        flavour: which it is.
        earlier: of `divide`; the features go there.
        datasets: those that are divided in time.
        device: where to compute.
        workers: processes that load images.

    Returns:
        The tables of `matching.match`, by dataset.

    Raises:
        UserError: an image is missing, or a file cannot be written.
    """
    found = {}
    for dataset in datasets:
        metadata = read_metadata(earlier.metadata(dataset))
        images = extraction.images_of(flavour, metadata, earlier, dataset)
        file = earlier.features(flavour.name, dataset)
        rows = caching.cached(file, network, flavour, images, device, workers, label=dataset)
        found[dataset] = matching.match(metadata, rows, device=device)
    return found


def compare(
    run: Run,
    earlier: Run,
    flavour: str,
    datasets: Sequence[str],
    found: Mapping[str, pd.DataFrame],
    keypoints: int = 150,
    most_images: int = 2000,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Accuracies by the run's random split and by the one in time, for methods beside each other.

    Both are asked about the same individuals: those that have test images in both splits.

    Args:
        run: whose random split, features and images are used.
        earlier: of `divide`.
        flavour: name of the network.
        datasets: those that are divided in time.
        found: the matches of the network that was trained on the earlier days, see `match`;
            empty where there is none, which leaves the network out.
        keypoints: of SIFT.
        most_images: SIFT leaves larger datasets out.
        seed: of SIFT, see `sift.choose_ratio`.
        report: takes a line for what is left out.

    Returns:
        One row per `dataset`, `method` ("network", "SIFT" or "thumbnails") and `split` ("random"
        or "in time"), with the columns of `days.accuracies`.

    Raises:
        UserError: the run lacks features or images.
    """
    tables = [pd.DataFrame()]
    for dataset in datasets:
        parts = [read_metadata(one.metadata(dataset)) for one in (run, earlier)]
        asked = [set(part.loc[part["split"] == "test", "identity"]) for part in parts]
        if not asked[0] & asked[1]:
            report(f"{dataset}: left out, no individual has test images in both splits")
            continue
        methods = {}
        if dataset in found:
            _, rows = features.embedded(run, flavour, dataset)
            methods["network"] = [matching.match(parts[0], rows), found[dataset]]
        if len(parts[0]) <= most_images:
            methods["SIFT"] = _by_sift(run, dataset, parts, keypoints, seed)
        else:
            report(f"{dataset}: more than {most_images} images, SIFT is left out")
        rows = days.thumbnails(run, dataset)
        methods["thumbnails"] = [matching.match(part, rows) for part in parts]
        for method, matches in methods.items():
            in_both = [table[table["identity"].isin(asked[0] & asked[1])] for table in matches]
            table = days.accuracies(dict(zip(SPLITS, in_both, strict=True)), "split")
            table.insert(0, "dataset", dataset)
            table.insert(1, "method", method)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _by_sift(
    run: Run, dataset: str, parts: Sequence[pd.DataFrame], keypoints: int, seed: int
) -> list[pd.DataFrame]:
    """The matches of SIFT by each split; images are described once."""
    folder = run.images(sift.STORED_SIZE, dataset)
    files = [inside(folder, path) for path in parts[0]["path"]]
    descriptors = sift.describe_all(files, keypoints, dataset)
    tables = []
    for part in parts:
        train = np.flatnonzero(part["split"] == "train")
        identity = part["identity"].to_numpy()[train]
        ratio = sift.choose_ratio(identity, [descriptors[row] for row in train], seed, dataset)
        tables.append(sift.match(part, descriptors, ratio, dataset)[0])
    return tables


def in_words(table: pd.DataFrame) -> str:
    """What each method loses from the random split to the one in time, on average.

    Args:
        table: of `compare`, one row or more.
    """
    means = 100 * table.groupby(["method", "split"], sort=False)["top-1"].mean().unstack()
    told = [
        f"{method} {row['random']:.1f} % → {row['in time']:.1f} % "
        f"({row['in time'] - row['random']:+.1f} points)"
        for method, row in means.iterrows()
    ]
    return f"Mean top-1 by the random split → by the split in time: {'; '.join(told)}."


def plot_slopes(table: pd.DataFrame) -> Figure:
    """A line per method from its accuracy by the random split to that in time; a panel per dataset.

    Args:
        table: of `compare`, one row or more.
    """
    return slopes.plot(table, "split", SPLITS)
