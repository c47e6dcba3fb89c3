"""Photographs of animals that are directions in space: embeddings without a network."""

from pathlib import Path

import numpy as np
import pandas as pd

from megalib.identify.photographs import Photographs

NAMES = ["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay"]


def directions(names=NAMES, images=6, seed=0, spread=0.05, **noted) -> Photographs:
    """Photographs whose embeddings lie close to a direction of their individual's own.

    Args:
        names: of the individuals.
        images: photographs of each.
        seed: of the noise.
        spread: of the noise, beside directions of length 4.
        **noted: further columns, a value for each photograph.
    """
    rng = np.random.default_rng(seed)
    rows, vectors = [], []
    for name in names:
        centre = np.random.default_rng(list(name.encode())).standard_normal(16)
        for image in range(images):
            path = f"{name}/{image}.png"
            rows.append((path, name, path, path, 1))
            vectors.append(centre + spread * rng.standard_normal(16))
    columns = ["image_id", "identity", "path", "photograph", "animal"]
    metadata = pd.DataFrame(rows, columns=columns).assign(**noted)
    return Photographs(metadata, np.array(vectors, dtype=np.float32), Path())


def cosines(one: Photographs, other: Photographs) -> np.ndarray:
    """All cosines, the plain way."""
    return np.array([[_cosine(a, b) for b in other.rows] for a in one.rows])


def _cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)
