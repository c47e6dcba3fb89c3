"""Condition: what a coat has been through by the day of a picture: scars, mud, water, a season."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.sheets import Sheets
from megalib.drawn.animals.species import number_of
from megalib.drawn.pixels import Colour, smoothstep, soft_noise
from megalib.drawn.survey import Shot

WET = (0.14, 0.5)  # what water takes from a coat's brightness, and adds to its gamma
CAKED = 0.82  # share of the pattern that mud covers where it is
STEP = 4  # mud is mapped at a quarter of a sheet's resolution
# Words that tell the generators of scars and mud from those of all else.
_SCARS, _MUD = 31, 32


@dataclass(frozen=True)
class Wear:
    """How the coat of a species wears."""

    sheet: str  # that has the scars
    box: tuple[int, int, int, int]  # on it in which scars are: left, top, right, bottom
    scar: Colour
    marks: int  # parallel lines of a scar; 0 for a round patch, as of barnacles
    mud: Colour  # or algae
    rises: float  # how much more of it is below than above, in units of its noise


WEAR = {
    "zebra": Wear("body", (160, 205, 470, 320), (0.55, 0.42, 0.38), 3, (0.50, 0.39, 0.26), 2.0),
    "leopard": Wear("body", (150, 150, 480, 245), (0.90, 0.76, 0.68), 3, (0.38, 0.29, 0.20), 2.0),
    "turtle": Wear("shell", (150, 190, 450, 410), (0.86, 0.84, 0.76), 0, (0.30, 0.40, 0.20), 0.0),
    "whale_shark": Wear("body", (230, 150, 740, 250), (0.88, 0.9, 0.9), 1, (0.34, 0.38, 0.24), 0.0),
}


def weathered(sheets: Sheets, seed: int, individual: int, side: int, shot: Shot) -> Sheets:
    """Let a coat show what the animal has been through by the day of a picture.

    Scars belong to one side of an individual and stay where they are: the first `shot.scars` of
    them are there. Mud belongs to the encounter; water and season change colours alone.

    Args:
        sheets: The coat of that side, as painted.
        seed: Of the whole data set.
        individual: Number of the animal, which may be the companion in the shot.
        side: 0 right, 1 left.
        shot: Its species, encounter, wet, mud, scars and tint are used.

    Returns:
        New sheets.
    """
    number, wear = number_of(shot.species), WEAR[shot.species]
    worn = dict(sheets)
    if shot.scars:
        rng = np.random.default_rng([seed, _SCARS, number, individual, side])
        worn[wear.sheet] = _scarred(worn[wear.sheet], rng, wear, shot.scars)
    if shot.mud > 0:
        rng = np.random.default_rng([seed, _MUD, number, shot.encounter, individual, side])
        worn = _muddy(worn, rng, wear, shot.mud)
    table = np.empty((1, 256, 4), np.uint8)
    dim, gamma = 1 - WET[0] * shot.wet, 1 + WET[1] * shot.wet
    for channel, factor in enumerate((*shot.tint, None)):
        values = np.arange(256) / 255
        if factor is not None:  # opacity stays
            values = dim * np.clip(values * factor, 0, 1) ** gamma
        table[0, :, channel] = np.round(255 * values)
    return {name: cv2.LUT(sheet, table) for name, sheet in worn.items()}


def _scarred(sheet: np.ndarray, rng: Generator, wear: Wear, scars: int) -> np.ndarray:
    """Paint the first scars onto a copy of an opaque sheet; each takes as many random numbers."""
    scarred = sheet.copy()
    left, top, right, bottom = wear.box
    for _ in range(scars):
        spot = rng.uniform((left, top), (right, bottom))
        length, angle, curve = rng.uniform(22, 80), rng.uniform(0, np.pi), rng.uniform(-0.25, 0.25)
        tone, lines = rng.uniform(0.85, 1.1), 1 + int(rng.integers(max(wear.marks, 1)))
        colour = (*(255 * min(1.0, tone * c) for c in wear.scar), 255.0)
        if not wear.marks:
            radius = round(4 + 0.12 * length)
            centre = tuple(np.round(spot).astype(int).tolist())
            cv2.circle(scarred, centre, radius, colour, -1, cv2.LINE_AA)
            hollow = (*(0.55 * c for c in colour[:3]), 255.0)
            cv2.circle(scarred, centre, radius // 2, hollow, -1, cv2.LINE_AA)
            continue
        along = np.array([np.cos(angle), np.sin(angle)])
        aside = np.array([-along[1], along[0]])
        t = np.linspace(-0.5, 0.5, 12)[:, None]
        for line in range(lines):
            bow = curve * length * (t**2 - 0.25)
            path = spot + t * length * (1 - 0.15 * line) * along + (bow + 8 * line) * aside
            fixed = np.round(16 * path).astype(np.int32)
            cv2.polylines(scarred, [fixed], False, colour, 3, cv2.LINE_AA, 4)
    return scarred


def _muddy(sheets: Sheets, rng: Generator, wear: Wear, share: float) -> Sheets:
    """Spatter sheets with mud, one cloud for all; `share` of the body is below it."""
    height, width = (max(s.shape[axis] for s in sheets.values()) for axis in (0, 1))
    small = (-(-height // STEP), -(-width // STEP))
    blots = soft_noise(rng, small, 64 / STEP) + 0.7 * soft_noise(rng, small, 18 / STEP)
    left, top, right, bottom = (edge // STEP for edge in wear.box)
    rows = np.arange(small[0], dtype=np.float32)[:, None]
    blots += wear.rises * (rows - top) / (bottom - top)
    edge = np.quantile(blots[top:bottom, left:right], 1 - min(share, 1.0))
    cover = np.float32(CAKED * smoothstep(edge - 0.25, edge + 0.25, blots))
    cover = cv2.resize(cover, (small[1] * STEP, small[0] * STEP))
    muddy = {}
    for name, sheet in sheets.items():
        rows, columns = sheet.shape[:2]
        mud = cv2.merge(
            [
                *(np.full((rows, columns), round(255 * c), np.uint8) for c in wear.mud),
                np.ascontiguousarray(sheet[..., 3]),
            ]
        )
        part = np.ascontiguousarray(cover[:rows, :columns])
        muddy[name] = cv2.blendLinear(sheet, mud, 1 - part, part)
    return muddy
