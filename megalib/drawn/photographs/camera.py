"""The camera: exposure, blur and noise, and the file that it writes."""

import io

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from megalib.drawn.places.scenes import noise_sheet

JPEG_QUALITY = 90


def photograph(canvas: np.ndarray, rng: Generator) -> np.ndarray:
    """Develop a photograph: exposure, colour temperature, contrast, vignette, blur, noise.

    Args:
        canvas: What is seen, float32 (height, width, 3), 0 to 1.
        rng: Source of everything that varies.

    Returns:
        The photograph, uint8 (height, width, 3), RGB.
    """
    height, width = canvas.shape[:2]
    exposure, warmth = rng.uniform(0.83, 1.17), rng.uniform(-0.02, 0.02)
    contrast = rng.uniform(0.92, 1.08)
    gain = np.float32((1 + warmth, 1, 1 - warmth)) * np.float32(exposure * contrast)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    vignette = 1 - np.float32(rng.uniform(0, 0.16)) * (x + y)
    blur = rng.uniform(0, 0.9)
    if blur > 0.35:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    noise = _noise(rng, (height, width)) * np.float32(rng.uniform(0.004, 0.03))
    noise += np.float32(0.45 * (1 - contrast))
    seen = zip(cv2.split(canvas), gain, strict=True)
    planes = [plane * (factor * vignette) + noise for plane, factor in seen]
    return cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 0), alpha=255)


def segmented(canvas: np.ndarray, rng: Generator, mask: np.ndarray) -> np.ndarray:
    """Develop an animal on pure black: noise inside the mask only, no pixel of it black."""
    gain = np.float32(rng.uniform(0.98, 1.02, 3)) * np.float32(rng.uniform(0.8, 1.25))
    noise = _noise(rng, mask.shape) * np.float32(rng.uniform(0.004, 0.02))
    planes = [plane * g + noise for plane, g in zip(cv2.split(canvas), gain, strict=True)]
    developed = cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 1 / 255), alpha=255)
    return cv2.copyTo(developed, (mask > 0).astype(np.uint8))


def _noise(rng: Generator, shape: tuple[int, int]) -> np.ndarray:
    sheet = noise_sheet()
    y, x = (int(rng.integers(s - n + 1)) for s, n in zip(sheet.shape, shape, strict=True))
    return sheet[y : y + shape[0], x : x + shape[1]]


def encoded(pixels: np.ndarray, extension: str) -> bytes:
    """A picture as its file holds it; Pillow itself would not notice a full disk."""
    data = io.BytesIO()
    if extension == ".png":  # lossless at any level, and the first is by far the fastest
        Image.fromarray(pixels).save(data, "PNG", compress_level=1)
    else:
        Image.fromarray(pixels).save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()
