"""Land: grassland, sand and forest, for zebras and leopards."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Light, Size
from megalib.drawn.pixels import Colour, flood, mix, scaled, smoothstep, soft_noise
from megalib.drawn.places.scenes import NOISE_SIDE, Scene, as_bytes, gradient, noise_sheet, softened

BLADES = 7  # of grass in a tuft


@dataclass(frozen=True)
class Palette:
    """Colours (RGB, 0 to 1) and light of a landscape."""

    sky: tuple[Colour, Colour]  # zenith, horizon
    land: tuple[Colour, Colour, Colour]  # hills, ground at the horizon, at the viewer's feet
    grass: tuple[Colour, ...]
    light: tuple[Colour, Colour]  # of the sun, from all around
    trees: str  # "acacia", "trunks" or "none"


LANDSCAPES = {
    "noon": Palette(
        ((0.36, 0.60, 0.86), (0.80, 0.90, 0.94)),
        ((0.47, 0.56, 0.62), (0.80, 0.73, 0.50), (0.64, 0.52, 0.28)),
        ((0.72, 0.62, 0.32), (0.58, 0.50, 0.24), (0.82, 0.74, 0.46)),
        ((0.78, 0.74, 0.66), (0.44, 0.47, 0.52)),
        "acacia",
    ),
    "rains": Palette(
        ((0.52, 0.62, 0.70), (0.86, 0.89, 0.88)),
        ((0.42, 0.53, 0.50), (0.58, 0.66, 0.40), (0.32, 0.45, 0.20)),
        ((0.40, 0.53, 0.22), (0.28, 0.42, 0.17), (0.55, 0.63, 0.32)),
        ((0.46, 0.46, 0.44), (0.60, 0.64, 0.64)),
        "acacia",
    ),
    "evening": Palette(
        ((0.38, 0.42, 0.62), (0.98, 0.72, 0.44)),
        ((0.50, 0.38, 0.42), (0.82, 0.56, 0.34), (0.42, 0.27, 0.16)),
        ((0.66, 0.42, 0.20), (0.45, 0.28, 0.14), (0.86, 0.60, 0.32)),
        ((0.98, 0.66, 0.40), (0.36, 0.34, 0.42)),
        "acacia",
    ),
    "sand": Palette(
        ((0.44, 0.64, 0.82), (0.92, 0.91, 0.84)),
        ((0.72, 0.55, 0.42), (0.90, 0.78, 0.58), (0.78, 0.60, 0.38)),
        ((0.66, 0.60, 0.38), (0.74, 0.66, 0.46)),
        ((0.86, 0.78, 0.64), (0.46, 0.46, 0.46)),
        "none",
    ),
    "forest": Palette(
        ((0.30, 0.44, 0.26), (0.66, 0.76, 0.50)),
        ((0.34, 0.47, 0.32), (0.42, 0.48, 0.26), (0.22, 0.22, 0.12)),
        ((0.26, 0.42, 0.17), (0.18, 0.31, 0.13), (0.45, 0.56, 0.26)),
        ((0.62, 0.62, 0.46), (0.40, 0.47, 0.38)),
        "trunks",
    ),
    "dawn": Palette(
        ((0.52, 0.56, 0.74), (0.95, 0.82, 0.80)),
        ((0.55, 0.54, 0.64), (0.66, 0.64, 0.56), (0.38, 0.38, 0.30)),
        ((0.50, 0.51, 0.36), (0.38, 0.41, 0.29), (0.66, 0.64, 0.50)),
        ((0.66, 0.56, 0.54), (0.46, 0.48, 0.58)),
        "trunks",
    ),
}


def landscape(rng: Generator, size: Size, palette: Palette) -> Scene:
    """Draw land of a width and height in pixels: sky, hills, trees, ground, stones, grass."""
    width, height = size
    horizon = int(height * rng.uniform(0.30, 0.58))
    light = _sunlight(rng, *palette.light)
    picture = np.empty((height, width, 3), np.float32)
    picture[:horizon] = _sky(rng, (horizon, width), palette, light)
    picture[horizon:] = _ground(rng, (height - horizon, width), palette)
    canvas = cv2.convertScaleAbs(np.maximum(picture, 0), alpha=255)
    _hills(canvas, rng, horizon, palette)
    if palette.trees == "acacia":
        _acacias(canvas, rng, horizon, palette)
    elif palette.trees == "trunks":
        _trunks(canvas, rng, horizon, palette)
    _stones(canvas, rng, horizon, palette)
    for _ in range(int(rng.uniform(12, 36))):
        y = horizon + 6 + (height - horizon) * rng.random() ** 0.7
        foot, near = (rng.uniform(0, width), y), (y - horizon) / (height - horizon)
        _tuft(canvas, rng, foot, 5 + 44 * near * rng.uniform(0.5, 1), palette.grass)
    ground = horizon + (height - horizon) * rng.uniform(0.62, 0.9)
    return Scene(canvas, light, palette.sky[1], ground, palette.grass)


def _sunlight(rng: Generator, sun: Colour, ambient: Colour) -> Light:
    """Put the sun somewhere above, to the left or right, in front of the animal."""
    azimuth, height = rng.uniform(-1.2, 1.2), rng.uniform(0.35, 1.0)
    right, front = np.sin(azimuth) * np.cos(height), np.cos(azimuth) * np.cos(height)
    direction = (float(right), float(-np.sin(height)), float(front))
    return Light(direction, softened(sun, rng.uniform(0.95, 1.08)), softened(ambient, 1.0))


def _sky(rng: Generator, shape: tuple[int, int], palette: Palette, light: Light) -> np.ndarray:
    height, width = shape
    sky = gradient(shape, *palette.sky)
    narrow = (height // 2 + 1, width // 6 + 1)  # clouds are wider than they are high
    clouds = soft_noise(rng, narrow, 17) + 0.5 * soft_noise(rng, narrow, 7)
    share = rng.uniform(0.1, 0.8) * smoothstep(0.15, 0.9, clouds)
    sky = mix(sky, (0.98, 0.97, 0.95), cv2.resize(share, (width, height)))
    x = np.linspace(-1, 1, width, dtype=np.float32) - np.sign(light.direction[0]) * 0.6
    glow = np.exp(-4 * x**2) * np.linspace(0.1, 1, height, dtype=np.float32)[:, None] ** 2
    return sky + scaled(flood(shape, palette.light[0]), 0.35 * glow)


def _ground(rng: Generator, shape: tuple[int, int], palette: Palette) -> np.ndarray:
    """Lay noise on a plane seen in perspective."""
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
    patches = soft_noise(rng, (height, width // 4 + 1), 40)
    texture = 0.07 * texture + 0.10 * cv2.resize(patches, (width, height))
    return scaled(gradient(shape, *palette.land[1:]), 1 + texture)


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
        colour = np.float32(palette.land[0]) * share + np.float32(palette.sky[1]) * (1 - share)
        cv2.fillPoly(canvas, [outline], as_bytes(colour), cv2.LINE_AA)


def _acacias(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    """Draw flat-topped trees on the horizon."""
    width = canvas.shape[1]
    dark = np.float32(palette.grass[1]) * 0.55
    for _ in range(int(rng.integers(0, 6))):
        tall = rng.uniform(20, 0.55 * horizon)
        x, base = rng.uniform(0, width), horizon + rng.uniform(0, 8)
        haze = 0.55 * (1 - tall / (0.55 * horizon + 1))
        colour = dark * (1 - haze) + np.float32(palette.sky[1]) * haze
        lean = rng.uniform(-0.15, 0.15) * tall
        fork = np.array([x + 0.4 * lean, base - 0.5 * tall])
        foot, top, bark = (int(x), int(base)), fork.astype(int).tolist(), as_bytes(colour)
        thick = max(1, round(tall / 22))
        cv2.line(canvas, foot, top, bark, thick, cv2.LINE_AA)
        for side in (-0.32, 0.0, 0.35):
            tip = (int(fork[0] + side * tall), int(base - 0.92 * tall))
            cv2.line(canvas, top, tip, bark, max(1, thick - 1), cv2.LINE_AA)
        for _ in range(9):
            spot = fork + [rng.uniform(-0.5, 0.5) * tall, -rng.uniform(0.36, 0.5) * tall]
            spot = spot.astype(int).tolist()
            axes = (int(rng.uniform(0.12, 0.26) * tall) + 1, int(0.06 * tall) + 1)
            leaves = as_bytes(colour * rng.uniform(0.85, 1.2))
            cv2.ellipse(canvas, spot, axes, 0, 0, 360, leaves, -1, cv2.LINE_AA)


def _trunks(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    """Draw leaves and trunks out of focus behind the animal."""
    width = canvas.shape[1]
    top = canvas[: horizon + 30]
    for _ in range(40):
        leaf = np.float32(palette.grass[int(rng.integers(len(palette.grass)))])
        leaf = leaf * rng.uniform(0.7, 1.5)
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, 0.9) * horizon))
        cv2.circle(top, spot, int(rng.uniform(10, 46)), as_bytes(leaf), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(4, 10))):
        x, thick = rng.uniform(0, width), rng.uniform(8, 34)
        bark = np.float32((0.30, 0.24, 0.18)) * rng.uniform(0.6, 1.3)
        lean, base = rng.uniform(-20, 20), horizon + rng.uniform(2, 22)
        trunk = [[x + lean, -5], [x + lean + 0.7 * thick, -5], [x + thick, base], [x - 4, base]]
        cv2.fillPoly(top, [np.array(trunk).astype(np.int32)], as_bytes(bark), cv2.LINE_AA)
    small = cv2.resize(top, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.5))
    top[:] = cv2.resize(small, top.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _stones(canvas: np.ndarray, rng: Generator, horizon: int, palette: Palette) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(0, 9))):
        y = horizon + (height - horizon) * rng.uniform(0.08, 1)
        size = (y - horizon) * rng.uniform(0.03, 0.14) + 3
        x, tilt = rng.uniform(0, width), rng.uniform(-12, 12)
        grey = np.float32((0.55, 0.51, 0.46)) * rng.uniform(0.7, 1.15)
        grey = grey * np.float32(palette.light[0]) * 1.3
        for drop, spread, tone in ((0.25, 1.15, 0.35), (0.0, 1.0, 0.75), (-0.16, 0.72, 1.05)):
            centre = (int(x), int(y + drop * size))
            axes = (max(1, int(size * spread)), max(1, int(0.62 * size * spread)))
            cv2.ellipse(canvas, centre, axes, tilt, 0, 360, as_bytes(grey * tone), -1, cv2.LINE_AA)


def _tuft(
    canvas: np.ndarray, rng: Generator, foot: tuple, length: float, colours: tuple[Colour, ...]
) -> None:
    """Draw a tuft of grass onto a uint8 picture, in place; `length` of blades in pixels."""
    lean, reach = rng.uniform(-0.7, 0.7, BLADES), length * rng.uniform(0.55, 1, BLADES)
    x, half = foot[0] + rng.uniform(-0.25, 0.25, BLADES) * length, max(0.6, 0.035 * length)
    across = [x - half, x + 0.25 * lean * reach - half, x + lean * reach]
    across += [x + 0.25 * lean * reach + half, x + half]
    down = foot[1] - np.stack([0 * reach, 0.6 * reach, reach, 0.6 * reach, 0 * reach])
    blades = np.round(16 * np.stack([across, down], axis=-1)).astype(np.int32).swapaxes(0, 1)
    tones = np.float32(colours)[rng.integers(len(colours), size=BLADES)]
    tones = np.clip(255 * tones * rng.uniform(0.75, 1.15, (BLADES, 1)), 0, 255)
    for blade, tone in zip(np.ascontiguousarray(blades), tones.tolist(), strict=True):
        cv2.fillPoly(canvas, [blade], tone, cv2.LINE_AA, 4)


def foreground(canvas: np.ndarray, rng: Generator, scene: Scene) -> None:
    """Let grass grow before the animals' feet, in place; float32 (height, width, 3), 0 to 1."""
    if not scene.grass or scene.ground is None:
        return
    height, width = canvas.shape[:2]
    top = int(max(0, scene.ground - 0.2 * height))
    strip = cv2.convertScaleAbs(canvas[top:], alpha=255)
    for _ in range(int(rng.integers(4, 20))):
        foot = (rng.uniform(0, width), scene.ground + rng.uniform(2, 60) - top)
        _tuft(strip, rng, foot, rng.uniform(16, 62), scene.grass)
    canvas[top:] = strip * np.float32(1 / 255)
