"""Placing: where an animal goes in its scene, from which side it is seen, and its shadow."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Light, Piece, render, spline
from megalib.drawn.animals.species import SPECIES, painted
from megalib.drawn.pixels import mix, scaled
from megalib.drawn.places.scenes import Scene

MARGIN = 6  # pixels kept free between an animal and the edge of its picture
BOX_MARGIN = 0.03  # room around an animal in its bounding box, as a share of its longer side
SHADOW_STEP = 4
RIGHT_SHARE = 0.75  # a survey photographs one flank by rule, the other by chance
Room = tuple[float, float, float, float]  # middle, bottom (or middle) row, largest width and height


@dataclass(frozen=True)
class Sighting:
    """One animal in one picture."""

    individual: int  # its number within the species
    bbox: tuple[int, int, int, int]  # x, y, width, height, with a margin, inside the picture
    facing: str  # "left" or "right"
    mask: np.ndarray  # uint8 (height, width), 0 to 255: the animal itself


def room(rng: Generator, scene: Scene, place: int, animals: int) -> Room:
    """Choose where an animal goes that is the `place`-th of so many, counted from 0."""
    height, width = scene.picture.shape[:2]
    share = rng.uniform(0.46, 0.52) if animals > 1 else rng.uniform(0.88, 0.98)
    middle = width * ((0.26, 0.74)[place] if animals > 1 else rng.uniform(0.42, 0.58))
    if scene.ground is None:
        return middle, height * rng.uniform(0.42, 0.58), share * width, 0.88 * height
    nearer = 1.0 if place == animals - 1 else 0.93
    foot = min(scene.ground if nearer == 1 else scene.ground * 0.96, 0.95 * height)
    return middle, foot, share * width * nearer, (foot - 0.05 * height) * nearer


def _lens(rng: Generator, species: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Draw a viewpoint: a 2 x 2 matrix, keystone factors, and whether the animal faces left."""
    tilt = {"turtle": 0.5, "whale_shark": 0.18}.get(species, 0.06)
    angle, shear = rng.uniform(-tilt, tilt), rng.uniform(-0.07, 0.07)
    narrow = rng.uniform(0.86, 1.0)  # a body turned a little away from the viewer looks shorter
    facing_left = bool(rng.random() > RIGHT_SHARE)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[narrow, shear], [0, 1]])
    if facing_left and species != "turtle":  # seen from above, nothing mirrors an animal
        matrix = np.diag([-1.0, 1.0]) @ matrix
    return matrix, rng.uniform(-2.2e-4, 2.2e-4, 2), facing_left


def put(
    canvas: np.ndarray,
    rng: Generator,
    of_encounter: Generator,
    scene: Scene,
    where: Room,
    who: tuple[int, str, int],
) -> Sighting:
    """Draw an animal into a picture.

    Args:
        canvas: The picture, float32 (height, width, 3), changed in place.
        rng: Source of pose and haze.
        of_encounter: Source of side and angle.
        scene: The background that the picture shows.
        where: What `room` chose.
        who: Seed of the data set, species, and number of the individual.
    """
    height, width = canvas.shape[:2]
    _, species, _ = who
    pieces = SPECIES[species].pose(rng)
    matrix, keystone, facing_left = _lens(of_encounter, species)

    def project(points: np.ndarray) -> np.ndarray:
        turned = (points - [330, 260]) @ matrix.T
        return turned / (1 + turned @ keystone)[:, None]

    # A portrait: the leopard fills its frame, and its tail may leave it.
    framed = [p for p in pieces if species != "leopard" or p.sheet != "tail"]
    low, high = _extent(framed, project)
    middle, foot, most_width, most_height = where
    scale = min(most_width / (high - low)[0], most_height / (high - low)[1])
    scale = min(scale, *((np.array([width, height]) - 2 * MARGIN) / (high - low)))
    anchor = (low + high) / 2 if scene.ground is None else np.array([(low + high)[0] / 2, high[1]])
    shift = np.array([middle, foot]) - scale * anchor
    shift = np.clip(shift, MARGIN - scale * low, [width - MARGIN, height - MARGIN] - scale * high)
    coat = painted(*who, int(facing_left and species != "turtle"))
    low, high = (scale * corner + shift for corner in _extent(pieces, project))
    x, y = np.maximum(np.floor(low).astype(int) - 3, 0)
    right, bottom = np.minimum(np.ceil(high).astype(int) + 3, [width, height])

    def place(points: np.ndarray) -> np.ndarray:
        return scale * project(points) + shift - [x, y]

    colour, opacity = render(pieces, coat, place, (right - x, bottom - y), scene.light)
    mask = np.zeros((height, width), np.uint8)
    mask[y:bottom, x:right] = cv2.convertScaleAbs(opacity, alpha=255)
    if scene.ground is not None:
        _shadow(canvas, mask, high[1], scene.light)
    if species != "turtle":
        colour = mix(colour, scene.haze, scene.murk + rng.uniform(0, 0.06))
    window = canvas[y:bottom, x:right]
    window[:] = mix(window.copy(), colour, opacity)
    return Sighting(who[2], bounding_box(mask), "left" if facing_left else "right", mask)


def _extent(pieces: list[Piece], project: Callable) -> tuple[np.ndarray, np.ndarray]:
    outline = np.vstack([spline(project(piece.posed), 3) for piece in pieces])
    return outline.min(0), outline.max(0)


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
    canvas[:] = scaled(canvas, 1 - 0.5 * cv2.resize(cast, canvas.shape[1::-1]))
