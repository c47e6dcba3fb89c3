"""What a mask of the animal says of an image, of a similarity, and of its background."""

import numpy as np
import torch
from PIL import Image


def animal_share(shares: np.ndarray, mask: np.ndarray) -> float:
    """The share of a similarity that comes from the animal.

    Σ over places of (part of the place that the animal covers · share of the place) / Σ over places
    of (share of the place). The second sum is the similarity times the number of places. Where all
    places add alike, it is the part of the image that the animal covers. Places may take from the
    similarity, so that it may exceed 1 or be negative.

    A place of the network's last stage has seen its surroundings too: this says where the features
    are that make two images similar, not what they were made of. `swap_background` asks that.

    Args:
        shares: of `SimilarityMap`, of one of its images, float32 (h, w).
        mask: how much of each pixel is the animal, float32 (H, W) in [0, 1], of the same image, at
            any size; the mean over the pixels of a place is the part of it that is covered.

    Returns:
        A number; NaN where the similarity is not above 0, and has no parts.
    """
    covered = on_grid(mask, shares.shape)
    total = float(shares.sum(dtype=np.float64))
    return float((covered * shares).sum(dtype=np.float64)) / total if total > 0 else float("nan")


def on_grid(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The part of each place of a grid that a mask covers, float32 `shape`.

    The image is squeezed to a square before, and so is its mask: a place is a rectangle of pixels.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))
    return torch.nn.functional.adaptive_avg_pool2d(pixels[None, None], shape)[0, 0].numpy()


def swap_background(
    image: Image.Image, mask: np.ndarray, other: Image.Image, other_mask: np.ndarray
) -> Image.Image:
    """An animal in front of the background of another image.

    Where the other image shows its own animal, the mean colour of its background stands instead.

    Args:
        image: that shows the animal.
        mask: how much of each of its pixels is the animal, float32 (H, W) in [0, 1].
        other: the image with the other background; it is resized to the first one's size.
        other_mask: where that one shows its animal, as `mask`, of its own size.
    """
    size = image.size
    there = np.asarray(other.resize(size), dtype=np.float32)
    hidden = _resized(other_mask, size) > 0
    if hidden.any() and not hidden.all():
        there = np.where(hidden[..., None], there[~hidden].mean(axis=0), there)
    share = _resized(mask, size)[..., None]
    mixed = share * np.asarray(image, dtype=np.float32) + (1 - share) * there
    return Image.fromarray(mixed.round().astype(np.uint8))


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(np.asarray(mask, dtype=np.float32)).resize(size))
