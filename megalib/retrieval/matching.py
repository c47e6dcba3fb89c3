"""Matches: each test image and the training image that a method finds nearest to it.

Networks, SIFT and thumbnails share these tables, and the file of predictions that holds them.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.errors import UserError
from megalib.files.places import inside, shown
from megalib.files.writing import whole_file
from megalib.retrieval import ranking, search

TWIN = 1e-6  # embeddings whose cosine lies this close to 1 are those of the same picture


@dataclass(frozen=True)
class Found:
    """What a method found on one dataset, for `evaluation.results` to count.

    `metadata` are those of the dataset, `matches` the table of `match`, `ranks` those of the same
    queries. `method` names the method, `details` what else is known of the search: both become
    columns of the results, before and after the counts. `untrained` are the matches of the same
    network with random weights, where they were asked for.
    """

    metadata: pd.DataFrame
    matches: pd.DataFrame
    ranks: ranking.Ranks
    method: Mapping[str, object]
    details: Mapping[str, object]
    untrained: pd.DataFrame | None = None


def match(
    metadata: pd.DataFrame, rows: np.ndarray, k: int = 1, device: str | torch.device = "cpu"
) -> pd.DataFrame:
    """Predict the identity of each test image as that of the nearest training image.

    Args:
        metadata: one row per image with `image_id, identity, path, split`.
        rows: their embeddings, float32 (len(metadata), d).
        k: how many nearest images vote, see `search.vote`.
        device: where to compare.

    Returns:
        One row per query, see `table_of`; `similarity` lies in [-1, 1].

    Raises:
        UserError: there are no test or no training images, or fewer of these than `k`.
    """
    is_query, is_database = parts_of(metadata)
    database = metadata[is_database]
    index, similarity = search.neighbours(rows[is_query], rows[is_database], k, device)
    predicted = search.vote(database["identity"].to_numpy()[index], similarity)
    nearest = database.iloc[index[:, 0]]
    return table_of(metadata[is_query], nearest, predicted, similarity[:, 0])


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


def table_of(
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
) -> ranking.Ranks:
    """Where in the order of nearness the test images find their individual, see `ranking.Ranks`."""
    test, train = parts_of(metadata)
    identity = metadata["identity"].to_numpy()
    return ranking.rank_matches(rows[test], rows[train], identity[test], identity[train], device)


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
