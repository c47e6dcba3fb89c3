"""Sheets: the paper on which a coat is painted, one for each part of an animal.

A sheet is uint8 (height, width, 4), RGB and opacity, and float32 (height, width, 3) until it is
finished. Lengths are its pixels.
"""

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.coats import Traits
from megalib.drawn.animals.shapes import Point, spline
from megalib.drawn.pixels import Colour, mix, scaled, smoothstep

Sheets = dict[str, np.ndarray]


def points(*numbers: float) -> np.ndarray:
    """Points from their coordinates x, y, x, y, …; float (n, 2)."""
    return np.array(numbers, float).reshape(-1, 2)


def grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The x and the y of each pixel; two float32 (height, width)."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def dab(
    sheet: np.ndarray,
    centre: Point,
    axes: Point,
    colour: Colour,
    soft: float = 0.25,
    angle: float = 0.0,
    strength: float = 1.0,
) -> None:
    """Paint a soft ellipse onto a sheet, in place; `soft` is the share of its rim that fades."""
    reach = int(max(axes) * (1 + soft)) + 2
    x0, y0 = max(int(centre[0]) - reach, 0), max(int(centre[1]) - reach, 0)
    part = sheet[y0 : int(centre[1]) + reach, x0 : int(centre[0]) + reach]
    x, y = grid(part.shape[1], part.shape[0])
    dx, dy = x + x0 - centre[0], y + y0 - centre[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    radius = np.hypot((cosine * dx + sine * dy) / axes[0], (cosine * dy - sine * dx) / axes[1])
    part[:] = mix(part.copy(), colour, strength * smoothstep(1 + soft, 1 - soft, radius))


def line(sheet: np.ndarray, points: np.ndarray, width: int, colour: Colour) -> None:
    """Paint a smooth open line onto a sheet, in place."""
    curve = spline(np.vstack([points, points[-2:0:-1]]))[: 8 * (len(points) - 1) + 1]
    fixed = np.round(curve * 16).astype(np.int32)
    cv2.polylines(sheet, [fixed], False, colour, width, cv2.LINE_AA, 4)


def eye(sheet: np.ndarray, at: Point, size: float, iris: Colour) -> None:
    """Paint an eye with a highlight, in place."""
    x, y = at
    dab(sheet, at, (1.5 * size, 1.2 * size), (0.08, 0.06, 0.05), 0.15, 0.3)
    dab(sheet, at, (0.95 * size, 0.9 * size), iris, 0.1)
    dab(sheet, at, (0.55 * size, 0.6 * size), (0.02, 0.02, 0.02), 0.1)
    dab(sheet, (x + 0.3 * size, y - 0.35 * size), (0.3 * size, 0.26 * size), (1, 1, 1), 0.2)


def finish(
    rng: Generator, rgb: np.ndarray, own: Traits, opacity: np.ndarray | None = None
) -> np.ndarray:
    """Add the tint and a fine grain of fur or skin, and the opacity; uint8 (h, w, 4)."""
    height, width = rgb.shape[:2]
    grain = rng.standard_normal((height // 2 + 1, width // 6 + 1)).astype(np.float32)
    grain = cv2.resize(grain, (width, height)) * 0.035
    tinted = cv2.multiply(scaled(rgb, 1 + grain), (*own.tint, 1.0))
    alpha = np.ones((height, width), np.float32) if opacity is None else opacity
    return cv2.convertScaleAbs(cv2.merge([*cv2.split(tinted), np.float32(alpha)]), alpha=255)
