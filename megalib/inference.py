"""One flavour on prepared datasets: features, predictions, accuracies."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from megalib import features, networks, retrieval, splits
from megalib.errors import UserError
from megalib.files import Run, resolve, whole_file
from megalib.flavours import Flavour
from megalib.images import ImageFiles, inference_transform


def load_network(flavour: Flavour, weights: str, run: Run) -> torch.nn.Module:
    """The network whose accuracy is asked for.

    Args:
        flavour: which network.
        weights: "trained" for the run's own training, "hub" for the published ones, or a folder.
        run: where the trained weights lie.

    Raises:
        UserError: the weights are not to be had.
    """
    if weights == "trained":
        return networks.from_folder(run.weights(flavour.name))
    if weights == "hub":
        return networks.from_hub(flavour)
    return networks.from_folder(resolve(weights))


def embed(
    model: torch.nn.Module,
    flavour: Flavour,
    metadata: pd.DataFrame,
    run: Run,
    dataset: str,
    device: torch.device,
    workers: int = 0,
) -> np.ndarray:
    """Embed the images of a dataset, float32 (len(metadata), d), rows as in the metadata."""
    images = ImageFiles(
        run.images(flavour.stored_size, dataset), metadata["path"], inference_transform(flavour)
    )
    return features.extract(model, images, device, workers=workers, label=dataset)


def match(metadata: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Predict the identity of each test image as that of the nearest training image.

    Args:
        metadata: one row per image with `image_id, identity, path, split`.
        rows: their embeddings, float32 (len(metadata), d).

    Returns:
        One row per query: `image_id, identity, path`, the `predicted` identity, `match_id` and
        `match_path` of the nearest image, their `similarity` in [-1, 1], and `correct`.

    Raises:
        UserError: there are no test or no training images.
    """
    is_query = (metadata["split"] == "test").to_numpy()
    is_database = (metadata["split"] == "train").to_numpy()
    if not is_query.any() or not is_database.any():
        raise UserError(
            f"matching needs test and training images, the metadata hold {is_query.sum()} and "
            f"{is_database.sum()}"
        )
    query, database = metadata[is_query], metadata[is_database]
    index, similarity = retrieval.nearest(rows[is_query], rows[is_database])
    found = database.iloc[index]
    return pd.DataFrame(
        {
            "image_id": query["image_id"].to_numpy(),
            "identity": query["identity"].to_numpy(),
            "path": query["path"].to_numpy(),
            "predicted": found["identity"].to_numpy(),
            "match_id": found["image_id"].to_numpy(),
            "match_path": found["path"].to_numpy(),
            "similarity": similarity,
            "correct": query["identity"].to_numpy() == found["identity"].to_numpy(),
        }
    )


def mean_accuracy(
    model: torch.nn.Module, flavour: Flavour, datasets: Sequence[str], run: Run, workers: int = 0
) -> float:
    """Top-1 accuracy in [0, 1] on the test parts, averaged over the datasets; writes nothing."""
    device = next(model.parameters()).device
    accuracies = []
    for dataset in datasets:
        metadata = splits.read(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()]
        rows = embed(model, flavour, metadata, run, dataset, device, workers)
        accuracies.append(match(metadata, rows)["correct"].mean())
    return float(np.mean(accuracies))


def infer(
    model: torch.nn.Module,
    flavour: Flavour,
    datasets: Sequence[str],
    run: Run,
    device: torch.device,
    workers: int = 0,
    untrained: torch.nn.Module | None = None,
    report: Callable[[str], None] = print,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Embed, match and count on every dataset; write features, predictions and results.

    Args:
        model: the network, see `load_network`.
        flavour: which network it is.
        datasets: prepared datasets of the run.
        run: where everything lies.
        device: where to compute.
        workers: processes that load images.
        untrained: the same network with random weights, to compare with.
        report: takes one line per dataset.

    Returns:
        The results, one row per dataset (`dataset, flavour, scale, n_database, n_query,
        n_correct, accuracy`, and `untrained_accuracy` if asked for; accuracies in [0, 1]), and
        the predictions by dataset, see `match`.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    results, predictions = [], {}
    for dataset in datasets:
        metadata = splits.read(run.metadata(dataset))
        rows = embed(model, flavour, metadata, run, dataset, device, workers)
        features.save(run.features(flavour.name, dataset), rows)
        matches = match(metadata, rows)
        with whole_file(run.predictions(flavour.name, dataset)) as temporary:
            matches.to_csv(temporary, index=False)
        row = {
            "dataset": dataset,
            "flavour": flavour.name,
            "scale": flavour.scale,
            "n_database": int((metadata["split"] == "train").sum()),
            "n_query": len(matches),
            "n_correct": int(matches["correct"].sum()),
            "accuracy": matches["correct"].mean(),
        }
        if untrained is not None:
            before = embed(untrained, flavour, metadata, run, dataset, device, workers)
            row["untrained_accuracy"] = match(metadata, before)["correct"].mean()
        results.append(row)
        predictions[dataset] = matches
        report(f"{dataset}: {row['n_correct']} of {row['n_query']} test images right")
    table = pd.DataFrame(results)
    with whole_file(run.results(flavour.name)) as temporary:
        table.to_csv(temporary, index=False)
    return table, predictions
