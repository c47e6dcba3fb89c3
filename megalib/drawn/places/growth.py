"""Growth: tufts of grass, on the ground of a place and before the animals."""

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.pixels import Colour
from megalib.drawn.places.scenes import Scene

BLADES = 7  # of grass in a tuft


def tuft(
    canvas: np.ndarray,
    rng: Generator,
    foot: tuple[float, float],
    length: float,
    colours: tuple[Colour, ...],
    fourth: int = 255,
    slim: float = 0.035,
) -> None:
    """Draw a tuft of grass onto a picture, in place.

    Args:
        canvas: uint8 (height, width, 3), or (height, width, 4) with a plane of depth or cover.
        rng: Source of its blades.
        foot: Where it grows, x and y in pixels.
        length: Of its blades at most, in pixels.
        colours: Of its blades, RGB, 0 to 1.
        fourth: What the blades write into the fourth plane, 0 to 255.
        slim: Half the width of a blade as a share of `length`.
    """
    lean, reach = rng.uniform(-0.7, 0.7, BLADES), length * rng.uniform(0.55, 1, BLADES)
    x, half = foot[0] + rng.uniform(-0.25, 0.25, BLADES) * length, max(0.6, slim * length)
    across = [x - half, x + 0.25 * lean * reach - half, x + lean * reach]
    across += [x + 0.25 * lean * reach + half, x + half]
    down = foot[1] - np.stack([0 * reach, 0.6 * reach, reach, 0.6 * reach, 0 * reach])
    blades = np.round(16 * np.stack([across, down], axis=-1)).astype(np.int32).swapaxes(0, 1)
    tones = np.float32(colours)[rng.integers(len(colours), size=BLADES)]
    tones = np.clip(255 * tones * rng.uniform(0.75, 1.15, (BLADES, 1)), 0, 255)
    for blade, tone in zip(np.ascontiguousarray(blades), tones.tolist(), strict=True):
        cv2.fillPoly(canvas, [blade], (*tone, fourth), cv2.LINE_AA, 4)


def foreground(canvas: np.ndarray, rng: Generator, scene: Scene) -> None:
    """Let grass grow before the animals' feet, in place; float32 (height, width, 3), 0 to 1."""
    if scene.ground is None:
        return
    height, width = canvas.shape[:2]
    top = int(max(0, scene.ground - 0.2 * height))
    strip = cv2.convertScaleAbs(canvas[top:], alpha=255)
    for _ in range(int(rng.integers(4, 20))):
        foot = (rng.uniform(0, width), scene.ground + rng.uniform(2, 60) - top)
        tuft(strip, rng, foot, rng.uniform(16, 62), scene.grass)
    canvas[top:] = strip * np.float32(1 / 255)
