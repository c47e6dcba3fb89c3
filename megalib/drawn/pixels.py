"""Pixels: blending colours and pictures, float32 (height, width, 3), 0 to 1; smooth noise."""

import cv2
import numpy as np
from numpy.random import Generator

Colour = tuple[float, float, float]  # RGB, 0 to 1


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at `low` to 1 at `high` (either may be the larger)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def soft_noise(rng: Generator, shape: tuple[int, int], size: float) -> np.ndarray:
    """Make smooth noise of about unit range (-1 to 1), float32, blobs about `size` pixels wide."""
    coarse = (max(2, int(shape[0] / size) + 2), max(2, int(shape[1] / size) + 2))
    small = rng.uniform(-1, 1, coarse).astype(np.float32)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def flood(shape: tuple[int, ...], colour: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """Make a picture of one RGB colour; float32 (height, width, 3)."""
    return cv2.merge([np.full(shape[:2], c, np.float32) for c in colour])


def mix(
    base: np.ndarray, other: tuple[float, ...] | np.ndarray, share: np.ndarray | float
) -> np.ndarray:
    """Blend a colour or a picture into another.

    Args:
        base: float32 (height, width, 3).
        other: An RGB colour, or a picture like `base`.
        share: Weight of `other`, 0 to 1, one or one per pixel.

    Returns:
        A new picture like `base`.
    """
    if np.ndim(other) == 1 and np.ndim(share) == 0:
        return cv2.add(base * np.float32(1 - share), (*(share * c for c in other), 0.0))
    if np.ndim(other) == 1:
        other = flood(base.shape, other)
    weight = np.broadcast_to(np.asarray(share, np.float32), base.shape[:2])
    weight = np.ascontiguousarray(weight)
    return cv2.blendLinear(base, other, 1 - weight, weight)


def scaled(picture: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiply a float32 picture (height, width, 3) by a factor per pixel (height, width)."""
    return picture * cv2.merge([np.asarray(factor, np.float32)] * 3)
