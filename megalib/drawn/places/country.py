"""Country: what is fixed about a camera station on land, for zebras and leopards."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.pixels import Colour, mix, scaled, smoothstep, soft_noise
from megalib.drawn.places.growth import tuft
from megalib.drawn.places.scenes import (
    BASE_SIZE,
    NOISE_SIDE,
    SKY,
    Base,
    as_bytes,
    gradient,
    noise_sheet,
)

AIR = (0.86, 0.89, 0.90)  # into which hills and trees fade
HILLS = 236  # depth of the nearest hills; that of the ground falls from here to 0 at the viewer


@dataclass(frozen=True)
class Palette:
    """Colours (RGB, 0 to 1) of a landscape under a grey sky."""

    land: tuple[Colour, Colour, Colour]  # hills, ground at the horizon, at the viewer's feet
    grass: tuple[Colour, ...]
    trees: str  # "acacia", "trunks" or "none"


LANDSCAPES = {
    "savanna": Palette(
        ((0.47, 0.56, 0.62), (0.80, 0.73, 0.50), (0.64, 0.52, 0.28)),
        ((0.72, 0.62, 0.32), (0.58, 0.50, 0.24), (0.82, 0.74, 0.46)),
        "acacia",
    ),
    "meadow": Palette(
        ((0.42, 0.53, 0.50), (0.58, 0.66, 0.40), (0.32, 0.45, 0.20)),
        ((0.40, 0.53, 0.22), (0.28, 0.42, 0.17), (0.55, 0.63, 0.32)),
        "acacia",
    ),
    "red earth": Palette(
        ((0.52, 0.44, 0.46), (0.80, 0.58, 0.40), (0.52, 0.32, 0.20)),
        ((0.66, 0.46, 0.24), (0.48, 0.34, 0.18), (0.80, 0.62, 0.36)),
        "acacia",
    ),
    "sand": Palette(
        ((0.72, 0.55, 0.42), (0.90, 0.78, 0.58), (0.78, 0.60, 0.38)),
        ((0.66, 0.60, 0.38), (0.74, 0.66, 0.46)),
        "none",
    ),
    "forest": Palette(
        ((0.34, 0.47, 0.32), (0.42, 0.48, 0.26), (0.22, 0.22, 0.12)),
        ((0.26, 0.42, 0.17), (0.18, 0.31, 0.13), (0.45, 0.56, 0.26)),
        "trunks",
    ),
    "dry wood": Palette(
        ((0.55, 0.54, 0.60), (0.68, 0.64, 0.54), (0.42, 0.38, 0.28)),
        ((0.52, 0.50, 0.34), (0.40, 0.40, 0.28), (0.66, 0.62, 0.48)),
        "trunks",
    ),
}
# The kinds of land of a species; its stations take turns.
LANDS = {
    "zebra": ("savanna", "meadow", "red earth", "sand"),
    "leopard": ("forest", "savanna", "dry wood", "red earth", "meadow"),
}


def ground_depth(share: np.ndarray | float) -> np.ndarray | float:
    """Depth of the ground at a share of the way from the horizon (0) to the viewer's feet (1)."""
    return HILLS * (1 - np.clip(share, 0, 1))


def landscape(rng: Generator, palette: Palette) -> Base:
    """Draw what is fixed about a station on land: hills, trees, ground, stones, grass."""
    width, height = BASE_SIZE
    horizon = int(height * rng.uniform(0.30, 0.50))
    cast = rng.uniform(0.9, 1.1, 3)
    palette = Palette(
        tuple(tuple(np.clip(cast * c, 0, 1)) for c in palette.land),
        tuple(tuple(np.clip(cast * c, 0, 1)) for c in palette.grass),
        palette.trees,
    )
    canvas = np.zeros((height, width, 4), np.uint8)
    # Leaves out of focus fade into each other, the rest into the air.
    canvas[:] = as_bytes(palette.grass[1] if palette.trees == "trunks" else AIR, SKY)
    ground = cv2.convertScaleAbs(_ground(rng, (height - horizon, width), palette), alpha=255)
    depth = ground_depth(np.linspace(0, 1, height - horizon))
    canvas[horizon:, :, :3], canvas[horizon:, :, 3] = ground, depth[:, None]
    _hills(canvas, rng, horizon, palette)
    if palette.trees == "acacia":
        _acacias(canvas, rng, horizon, palette)
    elif palette.trees == "trunks":
        _trunks(canvas, rng, horizon, palette)
    _stones(canvas, rng, horizon)
    shares = rng.random(int(rng.integers(16, 48))) ** 0.7
    for near in np.sort(shares):
        foot = (rng.uniform(0, width), horizon + 6 + near * (height - horizon - 6))
        length = 6 + 56 * near * rng.uniform(0.5, 1)
        tuft(canvas, rng, foot, length, palette.grass, int(ground_depth(near)))
    return Base(canvas, horizon, palette.grass)


