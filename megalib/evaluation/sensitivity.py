"""What small differences in the way of inference do to the accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from megalib.data.metadata import read_metadata
from megalib.evaluation import resampling
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.look import QUIET, RIGHT
from megalib.retrieval import caching, extraction, matching, search

HALF = (0.5, 0.5, 0.5)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation


def variants(flavour: Flavour) -> dict[str, tuple[Flavour, str]]:
    """The published way of inference, and others that differ from it in one point each.

    Returns:
        By name, the flavour with its transform, and the precision.
    """
    other = 256 if flavour.stored_size == 518 else 518
    of_whom, mean, std = ("0.5", HALF, HALF) if flavour.mean != HALF else ("of ImageNet", *IMAGENET)
    return {
        "as published": (flavour, "fp32"),
        f"mean and deviation {of_whom}": (replace(flavour, mean=mean, std=std), "fp32"),
        "bicubic": (replace(flavour, interpolation="bicubic"), "fp32"),
        "centre crop": (replace(flavour, fit="crop"), "fp32"),
        f"from images stored at {other}": (replace(flavour, stored_size=other), "fp32"),
        "bfloat16": (flavour, "bf16"),
    }


def measure(
    model: torch.nn.Module,
    flavour: Flavour,
    datasets: Sequence[str],
    run: Run,
    device: torch.device,
    workers: int = 0,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Run every variant on the same network and images; keeps the features of each.

    What is finished is not done again, see `caching.cached`. The features lie in a folder of
    their own, beside those of `inference.infer`.

    Args:
        model: the network, see `networks.load_network`.
        flavour: which network it is.
        datasets: prepared datasets of the run.
        run: where they lie.
        device: where to compute.
        workers: processes that load images.
        report: takes one line per dataset.

    Returns:
        One row per dataset, variant and test image: `dataset`, `variant`, the `identity` shown,
        whether it was found (`correct`), whether the answer is another than as published
        (`changed`), `added`, 1 where it is right only in this way and -1 where it is right only as
        published, else 0; and the `cosine` of its embedding to the published way's.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    tables = []
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()]
        is_test, first = (metadata["split"] == "test").to_numpy(), None
        for name, (changed, precision) in variants(flavour).items():
            images = extraction.images_of(changed, metadata, run, dataset)
            file = run.features(
                f"{flavour.name}-sensitivity", f"{dataset}-{name.replace(' ', '-')}"
            )
            label = f"{dataset}, {name}"
            found = caching.cached(file, model, changed, images, device, workers, precision, label)
            matches = matching.match(metadata, found, device=device)
            first = first or (matches, found)
            before = first[0]
            table = matches[["identity", "correct"]].assign(dataset=dataset, variant=name)
            table["changed"] = matches["predicted"] != before["predicted"]
            table["added"] = matches["correct"].astype(int) - before["correct"]
            table["cosine"] = _cosines(found[is_test], first[1][is_test])
            tables.append(table)
        report(f"{dataset}: {len(variants(flavour))} ways compared")
    return pd.concat(tables, ignore_index=True)


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (search.unit(one, "image") * search.unit(other, "image")).sum(1).numpy()


def by_dataset(table: pd.DataFrame) -> pd.DataFrame:
    """Means of each dataset and variant.

    Args:
        table: of `measure`.

    Returns:
        One row each: `dataset`, `variant`, and the means `accuracy` (top-1), `changed` and
        `cosine`.
    """
    named = table.rename(columns={"correct": "accuracy"})
    groups = named.groupby(["dataset", "variant"], sort=False)
    return groups[["accuracy", "changed", "cosine"]].mean().reset_index()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the datasets, in per cent: top-1, its difference from as published, and changes.

    `low` and `high` are the 95 % interval of the difference, in pairs: each test image counts in
    both ways, and individuals are drawn anew, see `resampling.cluster_interval`.

    Args:
        table: of `measure`.
    """
    means = by_dataset(table).groupby("variant", sort=False)[["accuracy", "changed", "cosine"]]
    means = means.mean()
    told = pd.DataFrame({"top-1, %": 100 * means["accuracy"]})
    told["difference, points"] = told["top-1, %"] - told["top-1, %"].iloc[0]
    ends = [
        resampling.cluster_interval(
            *(rows[key].to_numpy() for key in ("added", "identity", "dataset"))
        )
        for _, rows in table.groupby("variant", sort=False)
    ]
    told[["low", "high"]] = 100 * np.array(ends)
    told["other answers, %"] = 100 * means["changed"]
    told["cosine to as published"] = means["cosine"]
    return told.rename_axis(None)


def in_words(summary: pd.DataFrame) -> str:
    """Which ways differ from the published one by more than other individuals would explain.

    Args:
        summary: of `summary`.
    """
    others = summary.iloc[1:]
    clear = others[(others["low"] > 0) | (others["high"] < 0)]
    if clear.empty:
        return (
            f"The intervals of all {len(others)} differences hold 0: with other individuals, each "
            "of these ways might have done as well as the published one."
        )
    told = [f"{name} ({row['difference, points']:+.1f} points)" for name, row in clear.iterrows()]
    return (
        f"The interval does not hold 0 for {len(clear)} of the {len(others)} other ways: "
        f"{', '.join(told)}."
    )


def plot_variants(table: pd.DataFrame) -> Figure:
    """Top-1 of each way of inference, a dot per dataset and a bar for their mean, in per cent.

    Args:
        table: of `by_dataset`.
    """
    names = list(table["variant"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.42 * len(names) + 1.2))
    for row, name in enumerate(names):
        values = 100 * table.loc[table["variant"] == name, "accuracy"]
        axis.scatter(values, np.full(len(values), row), color=QUIET, s=20)
        axis.scatter(values.mean(), row, color=RIGHT, marker="|", s=260, linewidth=3)
    axis.set_yticks(np.arange(len(names)), names)
    axis.set(xlabel="top-1 accuracy, % (grey: a dataset; blue: their mean)", xlim=(0, 102))
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    return figure
