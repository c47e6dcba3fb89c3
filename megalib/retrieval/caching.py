"""Embeddings that are extracted once: in parts that survive a stop, by one process or several."""

import hashlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch.utils.data import Subset

from megalib import stamp
from megalib.files.places import inside
from megalib.files.writing import sweep
from megalib.flavours import Flavour
from megalib.models import devices
from megalib.models.tensors import ImageFiles
from megalib.retrieval import extraction, features

PART, PART_ON_GPU = 512, 8192  # images after which an unfinished extraction is kept


def cached(
    path: Path,
    model: torch.nn.Module,
    flavour: Flavour,
    images: ImageFiles,
    device: torch.device,
    workers: int = 0,
    precision: str = "fp32",
    label: str = "features",
) -> np.ndarray:
    """Embeddings out of their file if it holds exactly these; otherwise extracted and written.

    The file carries a stamp, see `facts_of`, so two networks never share features. An extraction
    that was stopped goes on after its last complete part. Several processes of accelerate divide
    the parts among them.

    Args:
        path: of the file; parts lie beside it.
        model: see `extraction.extract`.
        flavour: says how images are transformed.
        images: what to embed.
        device: where to compute.
        workers: processes that load images.
        precision: see `extraction.extract`.
        label: name of the progress bar and of messages.

    Returns:
        float32 array of shape (len(images), d).

    Raises:
        UserError: as `extraction.extract`; a path leaves the image folder; or a file cannot be
            written.
    """
    facts = facts_of(model, flavour, images, precision)
    with devices.first_alone(path, f"extraction of {label}"):
        rows = features.read(path, facts, label)
        if rows is None:
            how = (device, workers, precision, label)
            rows = _extract_in_parts(path, facts, model, images, *how)
        if PartialState().is_main_process:
            sweep(path)
            shutil.rmtree(_parts_folder(path), ignore_errors=True)
        return rows


def _extract_in_parts(
    path: Path,
    facts: Mapping[str, Any],
    model: torch.nn.Module,
    images: ImageFiles,
    device: torch.device,
    workers: int,
    precision: str,
    label: str,
) -> np.ndarray:
    """Extract what no complete part holds, join the parts, and remove them."""
    state = PartialState()
    most = PART if device.type == "cpu" else PART_ON_GPU
    parts = _parts(len(images), state.num_processes, most)
    for chosen in parts[state.process_index :: state.num_processes]:
        if features.read(_part(path, chosen), _part_facts(facts, chosen)) is None:
            subset, began = Subset(images, chosen), time.perf_counter()
            rows = extraction.extract(model, subset, device, 64, workers, precision, label)
            seconds = time.perf_counter() - began
            features.save(_part(path, chosen), rows, _part_facts(facts, chosen), seconds)
    state.wait_for_everyone()
    if state.is_main_process:
        found = [
            features.read(_part(path, chosen), _part_facts(facts, chosen), label)
            for chosen in parts
        ]
        seconds = sum(features.seconds_of(_part(path, chosen)) for chosen in parts)
        features.save(path, np.concatenate(found), facts, seconds / state.num_processes)
    state.wait_for_everyone()
    return features.read(path, facts, label)


def _parts(images: int, processes: int, most: int) -> list[range]:
    """Consecutive images that are extracted together: enough parts for all processes."""
    size = max(1, min(most, -(-images // processes)))
    return [range(start, min(start + size, images)) for start in range(0, images, size)]


def _parts_folder(path: Path) -> Path:
    return path.with_name(f".{path.stem}.parts")


def _part(path: Path, chosen: range) -> Path:
    return _parts_folder(path) / f"{chosen.start:07d}.safetensors"


def _part_facts(facts: Mapping[str, Any], chosen: range) -> dict[str, Any]:
    return {**facts, "part": [chosen.start, chosen.stop]}


def facts_of(
    model: torch.nn.Module, flavour: Flavour, images: ImageFiles, precision: str
) -> dict[str, Any]:
    """All that decides the embeddings, as `stamp` compares it: weights, transform, and images.

    Of the images it takes names and sizes in bytes, since reading all of them takes minutes.

    Raises:
        UserError: a path leaves the image folder.
    """
    files = [(path, inside(images.folder, path)) for path in images.paths]
    sizes = [(path, file.stat().st_size if file.is_file() else -1) for path, file in files]
    facts = {
        "weights": digest_of(model),
        "image_size": flavour.image_size,
        "mean": flavour.mean,
        "std": flavour.std,
        "interpolation": flavour.interpolation,
        "fit": flavour.fit,
        "precision": precision,
        "images": stamp.digest(f"{path} {size}" for path, size in sizes),
    }
    return stamp.as_read(facts)


def digest_of(model: torch.nn.Module) -> str:
    """The SHA-256 of a network's weights and their names, 64 hexadecimal digits."""
    weights = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        weights.update(name.encode())
        weights.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return weights.hexdigest()
