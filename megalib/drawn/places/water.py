"""Water: what is fixed about a dive site, for whale sharks, and what drifts through a picture."""

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Size
from megalib.drawn.pixels import soft_noise
from megalib.drawn.places.scenes import BASE_SIZE, SKY, Base, as_bytes

# Water at the surface and below.
WATERS = (
    ((0.42, 0.78, 0.90), (0.04, 0.30, 0.55)),
    ((0.50, 0.82, 0.80), (0.06, 0.38, 0.46)),
    ((0.22, 0.52, 0.78), (0.02, 0.13, 0.34)),
    ((0.48, 0.66, 0.56), (0.12, 0.31, 0.32)),
)
SAND, ROCK = np.float32((0.80, 0.80, 0.66)), np.float32((0.40, 0.44, 0.42))


def dive_site(rng: Generator) -> Base:
    """Draw what is fixed about a place in the water: its floor, corals, a wall, a buoy's line.

    Where nothing is, the depth is `SKY`; colours are those in white light.
    """
    width, height = BASE_SIZE
    first, second = rng.choice(len(WATERS), 2, replace=False)
    mixed = np.average(np.array(WATERS)[[first, second]], axis=0, weights=[*rng.dirichlet([1, 1])])
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[..., 3] = SKY
    kind = rng.random()  # open water, a floor, a floor below a wall
    if kind > 0.75:
        _wall(canvas, rng)
    if kind > 0.2:
        _floor(canvas, rng)
    if kind < 0.4:
        x, lean = rng.uniform(0.1, 0.9) * width, rng.uniform(-60, 60)
        ends = (int(x), 0), (int(x + lean), height)
        cv2.line(canvas, *ends, as_bytes((0.62, 0.60, 0.50), 120), 3, cv2.LINE_AA)
        for knot in np.linspace(0.05, 0.95, int(rng.integers(3, 9))):
            spot = (int(x + knot * lean), int(knot * height))
            cv2.circle(canvas, spot, 6, as_bytes((0.55, 0.42, 0.26), 120), -1, cv2.LINE_AA)
    return Base(canvas, None, tuple(tuple(float(c) for c in colour) for colour in mixed))


def _floor(canvas: np.ndarray, rng: Generator) -> None:
    """Draw the sea floor and what grows on it."""
    height, width = canvas.shape[:2]
    start = height * rng.uniform(0.76, 0.90)
    for depth, drop, tone in ((205, 0, 0.75), (165, 34, 0.9), (120, 78, 1.0)):
        ridge = start + drop + 20 * soft_noise(rng, (2, width), 190)[0]
        ridge = ridge + 5 * soft_noise(rng, (2, width), 34)[0]
        outline = np.column_stack([np.arange(width), ridge])
        outline = np.vstack([outline, [[width, height], [0, height]]]).astype(np.int32)
        cv2.fillPoly(canvas, [outline], as_bytes(SAND * tone, depth), cv2.LINE_AA)
        for _ in range(int(rng.integers(2, 7))):
            x, size = rng.uniform(0, width), rng.uniform(10, 46) * (1.3 - depth / 255)
            coral = rng.uniform(0.35, 0.75, 3) * (1.0, 0.85, 0.75)
            foot = ridge[int(x)] + 0.4 * size
            for _ in range(9):
                spot = (int(x + rng.uniform(-1, 1) * size), int(foot - rng.uniform(0, 1) * size))
                colour = as_bytes(coral * rng.uniform(0.75, 1.25), depth - 8)
                cv2.circle(canvas, spot, int(0.34 * size) + 1, colour, -1, cv2.LINE_AA)


def _wall(canvas: np.ndarray, rng: Generator) -> None:
    """Draw the wall of a reef, on the left or the right."""
    height, width = canvas.shape[:2]
    left = rng.random() < 0.5
    reach = width * rng.uniform(0.08, 0.26)
    for depth, share in ((215, 1.0), (180, 0.6)):
        edge = share * reach + 34 * soft_noise(rng, (2, height), 120)[0]
        edge = edge + 9 * soft_noise(rng, (2, height), 24)[0] + 0.1 * np.arange(height)
        x = edge if left else width - edge
        far = 0 if left else width
        outline = np.column_stack([x, np.arange(height)])
        outline = np.vstack([outline, [[far, height], [far, 0]]]).astype(np.int32)
        cv2.fillPoly(canvas, [outline], as_bytes(ROCK * rng.uniform(0.8, 1.2), depth), cv2.LINE_AA)


def shafts(rng: Generator, size: Size) -> np.ndarray:
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


def drift(canvas: np.ndarray, rng: Generator, deep: np.ndarray) -> None:
    """Let fish, plankton and bubbles pass, in place; uint8 (height, width, 3), `deep` its water."""
    height, width = canvas.shape[:2]
    if rng.random() < 0.5:
        centre, heading = rng.uniform(0.1, 0.9, 2) * (width, height), rng.uniform(-0.3, 0.3)
        facing = rng.choice([-1, 1])
        for _ in range(int(rng.integers(8, 40))):
            spot = centre + rng.normal(0, 1, 2) * (0.14 * width, 0.09 * height)
            colour = np.float32(deep) * rng.uniform(0.7, 1.1) + 0.08
            fish(canvas, spot, facing * rng.uniform(0.6, 1.4), heading, as_bytes(colour), rng)
    for _ in range(int(rng.integers(20, 90))):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        speck = canvas[spot[1], spot[0]] * 0.75 + 60.0
        cv2.circle(canvas, spot, int(rng.integers(1, 3)), speck.tolist(), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 14))):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        size = int(rng.integers(3, 10))
        ring = np.minimum(canvas[spot[1], spot[0]] * 0.6 + 105.0, 255)
        cv2.circle(canvas, spot, size, ring.tolist(), 1, cv2.LINE_AA)
        glint = (spot[0] - size // 3, spot[1] - size // 3)
        cv2.circle(canvas, glint, max(1, size // 4), (240, 250, 250), -1, cv2.LINE_AA)


FISH = np.array([(9, 0), (3, -3.2), (-5, -0.8), (-9, -3.4), (-9, 3.4), (-5, 0.8), (3, 3.2)])


def fish(
    canvas: np.ndarray,
    spot: np.ndarray,
    size: float,
    heading: float,
    colour: tuple[int, ...],
    rng: Generator,
) -> None:
    """Draw a fish about 18 times `size` pixels long, in place; it faces left if `size` < 0."""
    tilt = heading + rng.normal(0, 0.1)
    turned = FISH @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    outline = np.round((turned * [size, abs(size)] + spot) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [outline], colour, cv2.LINE_AA, 4)
