"""Hiding: what is between the camera and an animal, and what of the animal it leaves to be seen."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import fill, spline
from megalib.drawn.animals.sheets import points
from megalib.drawn.pixels import Colour, flood, mix, smoothstep, soft_noise
from megalib.drawn.places.growth import tuft
from megalib.drawn.places.scenes import Scene, as_bytes
from megalib.drawn.places.water import fish

MOST = 400  # tufts, leaves or fish before an animal
HALVINGS = 10  # of the range in which the right place of a cloud or a body is sought
STEP = 4  # clouds and bodies out of focus are smooth, so a quarter of the resolution is enough
SILT = 0.8  # how softly a cloud ends, in units of its noise
DARK = 0.2  # haze below this is that of a night
BLADE = 0.013  # half the width of a tall blade as a share of its length
# The hind part of a neighbour: how far it comes in, and how far down it is, 1 at its feet.
HIND = points(
    *(4.0, 0.04, 2.6, 0.0, 1.2, 0.02, 0.62, -0.02, 0.30, 0.04, 0.08, 0.18, 0.02, 0.36, 0.10, 0.54),
    *(0.22, 0.66, 0.14, 0.78, 0.16, 0.94, 0.14, 1.0, 0.30, 1.0, 0.31, 0.8, 0.46, 0.68, 0.66, 0.60),
    *(1.2, 0.66, 2.6, 0.68, 4.0, 0.64),
)
Box = tuple[int, int, int, int]  # x, y, width and height of an animal


def hide(
    canvas: np.ndarray, mask: np.ndarray, scene: Scene, rng: Generator, how: str, share: float
) -> np.ndarray:
    """Put something before an animal.

    Animals that are cut out lose the hidden parts: they become black.

    Args:
        canvas: The picture, float32 (height, width, 3), 0 to 1, changed in place.
        mask: The animal, uint8 (height, width), 0 to 255.
        scene: In which it is.
        rng: Source of everything that varies.
        how: "grass" (weed in water), "herd" (a neighbour out of focus; a school of fish in
            water), "bush" (leaves out of focus) or "murk" (mist, silt, or sand). Nothing is done
            for "" and for "frame", which is a matter of placing.
        share: Of the animal that shall be hidden, 0 to about 0.8; it is reached to within one tuft,
            leaf or fish.

    Returns:
        How much of what was there remains visible, float32 (height, width), 0 to 1.
    """
    box = cv2.boundingRect(mask)
    if how in ("", "frame") or share <= 0 or not box[2]:
        return np.ones(mask.shape, np.float32)
    if how == "murk":
        colours, cover = _cloud(mask, scene, rng, share)
    elif how == "herd" and scene.place != "water":
        colours, cover = _neighbour(canvas, mask, box, rng, share)
    else:
        draw = {"grass": _blades, "bush": _leaves, "herd": _school}[how]
        layer = cv2.merge(
            [*cv2.split(cv2.convertScaleAbs(canvas, alpha=255)), np.zeros(mask.shape, np.uint8)]
        )
        _until(layer, mask, box, share, draw(scene, box, rng, share))
        if how != "grass":
            layer = cv2.GaussianBlur(layer, (0, 0), max(0.4, 0.012 * max(box[2:])))
        colours = layer[..., :3] * np.float32(1 / 255)
        cover = layer[..., 3] * np.float32(1 / 255)
    if scene.place == "black":
        colours = np.zeros_like(canvas)
    canvas[:] = mix(canvas.copy(), colours, cover)
    return 1 - cover


def _until(
    layer: np.ndarray, mask: np.ndarray, box: Box, share: float, draw: Callable[[np.ndarray], None]
) -> None:
    """Draw one thing after another until so much of an animal is hidden, in place."""
    x, y, width, height = box
    sparse = max(1, min(width, height) // 60)  # every so many pixels are enough to measure
    here = (slice(y, y + height, sparse), slice(x, x + width, sparse))
    animal = mask[here].astype(np.float32)
    whole = float(animal.sum())
    for _ in range(MOST):
        if whole and float((animal * layer[..., 3][here]).sum()) >= 255 * share * whole:
            return
        draw(layer)


def _until_hidden(hidden: Callable[[float], float], share: float, low: float, high: float) -> float:
    """Find where a share that grows between two values reaches what is asked for."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if hidden(middle) < share else (low, middle)
    return high


def _blades(scene: Scene, box: Box, rng: Generator, share: float) -> Callable[[np.ndarray], None]:
    """Tall grass, weed in water: the more is to be hidden, the taller."""
    x, y, width, height = box
    colours = scene.grass or ((0.16, 0.30, 0.20), (0.10, 0.22, 0.16), (0.24, 0.36, 0.20))
    tall = max(height, 0.35 * width) * (0.35 + 0.9 * share)
    grown = 1.0

    def draw(layer: np.ndarray) -> None:
        nonlocal grown
        foot = (x + width * rng.uniform(-0.2, 1.2), y + height * rng.uniform(0.97, 1.12))
        tuft(layer, rng, foot, tall * grown * rng.uniform(0.55, 1), colours, slim=BLADE)
        grown = min(grown + 0.01, 2.0)

    return draw


