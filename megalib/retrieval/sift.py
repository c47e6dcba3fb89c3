"""The paper's baseline without a network: local features that two images share.

SIFT (Lowe, 2004, IJCV 60) finds key points and describes each by 128 numbers. A key point of the
query corresponds to an image if its nearest descriptor there is much nearer than the second
nearest (Lowe's ratio test). The query gets the identity of the image with the most correspondences.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from megalib.data.images import load
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files.places import Run, inside
from megalib.flavours import SIFT
from megalib.retrieval import matching, predictions, ranking
from megalib.retrieval.found import Found, Ranks

RATIOS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))  # 0.5 to 0.9
STORED_SIZE = 256  # pixels of the shorter side of the prepared images that are read
TRAINING_QUERIES = (
    100  # training images by which the ratio is chosen; more cost more than they tell
)


def describe(path: Path, keypoints: int) -> torch.Tensor:
    """The SIFT descriptors of the strongest key points of an image.

    Args:
        path: of the image.
        keypoints: how many, at most.

    Returns:
        float32 (k, 128), whole numbers in [0, 255]; k is 0 where the image has no key points.

    Raises:
        UserError: the image cannot be read.
    """
    return torch.from_numpy(detect(np.asarray(load(path).convert("L")), keypoints)[1])


def detect(grey: np.ndarray, keypoints: int) -> tuple[np.ndarray, np.ndarray]:
    """The strongest key points of an image, and what describes each.

    Args:
        grey: the image, uint8 (height, width).
        keypoints: how many, at most.

    Returns:
        Their places, x and y in pixels from the upper left corner, float32 (k, 2), and descriptors,
        float32 (k, 128), whole numbers in [0, 255].
    """
    found, descriptors = cv2.SIFT_create(nfeatures=keypoints).detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    return np.array([point.pt for point in found], dtype=np.float32), descriptors


def describe_all(files: Sequence[Path], keypoints: int, label: str) -> list[torch.Tensor]:
    """The descriptors of several images, on all threads; see `describe`."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        described = pool.map(lambda file: describe(file, keypoints), files)
        bar = {"unit": "image", "mininterval": 2, "leave": False}
        return list(tqdm(described, f"{label}, key points", len(files), **bar))


def correspondences(
    query: torch.Tensor, database: Sequence[torch.Tensor], ratios: Sequence[float]
) -> np.ndarray:
    """Count the key points of a query that correspond to each image of a database.

    Args:
        query: descriptors, float32 (k, 128).
        database: descriptors of each image.
        ratios: a point corresponds where the nearest distance is less than this part of the
            second nearest.

    Returns:
        int64 (len(database), len(ratios)); 0 for images with fewer than two descriptors.
    """
    squared = torch.tensor(ratios, dtype=torch.float64)[:, None] ** 2
    counts = np.zeros((len(database), len(ratios)), dtype=np.int64)
    for number, entries in enumerate(database):
        if len(query) > 0 and len(entries) > 1:
            nearest, second, _ = _two_nearest(query, entries)
            counts[number] = (nearest.double() < squared * second.double()).sum(dim=1).numpy()
    return counts


def corresponding(query: torch.Tensor, entries: torch.Tensor, ratio: float) -> np.ndarray:
    """Which key points of a query and of an image correspond: those that are counted.

    Args:
        query: descriptors, float32 (k, 128).
        entries: descriptors of the image, float32 (m, 128).
        ratio: as for `correspondences`.

    Returns:
        Places among both, int64 (c, 2), the clearest first.
    """
    if len(query) == 0 or len(entries) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    nearest, second, place = _two_nearest(query, entries)
    found = (nearest.double() < ratio**2 * second.double()).nonzero()[:, 0]
    order = torch.argsort(nearest[found] / second[found], stable=True)
    return torch.stack([found, place[found]], dim=1)[order].numpy()


