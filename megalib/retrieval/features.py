"""From images to a matrix of embeddings, and the file that keeps it."""

import hashlib
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from megalib.errors import UserError
from megalib.files import processes
from megalib.files.places import inside, shown
from megalib.files.writing import sweep, whole_file
from megalib.flavours import Flavour
from megalib.models import devices
from megalib.models.tensors import ImageFiles

PART, PART_ON_GPU = 512, 8192  # images after which an unfinished extraction is kept


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
                pixels = pixels.to(device, non_blocking=True)
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

    Weights, transform, precision and the list of images with their sizes make a key that the file
    carries, so two networks never share features. An extraction that was stopped goes on after
    its last complete part. Several processes of accelerate divide the parts among them.

    Args:
        path: of the file; parts lie beside it.
        model: see `extract`.
        flavour: says how images are transformed.
        images: what to embed.
        device: where to compute.
        workers: processes that load images.
        precision: see `extract`.
        label: name of the progress bar and of messages.

    Returns:
        float32 array of shape (len(images), d).

    Raises:
        UserError: as `extract`; a path leaves the image folder; or a file cannot be written.
    """
    key = key_of(model, flavour, images, precision)
    with devices.first_alone(path, f"extraction of {label}"):
        rows = read(path, key, label)
        if rows is None:
            how = (device, workers, precision, label)
            rows = _extract_in_parts(path, key, model, images, *how)
        if PartialState().is_main_process:
            sweep(path)
            shutil.rmtree(_parts_folder(path), ignore_errors=True)
        return rows


def _extract_in_parts(
    path: Path,
    key: str,
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
    for number, chosen in enumerate(parts):
        if number % state.num_processes == state.process_index and not _is_there(path, key, chosen):
            subset, began = Subset(images, chosen), time.perf_counter()
            rows = extract(model, subset, device, 64, workers, precision, label)
            seconds = time.perf_counter() - began
            save(_part(path, chosen), rows, _part_key(key, chosen), seconds)
    state.wait_for_everyone()
    if state.is_main_process:
        found = [read(_part(path, chosen), _part_key(key, chosen), label) for chosen in parts]
        seconds = sum(_seconds(_part(path, chosen)) for chosen in parts) / state.num_processes
        save(path, np.concatenate(found), key, seconds)
    state.wait_for_everyone()
    return read(path, key, label)


def _parts(images: int, processes: int, most: int) -> list[range]:
    """Consecutive images that are extracted together: enough parts for all processes."""
    size = max(1, min(most, -(-images // processes)))
    return [range(start, min(start + size, images)) for start in range(0, images, size)]


def _parts_folder(path: Path) -> Path:
    return path.with_name(f".{path.stem}.parts")


def _part(path: Path, chosen: range) -> Path:
    return _parts_folder(path) / f"{chosen.start:07d}.safetensors"


def _part_key(key: str, chosen: range) -> str:
    return f"{key} {chosen.start}-{chosen.stop}"


def _is_there(path: Path, key: str, chosen: range) -> bool:
    part = _part(path, chosen)
    return part.is_file() and read(part, _part_key(key, chosen)) is not None


def key_of(model: torch.nn.Module, flavour: Flavour, images: ImageFiles, precision: str) -> str:
    """A digest of all that decides the embeddings: weights, transform, precision and images.

    Of the images it takes names and sizes in bytes, since reading all of them takes minutes.

    Raises:
        UserError: a path leaves the image folder.
    """
    total = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    total.update(
        f"{flavour.image_size} {flavour.mean} {flavour.std} {flavour.interpolation} "
        f"{flavour.fit} {precision}".encode()
    )
    for path in images.paths:
        file = inside(images.folder, path)
        size = file.stat().st_size if file.is_file() else -1
        total.update(f"{path} {size}\n".encode())
    return total.hexdigest()


def save(path: Path, features: np.ndarray, key: str, seconds: float = math.nan) -> None:
    """Write an embedding matrix, float32 (n, d), as safetensors.

    Args:
        path: of the file.
        features: the matrix.
        key: of `key_of`.
        seconds: that the extraction took.
    """
    with whole_file(path) as temporary:
        facts = {"key": key, "seconds": str(seconds)}
        save_file({"features": torch.from_numpy(features)}, temporary, facts)


def _seconds(path: Path) -> float:
    with safe_open(path, "pt") as file:
        return float((file.metadata() or {}).get("seconds", math.nan))


def images_per_second(path: Path, images: int) -> float:
    """How fast a file of features was extracted, reading of images included; NaN if untold.

    Args:
        path: of a file that `cached` wrote.
        images: in it.
    """
    return images / _seconds(path)


def read(path: Path, key: str | None = None, label: str = "features") -> np.ndarray | None:
    """Read an embedding matrix, float32 (n, d).

    Args:
        path: of the file.
        key: what the file must hold; None takes whatever it holds.
        label: for the message.

    Returns:
        The matrix, or None (and a line that says why) where the file is missing, damaged, or of
        another network, transform or list of images.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            if key is None or (file.metadata() or {}).get("key") == key:
                # A copy: the tensor itself would vanish with the file that it is mapped from.
                return file.get_tensor("features").clone().numpy()
    except SafetensorError:
        print(f"{label}: {shown(path)} is damaged, its features are extracted again")
        return None
    other = "other weights, images, transform or precision"
    print(f"{label}: {shown(path)} is of {other}, its features are extracted again")
    return None
