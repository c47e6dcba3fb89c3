"""Scenes: what is behind an animal, and the light that falls on it."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from megalib.drawn.animals.shapes import Light
from megalib.drawn.pixels import Colour

NOISE_SIDE = 1024
BASE_SIZE = (1040, 780)  # width and height of a station's base, from which pictures are cut
INFRARED = np.float32((0.42, 0.42, 0.16))  # what R, G and B of the world add to an infrared grey
SKY = 255  # depth of the sky and of open water; everything nearer has less, the viewer 0


@dataclass(frozen=True)
class Base:
    """What is fixed about a camera station, without light and weather."""

    picture: np.ndarray  # uint8 (height, width, 4): RGB and depth, BASE_SIZE
    horizon: int | None  # row of the horizon, None in water
    colours: tuple[Colour, ...]  # of grass on land; of the water at the surface and below


@dataclass(frozen=True)
class Scene:
    """A background."""

    picture: np.ndarray  # uint8 (height, width, 3), RGB
    light: Light  # that falls on an animal in it
    haze: Colour  # of the air or water between viewer and animal
    ground: float | None  # row of the ground where the animal stands, None in water
    grass: tuple[Colour, ...] = ()  # blades in front of the animal, empty where none grow
    murk: float = 0.0  # share of its colours that an animal loses to the haze at least, 0 to 1
    horizon: float | None = None  # row of the horizon, None in water
    place: str = "land"  # or "water", or "black" for animals that are cut out


@cache
def noise_sheet() -> np.ndarray:
    """White noise of unit variance, shared by all pictures; float32 (NOISE_SIDE, NOISE_SIDE)."""
    return np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE)).astype(np.float32)


def as_bytes(colour: np.ndarray | Colour, fourth: float = 255) -> tuple[int, ...]:
    """A colour of 0 to 1 as OpenCV takes it, 0 to 255, with a value for a fourth plane."""
    return (*(int(c) for c in np.round(np.clip(colour, 0, 1) * 255)), round(fourth))


def gradient(shape: tuple[int, int], top: Colour, bottom: Colour) -> np.ndarray:
    """Blend two colours from top to bottom; float32 (height, width, 3)."""
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    return np.tile(np.float32(top) * (1 - t) + np.float32(bottom) * t, (1, shape[1], 1))


def softened(colour: Colour, strength: float) -> Colour:
    """Take back most of a colour cast, as a camera's white balance does."""
    grey = sum(colour) / 3
    return tuple(float(strength * (0.12 * c + 0.88 * grey)) for c in colour)