def _two_nearest(
    query: torch.Tensor, entries: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The squared distances of the two nearest of two or more entries, and where the nearest is."""
    # Descriptors are whole numbers below 256, so these sums are exact in float32.
    lengths = (query**2).sum(dim=1, keepdim=True)
    distances = lengths + (entries**2).sum(dim=1) - 2 * (query @ entries.T)
    nearest, place = distances.min(dim=1)
    return nearest, distances.scatter_(1, place[:, None], torch.inf).amin(dim=1), place


def _count(
    queries: Sequence[torch.Tensor],
    database: Sequence[torch.Tensor],
    ratios: Sequence[float],
    label: str,
) -> np.ndarray:
    """`correspondences` of several queries on all threads, int64 (n, m, len(ratios))."""
    bar = tqdm(total=len(queries), desc=label, unit="image", mininterval=2, leave=False)
    threads = torch.get_num_threads()
    with bar, ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found = []
        for counts in pool.map(lambda query: correspondences(query, database, ratios), queries):
            found.append(counts)
            bar.update()
    return np.stack(found)


def choose_ratio(
    identity: np.ndarray, descriptors: Sequence[torch.Tensor], seed: int = 0, label: str = SIFT
) -> float:
    """The ratio with which most training images find another image of their individual.

    Args:
        identity: of the training images, text (m,).
        descriptors: of the same images.
        seed: of the choice among images, where there are more than `TRAINING_QUERIES`.
        label: of the progress bar.

    Returns:
        One of `RATIOS`; of equally good ones the smallest.

    Raises:
        UserError: no individual has two training images.
    """
    names, codes = np.unique(identity, return_inverse=True)
    pool = np.flatnonzero(np.bincount(codes, minlength=len(names))[codes] > 1)
    if len(pool) == 0:
        raise UserError("SIFT needs an individual with two training images to choose its ratio")
    chosen = np.random.default_rng(seed).permutation(pool)[:TRAINING_QUERIES]
    counts = _count([descriptors[place] for place in chosen], descriptors, RATIOS, label)
    counts[np.arange(len(chosen)), chosen] = -1  # no image finds itself
    right = identity[counts.argmax(axis=1)] == identity[chosen, None]
    return RATIOS[int(right.mean(axis=0).argmax())]


def match(
    metadata: pd.DataFrame, descriptors: Sequence[torch.Tensor], ratio: float, label: str = SIFT
) -> tuple[pd.DataFrame, Ranks]:
    """Predict the identity of each test image as that of the training image with most in common.

    Args:
        metadata: one row per image with `image_id, identity, path, split`.
        descriptors: of the same images.
        ratio: of the ratio test.
        label: of the progress bar.

    Returns:
        The columns of `matching.match`, where `similarity` is the number of correspondences and of
        equal ones the lowest index wins, with `rank`; and the ranks, see `found.Ranks`.

    Raises:
        UserError: there are no test or no training images.
    """
    test, train = map(np.flatnonzero, matching.parts_of(metadata))
    entries = [descriptors[place] for place in train]
    counts = _count([descriptors[place] for place in test], entries, [ratio], label)[:, :, 0]
    order = np.argsort(-counts, axis=1, kind="stable")
    codes, _ = pd.factorize(metadata["identity"])
    ranks = ranking.ranks_of_order(order, codes[train], codes[test])
    nearest = metadata.iloc[train[order[:, 0]]]
    most = counts[np.arange(len(test)), order[:, 0]]
    predicted = nearest["identity"].to_numpy()
    table = matching.table_of(metadata.iloc[test], nearest, predicted, most)
    return table.assign(rank=ranks.first_match), ranks


def infer(
    datasets: Sequence[str],
    run: Run,
    stored_size: int = STORED_SIZE,
    keypoints: int = 300,
    most_images: int = 2000,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> dict[str, Found]:
    """Describe and match on every dataset; write predictions.

    Args:
        datasets: prepared datasets of the run.
        run: where everything lies.
        stored_size: which of the prepared images are read.
        keypoints: of each image, at most.
        most_images: larger datasets are left out, since the time grows with the square.
        seed: see `choose_ratio`.
        report: takes one line per dataset.

    Returns:
        What was found, by dataset; the `ratio` and `images_per_second` are among its details. The
        latter counts the description of images, not the search. Matches have the `twin` of each
        test image.

    Raises:
        UserError: a dataset has not been prepared, an image is missing, or all are too large.
    """
    found = {}
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()].reset_index(drop=True)
        if len(metadata) > most_images:
            report(f"{dataset}: left out, {len(metadata)} images are more than {most_images}")
            continue
        folder = run.images(stored_size, dataset)
        began = time.perf_counter()
        descriptors = describe_all(
            [inside(folder, path) for path in metadata["path"]], keypoints, dataset
        )
        seconds = time.perf_counter() - began
        train = np.flatnonzero(metadata["split"] == "train")
        identity = metadata["identity"].to_numpy()[train]
        ratio = choose_ratio(identity, [descriptors[place] for place in train], seed, dataset)
        matches, ranks = match(metadata, descriptors, ratio, dataset)
        right = matches["correct"].sum()
        report(f"{dataset}: {right} of {len(matches)} test images right, ratio {ratio}")
        same = predictions.twins(folder, metadata)
        predictions.write(dataset, matches, same, run.predictions(SIFT, dataset), report)
        method = {"flavour": SIFT, "scale": "published"}
        details = {"ratio": ratio, "images_per_second": len(metadata) / seconds}
        found[dataset] = Found(metadata, matches, ranks, method, details)
    if not found:
        raise UserError(f"all datasets have more than {most_images} images: raise most_images")
    return found
