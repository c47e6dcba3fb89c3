"""The file that keeps the embeddings of a dataset, and says in its header what decided them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from megalib import stamp
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file


def save(path: Path, rows: np.ndarray, facts: Mapping[str, Any], seconds: float = math.nan) -> None:
    """Write an embedding matrix as safetensors, with its stamp in the header.

    Args:
        path: of the file.
        rows: the matrix, float32 (n, d).
        facts: all that decided it; must be JSON, see `stamp`.
        seconds: that the extraction took.

    Raises:
        UserError: the file cannot be written.
    """
    header = {"facts": json.dumps(facts), "seconds": str(seconds)}
    with whole_file(path) as temporary:
        save_file({"features": torch.from_numpy(rows)}, temporary, header)


def read(
    path: Path, facts: Mapping[str, Any] | None = None, label: str = "features"
) -> np.ndarray | None:
    """Read an embedding matrix, float32 (n, d).

    Args:
        path: of the file.
        facts: what must have decided it; None takes whatever the file holds.
        label: for the message.

    Returns:
        The matrix, or None where the file is missing, damaged, or of other facts; a line says what
        is wrong with a file that is there.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            wrong = "" if facts is None else _what_differs(facts, file.metadata() or {})
            if not wrong:
                # A copy: the tensor itself would vanish with the file that it is mapped from.
                return file.get_tensor("features").clone().numpy()
    except SafetensorError:
        wrong = "is damaged"
    print(f"{label}: {shown(path)} {wrong}, its features are extracted again")
    return None


def _what_differs(facts: Mapping[str, Any], header: Mapping[str, str]) -> str:
    """What the header says otherwise, in words; "" if nothing."""
    theirs = stamp.from_text(header.get("facts", ""))
    if not theirs:
        return "does not say of which network and images it is"
    different = stamp.differences(facts, theirs)
    return different and f"is of other {different}"


def seconds_of(path: Path) -> float:
    """How long the extraction of a file of features took; NaN where it does not say so."""
    with safe_open(path, "pt") as file:
        return float((file.metadata() or {}).get("seconds", math.nan))


def images_per_second(path: Path, images: int) -> float:
    """How fast a file of features was extracted, reading of images included; NaN if untold.

    Args:
        path: of the file.
        images: in it.
    """
    return images / seconds_of(path)


def embedded(run: Run, flavour: str, dataset: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Metadata of a dataset and the embeddings that an inference kept.

    Returns:
        The metadata, and float32 (len(metadata), d).

    Raises:
        UserError: the run does not hold the features of all images.
    """
    metadata, file = read_metadata(run.metadata(dataset)), run.features(flavour, dataset)
    rows = read(file)
    if rows is None or len(rows) != len(metadata):
        raise UserError(f"no features of all images in {shown(file)}: run 3_infer.ipynb first")
    return metadata, rows
