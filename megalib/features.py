"""From images to a matrix of embeddings, and the file that keeps it."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from tqdm import tqdm

from megalib.files import whole_file
from megalib.images import ImageFiles


@torch.inference_mode()
def extract(
    model: torch.nn.Module,
    images: ImageFiles,
    device: torch.device,
    batch_size: int = 64,
    workers: int = 0,
    label: str = "features",
) -> np.ndarray:
    """Embed every image.

    Args:
        model: maps images (n, 3, size, size) to embeddings (n, d); it is used in evaluation
            mode on `device` and comes back in the mode it was in.
        images: what to embed.
        device: where to compute.
        batch_size: images at a time.
        workers: processes that load images; 0 loads in this one.
        label: name of the progress bar.

    Returns:
        float32 array of shape (len(images), d), one row per image in the order of `images`.
    """
    was_training = model.training
    model.to(device).eval()
    rows = np.full((len(images), model.num_features), np.nan, dtype=np.float32)
    loader = DataLoader(images, batch_size, num_workers=workers)
    start = 0
    for pixels, _ in tqdm(loader, label, leave=False, unit="batch"):
        rows[start : start + len(pixels)] = model(pixels.to(device)).float().cpu().numpy()
        start += len(pixels)
    model.train(was_training)
    if np.isnan(rows).any():
        raise RuntimeError(f"{label}: {int(np.isnan(rows).any(axis=1).sum())} rows are not finite")
    return rows


def save(path: Path, features: np.ndarray) -> None:
    """Write an embedding matrix, float32 (n, d), as safetensors."""
    with whole_file(path) as temporary:
        save_file({"features": torch.from_numpy(features)}, temporary)


def read(path: Path) -> np.ndarray:
    """Read an embedding matrix, float32 (n, d)."""
    return load_file(path)["features"].numpy()