def _ground(rng: Generator, shape: tuple[int, int], palette: Palette) -> np.ndarray:
    """Lay noise on a plane seen in perspective; patches of bare and of grown ground."""
    height, width = shape
    depth = 1 / (np.arange(height, dtype=np.float32)[:, None] / height + 0.06)
    across = (np.arange(width, dtype=np.float32)[None] - width / 2) * depth / 8
    start = rng.uniform(0, NOISE_SIDE, 2)
    along = np.broadcast_to(46 * depth, (height, width))
    texture = np.zeros(shape, np.float32)
    for detail, weight in ((0.28, 0.6), (1.0, 0.4)):
        columns = (across * detail + start[0]).astype(np.float32)
        rows = (along * detail + start[1]).astype(np.float32)
        wrapped = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_WRAP}
        texture += weight * cv2.remap(noise_sheet(), columns, rows, **wrapped)
    patches = cv2.resize(soft_noise(rng, (height, width // 4 + 1), 40), (width, height))
    texture = 0.07 * texture + 0.08 * patches
    ground = scaled(gradient(shape, *palette.land[1:]), 1 + texture)
    broad = cv2.resize(soft_noise(rng, (height // 2 + 1, width // 8 + 1), 26), (width, height))
    return mix(ground, palette.grass[1], 0.45 * smoothstep(0.1, 0.9, broad))


def _hills(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    width = canvas.shape[1]
    layers = int(rng.integers(1, 4))
    for layer in range(layers):
        rise = horizon * rng.uniform(0.1, 0.42) * (1 - layer / layers)
        ridge = soft_noise(rng, (2, width), width / rng.uniform(2, 7))[0] * 0.5 + 0.5
        ridge += 0.08 * soft_noise(rng, (2, width), 22)[0]
        top = horizon - rise * np.clip(ridge, 0.05, None)
        outline = np.column_stack([np.arange(width), top]).astype(np.int32)
        outline = np.vstack([outline, [[width, horizon + 2], [0, horizon + 2]]]).astype(np.int32)
        share = 0.35 + 0.65 * (layer + 1) / layers
        colour = np.float32(palette.land[0]) * share + np.float32(AIR) * (1 - share)
        depth = HILLS + 4 * (layers - 1 - layer)
        cv2.fillPoly(canvas, [outline], as_bytes(colour, depth), cv2.LINE_AA)


def _acacias(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    """Draw flat-topped trees on the horizon."""
    width = canvas.shape[1]
    dark = np.float32(palette.grass[1]) * 0.55
    for _ in range(int(rng.integers(1, 7))):
        tall = rng.uniform(24, 0.6 * horizon)
        x, base = rng.uniform(0, width), horizon + rng.uniform(0, 8)
        haze = 0.55 * (1 - tall / (0.6 * horizon + 1))
        colour, depth = dark * (1 - haze) + np.float32(AIR) * haze, HILLS - 60 * (1 - haze)
        lean = rng.uniform(-0.15, 0.15) * tall
        fork = np.array([x + 0.4 * lean, base - 0.5 * tall])
        foot, top, bark = (int(x), int(base)), fork.astype(int).tolist(), as_bytes(colour, depth)
        thick = max(1, round(tall / 22))
        cv2.line(canvas, foot, top, bark, thick, cv2.LINE_AA)
        for side in (-0.32, 0.0, 0.35):
            tip = (int(fork[0] + side * tall), int(base - 0.92 * tall))
            cv2.line(canvas, top, tip, bark, max(1, thick - 1), cv2.LINE_AA)
        for _ in range(9):
            spot = fork + [rng.uniform(-0.5, 0.5) * tall, -rng.uniform(0.36, 0.5) * tall]
            spot = spot.astype(int).tolist()
            axes = (int(rng.uniform(0.12, 0.26) * tall) + 1, int(0.06 * tall) + 1)
            leaves = as_bytes(colour * rng.uniform(0.85, 1.2), depth)
            cv2.ellipse(canvas, spot, axes, 0, 0, 360, leaves, -1, cv2.LINE_AA)


def _trunks(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    """Draw leaves and trunks out of focus behind the animal."""
    width = canvas.shape[1]
    top = canvas[: horizon + 40]
    for _ in range(60):
        leaf = np.float32(palette.grass[int(rng.integers(len(palette.grass)))])
        leaf = leaf * rng.uniform(0.7, 1.5)
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, 0.95) * horizon))
        depth = HILLS - rng.uniform(0, 40)
        cv2.circle(top, spot, int(rng.uniform(12, 60)), as_bytes(leaf, depth), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(4, 11))):
        x, thick = rng.uniform(0, width), rng.uniform(10, 46)
        bark = np.float32((0.30, 0.24, 0.18)) * rng.uniform(0.6, 1.3)
        lean, base = rng.uniform(-26, 26), horizon + rng.uniform(2, 30)
        trunk = [[x + lean, -5], [x + lean + 0.7 * thick, -5], [x + thick, base], [x - 4, base]]
        colour = as_bytes(bark, HILLS - 30 - thick)
        cv2.fillPoly(top, [np.array(trunk).astype(np.int32)], colour, cv2.LINE_AA)
    small = cv2.resize(top, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.0))
    top[:] = cv2.resize(small, top.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _stones(canvas: np.ndarray, rng: Generator, horizon: int) -> None:
    height, width = canvas.shape[:2]
    for share in np.sort(rng.uniform(0.08, 1, int(rng.integers(0, 10)))):
        y = horizon + (height - horizon) * share
        size = (y - horizon) * rng.uniform(0.03, 0.14) + 3
        x, tilt = rng.uniform(0, width), rng.uniform(-12, 12)
        grey = np.float32((0.52, 0.48, 0.43)) * rng.uniform(0.7, 1.15)
        for drop, spread, tone in ((0.25, 1.15, 0.45), (0.0, 1.0, 0.8), (-0.16, 0.72, 1.05)):
            centre = (int(x), int(y + drop * size))
            axes = (max(1, int(size * spread)), max(1, int(0.62 * size * spread)))
            colour = as_bytes(grey * tone, float(ground_depth(share)))
            cv2.ellipse(canvas, centre, axes, tilt, 0, 360, colour, -1, cv2.LINE_AA)
