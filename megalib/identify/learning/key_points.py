"""Key points of photographs, by SIFT, and which of them two photographs share.

They are searched in the prepared images. What is found of a photograph is kept: where photographs
are added, only these cost time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from megalib import stamp
from megalib.data.images import load
from megalib.files.places import inside
from megalib.files.writing import sweep, whole_file
from megalib.identify.photographs import Photographs
from megalib.retrieval import sift

SHORTER = 256  # pixels of the shorter side in which points are searched; larger images are shrunk
KEYPOINTS = 150  # of a photograph, at most
RATIO = 0.65  # of the ratio test, see `sift.correspondences`
HOW = f"{SHORTER} {KEYPOINTS} {RATIO}"  # what decides what is shared, beside the images


@dataclass(frozen=True)
class Points:
    """Key points of an image.

    `places` are x and y in its pixels, float32 (k, 2), `descriptors` uint8 (k, 128).
    """

    places: np.ndarray
    descriptors: np.ndarray

    @property
    def tensor(self) -> torch.Tensor:
        """The descriptors as float32."""
        return torch.from_numpy(self.descriptors).float()


def of(photographs: Photographs, number: int) -> Points:
    """The key points of a photograph, as they are kept or else searched.

    Raises:
        UserError: its image cannot be read, or what was found cannot be written.
    """
    return _of_file(file_of(photographs, number), photographs)


def file_of(photographs: Photographs, number: int) -> Path:
    """The prepared image of a photograph."""
    return inside(photographs.folder, photographs.metadata["path"].iloc[number])


def _of_file(file: Path, photographs: Photographs) -> Points:
    kept = None
    if photographs.kept is not None:
        name = stamp.digest([file.relative_to(photographs.folder).as_posix()])
        kept = photographs.kept / f"{name}.safetensors"
    return _points_of(file, kept, state(file))


def sweep_kept(photographs: Photographs) -> None:
    """Remove what killed processes left of files that they were writing."""
    if photographs.kept is not None:
        for leftover in photographs.kept.glob(".*.part*"):
            sweep(leftover.with_name(leftover.name[1:].rpartition(".part")[0]))


@lru_cache(maxsize=8192)  # 220 MB
def _points_of(file: Path, kept: Path | None, state: str) -> Points:
    """The key points of an image, as they are kept or else searched.

    Raises:
        UserError: the image cannot be read, or what was found cannot be written.
    """
    if kept is not None and kept.is_file():
        try:
            with safe_open(kept, "numpy") as found:
                if found.metadata() == {"of": state}:
                    return Points(found.get_tensor("places"), found.get_tensor("descriptors"))
        except SafetensorError:
            pass  # damaged: it is made anew
    points = _searched(load(file))
    if kept is not None:
        with whole_file(kept) as temporary:
            save_file(vars(points), temporary, {"of": state})
    return points


def _searched(image: Image.Image) -> Points:
    grey = image.convert("L")
    scale = min(1, SHORTER / min(grey.size))
    if scale < 1:
        grey = grey.resize([max(1, round(side * scale)) for side in grey.size])
    places, descriptors = sift.detect(np.asarray(grey), KEYPOINTS)
    scales = np.divide(image.size, grey.size, dtype=np.float32)
    return Points(places * scales, descriptors.astype(np.uint8))


def state(file: Path) -> str:
    """What decides the points of an image: how they are searched, and the file.

    Of that it takes the size in bytes, as `caching.facts_of` does, since reading all takes minutes.
    """
    try:
        return f"{HOW} {file.stat().st_size}"
    except OSError:
        return f"{HOW} missing"  # reading it tells so


def between_images(
    new: Photographs, known: Photographs
) -> Callable[[Path, Path], list[tuple[float, float, float, float]]]:
    """A function that gives the points which a new and a known prepared image share.

    Args:
        new: the new photographs.
        known: those of known individuals.

    Returns:
        A function of two files, below `new.folder` and `known.folder`. Of each point it gives x and
        y in the first and x and y in the second, in pixels, the clearest first. It raises a
        `UserError` where an image cannot be read.
    """

    def between(first: Path, second: Path) -> list[tuple[float, float, float, float]]:
        one, other = _of_file(first, new), _of_file(second, known)
        pairs = sift.corresponding(one.tensor, other.tensor, RATIO)
        lines = np.hstack([one.places[pairs[:, 0]], other.places[pairs[:, 1]]])
        return [tuple(line) for line in lines.tolist()]

    return between
