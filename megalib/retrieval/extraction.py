"""Prepared images through a network: a matrix of embeddings, in batches that memory can hold."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from megalib.errors import UserError
from megalib.files import processes
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.models import devices
from megalib.models.tensors import ImageFiles, inference_transform


def extract(
    model: torch.nn.Module,
    images: ImageFiles | Subset,
    device: torch.device,
    batch_size: int = 64,
    workers: int = 0,
    precision: str = "fp32",
    label: str = "features",
) -> np.ndarray:
    """Embed every image.

    Args:
        model: maps images (n, 3, size, size) to embeddings (n, d). It is used in evaluation mode
            on `device`, and comes back on the device it was on with each of its modules in the
            mode it was in, also after an error.
        images: what to embed.
        device: where to compute.
        batch_size: images at a time.
        workers: processes that load images; 0 loads in this one.
        precision: of the products inside the network, "fp32", "bf16" or "fp16".
        label: name of the progress bar.

    Returns:
        float32 array of shape (len(images), d), one row per image in the order of `images`.

    Raises:
        UserError: an embedding is not finite, an image cannot be read, or memory runs out even
            for single images.
    """
    home = next(model.parameters()).device
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    rows = np.full((len(images), model.num_features), np.nan, dtype=np.float32)
    try:
        # Not in inference mode: weights that are moved in it could never be trained again.
        model.to(device)
        with evaluating(model), torch.inference_mode():
            _fill(rows, model, images, device, batch_size, workers, kind, label)
    finally:
        model.to(home)
    unfit = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(unfit):
        raise UserError(
            f"{label}: {len(unfit)} embeddings are not finite, the first is that of "
            f"{_path(images, int(unfit[0]))}; look at the weights, or use precision fp32"
        )
    return rows


def _fill(
    rows: np.ndarray,
    model: torch.nn.Module,
    images: ImageFiles | Subset,
    device: torch.device,
    batch_size: int,
    workers: int,
    kind: torch.dtype | None,
    label: str,
) -> None:
    """Write the embedding of each image into its row, in smaller batches where memory runs out.

    Raises:
        UserError: memory runs out with single images, or a loader process was killed.
    """
    start = 0
    while True:
        rest = Subset(images, range(start, len(images)))
        loader = DataLoader(
            rest,
            batch_size,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            worker_init_fn=processes.end_with_parent,
        )
        try:
            for pixels, _ in tqdm(loader, label, leave=False, mininterval=2, unit="batch"):
                # Convolutions are up to twice as fast on a CPU if the channels lie innermost.
                where = {"device": device, "memory_format": torch.channels_last}
                pixels = pixels.to(non_blocking=True, **where)
                with torch.autocast(device.type, kind, enabled=kind is not None):
                    embeddings = model(pixels)
                rows[start : start + len(pixels)] = embeddings.float().cpu().numpy()
                start += len(pixels)
            return
        except UserError as error:  # a loader process puts its traceback into the message
            raise UserError(str(error).strip().splitlines()[-1].split("UserError: ")[-1]) from error
        except (RuntimeError, MemoryError) as error:
            if devices.is_about_loaders(error):
                raise UserError(f"{label}: {devices.LOADER_LOST}") from error
            if not devices.is_about_memory(error):
                raise
            if batch_size == 1:
                raise UserError(
                    f"{label}: too little memory for a single image: take a smaller flavour"
                ) from error
        batch_size //= 2
        print(f"{label}: too little memory, going on with batches of {batch_size} images")
        if device.type == "cuda":
            torch.cuda.empty_cache()


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards each module is in the mode it was in, frozen ones too."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _path(images: ImageFiles | Subset, index: int) -> str:
    """Which image a row belongs to."""
    if isinstance(images, Subset):
        return _path(images.dataset, images.indices[index])
    return str(images.paths[index])


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
    return extract(model, images, device, workers=workers, precision=precision, label=dataset)
