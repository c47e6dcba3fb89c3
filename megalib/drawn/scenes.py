"""Backgrounds: grassland, sand and forest for land animals, open water for sharks."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from megalib.drawn.coats import flood, mix, scaled, smoothstep, soft_noise
from megalib.drawn.shapes import Light

NOISE_SIDE = 1024
BLADES = 7  # of grass in a tuft

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """Colours (RGB, 0 to 1) and light of a landscape."""

    sky: tuple[Colour, Colour]  # zenith, horizon
    hills: Colour
    ground: tuple[Colour, Colour]  # at the horizon, at the viewer's feet
    grass: tuple[Colour, ...]
    sun: Colour
    ambient: Colour
    trees: str  # "acacia", "trunks" or "none"


@dataclass(frozen=True)
class Scene:
    """A background.

    Attributes:
        picture: uint8 (height, width, 3), RGB.
        light: The light that falls on an animal in it.
        haze: Colour of the air or water between viewer and animal.
        ground: Row of the ground where the animal stands, None in water.
        grass: Colours of blades in front of the animal, empty where none grow.
        murk: Share of its colours that an animal loses to the haze at least, 0 to 1.
    """

    picture: np.ndarray
    light: Light
    haze: Colour
    ground: float | None
    grass: tuple[Colour, ...] = ()
    murk: float = 0.0


LANDSCAPES = {
    "noon": Palette(
        ((0.36, 0.60, 0.86), (0.80, 0.90, 0.94)),
        (0.47, 0.56, 0.62),
        ((0.80, 0.73, 0.50), (0.64, 0.52, 0.28)),
        ((0.72, 0.62, 0.32), (0.58, 0.50, 0.24), (0.82, 0.74, 0.46)),
        (0.78, 0.74, 0.66),
        (0.44, 0.47, 0.52),
        "acacia",
    ),
    "rains": Palette(
        ((0.52, 0.62, 0.70), (0.86, 0.89, 0.88)),
        (0.42, 0.53, 0.50),
        ((0.58, 0.66, 0.40), (0.32, 0.45, 0.20)),
        ((0.40, 0.53, 0.22), (0.28, 0.42, 0.17), (0.55, 0.63, 0.32)),
        (0.46, 0.46, 0.44),
        (0.60, 0.64, 0.64),
        "acacia",
    ),
    "evening": Palette(
        ((0.38, 0.42, 0.62), (0.98, 0.72, 0.44)),
        (0.50, 0.38, 0.42),
        ((0.82, 0.56, 0.34), (0.42, 0.27, 0.16)),
        ((0.66, 0.42, 0.20), (0.45, 0.28, 0.14), (0.86, 0.60, 0.32)),
        (0.98, 0.66, 0.40),
        (0.36, 0.34, 0.42),
        "acacia",
    ),
    "sand": Palette(
        ((0.44, 0.64, 0.82), (0.92, 0.91, 0.84)),
        (0.72, 0.55, 0.42),
        ((0.90, 0.78, 0.58), (0.78, 0.60, 0.38)),
        ((0.66, 0.60, 0.38), (0.74, 0.66, 0.46)),
        (0.86, 0.78, 0.64),
        (0.46, 0.46, 0.46),
        "none",
    ),
    "forest": Palette(
        ((0.30, 0.44, 0.26), (0.66, 0.76, 0.50)),
        (0.34, 0.47, 0.32),
        ((0.42, 0.48, 0.26), (0.22, 0.22, 0.12)),
        ((0.26, 0.42, 0.17), (0.18, 0.31, 0.13), (0.45, 0.56, 0.26)),
        (0.62, 0.62, 0.46),
        (0.40, 0.47, 0.38),
        "trunks",
    ),
    "dawn": Palette(
        ((0.52, 0.56, 0.74), (0.95, 0.82, 0.80)),
        (0.55, 0.54, 0.64),
        ((0.66, 0.64, 0.56), (0.38, 0.38, 0.30)),
        ((0.50, 0.51, 0.36), (0.38, 0.41, 0.29), (0.66, 0.64, 0.50)),
        (0.66, 0.56, 0.54),
        (0.46, 0.48, 0.58),
        "trunks",
    ),
}
# Open water from the surface down, and the light in it.
WATERS = (
    ((0.42, 0.78, 0.90), (0.04, 0.30, 0.55), (0.62, 0.74, 0.76), (0.42, 0.54, 0.62)),
    ((0.50, 0.82, 0.80), (0.06, 0.38, 0.46), (0.62, 0.74, 0.66), (0.42, 0.56, 0.56)),
    ((0.22, 0.52, 0.78), (0.02, 0.13, 0.34), (0.48, 0.60, 0.70), (0.36, 0.47, 0.60)),
    ((0.48, 0.66, 0.56), (0.12, 0.31, 0.32), (0.58, 0.66, 0.54), (0.42, 0.51, 0.47)),
)
# What makes days differ: strength of the light, murk of the water, cast per channel.
DAYLIGHT, MURK, CAST = (0.95, 1.2), (0.0, 0.15), (0.8, 1.2)


@cache
def noise_sheet() -> np.ndarray:
    """White noise of unit variance, shared by all pictures; float32 (NOISE_SIDE, NOISE_SIDE)."""
    return np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE)).astype(np.float32)


def _bytes(colour: np.ndarray | Colour) -> tuple[int, ...]:
    return tuple(int(c) for c in np.round(np.clip(colour, 0, 1) * 255))


def _gradient(shape: tuple[int, int], top: Colour, bottom: Colour) -> np.ndarray:
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    return np.tile(np.float32(top) * (1 - t) + np.float32(bottom) * t, (1, shape[1], 1))


def _sunlight(rng: np.random.Generator, sun: Colour, ambient: Colour) -> Light:
    """Put the sun somewhere above, to the left or right, in front of the animal."""
    azimuth, height = rng.uniform(-1.2, 1.2), rng.uniform(0.35, 1.0)
    direction = (
        float(np.sin(azimuth) * np.cos(height)),
        float(-np.sin(height)),
        float(np.cos(azimuth) * np.cos(height)),
    )
    strength = rng.uniform(0.95, 1.08)
    return Light(direction, _softened(sun, strength), _softened(ambient, 1.0))


def _softened(colour: Colour, strength: float) -> Colour:
    """Take back most of a colour cast, as a camera's white balance does."""
    grey = sum(colour) / 3
    return tuple(float(strength * (0.12 * c + 0.88 * grey)) for c in colour)


