"""The camera: light, blur and noise, and the file that it writes."""

import io

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from megalib.drawn.pixels import mix, scaled, smoothstep, soft_noise
from megalib.drawn.places.scenes import INFRARED, noise_sheet
from megalib.drawn.survey import Shot

HARD = 0.18  # how much hard sunlight adds to contrast; what it lifts above 1 is blown out
DAPPLES = (0.84, 1.5)  # light below leaves: between the spots of sun, and in them
DAPPLE = 26.0  # width of such a spot in pixels
SPECK = (0.7, 2.6)  # radius of a speck in water in pixels
SHARP = 0.35  # pixels of spread below which a blur changes nothing
NOISE = 2  # pixels across a grain of the noise
FALL_OFF = 0.62  # share of the flash that is missing in the corners of an infrared picture


def photograph(canvas: np.ndarray, rng: Generator, shot: Shot) -> np.ndarray:
    """Develop a photograph: the light on it, exposure, contrast, vignette, blur, noise.

    Args:
        canvas: What is seen, float32 (height, width, 3), 0 to 1.
        rng: Source of everything that varies.
        shot: Its light ("sun" gives hard contrast and blown whites, "shade" spots of sun below
            leaves, "infrared" a grey picture that a flash lit) and its motion are used.

    Returns:
        The photograph, uint8 (height, width, 3), RGB.
    """
    height, width = canvas.shape[:2]
    light, canvas = shot.light, _snowed(canvas, rng, shot)
    exposure, warmth = rng.uniform(0.83, 1.17), rng.uniform(-0.02, 0.02)
    contrast = rng.uniform(0.92, 1.08)
    dark, grain = rng.uniform(0, 0.16), shot.grain
    if light == "sun":
        contrast += HARD * rng.random()
    elif light == "overcast":
        contrast -= 0.1
    elif light == "shade" and shot.species != "whale_shark":
        canvas = _dappled(canvas, rng)
    elif light == "infrared":
        canvas = cv2.transform(canvas, np.tile(INFRARED, (3, 1)))
        warmth, dark, grain = 0.0, FALL_OFF / 2, grain + 0.01
    gain = np.float32((1 + warmth, 1, 1 - warmth)) * np.float32(exposure * contrast)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    vignette = 1 - np.float32(dark) * (x + y)
    canvas = _unsharp(canvas, rng, shot)
    noise = _noise(rng, (height, width)) * np.float32(grain)
    noise += np.float32(0.45 * (1 - contrast))
    seen = zip(cv2.split(canvas), gain, strict=True)
    planes = [plane * (factor * vignette) + noise for plane, factor in seen]
    return cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 0), alpha=255)


def segmented(canvas: np.ndarray, rng: Generator, mask: np.ndarray, shot: Shot) -> np.ndarray:
    """Develop an animal on pure black; no pixel of it is black, all others are.

    Args:
        canvas: What is seen, float32 (height, width, 3), 0 to 1.
        rng: Source of everything that varies.
        mask: Of the animal, uint8 (height, width).
        shot: As of `photograph`.

    Returns:
        The picture, uint8 (height, width, 3), RGB.
    """
    light, canvas = shot.light, _snowed(canvas, rng, shot)
    gain = np.float32(rng.uniform(0.98, 1.02, 3)) * np.float32(rng.uniform(0.8, 1.25))
    grain, contrast = shot.grain, 1.0
    if light == "sun":
        contrast += HARD * rng.random()
    elif light == "shade":
        canvas = _dappled(canvas, rng)
    elif light == "infrared":
        canvas = cv2.transform(canvas, np.tile(INFRARED, (3, 1)))
        grain, gain = grain + 0.01, gain.mean(keepdims=True).repeat(3)
    canvas = _unsharp(canvas, rng, shot)
    noise = _noise(rng, mask.shape) * np.float32(grain) + np.float32(0.45 * (1 - contrast))
    seen = zip(cv2.split(canvas), gain * np.float32(contrast), strict=True)
    planes = [plane * factor + noise for plane, factor in seen]
    developed = cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 1 / 255), alpha=255)
    return cv2.copyTo(developed, (mask > 0).astype(np.uint8))


