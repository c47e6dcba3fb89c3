"""One flavour on prepared datasets: features, predictions, accuracies."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib import features, metrics, networks, retrieval, splits
from megalib.errors import UserError
from megalib.files import Run, resolve, shown, whole_file
from megalib.flavours import Flavour
from megalib.images import ImageFiles, inference_transform

TWIN = 1e-6  # embeddings whose cosine lies this close to 1 are those of the same picture


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
        return networks.from_folder(run.weights(flavour.name), flavour, networks.TRAIN_FIRST)
    if weights == "hub":
        return networks.from_hub(flavour)
    return networks.from_folder(resolve(weights), flavour)


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
    metadata, file = splits.read(run.metadata(dataset)), run.features(flavour, dataset)
    rows = features.read(file)
    if rows is None or len(rows) != len(metadata):
        raise UserError(f"no features of all images in {shown(file)}: run 3_infer.ipynb first")
    return metadata, rows


def match(metadata: pd.DataFrame, rows: np.ndarray, k: int = 1) -> pd.DataFrame:
    """Predict the identity of each test image as that of the nearest training image.

    Args:
        metadata: one row per image with `image_id, identity, path, split`.
        rows: their embeddings, float32 (len(metadata), d).
        k: how many nearest images vote, see `retrieval.vote`.

    Returns:
        One row per query: `image_id, identity, path`, the `predicted` identity, `match_id` and
        `match_path` of the nearest image, their `similarity` in [-1, 1], and `correct`.

    Raises:
        UserError: there are no test or no training images, or fewer of these than `k`.
    """
    is_query = (metadata["split"] == "test").to_numpy()
    is_database = (metadata["split"] == "train").to_numpy()
    if not is_query.any() or not is_database.any():
        raise UserError(
            f"matching needs test and training images, the metadata hold {is_query.sum()} and "
            f"{is_database.sum()}"
        )
    query, database = metadata[is_query], metadata[is_database]
    index, similarity = retrieval.neighbours(rows[is_query], rows[is_database], k)
    found = database.iloc[index[:, 0]]
    predicted = retrieval.vote(database["identity"].to_numpy()[index])
    return pd.DataFrame(
        {
            "image_id": query["image_id"].to_numpy(),
            "identity": query["identity"].to_numpy(),
            "path": query["path"].to_numpy(),
            "predicted": predicted,
            "match_id": found["image_id"].to_numpy(),
            "match_path": found["path"].to_numpy(),
            "similarity": similarity[:, 0],
            "correct": query["identity"].to_numpy() == predicted,
        }
    )


def rank(metadata: pd.DataFrame, rows: np.ndarray) -> metrics.Ranks:
    """Where in the order of nearness the test images find their individual, see `metrics.Ranks`."""
    test, train = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    identity = metadata["identity"].to_numpy()
    return metrics.rank_matches(rows[test], rows[train], identity[test], identity[train])


def more_than_one_number(
    metadata: pd.DataFrame, matches: pd.DataFrame, ranks: metrics.Ranks
) -> dict[str, float]:
    """What results say beside the accuracy; definitions stand in `metrics`.

    Args:
        metadata: with `identity` and `split`.
        matches: of `match`.
        ranks: of the same queries.

    Returns:
        The columns `low` to `normalised_gain` that `infer` describes.
    """
    correct, total = int(matches["correct"].sum()), len(matches)
    low, high = metrics.wilson_interval(correct, total)
    database = metadata.loc[metadata["split"] == "train", "identity"].to_numpy()
    chance = metrics.chance_of_top_1(matches["identity"].to_numpy(), database)
    return {
        "low": low,
        "high": high,
        "top_5": metrics.top_k(ranks, 5),
        "top_10": metrics.top_k(ranks, 10),
        "mean_average_precision": metrics.mean_average_precision(ranks),
        "balanced_accuracy": metrics.balanced_accuracy(
            matches["identity"].to_numpy(), matches["predicted"].to_numpy()
        ),
        "normalised_gain": metrics.normalised_gain(correct / total, chance),
    }


def _report_twins(
    dataset: str, matches: pd.DataFrame, file: Path, report: Callable[[str], None]
) -> None:
    """Name test images that lie in the training part as well: they tell nothing about a network."""
    twins = matches[matches["similarity"] > 1 - TWIN]
    if len(twins):
        pairs = ", ".join(f"{row.path} = {row.match_path}" for row in twins.head(5).itertuples())
        more = f" and others of similarity 1 in {shown(file)}" if len(twins) > 5 else ""
        report(
            f"{dataset}: warning, {len(twins)} test images have a twin in training: {pairs}{more}"
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
    precision: str = "fp32",
    k: int = 1,
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
        precision: of the products inside the network, see `devices.pick_precision`.
        untrained: the same network with random weights, to compare with.
        k: how many nearest images vote; 1 as published.
        report: takes one line per dataset.

    Returns:
        The results, one row per dataset, and the predictions by dataset, see `match`. Results
        have `dataset, flavour, scale, n_database, n_query, n_correct`, and in [0, 1] `accuracy`,
        `low` and `high` of its Wilson 95 % interval, `top_5`, `top_10`, `mean_average_precision`,
        `balanced_accuracy`, `normalised_gain`, and `untrained_accuracy` if asked for; and
        `images_per_second` of the extraction. Predictions also have the `rank`, from 0, of the
        first training image of the right individual.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    results, predictions = [], {}
    for dataset in datasets:
        metadata = splits.read(run.metadata(dataset))
        images = images_of(flavour, metadata, run, dataset)
        file = run.features(flavour.name, dataset)
        rows = features.cached(file, model, flavour, images, device, workers, precision, dataset)
        matches, ranks = match(metadata, rows, k), rank(metadata, rows)
        matches["rank"] = ranks.first_match
        matches_file = run.predictions(flavour.name, dataset)
        with whole_file(matches_file) as temporary:
            matches.to_csv(temporary, index=False)
        row = {
            "dataset": dataset,
            "flavour": flavour.name,
            "scale": flavour.scale,
            "n_database": int((metadata["split"] == "train").sum()),
            "n_query": len(matches),
            "n_correct": int(matches["correct"].sum()),
            "accuracy": matches["correct"].mean(),
            **more_than_one_number(metadata, matches, ranks),
        }
        row["images_per_second"] = features.images_per_second(file, len(rows))
        if untrained is not None:
            before = embed(untrained, flavour, metadata, run, dataset, device, workers)
            row["untrained_accuracy"] = match(metadata, before, k)["correct"].mean()
        results.append(row)
        predictions[dataset] = matches
        report(f"{dataset}: {row['n_correct']} of {row['n_query']} test images right")
        _report_twins(dataset, matches, matches_file, report)
    table = pd.DataFrame(results)
    with whole_file(run.results(flavour.name)) as temporary:
        table.to_csv(temporary, index=False)
    return table, predictions