def landscape(rng: np.random.Generator, size: tuple[int, int], palette: Palette) -> Scene:
    """Draw land: sky, hills, trees, textured ground, stones and tufts of grass.

    Args:
        rng: Source of everything that varies.
        size: Width and height in pixels.
        palette: Colours.
    """
    width, height = size
    horizon = int(height * rng.uniform(0.30, 0.58))
    light = _sunlight(rng, palette.sun, palette.ambient)
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
        foot_y = horizon + 6 + (height - horizon) * rng.random() ** 0.7
        near = (foot_y - horizon) / (height - horizon)
        foot = (rng.uniform(0, width), foot_y)
        tuft(canvas, rng, foot, 5 + 44 * near * rng.uniform(0.5, 1), palette.grass)
    ground = horizon + (height - horizon) * rng.uniform(0.62, 0.9)
    return Scene(canvas, light, palette.sky[1], ground, palette.grass)


def _sky(
    rng: np.random.Generator, shape: tuple[int, int], palette: Palette, light: Light
) -> np.ndarray:
    height, width = shape
    sky = _gradient(shape, *palette.sky)
    narrow = (height // 2 + 1, width // 6 + 1)  # clouds are wider than they are high
    clouds = soft_noise(rng, narrow, 17) + 0.5 * soft_noise(rng, narrow, 7)
    share = rng.uniform(0.1, 0.8) * smoothstep(0.15, 0.9, clouds)
    sky = mix(sky, (0.98, 0.97, 0.95), cv2.resize(share, (width, height)))
    x = np.linspace(-1, 1, width, dtype=np.float32) - np.sign(light.direction[0]) * 0.6
    glow = np.exp(-4 * x**2) * np.linspace(0.1, 1, height, dtype=np.float32)[:, None] ** 2
    return sky + scaled(flood(shape, palette.sun), 0.35 * glow)


def _ground(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> np.ndarray:
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
        texture += weight * cv2.remap(
            noise_sheet(), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
    patches = soft_noise(rng, (height, width // 4 + 1), 40)
    texture = 0.07 * texture + 0.10 * cv2.resize(patches, (width, height))
    return scaled(_gradient(shape, *palette.ground), 1 + texture)


def _hills(canvas: np.ndarray, rng: np.random.Generator, horizon: int, palette: Palette) -> None:
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
        colour = np.float32(palette.hills) * share + np.float32(palette.sky[1]) * (1 - share)
        cv2.fillPoly(canvas, [outline], _bytes(colour), cv2.LINE_AA)


def _acacias(canvas: np.ndarray, rng: np.random.Generator, horizon: int, palette: Palette) -> None:
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
        thick = max(1, round(tall / 22))
        cv2.line(
            canvas,
            (int(x), int(base)),
            fork.astype(int).tolist(),
            _bytes(colour),
            thick,
            cv2.LINE_AA,
        )
        for side in (-0.32, 0.0, 0.35):
            tip = (int(fork[0] + side * tall), int(base - 0.92 * tall))
            cv2.line(
                canvas,
                fork.astype(int).tolist(),
                tip,
                _bytes(colour),
                max(1, thick - 1),
                cv2.LINE_AA,
            )
        for _ in range(9):
            spot = fork + [rng.uniform(-0.5, 0.5) * tall, -rng.uniform(0.36, 0.5) * tall]
            axes = (int(rng.uniform(0.12, 0.26) * tall) + 1, int(0.06 * tall) + 1)
            shade = colour * rng.uniform(0.85, 1.2)
            cv2.ellipse(
                canvas, spot.astype(int).tolist(), axes, 0, 0, 360, _bytes(shade), -1, cv2.LINE_AA
            )


def _trunks(canvas: np.ndarray, rng: np.random.Generator, horizon: int, palette: Palette) -> None:
    """Draw leaves and trunks out of focus behind the animal."""
    width = canvas.shape[1]
    top = canvas[: horizon + 30]
    for _ in range(40):
        leaf = np.float32(palette.grass[int(rng.integers(len(palette.grass)))])
        leaf = leaf * rng.uniform(0.7, 1.5)
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, 0.9) * horizon))
        cv2.circle(top, spot, int(rng.uniform(10, 46)), _bytes(leaf), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(4, 10))):
        x, thick = rng.uniform(0, width), rng.uniform(8, 34)
        bark = np.float32((0.30, 0.24, 0.18)) * rng.uniform(0.6, 1.3)
        lean = rng.uniform(-20, 20)
        base = horizon + rng.uniform(2, 22)
        trunk = [[x + lean, -5], [x + lean + 0.7 * thick, -5], [x + thick, base], [x - 4, base]]
        cv2.fillPoly(top, [np.array(trunk).astype(np.int32)], _bytes(bark), cv2.LINE_AA)
    small = cv2.resize(top, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.5))
    top[:] = cv2.resize(small, top.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _stones(canvas: np.ndarray, rng: np.random.Generator, horizon: int, palette: Palette) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(0, 9))):
        y = horizon + (height - horizon) * rng.uniform(0.08, 1)
        size = (y - horizon) * rng.uniform(0.03, 0.14) + 3
        x, tilt = rng.uniform(0, width), rng.uniform(-12, 12)
        grey = (
            np.float32((0.55, 0.51, 0.46)) * rng.uniform(0.7, 1.15) * np.float32(palette.sun) * 1.3
        )
        for drop, spread, tone in ((0.25, 1.15, 0.35), (0.0, 1.0, 0.75), (-0.16, 0.72, 1.05)):
            centre = (int(x), int(y + drop * size))
            axes = (max(1, int(size * spread)), max(1, int(0.62 * size * spread)))
            cv2.ellipse(canvas, centre, axes, tilt, 0, 360, _bytes(grey * tone), -1, cv2.LINE_AA)


