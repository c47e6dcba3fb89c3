"""Sea turtles seen from above: streaked scutes on the shell, plates on head and flippers."""

from functools import cache

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.coats import (
    CELLS,
    Traits,
    cell_tile,
    densities,
    look_up,
    pattern_space,
    stripe_tile,
)
from megalib.drawn.animals.shapes import Piece, limb, spline, swing
from megalib.drawn.animals.sheets import Sheets, dab, eye, finish, grid, points
from megalib.drawn.pixels import flood, mix, scaled, smoothstep, soft_noise

SHELL = points(
    *(118, 300, 140, 262, 180, 212, 236, 174, 300, 160, 362, 166, 420, 194, 458, 240, 474, 300),
    *(458, 360, 420, 406, 362, 434, 300, 440, 236, 426, 180, 388, 140, 338),
)
NECK = (points(440, 300, 490, 300, 530, 300, 566, 300), [44, 34, 40, 26])
FLIPPER = (points(410, 206, 446, 140, 420, 82, 366, 30, 320, 4), [34, 34, 31, 20, 8])
PADDLE = (points(196, 222, 144, 176, 104, 140, 76, 126), [26, 25, 26, 14])
TAIL = (points(134, 300, 104, 300, 84, 300), [14, 9, 4])
MIDDLE = 300.0  # the animal is symmetric about this line
# Centres of the scutes: five along the back, four on either side, and the rim.
SCUTES = points(
    *(418, 300, 348, 300, 276, 300, 208, 300, 152, 300, 400, 236, 330, 216, 254, 220, 192, 252),
    *(400, 364, 330, 384, 254, 380, 192, 348),
)


@cache
def _scutes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the shell into scutes, the Voronoi cells of their centres.

    Returns:
        Depth inside the scute in pixels, and x and y of its centre; each float32 (600, 640).
    """
    x, y = grid(640, 600)
    rim, middle = spline(SHELL, 2), SCUTES.mean(0)
    centres = np.vstack([SCUTES, middle + 0.985 * (rim - middle)]).astype(np.float32)
    first, second = np.full_like(x, np.inf), np.full_like(x, np.inf)
    nearest = np.zeros(x.shape, int)
    for number, (cx, cy) in enumerate(centres):
        distance = np.hypot(x - cx, y - cy)
        if number >= len(SCUTES):
            distance += 26  # scutes of the rim are the smaller ones
        nearest[distance < first] = number
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return second - first, centres[nearest, 0], centres[nearest, 1]


def coat(rng: Generator, kin: Generator, own: Traits) -> Sheets:
    """Paint a turtle's sheets: streaked scutes on the shell, plates on head and flippers."""
    x, y = grid(640, 600)
    near, second, number = cell_tile(rng, kin)
    streaks = stripe_tile(rng, kin)
    start = CELLS * kin.random(2)
    density = densities(rng, kin, x.shape, own)
    seam, cx, cy = _scutes()
    # Streaks radiate from the inner edge of every scute.
    angle = np.arctan2(y - cy, x - cx + 18) + own.angle
    radius = np.hypot(y - cy, x - cx + 18)
    u, v = 12 / own.scale * angle / (2 * np.pi), radius / (60 * own.scale * own.stretch)
    ray = look_up(streaks, u + cx * 0.13 + start[0], v + cy * 0.17)
    bu, bv = pattern_space(x, y, 54, own, start)
    blotch = 1 - 2 * look_up(near, bu, bv)
    dark = smoothstep(-0.35, 0.35, 0.5 * ray + 1.3 * blotch + 0.8 * density - 0.15)
    shell = flood((600, 640), (0.93, 0.78, 0.46))
    shell = mix(shell, (0.74, 0.40, 0.15), own.tone)
    shell = mix(shell, (0.62, 0.36, 0.15), 0.5 * smoothstep(0, 1, soft_noise(rng, x.shape, 60)))
    shell = mix(shell, (0.20, 0.12, 0.07), 0.92 * dark)
    shell = mix(shell, (0.13, 0.08, 0.05), 0.85 * smoothstep(4.5, 1.5, seam))
    shell = mix(shell, (0.95, 0.82, 0.58), 0.35 * smoothstep(3, 6, seam) * smoothstep(10, 6, seam))

    u, v = pattern_space(x, y, 32, own, start[::-1], 0.8)
    gap = look_up(second, u, v) - look_up(near, u, v)
    tone = look_up(number, u, v, smooth=False)
    plate = smoothstep(0.10, 0.22, gap - 0.05 * density)
    skin = flood((600, 640), (0.92, 0.83, 0.62))
    brown = scaled(flood(x.shape, (0.40, 0.28, 0.17)), 0.7 + 0.6 * tone)
    skin = mix(skin, brown, plate)
    for side in (-1, 1):
        eye(skin, (554, 300 + 25 * side), 6, (0.10, 0.08, 0.06))
    dab(skin, (584, 300), (9, 16), (0.80, 0.66, 0.40), 0.5)
    dab(skin, (580, 295), (1.5, 1.2), (0.1, 0.08, 0.06), 0.3)
    dab(skin, (580, 305), (1.5, 1.2), (0.1, 0.08, 0.06), 0.3)
    return {"shell": finish(rng, shell, own), "skin": finish(rng, skin, own)}


def pose(rng: Generator) -> list[Piece]:
    """Pose a swimming turtle seen from above."""

    def mirrored(points: np.ndarray) -> np.ndarray:
        return points * [1, -1] + [0, 2 * MIDDLE]

    def moved(part: tuple[np.ndarray, list[float]], angles: list[float], mirror: bool) -> Piece:
        joints, radii = part
        rest, posed = limb(joints, radii, 1.0), limb(swing(joints, angles), radii, 1.0)
        # The right flipper is the left one's mirror image at rest, too: both have their own plates.
        return Piece(*(mirrored(p) if mirror else p for p in (rest, posed)), "skin", -8, 0.3)

    stroke = rng.uniform(-0.55, 0.35)
    pieces = [moved(TAIL, [0.0, float(rng.uniform(-0.4, 0.4))], False)]
    for mirror in (False, True):
        own = stroke + rng.uniform(-0.2, 0.2)
        pieces.append(moved(FLIPPER, [own, 0.4 * own, 0.5 * own, 0.3 * own], mirror))
        kick = rng.uniform(-0.5, 0.4)
        pieces.append(moved(PADDLE, [kick, 0.3 * kick], mirror))
    look = float(rng.uniform(-0.28, 0.28))
    pieces.append(moved(NECK, [look, 0.6 * look], False))
    return [*pieces, Piece(SHELL, SHELL, "shell", 0, 0.4)]
