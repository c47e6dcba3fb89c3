"""Scenes: what is behind an animal, and the light that falls on it; `land` and `sea` draw them."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from megalib.drawn.animals.shapes import Light
from megalib.drawn.pixels import Colour

NOISE_SIDE = 1024


@dataclass(frozen=True)
class Scene:
    """A background."""

    picture: np.ndarray  # uint8 (height, width, 3), RGB
    light: Light  # that falls on an animal in it
    haze: Colour  # of the air or water between viewer and animal
    ground: float | None  # row of the ground where the animal stands, None in water
    grass: tuple[Colour, ...] = ()  # blades in front of the animal, empty where none grow
    murk: float = 0.0  # share of its colours that an animal loses to the haze at least, 0 to 1


@cache
def noise_sheet() -> np.ndarray:
    """White noise of unit variance, shared by all pictures; float32 (NOISE_SIDE, NOISE_SIDE)."""
    return np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE)).astype(np.float32)


def as_bytes(colour: np.ndarray | Colour) -> tuple[int, ...]:
    """A colour of 0 to 1 as OpenCV takes it, 0 to 255."""
    return tuple(int(c) for c in np.round(np.clip(colour, 0, 1) * 255))


def gradient(shape: tuple[int, int], top: Colour, bottom: Colour) -> np.ndarray:
    """Blend two colours from top to bottom; float32 (height, width, 3)."""
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    return np.tile(np.float32(top) * (1 - t) + np.float32(bottom) * t, (1, shape[1], 1))


def softened(colour: Colour, strength: float) -> Colour:
    """Take back most of a colour cast, as a camera's white balance does."""
    grey = sum(colour) / 3
    return tuple(float(strength * (0.12 * c + 0.88 * grey)) for c in colour)
