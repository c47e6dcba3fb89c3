"""Matches: each test image and the training image that a method finds nearest to it.

Networks, SIFT and thumbnails share these tables.
"""

import numpy as np
import pandas as pd
import torch

from megalib.errors import UserError
from megalib.retrieval import search


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
