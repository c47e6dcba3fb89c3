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

from megalib.drawn.pixels import soft_noise

TILE = 256  # pixels along a tile's side
CELLS = 16  # stripes or cells along a tile's side
MIDDLE = (330.0, 240.0)  # of a body, about, in pixels of its sheets
FAMILY_SHARE = 0.3  # of the noise in a pattern that members of a family have in common
# Mean and largest deviation of each trait. Most of a deviation belongs to one side of the animal
# alone, so that the other flank does not give it away; colours deviate little, so that a mean
# colour does not either.
SCALE = (1.4, 0.65)
STRETCH = (1.5, 0.5)
ANGLE = (0.0, 0.7)
DENSITY = (0.0, 0.5)
TONE = (0.42, 0.35)
TINT = (1.0, 0.05)
UNEVEN = (1.5, 170.0)  # how far the density varies over a coat, and over how many pixels of a sheet
DENSEST = 1.6  # a coat becomes no denser, and no sparser, than this
# What of a deviation is the family's, the animal's, and that of one of its sides.
SOURCES = (0.15, 0.1, 0.75)
_TRAITS = 11  # a word that tells the generators of traits from those of all else


@dataclass(frozen=True)
class Traits:
    """How the pattern of one side of an animal looks, apart from its layout."""

    scale: float  # size of the pattern's elements relative to the species' mean, about 1
    stretch: float  # ratio of an element's length to its width, 1 or more
    angle: float  # tilt of the pattern in radians
    density: float  # share of the dark (or marked) part, -1 (sparse) to 1 (dense)
    tone: float  # ground colour of the coat, 0 (pale) to 1 (rich)
    tint: tuple[float, float, float]  # RGB factors near 1


def traits(seed: int, species: int, family: int, individual: int, side: int) -> Traits:
    """Return the traits of one side of an individual, near those of its species.

    Args:
        seed: Of the whole data set.
        species: Number of the species.
        family: Number of the family, whose members deviate into similar directions.
        individual: Number of the animal.
        side: 0 right, 1 left.
    """
    words = ([0, family], [1, individual], [2, individual, side])
    drawn = [
        np.random.default_rng([seed, _TRAITS, species, *word]).uniform(-1, 1, 7) for word in words
    ]
    away = np.array(SOURCES) @ np.array(drawn)
    warmth, green = TINT[1] * float(away[5]), TINT[1] * float(away[6]) / 2
    return Traits(
        scale=float(SCALE[0] * np.exp(SCALE[1] * away[0])),
        stretch=float(STRETCH[0] * np.exp(STRETCH[1] * away[1])),
        angle=float(ANGLE[0] + ANGLE[1] * away[2]),
        density=float(DENSITY[0] + DENSITY[1] * away[3]),
        tone=float(TONE[0] + TONE[1] * away[4]),
        tint=(TINT[0] + warmth, TINT[0] + green, TINT[0] - warmth),
    )


def stripe_tile(rng: Generator, kin: Generator) -> np.ndarray:
    """Make a periodic tile of stripes that run vertically and fork here and there.

    White noise keeps only frequencies near one wave vector; the phase of the complex result is a
    wave of constant contrast whose dislocations are the forks.

    Args:
        rng: Source of the noise that is the individual's own.
        kin: Source of the noise that its family shares, in the same state for each member.

    Returns:
        float32 of shape (TILE, TILE), -1 to 1.
    """
    frequency = np.fft.fftfreq(TILE, 1 / TILE)
    fx, fy = np.meshgrid(frequency, frequency)
    band = np.exp(-(((fx - CELLS) / 3.0) ** 2) - (fy / 2.6) ** 2)
    own, shared = (source.standard_normal((TILE, TILE)) for source in (rng, kin))
    noise = np.sqrt(1 - FAMILY_SHARE) * own + np.sqrt(FAMILY_SHARE) * shared
    return np.cos(np.angle(np.fft.ifft2(np.fft.fft2(noise) * band))).astype(np.float32)


def cell_tile(rng: Generator, kin: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a periodic cellular tile (S. Worley, 1996, "A cellular texture basis function").

    Args:
        rng: Source of the cells that are the individual's own.
        kin: Source of the cells that its family shares, in the same state for each member.

    Returns:
        The distance to the nearest cell centre and to the second nearest, in cells, float32, and a
        number of the nearest cell, float32 in [0, 1); each of shape (TILE, TILE).
    """
    # A jittered hexagonal lattice: even enough for a coat, uneven enough to be recognised.
    row, column = np.mgrid[0:CELLS, 0:CELLS].astype(float)
    centres = np.stack([column + 0.5 * (row % 2), row], axis=-1).reshape(-1, 2)
    numbers = np.empty(len(centres), np.float32)
    is_shared = kin.random(len(centres)) < FAMILY_SHARE
    for source, cells in ((rng, ~is_shared), (kin, is_shared)):
        jitter, drawn = source.uniform(-0.34, 0.34, centres.shape), source.random(len(centres))
        centres[cells] += jitter[cells]
        numbers[cells] = drawn[cells]
    centres %= CELLS
    pixel = (np.arange(TILE) + 0.5) * CELLS / TILE
    queries = np.stack(np.meshgrid(pixel, pixel), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(centres, boxsize=CELLS).query(queries, k=2)
    distance = distance.reshape(TILE, TILE, 2).astype(np.float32)
    number = numbers[nearest[:, 0]].reshape(TILE, TILE)
    return distance[..., 0].copy(), distance[..., 1].copy(), number


def densities(rng: Generator, kin: Generator, shape: tuple[int, int], own: Traits) -> np.ndarray:
    """How dense the pattern is in each place of a coat, about -1 to 1; float32 of that shape.

    A coat is denser here and sparser there, in a way that is its own: this is what is still seen of
    it from afar.
    """
    mine, shared = (soft_noise(source, shape, UNEVEN[1]) for source in (rng, kin))
    zones = np.sqrt(1 - FAMILY_SHARE) * mine + np.sqrt(FAMILY_SHARE) * shared
    return np.clip(own.density + UNEVEN[0] * zones, -DENSEST, DENSEST)


def look_up(tile: np.ndarray, u: np.ndarray, v: np.ndarray, smooth: bool = True) -> np.ndarray:
    """Read a periodic tile at `u`, `v`, given in cells; float32 of the shape of `u`."""
    step = TILE / CELLS
    mode = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    x, y = (np.asarray(c * step - 0.5, np.float32) for c in (u, v))
    return cv2.remap(tile, x, y, mode, borderMode=cv2.BORDER_WRAP)


def pattern_space(
    x: np.ndarray,
    y: np.ndarray,
    cell: float,
    own: Traits,
    start: np.ndarray,
    strength: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn body coordinates in pixels into tile coordinates in cells.

    Args:
        x: Body coordinate along the pattern's main direction, in pixels, any shape.
        y: Body coordinate across it, same shape.
        cell: Mean size of a cell in pixels.
        own: The individual's traits; scale, stretch and angle are used.
        start: Where in the tile the middle of the body is, two numbers in cells.
        strength: Share of the stretch and angle that is applied, 0 to 1.
    """
    angle, stretch = own.angle * strength, own.stretch ** (0.5 * strength)
    cosine, sine = np.cos(angle), np.sin(angle)
    # Patterns grow from the middle, so that relatives of unlike scale still look alike.
    x, y, size = x - MIDDLE[0], y - MIDDLE[1], cell * own.scale
    u, v = (cosine * x + sine * y) / (size * stretch), (cosine * y - sine * x) * stretch / size
    return u + start[0], v + start[1]
