"""Pictures: a shot of the survey as pixels, with the mask of each animal in it.

Every picture is a pure function of the seed and its shot, so that neither the order of drawing nor
the number of processes can change a pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals import depth
from megalib.drawn.animals.condition import weathered
from megalib.drawn.animals.sheets import Sheets
from megalib.drawn.animals.species import SPECIES, number_of, painted
from megalib.drawn.photographs import camera, hiding, placing
from megalib.drawn.places import growth, stations
from megalib.drawn.places.scenes import Scene
from megalib.drawn.survey import Shot, beside

# Width and height; the shorter side is above 518, the larger of the two prepared sizes.
SIZES = ((720, 540), (768, 576), (800, 560), (640, 540), (660, 600), (600, 600))
THIN = 0.28  # width of what counts as thin, as a share of the root of an animal's area
SURROUNDINGS = 0.05  # around an animal in a picture that has been cut to it, as a share of its size
TRACE = 0.001  # share of an animal that may be missing at its edges, though nothing hides it
_PICTURE = 2  # a word that tells the generator of pictures from those of coats and places


@dataclass(frozen=True)
class Sighting:
    """One animal in one picture."""

    individual: int  # its number within the species
    bbox: tuple[int, int, int, int]  # x, y, width, height, with a margin, inside the picture
    facing: str  # flank that is seen: "left", "right" or "top"
    mask: np.ndarray  # uint8 (height, width), 0 to 255: what is visible of it
    hidden_by: str  # what hides most of what is not visible, see `Shot`; "" if all is visible
    hidden: float  # share of the animal that is not visible, 0 to 1
    pixels: int  # along the longer side of what is visible


def draw_picture(seed: int, shot: Shot) -> tuple[np.ndarray, list[Sighting]]:
    """Draw one picture.

    Args:
        seed: Seed of the whole data set.
        shot: What the picture shows.

    Returns:
        The picture, uint8 (height, width, 3), RGB, and who is where in it, `shot.individual` first.
    """
    number = number_of(shot.species)
    rng = np.random.default_rng([seed, _PICTURE, number, shot.individual, shot.picture])
    size = SIZES[shot.station % len(SIZES)]  # every camera has its own
    where = (shot.station, shot.light, shot.day)
    scene = stations.scene(seed, shot.species, *where, size, rng)
    canvas = scene.picture * np.float32(1 / 255)
    alone = shot.companion is None
    places = [rng.uniform(0.35, 0.65)] if alone else [*rng.permutation([0.27, 0.73])]
    sightings = []
    if not alone:  # behind the first one
        sightings.append(_put(canvas, seed, rng, scene, beside(shot), places[1]))
    sightings.insert(0, _put(canvas, seed, rng, scene, shot, places[0]))
    growth.foreground(canvas, rng, scene)
    masks, causes = [placed.mask for placed in sightings], [shot.hidden_by, "herd"]
    if not alone:
        masks[1] = np.where(masks[0] > 127, 0, masks[1]).astype(np.uint8)
    if shot.hidden_by not in {"", "frame"}:
        visible = hiding.hide(canvas, masks[0], scene, rng, shot.hidden_by, shot.hidden)
        before, masks = masks, [cv2.convertScaleAbs(mask * visible) for mask in masks]
        if not alone and sightings[1].whole - _area(before[1]) < _area(before[1]) - _area(masks[1]):
            causes[1] = shot.hidden_by
    if scene.place == "black":
        pixels = camera.segmented(canvas, rng, masks[0], shot)
    else:
        pixels = camera.photograph(canvas, rng, shot)
    if SPECIES[shot.species].cut:
        x, y, width, height = _surroundings(masks[0])
        pixels = np.ascontiguousarray(pixels[y : y + height, x : x + width])
        masks = [mask[y : y + height, x : x + width] for mask in masks]
    animals = [shot.individual] if alone else [shot.individual, shot.companion]
    return pixels, [
        _sighting(shot, animal, mask, placed.whole, cause)
        for animal, mask, placed, cause in zip(animals, masks, sightings, causes, strict=False)
    ]


def _put(
    canvas: np.ndarray, seed: int, rng: Generator, scene: Scene, shot: Shot, middle: float
) -> placing.Placed:
    """Draw one animal of a shot into its picture, in place."""
    solids = [depth.solid(piece) for piece in SPECIES[shot.species].pose(rng)]
    return placing.put(canvas, rng, scene, shot, solids, _coats(seed, shot), middle)


def _coats(seed: int, shot: Shot) -> tuple[Sheets, Sheets]:
    """The flank that is seen and the other one, in the state that the animal is in."""
    sides = {"left": (1, 0), "right": (0, 1), "top": (0, 0)}[shot.flank]
    seen, other = (
        weathered(painted(seed, shot.species, who, side), seed, who, side, shot)
        for who, side in zip((shot.individual, shot.individual), sides, strict=True)
    )
    return seen, other


def _surroundings(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The part of a picture that somebody has cut out around an animal: x, y, width, height."""
    x, y, width, height = _trunk(mask)
    margin = round(SURROUNDINGS * max(width, height))
    left, top = max(0, x - margin), max(0, y - margin)
    right = min(mask.shape[1], x + width + margin)
    return left, top, right - left, min(mask.shape[0], y + height + margin) - top


def _trunk(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The box of an animal without what is thin, its legs, fins and tail: x, y, width, height."""
    thin = max(1, round(THIN * np.sqrt(np.count_nonzero(mask > 127))))
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thin, thin), np.uint8))
    return placing.bounding_box(thick if thick.any() else mask)


def _area(mask: np.ndarray) -> float:
    """The pixels that a mask covers."""
    return float(mask.sum()) / 255


def _sighting(shot: Shot, individual: int, mask: np.ndarray, whole: float, cause: str) -> Sighting:
    box = _trunk(mask) if SPECIES[shot.species].trunk else placing.bounding_box(mask)
    rows, columns = np.nonzero(mask > 127)
    pixels = int(max(np.ptp(rows), np.ptp(columns))) + 1 if len(rows) else 0
    hidden = float(np.clip(1 - _area(mask) / max(whole, 1.0), 0, 1))
    hides = cause if hidden >= TRACE else ""
    return Sighting(individual, box, shot.flank, mask, hides, hidden, pixels)