def tuft(
    canvas: np.ndarray,
    rng: np.random.Generator,
    foot: tuple[float, float],
    length: float,
    colours: tuple[Colour, ...],
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


def sea(rng: np.random.Generator, day: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Draw open water: shafts of light, fish far off, sometimes the sea floor, bubbles, plankton.

    Pictures of one day share the water and its murk, the light, and whether the floor is seen.

    Args:
        rng: Source of what varies from picture to picture.
        day: Source of what varies from day to day; a fresh one for each picture.
        size: Width and height in pixels.
    """
    width, height = size
    top, deep, sun, ambient = _water(day)
    direction = (float(day.uniform(-0.45, 0.45)), -0.78, 0.45)
    strength, murk = day.uniform(*DAYLIGHT), day.uniform(*MURK)
    middle = top * day.uniform(0.35, 0.6) + deep * 0.5
    floor_is_seen = day.random() < 0.35
    water = _gradient((height, width), tuple(top), tuple(middle))
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.5
    water = mix(water, tuple(deep), fade)
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
    light = Light(direction, _softened(tuple(sun), strength), _softened(tuple(ambient), strength))
    return Scene(canvas, light, tuple(float(c) for c in middle), None, murk=murk)


def _water(day: np.random.Generator) -> np.ndarray:
    """Mix the water of a day: colours at the surface and below, sun, ambient; float (4, 3)."""
    first, second = day.choice(len(WATERS), 2, replace=False)
    share = day.random()
    mixed = share * np.array(WATERS[first]) + (1 - share) * np.array(WATERS[second])
    return np.clip(mixed * day.uniform(*CAST, 3), 0, 1)


def _shafts(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Draw shafts of sunlight; float32 (height, width), 0 to about 0.3."""
    width, height = size
    small = np.zeros((height // 4, width // 4), np.float32)
    source = rng.uniform(-0.2, 1.2) * width / 4
    for _ in range(int(rng.integers(3, 10))):
        near, far = (
            source + rng.uniform(-0.25, 0.25) * width / 4,
            source + rng.uniform(-1, 1) * width / 3,
        )
        spread = rng.uniform(2, 9)
        shaft = [[near, -5], [near + spread, -5], [far + 4 * spread, height / 4], [far, height / 4]]
        layer = np.zeros_like(small)
        cv2.fillPoly(layer, [np.array(shaft).astype(np.int32)], float(rng.uniform(0.05, 0.22)))
        small += layer
    small *= np.linspace(1, 0, height // 4, dtype=np.float32)[:, None]
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), size)


def _sea_floor(canvas: np.ndarray, rng: np.random.Generator, deep: Colour) -> None:
    height, width = canvas.shape[:2]
    start = int(height * rng.uniform(0.78, 0.92))
    ridge = (
        start + 14 * soft_noise(rng, (2, width), 160)[0] + 4 * soft_noise(rng, (2, width), 30)[0]
    )
    floor = np.float32(deep) * 0.55 + np.float32((0.62, 0.66, 0.52)) * rng.uniform(0.2, 0.45)
    outline = np.column_stack([np.arange(width), ridge])
    outline = np.vstack([outline, [[width, height], [0, height]]]).astype(np.int32)
    cv2.fillPoly(canvas, [outline], _bytes(floor), cv2.LINE_AA)
    for _ in range(int(rng.integers(4, 14))):
        x, size = rng.uniform(0, width), rng.uniform(8, 34)
        coral = floor * rng.uniform(0.55, 1.25)
        for _ in range(5):
            spot = (int(x + rng.uniform(-1, 1) * size), int(height - rng.uniform(0, 1.2) * size))
            cv2.circle(
                canvas,
                spot,
                int(0.4 * size) + 1,
                _bytes(coral * rng.uniform(0.85, 1.1)),
                -1,
                cv2.LINE_AA,
            )


def _school(canvas: np.ndarray, rng: np.random.Generator, deep: Colour) -> None:
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
        cv2.fillPoly(canvas, [outline], _bytes(colour), cv2.LINE_AA, 4)
