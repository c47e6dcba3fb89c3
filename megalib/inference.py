"""One flavour on prepared datasets: features, predictions, accuracies."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib import features, metrics, networks, retrieval, splits
from megalib.errors import UserError
from megalib.files import Run, inside, resolve, shown, whole_file
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


def match(
    metadata: pd.DataFrame, rows: np.ndarray, k: int = 1, device: str | torch.device = "cpu"
) -> pd.DataFrame:
    """Predict the identity of each test image as that of the nearest training image.

    Args:
        metadata: one row per image with `image_id, identity, path, split`.
        rows: their embeddings, float32 (len(metadata), d).
        k: how many nearest images vote, see `retrieval.vote`.
        device: where to compare.

    Returns:
        One row per query, see `matched`; `similarity` lies in [-1, 1].

    Raises:
        UserError: there are no test or no training images, or fewer of these than `k`.
    """
    is_query, is_database = parts_of(metadata)
    database = metadata[is_database]
    index, similarity = retrieval.neighbours(rows[is_query], rows[is_database], k, device)
    predicted = retrieval.vote(database["identity"].to_numpy()[index], similarity)
    nearest = database.iloc[index[:, 0]]
    return matched(metadata[is_query], nearest, predicted, similarity[:, 0])


def parts_of(metadata: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are test images (queries), and which training images (the database), bool (n,).

    Raises:
        UserError: there are none of them.
    """
    is_query, is_database = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    if not is_query.any() or not is_database.any():
        raise UserError(
            f"matching needs test and training images, the metadata hold {is_query.sum()} and "
            f"{is_database.sum()}"
        )
    return is_query, is_database


def matched(
    query: pd.DataFrame, nearest: pd.DataFrame, predicted: np.ndarray, similarity: np.ndarray
) -> pd.DataFrame:
    """The table of matches, whichever method found them.

    Args:
        query: metadata of the test images.
        nearest: metadata of the training image that is nearest to each of them.
        predicted: identity given to each, text (n,).
        similarity: of each to its nearest image, (n,).

    Returns:
        One row per query: `image_id, identity, path`, the `predicted` identity, `match_id` and
        `match_path` of the nearest image, their `similarity`, and `correct`.
    """
    return pd.DataFrame(
        {
            "image_id": query["image_id"].to_numpy(),
            "identity": query["identity"].to_numpy(),
            "path": query["path"].to_numpy(),
            "predicted": predicted,
            "match_id": nearest["image_id"].to_numpy(),
            "match_path": nearest["path"].to_numpy(),
            "similarity": similarity,
            "correct": query["identity"].to_numpy() == predicted,
        }
    )


def rank(
    metadata: pd.DataFrame, rows: np.ndarray, device: str | torch.device = "cpu"
) -> metrics.Ranks:
    """Where in the order of nearness the test images find their individual, see `metrics.Ranks`."""
    test, train = parts_of(metadata)
    identity = metadata["identity"].to_numpy()
    return metrics.rank_matches(rows[test], rows[train], identity[test], identity[train], device)


