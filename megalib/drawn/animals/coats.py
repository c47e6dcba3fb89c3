"""Coat patterns: the drawn animals' identity.

A pattern is made once as a small periodic tile and then looked up through a map of the body, so
that scale, stretch and angle of the same tile can be an individual's own. Two kinds of tile do
for four species: `stripe_tile` (oriented noise) and `cell_tile` (a cellular texture).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from scipy.spatial import cKDTree

TILE = 256  # pixels along a tile's side
CELLS = 16  # stripes or cells along a tile's side
# Steps of an additive recurrence that fills a seven-dimensional cube evenly: powers of the inverse
# of the root of x**8 = x + 1 (M. Roberts, 2018, "The unreasonable effectiveness of quasirandom
# sequences"). Individual i's traits do not depend on how many others there are.
_RECURRENCE = 1.0969815577985598 ** -np.arange(1.0, 8.0)


@dataclass(frozen=True)
class Traits:
    """What is individual in a coat beside its layout."""

    scale: float  # size of the pattern's elements relative to the species' mean, 0.55 to 1.6
    stretch: float  # ratio of an element's length to its width, 1 to 2.8
    angle: float  # tilt of the pattern in radians, -0.8 to 0.8
    density: float  # share of the dark (or marked) part, -1 (sparse) to 1 (dense)
    tone: float  # ground colour of the coat, 0 (pale) to 1 (rich)
    tint: tuple[float, float, float]  # RGB factors within 12 % of 1


def traits(seed: int, species: int, individual: int) -> Traits:
    """Return the traits of an individual; they are spread evenly over a species."""
    offset = np.random.default_rng([seed, species]).random(7)
    u = (offset + (individual + 1) * _RECURRENCE) % 1.0
    warmth, green = float(0.12 * (2 * u[4] - 1)), float(0.06 * (2 * u[6] - 1))
    return Traits(
        scale=float(0.55 * (1.6 / 0.55) ** u[0]),
        stretch=float(2.8 ** u[1]),
        angle=float(1.6 * u[2] - 0.8),
        density=float(2 * u[3] - 1),
        tone=float(u[5]),
        tint=(1 + warmth, 1 + green, 1 - warmth),
    )


def stripe_tile(rng: Generator) -> np.ndarray:
    """Make a periodic tile of stripes that run vertically and fork here and there.

    White noise keeps only frequencies near one wave vector; the phase of the complex result is a
    wave of constant contrast whose dislocations are the forks.

    Returns:
        float32 of shape (TILE, TILE), -1 to 1.
    """
    frequency = np.fft.fftfreq(TILE, 1 / TILE)
    fx, fy = np.meshgrid(frequency, frequency)
    band = np.exp(-(((fx - CELLS) / 3.0) ** 2) - (fy / 2.6) ** 2)
    noise = rng.standard_normal((TILE, TILE))
    return np.cos(np.angle(np.fft.ifft2(np.fft.fft2(noise) * band))).astype(np.float32)


def cell_tile(rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a periodic cellular tile (S. Worley, 1996, "A cellular texture basis function").

    Returns:
        The distance to the nearest cell centre and to the second nearest, in cells, float32, and a
        number of the nearest cell, float32 in [0, 1); each of shape (TILE, TILE).
    """
    # A jittered hexagonal lattice: even enough for a coat, uneven enough to be recognised.
    row, column = np.mgrid[0:CELLS, 0:CELLS].astype(float)
    centres = np.stack([column + 0.5 * (row % 2), row], axis=-1).reshape(-1, 2)
    centres = (centres + rng.uniform(-0.34, 0.34, centres.shape)) % CELLS
    pixel = (np.arange(TILE) + 0.5) * CELLS / TILE
    queries = np.stack(np.meshgrid(pixel, pixel), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(centres, boxsize=CELLS).query(queries, k=2)
    distance = distance.reshape(TILE, TILE, 2).astype(np.float32)
    number = rng.random(len(centres), dtype=np.float32)[nearest[:, 0]].reshape(TILE, TILE)
    return distance[..., 0].copy(), distance[..., 1].copy(), number


def look_up(tile: np.ndarray, u: np.ndarray, v: np.ndarray, smooth: bool = True) -> np.ndarray:
    """Read a periodic tile at `u`, `v`, given in cells; float32 of the shape of `u`."""
    step = TILE / CELLS
    mode = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    x, y = (np.asarray(c * step - 0.5, np.float32) for c in (u, v))
    return cv2.remap(tile, x, y, mode, borderMode=cv2.BORDER_WRAP)


def pattern_space(
    x: np.ndarray, y: np.ndarray, cell: float, own: Traits, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Turn body coordinates in pixels into tile coordinates in cells.

    Args:
        x: Body coordinate along the pattern's main direction, in pixels, any shape.
        y: Body coordinate across it, same shape.
        cell: Mean size of a cell in pixels.
        own: The individual's traits; scale, stretch and angle are used.
        strength: Share of the stretch and angle that is applied, 0 to 1.
    """
    angle, stretch = own.angle * strength, own.stretch ** (0.5 * strength)
    cosine, sine = np.cos(angle), np.sin(angle)
    size = cell * own.scale
    return (cosine * x + sine * y) / (size * stretch), (cosine * y - sine * x) * stretch / size
