"""Open water: shafts of light, fish far off, for whale sharks."""

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Light, Size
from megalib.drawn.pixels import Colour, flood, mix, scaled, soft_noise
from megalib.drawn.places.scenes import Scene, as_bytes, gradient, softened

# Open water from the surface down, and the light in it.
WATERS = (
    ((0.42, 0.78, 0.90), (0.04, 0.30, 0.55), (0.62, 0.74, 0.76), (0.42, 0.54, 0.62)),
    ((0.50, 0.82, 0.80), (0.06, 0.38, 0.46), (0.62, 0.74, 0.66), (0.42, 0.56, 0.56)),
    ((0.22, 0.52, 0.78), (0.02, 0.13, 0.34), (0.48, 0.60, 0.70), (0.36, 0.47, 0.60)),
    ((0.48, 0.66, 0.56), (0.12, 0.31, 0.32), (0.58, 0.66, 0.54), (0.42, 0.51, 0.47)),
)
# What makes days differ: strength of the light, murk of the water, cast per channel.
DAYLIGHT, MURK, CAST = (0.95, 1.2), (0.0, 0.15), (0.8, 1.2)


def sea(rng: Generator, day: Generator, size: Size) -> Scene:
    """Draw open water: shafts of light, fish far off, sometimes the sea floor, bubbles, plankton.

    Pictures of one day share the water and its murk, the light, and whether the floor is seen.

    Args:
        rng: Source of what varies from picture to picture.
        day: Source of what varies from day to day; a fresh one for each picture.
        size: Of the picture.
    """
    width, height = size
    top, deep, sun, ambient = _water(day)
    direction = (float(day.uniform(-0.45, 0.45)), -0.78, 0.45)
    strength, murk = day.uniform(*DAYLIGHT), day.uniform(*MURK)
    middle = top * day.uniform(0.35, 0.6) + deep * 0.5
    floor_is_seen = day.random() < 0.35
    water = gradient((height, width), tuple(top), tuple(middle))
    water = mix(water, tuple(deep), np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.5)
    water = scaled(water, 1 + 0.05 * soft_noise(rng, (height, width), 120))
    water += scaled(flood(water.shape, (0.8, 1.0, 0.95)), _shafts(rng, size))
    canvas = cv2.convertScaleAbs(np.maximum(water, 0), alpha=255)
    if floor_is_seen:
        _sea_floor(canvas, rng, tuple(deep))
    if rng.random() < 0.5:
        _school(canvas, rng, tuple(deep))
    for _ in range(int(rng.integers(20, 90))):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        speck = canvas[spot[1], spot[0]] * 0.75 + 60.0
        cv2.circle(canvas, spot, int(rng.integers(1, 3)), speck.tolist(), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 14))):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        size_px = int(rng.integers(3, 10))
        ring = np.minimum(canvas[spot[1], spot[0]] * 0.6 + 105.0, 255)
        cv2.circle(canvas, spot, size_px, ring.tolist(), 1, cv2.LINE_AA)
        glint = (spot[0] - size_px // 3, spot[1] - size_px // 3)
        cv2.circle(canvas, glint, max(1, size_px // 4), (240, 250, 250), -1, cv2.LINE_AA)
    light = Light(direction, softened(tuple(sun), strength), softened(tuple(ambient), strength))
    return Scene(canvas, light, tuple(float(c) for c in middle), None, murk=murk)


def _water(day: Generator) -> np.ndarray:
    """Mix the water of a day: colours at the surface and below, sun, ambient; float (4, 3)."""
    first, second = day.choice(len(WATERS), 2, replace=False)
    share = day.random()
    mixed = share * np.array(WATERS[first]) + (1 - share) * np.array(WATERS[second])
    return np.clip(mixed * day.uniform(*CAST, 3), 0, 1)


def _shafts(rng: Generator, size: Size) -> np.ndarray:
    """Draw shafts of sunlight; float32 (height, width), 0 to about 0.3."""
    width, height = size
    small = np.zeros((height // 4, width // 4), np.float32)
    source = rng.uniform(-0.2, 1.2) * width / 4
    for _ in range(int(rng.integers(3, 10))):
        near = source + rng.uniform(-0.25, 0.25) * width / 4
        far = source + rng.uniform(-1, 1) * width / 3
        spread = rng.uniform(2, 9)
        shaft = [[near, -5], [near + spread, -5], [far + 4 * spread, height / 4], [far, height / 4]]
        layer = np.zeros_like(small)
        cv2.fillPoly(layer, [np.array(shaft).astype(np.int32)], float(rng.uniform(0.05, 0.22)))
        small += layer
    small *= np.linspace(1, 0, height // 4, dtype=np.float32)[:, None]
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), size)


def _sea_floor(canvas: np.ndarray, rng: Generator, deep: Colour) -> None:
    height, width = canvas.shape[:2]
    start = int(height * rng.uniform(0.78, 0.92))
    ridge = start + 14 * soft_noise(rng, (2, width), 160)[0]
    ridge = ridge + 4 * soft_noise(rng, (2, width), 30)[0]
    floor = np.float32(deep) * 0.55 + np.float32((0.62, 0.66, 0.52)) * rng.uniform(0.2, 0.45)
    outline = np.column_stack([np.arange(width), ridge])
    outline = np.vstack([outline, [[width, height], [0, height]]]).astype(np.int32)
    cv2.fillPoly(canvas, [outline], as_bytes(floor), cv2.LINE_AA)
    for _ in range(int(rng.integers(4, 14))):
        x, size = rng.uniform(0, width), rng.uniform(8, 34)
        coral = floor * rng.uniform(0.55, 1.25)
        for _ in range(5):
            spot = (int(x + rng.uniform(-1, 1) * size), int(height - rng.uniform(0, 1.2) * size))
            colour = as_bytes(coral * rng.uniform(0.85, 1.1))
            cv2.circle(canvas, spot, int(0.4 * size) + 1, colour, -1, cv2.LINE_AA)


def _school(canvas: np.ndarray, rng: Generator, deep: Colour) -> None:
    height, width = canvas.shape[:2]
    centre, heading = rng.uniform(0.1, 0.9, 2) * (width, height), rng.uniform(-0.3, 0.3)
    facing = rng.choice([-1, 1])
    fish = np.array([(9, 0), (3, -3.2), (-5, -0.8), (-9, -3.4), (-9, 3.4), (-5, 0.8), (3, 3.2)])
    for _ in range(int(rng.integers(8, 40))):
        tilt, size = heading + rng.normal(0, 0.1), rng.uniform(0.6, 1.4)
        turned = fish @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        spot = centre + rng.normal(0, 1, 2) * (0.14 * width, 0.09 * height)
        outline = np.round((turned * [facing * size, size] + spot) * 16).astype(np.int32)
        colour = np.float32(deep) * rng.uniform(0.7, 1.1) + 0.08
        cv2.fillPoly(canvas, [outline], as_bytes(colour), cv2.LINE_AA, 4)