def result(metadata: pd.DataFrame, matches: pd.DataFrame, ranks: metrics.Ranks) -> dict[str, float]:
    """What a method reaches on a dataset; definitions stand in `metrics`.

    Args:
        metadata: with `identity` and `split`.
        matches: of `match`.
        ranks: of the same queries.

    Returns:
        The columns `n_database` to `normalised_gain` that `infer` describes.
    """
    correct, total = int(matches["correct"].sum()), len(matches)
    low, high = metrics.wilson_interval(correct, total)
    database = metadata.loc[metadata["split"] == "train", "identity"].to_numpy()
    chance = metrics.chance_of_top_1(matches["identity"].to_numpy(), database)
    return {
        "n_database": len(database),
        "n_query": total,
        "n_correct": correct,
        "accuracy": correct / total,
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


def twins(folder: Path, metadata: pd.DataFrame) -> dict[str, str]:
    """Test images that lie in the training part as well, as the very same file.

    Args:
        folder: of the prepared images.
        metadata: with `path` and `split`.

    Returns:
        The path of the first such training image, by the path of the test image.

    Raises:
        UserError: a path leaves the folder.
    """
    paths = {part: metadata.loc[metadata["split"] == part, "path"] for part in ("train", "test")}
    files = {part: [(path, inside(folder, path)) for path in own] for part, own in paths.items()}
    sizes = [{file.stat().st_size for _, file in own} for own in files.values()]
    shared = set.intersection(*sizes)  # files of different sizes need not be read
    digests = {
        part: [(path, _digest(file)) for path, file in own if file.stat().st_size in shared]
        for part, own in files.items()
    }
    first = {digest: path for path, digest in reversed(digests["train"])}
    return {path: first[digest] for path, digest in digests["test"] if digest in first}


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def write_predictions(
    dataset: str,
    matches: pd.DataFrame,
    same: dict[str, str],
    file: Path,
    report: Callable[[str], None],
) -> None:
    """Write the predictions, and name test images that have a `twin` in the training part.

    Such images tell nothing about a network. All of them stand in the column `twin`.

    Args:
        dataset: its name.
        matches: of `match`; the column is added to it.
        same: twins by the path of the test image, see `twins`.
        file: to be written.
        report: takes a line if there are any.
    """
    matches["twin"] = matches["path"].map(same).astype(object)
    with whole_file(file) as temporary:
        matches.to_csv(temporary, index=False)
    found = matches[matches["twin"].notna()]
    if len(found):
        pairs = ", ".join(f"{row.path} = {row.twin}" for row in found.head(5).itertuples())
        more = f" and others in the column twin of {shown(file)}" if len(found) > 5 else ""
        report(
            f"{dataset}: warning, {len(found)} test images have a twin in training: {pairs}{more}"
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
        accuracies.append(match(metadata, rows, device=device)["correct"].mean())
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
        weights: where the network's weights come from, see `load_network`; results say so.
        report: takes one line per dataset.

    Returns:
        The results, one row per dataset, and the predictions by dataset, see `match`. Results
        have `dataset, flavour, scale, weights, precision, votes, n_database, n_query, n_correct`,
        and in [0, 1] `accuracy`, `low` and `high` of its Wilson 95 % interval, `top_5`, `top_10`,
        `mean_average_precision`, `balanced_accuracy`, `normalised_gain`, and `untrained_accuracy`
        if asked for; and `images_per_second` of the extraction. Predictions also have the `rank`,
        from 0, of the first training image of the right individual, and the path of a `twin`: a
        training image with the same file, or of an embedding that is the same to `TWIN`.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    results, predictions = [], {}
    for dataset in datasets:
        metadata = splits.read(run.metadata(dataset))
        images = images_of(flavour, metadata, run, dataset)
        file = run.features(flavour.name, dataset)
        rows = features.cached(file, model, flavour, images, device, workers, precision, dataset)
        matches, ranks = match(metadata, rows, k, device), rank(metadata, rows, device)
        matches["rank"] = ranks.first_match
        row = {"dataset": dataset, "flavour": flavour.name, "scale": flavour.scale}
        row |= {"weights": weights, "precision": precision, "votes": k}
        row |= result(metadata, matches, ranks)
        row["images_per_second"] = features.images_per_second(file, len(rows))
        if untrained is not None:
            before = embed(untrained, flavour, metadata, run, dataset, device, workers)
            row["untrained_accuracy"] = match(metadata, before, k, device)["correct"].mean()
        results.append(row)
        predictions[dataset] = matches
        report(f"{dataset}: {row['n_correct']} of {row['n_query']} test images right")
        alike = matches[matches["similarity"] > 1 - TWIN]
        same = dict(zip(alike["path"], alike["match_path"], strict=True))
        same |= twins(images.folder, metadata)
        write_predictions(dataset, matches, same, run.predictions(flavour.name, dataset), report)
    table = pd.DataFrame(results)
    with whole_file(run.results(flavour.name)) as temporary:
        table.to_csv(temporary, index=False)
    return table, predictions
