"""What small differences in the way of inference do to the accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from megalib.data.metadata import read_metadata
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.look import QUIET, RIGHT
from megalib.retrieval import caching, extraction, matching, search

HALF = (0.5, 0.5, 0.5)


def variants(flavour: Flavour) -> dict[str, tuple[Flavour, str]]:
    """The published way of inference, and others that differ from it in one point each.

    Returns:
        By name, the flavour with its transform, and the precision.
    """
    other = 256 if flavour.stored_size == 518 else 518
    return {
        "as published": (flavour, "fp32"),
        "mean and deviation 0.5": (replace(flavour, mean=HALF, std=HALF), "fp32"),
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
        One row per dataset and variant: `dataset`, `variant`, `accuracy` (top-1) in [0, 1],
        `changed`, the share of test images that get another answer than as published, and
        `cosine`, the mean cosine of the embeddings to the published way's.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    rows = []
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()]
        first = None
        for name, (changed, precision) in variants(flavour).items():
            images = extraction.images_of(changed, metadata, run, dataset)
            file = run.features(
                f"{flavour.name}-sensitivity", f"{dataset}-{name.replace(' ', '-')}"
            )
            label = f"{dataset}, {name}"
            found = caching.cached(file, model, changed, images, device, workers, precision, label)
            matches = matching.match(metadata, found, device=device)
            first = first or (matches, found)
            rows.append(
                {
                    "dataset": dataset,
                    "variant": name,
                    "accuracy": matches["correct"].mean(),
                    "changed": (matches["predicted"] != first[0]["predicted"]).mean(),
                    "cosine": _mean_cosine(found, first[1]),
                }
            )
        report(f"{dataset}: {len(variants(flavour))} ways compared")
    return pd.DataFrame(rows)


def _mean_cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((search.unit(one, "image") * search.unit(other, "image")).sum(1).mean())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the datasets, in per cent: top-1, its difference from as published, and changes.

    Args:
        table: of `measure`.
    """
    means = table.groupby("variant", sort=False)[["accuracy", "changed", "cosine"]].mean()
    told = pd.DataFrame({"top-1, %": 100 * means["accuracy"]})
    told["difference, points"] = told["top-1, %"] - told["top-1, %"].iloc[0]
    told["other answers, %"] = 100 * means["changed"]
    told["cosine to as published"] = means["cosine"]
    return told.rename_axis(None)


def plot_variants(table: pd.DataFrame) -> Figure:
    """Top-1 of each way of inference, a dot per dataset and a bar for their mean, in per cent.

    Args:
        table: of `measure`.
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