def _leaves(scene: Scene, box: Box, rng: Generator, share: float) -> Callable[[np.ndarray], None]:
    """Leaves of a bush near the camera, which grows from a lower corner."""
    x, y, width, height = box
    corner, inwards = (x, 1.0) if rng.random() < 0.5 else (x + width, -1.0)
    colours = scene.grass or ((0.3, 0.4, 0.2),)
    size, spread = 0.06 * max(width, height), 0.15

    def draw(layer: np.ndarray) -> None:
        nonlocal spread
        angle, far = rng.uniform(-0.2, 0.5 * np.pi), spread * np.sqrt(rng.random())
        across, up = far * np.cos(angle) * width, far * np.sin(angle) * max(height, 0.6 * width)
        spot = (int(corner + inwards * across), int(y + 1.02 * height - up))
        leaf = np.float32(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.35, 0.85)
        axes = (int(size * rng.uniform(0.7, 1.4)) + 1, int(0.4 * size) + 1)
        turned = np.degrees(-inwards * angle) + rng.normal(0, 35)
        cv2.ellipse(layer, spot, axes, turned, 0, 360, as_bytes(leaf), -1, cv2.LINE_AA)
        spread += 0.007

    return draw


def _school(scene: Scene, box: Box, rng: Generator, share: float) -> Callable[[np.ndarray], None]:
    """A school of fish that passes before the animal."""
    x, y, width, height = box
    middle = np.array([x + width * rng.uniform(0.2, 0.8), y + height * rng.uniform(0.35, 0.75)])
    size = max(width, height) / 110 * float(rng.choice([-1, 1]))
    heading, spread = rng.uniform(-0.3, 0.3), 0.5 * np.sqrt(share)
    deep, pale = np.float32(scene.haze) * 0.45, np.float32(scene.haze) * 0.7 + 0.2

    def draw(layer: np.ndarray) -> None:
        nonlocal spread
        spot = middle + rng.normal(0, spread, 2) * (0.6 * width, 0.6 * height)
        own, back = size * rng.uniform(0.7, 1.3), rng.uniform(0.6, 1.0)
        fish(layer, spot, own, heading, as_bytes(back * deep + (1 - back) * pale), rng)
        belly = spot + [0, 0.8 * abs(own)]
        fish(layer, belly, 0.6 * own, heading, as_bytes(0.6 * pale + 0.4 * deep), rng)
        spread = min(spread + 0.002, 1.0)

    return draw


def _cloud(
    mask: np.ndarray, scene: Scene, rng: Generator, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """A cloud that rises from below: its colours, and its cover, float32 (height, width)."""
    small = cv2.resize(mask, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    _, y, width, height = cv2.boundingRect(small)
    billows = soft_noise(rng, small.shape, max(2.0, 0.5 * width))
    billows += 0.35 * soft_noise(rng, small.shape, max(2.0, 0.16 * width))
    rows = np.arange(small.shape[0], dtype=np.float32)[:, None]
    billows += 1.8 * np.clip((rows - y) / max(height, 1), -1, 1.5)
    soft = 0.05 if scene.place == "black" else SILT
    animal, weight = billows[small > 0], small[small > 0].astype(np.float32)

    def hidden(lowered: float) -> float:
        return np.average(smoothstep(-lowered - soft, -lowered + soft, animal), weights=weight)

    edge = -_until_hidden(hidden, share, -6.0, 6.0)
    cover = np.float32(smoothstep(edge - soft, edge + soft, billows))
    cover = cv2.resize(cover, mask.shape[::-1])
    # By night the air is dark, but a flash lights what floats in it.
    lit = scene.haze if max(scene.haze) > DARK else 0.35 * np.float32(scene.light.sun)
    return flood(mask.shape, lit), cover


def _neighbour(
    canvas: np.ndarray, mask: np.ndarray, box: Box, rng: Generator, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The body of a neighbour out of focus, which comes in from a side, nearer to the camera.

    Its colours are those of the animal, dark and light, in bars of its own.
    """
    x, y, width, height = (v / STEP for v in box)
    small = cv2.resize(mask, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    from_left = bool(rng.random() < 0.5)
    animal = small.astype(np.float32) / max(float(small.sum()), 1.0)
    # It is nearer, so its feet are lower in the picture and it is as large as the animal or more.
    tall, top = height * rng.uniform(1.0, 1.15), y + height * rng.uniform(0.06, 0.16)
    shape = spline(HIND) * (-0.9 * tall, tall)

    def body(reach: float) -> np.ndarray:
        rump = x + reach * width if from_left else x + width - reach * width
        outline = shape * (1 if from_left else -1, 1) + (rump, top)
        return fill(small.shape, outline)

    reach = _until_hidden(lambda r: float((animal * body(r)).sum()) / 255, share, -0.2, 1.3)
    soft = max(0.5, 0.018 * width)
    cover = cv2.GaussianBlur(body(reach).astype(np.float32) / 255, (0, 0), soft)
    dark, light = _tones(canvas, mask)
    period = max(2.0, width * rng.uniform(0.11, 0.16))
    down, across = np.mgrid[0 : small.shape[0], 0 : small.shape[1]].astype(np.float32)
    warp = 0.5 * soft_noise(rng, small.shape, max(2.0, 0.3 * width))
    bars = 0.5 + 0.5 * np.cos(2 * np.pi * (across / period + 0.3 * down / period + warp))
    bars = cv2.GaussianBlur(np.float32(smoothstep(0.2, 0.8, bars)), (0, 0), soft)
    colours = mix(flood(small.shape, dark), light, bars)
    colours *= (1.05 - 0.35 * np.clip((down - top) / max(tall, 1), 0, 1))[..., None]
    wide = mask.shape[::-1]
    return cv2.resize(np.float32(colours), wide), cv2.resize(cover, wide)


def _tones(canvas: np.ndarray, mask: np.ndarray) -> tuple[Colour, Colour]:
    """The mean colours of the darker and of the lighter half of an animal."""
    animal = canvas[mask > 200] if (mask > 200).any() else canvas[mask > 0]
    grey = animal.sum(axis=1)
    dark = grey <= np.median(grey)
    light = ~dark if (~dark).any() else dark
    return tuple(animal[dark].mean(axis=0)), tuple(animal[light].mean(axis=0))