def _snowed(canvas: np.ndarray, rng: Generator, shot: Shot) -> np.ndarray:
    """Let specks float in the water between camera and animal, as bright as the light on them."""
    if not shot.snow:
        return canvas
    height, width = canvas.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    spots = rng.uniform((0, 0), (8 * width, 8 * height), (shot.snow, 2)).astype(int).tolist()
    sizes, strengths = rng.uniform(*SPECK, shot.snow), rng.uniform(60, 210, shot.snow)
    for spot, size, strength in zip(spots, sizes, strengths, strict=True):
        cv2.circle(cover, spot, round(8 * size), int(strength), -1, cv2.LINE_AA, 3)
    bright = 0.45 + 0.55 * float(canvas.max())
    return mix(canvas, (0.86 * bright, 0.95 * bright, 0.95 * bright), cover * np.float32(1 / 255))


def _unsharp(canvas: np.ndarray, rng: Generator, shot: Shot) -> np.ndarray:
    """Blur a picture as its focus and the shot's motion do."""
    if shot.soft > SHARP:
        canvas = cv2.GaussianBlur(canvas, (0, 0), shot.soft)
    return _moved(canvas, rng, shot)


def _moved(canvas: np.ndarray, rng: Generator, shot: Shot) -> np.ndarray:
    """Blur a picture along a line as long as the shot's motion, mostly to the side."""
    length, angle = shot.motion, rng.normal(0, 0.35)
    if length < 1:
        return canvas
    half = int(np.ceil(length / 2)) + 1
    step = 8 * length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [np.round(8 * half + sign * step).astype(int).tolist() for sign in (-1, 1)]
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    big = np.zeros((8 * kernel.shape[0],) * 2, np.uint8)
    cv2.line(big, *([c + 4 for c in end] for end in ends), 255, 8)
    kernel = cv2.resize(big, kernel.shape, interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.filter2D(canvas, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def _dappled(canvas: np.ndarray, rng: Generator) -> np.ndarray:
    """Let spots of sun fall through leaves; the sky, brighter than anything below, has none."""
    height, width = canvas.shape[:2]
    half = (height // 2 + 1, width // 2 + 1)
    leaves = soft_noise(rng, half, DAPPLE / 2) + soft_noise(rng, half, 2.5 * DAPPLE)
    low, high = DAPPLES
    spots = cv2.resize(low + (high - low) * smoothstep(0.2, 0.75, leaves), (width, height))
    below = smoothstep(0.9, 0.78, canvas[..., 2])
    return scaled(canvas, 1 + (spots - 1) * below)


def _noise(rng: Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of a picture, as cameras leave it that smooth their own; float32 of that shape."""
    sheet, half = noise_sheet(), [-(-length // NOISE) for length in shape]
    y, x = (int(rng.integers(s - n + 1)) for s, n in zip(sheet.shape, half, strict=True))
    return cv2.resize(sheet[y : y + half[0], x : x + half[1]], shape[::-1])


def encoded(pixels: np.ndarray, extension: str, quality: int) -> bytes:
    """A picture as its file holds it; Pillow itself would not notice a full disk.

    Args:
        pixels: uint8 (height, width, 3), RGB, or (height, width) for a mask.
        extension: ".png" or ".jpg".
        quality: Of a JPEG, 1 to 95.
    """
    data = io.BytesIO()
    if extension == ".png":  # lossless at any level, and the first is by far the fastest
        Image.fromarray(pixels).save(data, "PNG", compress_level=1)
    else:
        Image.fromarray(pixels).save(data, "JPEG", quality=quality)
    return data.getvalue()
