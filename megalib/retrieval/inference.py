"""One flavour on prepared datasets: features and predictions."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.flavours import Flavour
from megalib.models.tensors import ImageFiles, inference_transform
from megalib.retrieval import features, matching


def images_of(flavour: Flavour, metadata: pd.DataFrame, run: Run, dataset: str) -> ImageFiles:
    """The prepared images of a dataset as the network wants them, in the order of the metadata."""
    folder = run.images(flavour.stored_size, dataset)
    return ImageFiles(folder, metadata["path"], inference_transform(flavour))


def embed(
    model: torch.nn.Module,
    flavour: Flavour,
    metadata: pd.DataFrame,
    run: Run,
    dataset: str,
    device: torch.device,
    workers: int = 0,
    precision: str = "fp32",
) -> np.ndarray:
    """Embed the images of a dataset, float32 (len(metadata), d), rows as in the metadata."""
    images = images_of(flavour, metadata, run, dataset)
    return features.extract(
        model, images, device, workers=workers, precision=precision, label=dataset
    )


def embedded(run: Run, flavour: str, dataset: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Metadata of a dataset and the embeddings that `infer` wrote, float32 (len(metadata), d).

    Raises:
        UserError: the run does not hold the features of all images.
    """
    metadata, file = read_metadata(run.metadata(dataset)), run.features(flavour, dataset)
    rows = features.read(file)
    if rows is None or len(rows) != len(metadata):
        raise UserError(f"no features of all images in {shown(file)}: run 3_infer.ipynb first")
    return metadata, rows


def mean_accuracy(
    model: torch.nn.Module, flavour: Flavour, datasets: Sequence[str], run: Run, workers: int = 0
) -> float:
    """Top-1 accuracy in [0, 1] on the test parts, averaged over the datasets; writes nothing."""
    device = next(model.parameters()).device
    accuracies = []
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()]
        rows = embed(model, flavour, metadata, run, dataset, device, workers)
        accuracies.append(matching.match(metadata, rows, device=device)["correct"].mean())
    return float(np.mean(accuracies))


def infer(
    model: torch.nn.Module,
    flavour: Flavour,
    datasets: Sequence[str],
    run: Run,
    device: torch.device,
    workers: int = 0,
    untrained: torch.nn.Module | None = None,
    precision: str = "fp32",
    k: int = 1,
    weights: str = "trained",
    report: Callable[[str], None] = print,
) -> dict[str, matching.Found]:
    """Embed and match on every dataset; write features and predictions.

    Args:
        model: the network, see `models.load_network`.
        flavour: which network it is.
        datasets: prepared datasets of the run.
        run: where everything lies.
        device: where to compute.
        workers: processes that load images.
        precision: of the products inside the network, see `devices.pick_precision`.
        untrained: the same network with random weights, to compare with.
        k: how many nearest images vote; 1 as published.
        weights: where the network's weights come from, see `models.load_network`; results say so.
        report: takes one line per dataset.

    Returns:
        What was found, by dataset. Its matches are the predictions, see `matching.match`, and also
        have the `rank`, from 0, of the first training image of the right individual, and the path
        of a `twin`: a training image with the same file, or of an embedding that is the same to
        `matching.TWIN`.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    method = {"flavour": flavour.name, "scale": flavour.scale}
    method |= {"weights": weights, "precision": precision, "votes": k}
    found = {}
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        images = images_of(flavour, metadata, run, dataset)
        file = run.features(flavour.name, dataset)
        rows = features.cached(file, model, flavour, images, device, workers, precision, dataset)
        matches = matching.match(metadata, rows, k, device)
        ranks = matching.rank(metadata, rows, device)
        matches["rank"] = ranks.first_match
        before = None
        if untrained is not None:
            random = embed(untrained, flavour, metadata, run, dataset, device, workers)
            before = matching.match(metadata, random, k, device)
        report(f"{dataset}: {matches['correct'].sum()} of {len(matches)} test images right")
        alike = matches[matches["similarity"] > 1 - matching.TWIN]
        same = dict(zip(alike["path"], alike["match_path"], strict=True))
        same |= matching.twins(images.folder, metadata)
        file_of_matches = run.predictions(flavour.name, dataset)
        matching.write_predictions(dataset, matches, same, file_of_matches, report)
        speed = {"images_per_second": features.images_per_second(file, len(rows))}
        found[dataset] = matching.Found(metadata, matches, ranks, method, speed, before)
    return found
