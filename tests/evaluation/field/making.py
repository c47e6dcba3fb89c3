"""Photographs of made-up animals for the tests: tables and embeddings without a network."""

import numpy as np
import pandas as pd

from megalib.evaluation.field.photographs import Photographs


def photographs(table: pd.DataFrame, rows: np.ndarray, dataset: str = "Made", **more):
    """Photographs of a table that has at least identity and split; others get plain values."""
    count = len(table)
    names = [f"{dataset}{number}" for number in range(count)]
    plain = {"image_id": names, "path": names}
    full = table.assign(**{key: value for key, value in plain.items() if key not in table})
    if "animal" not in full:
        full["animal"] = full["identity"].mask(full["identity"] == "unknown")
    thumbnails = more.pop("thumbnails", np.random.default_rng(9).normal(size=(count, 4)))
    descriptors = {
        "network": np.asarray(rows, np.float32),
        "thumbnails": np.asarray(thumbnails, np.float32),
    }
    return Photographs(dataset, full, more.pop("has_truth", False), descriptors, "nothing")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """One cosine in double precision."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
