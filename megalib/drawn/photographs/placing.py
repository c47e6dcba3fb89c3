"""Placing: where an animal goes in its scene, how it is turned there, and its shadow."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals import depth
from megalib.drawn.animals.depth import Solid, View
from megalib.drawn.animals.shapes import Light
from megalib.drawn.animals.sheets import Sheets
from megalib.drawn.pixels import mix, scaled
from megalib.drawn.places.scenes import Scene
from megalib.drawn.survey import Shot

MARGIN = 6  # pixels kept free between an animal and the edge of its picture
BOX_MARGIN = 0.03  # room around an animal in its bounding box, as a share of its longer side
SHADOW_STEP = 4
LEVEL = 6.0  # degrees: nobody photographs from the height of an animal's belly
ROLL = {"turtle": 40.0, "whale_shark": 20.0}  # degrees at most; animals on the ground are upright
FAR = 60  # pixels along an animal that is so far away that air or water veils it fully
VEIL = 0.35  # share of its colours that such an animal loses


@dataclass(frozen=True)
class Placed:
    """An animal that has been drawn into a picture."""

    mask: np.ndarray  # uint8 (height, width), 0 to 255: the animal, as far as it is in the frame
    whole: float  # pixels that the animal covers, outside of the frame, too


def view_of(shot: Shot, rng: Generator) -> View:
    """From where a shot sees its animal; only the roll is left to chance."""
    roll = ROLL.get(shot.species, 2.0) * float(rng.triangular(-1, 0, 1))
    pitch = shot.pitch - 25 if shot.flank == "top" else max(shot.pitch, LEVEL)
    return View(shot.yaw, pitch, roll, shot.bend, mirrored=shot.flank == "left")


def put(
    canvas: np.ndarray,
    rng: Generator,
    scene: Scene,
    shot: Shot,
    solids: list[Solid],
    coats: tuple[Sheets, Sheets],
    middle: float,
) -> Placed:
    """Draw an animal into a picture.

    Args:
        canvas: The picture, float32 (height, width, 3), changed in place.
        rng: Source of roll, height in the picture, and haze.
        scene: The background that the picture shows.
        shot: View, size, and whether the frame cuts the animal.
        solids: Its parts, posed.
        coats: The sheets of the flank that is seen, and of the other one.
        middle: Column of the animal's middle, as a share of the picture's width.
    """
    height, width = canvas.shape[:2]
    view = view_of(shot, rng)
    low, high = depth.extent(solids, view)
    room = np.array([width, height]) - 2 * MARGIN
    scale = min(shot.across / (high - low).max(), *(room / (high - low)))
    size = scale * (high - low)
    corner = _corner(rng, scene, size, (width, height), middle)
    if shot.hidden_by == "frame":
        corner = _cut(rng, corner, size, (width, height), shot.hidden)
    view = replace(view, scale=scale, shift=tuple((corner - scale * low).tolist()))
    x, y = np.floor(corner).astype(int).tolist()
    w, h = (np.ceil(size).astype(int) + 2).tolist()
    colour, opacity = depth.render(solids, coats, view, (x, y, w, h), scene.light)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    inside = (slice(top - y, bottom - y), slice(left - x, right - x))
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = cv2.convertScaleAbs(opacity[inside], alpha=255)
    if scene.place == "land":
        _shadow(canvas, mask, float(corner[1] + size[1]), scene.light)
    if scene.place != "black":
        veil = VEIL * min(1.0, FAR / shot.across)
        colour = mix(colour, scene.haze, min(0.8, scene.murk + veil + rng.uniform(0, 0.06)))
    seen = canvas[top:bottom, left:right]
    seen[:] = mix(seen.copy(), np.ascontiguousarray(colour[inside]), opacity[inside])
    return Placed(mask, float(opacity.sum()))


def _corner(
    rng: Generator, scene: Scene, size: np.ndarray, frame: tuple[int, int], middle: float
) -> np.ndarray:
    """The upper left corner of an animal that is wholly in its picture; float (2,)."""
    room = np.array(frame) - 2 * MARGIN - size
    across = middle * frame[0] - size[0] / 2
    if scene.place == "land":
        # An animal as tall as the picture has its feet at `ground`, a tiny one at the horizon.
        share = min(1.0, size[1] / (0.8 * frame[1]))
        foot = scene.horizon + (scene.ground - scene.horizon) * (0.12 + 0.88 * share)
        down = foot - size[1]
    else:
        down = rng.uniform(0.25, 0.75) * frame[1] - size[1] / 2
    return np.clip([across, down], MARGIN, MARGIN + room)


def _cut(
    rng: Generator, corner: np.ndarray, size: np.ndarray, frame: tuple[int, int], share: float
) -> np.ndarray:
    """Move an animal over the left or the right edge by a share of its length."""
    if rng.random() < 0.5:
        return np.array([-share * size[0], corner[1]])
    return np.array([frame[0] - (1 - share) * size[0], corner[1]])


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width, height of what is visible in a mask, with a small margin."""
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask)
    margin = round(BOX_MARGIN * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(width, x + w + margin), min(height, y + h + margin)
    return left, top, right - left, bottom - top


def _shadow(canvas: np.ndarray, mask: np.ndarray, foot: float, light: Light) -> None:
    """Cast the animal's shadow on the ground, in place."""
    small = cv2.resize(mask, None, fx=1 / SHADOW_STEP, fy=1 / SHADOW_STEP).astype(np.float32) / 255
    foot = foot / SHADOW_STEP - 2
    right, down, _ = light.direction
    flat, slant = 0.20, -0.55 * right / max(0.35, -down)
    # Inverse map: the shadow at (x, y) comes from the animal at height (foot - y) / flat.
    x, y = [1, slant / flat, -slant / flat * foot], [0, 1 / flat, foot - foot / flat]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cast = cv2.warpAffine(small, np.float32([x, y]), small.shape[::-1], flags=flags)
    cast = cv2.GaussianBlur(cast, (0, 0), 2.2)
    strength = 0.5 * min(1.0, sum(light.sun) / (sum(light.sky) + 1e-6))
    canvas[:] = scaled(canvas, 1 - strength * cv2.resize(cast, canvas.shape[1::-1]))
