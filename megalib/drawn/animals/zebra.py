"""Zebras: striped, walking or standing."""

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.coats import (
    CELLS,
    Traits,
    densities,
    look_up,
    pattern_space,
    stripe_tile,
)
from megalib.drawn.animals.shapes import Piece, bend, dense_map, limb, swing, thin_plate, turn, walk
from megalib.drawn.animals.sheets import Sheets, dab, eye, finish, grid, line, points
from megalib.drawn.pixels import flood, mix, smoothstep, soft_noise

BODY = points(
    *(136, 222, 146, 198, 182, 182, 236, 186, 300, 193, 352, 182, 386, 164, 424, 124, 462, 86),
    *(492, 64, 516, 66, 534, 84, 552, 114, 570, 144, 584, 166, 587, 184, 576, 196, 560, 195),
    *(545, 184, 528, 172, 508, 166, 492, 178, 480, 210, 466, 246, 456, 278, 438, 314, 402, 336),
    *(350, 350, 290, 358, 240, 346, 200, 326, 168, 330, 140, 318, 124, 286, 124, 250),
)
MANE = points(
    *(372, 186, 376, 166, 398, 132, 420, 106, 444, 78, 466, 58, 490, 40, 506, 42, 516, 62),
    *(500, 76, 474, 104, 440, 140, 410, 172),
)
EAR = points(486, 74, 474, 52, 472, 28, 481, 14, 494, 28, 500, 52, 502, 70)
HIND = (points(172, 262, 184, 338, 156, 408, 160, 476, 168, 507), [54, 33, 16, 10, 13], -1.0)
FRONT = (points(410, 272, 402, 342, 402, 414, 402, 478, 408, 507), [40, 25, 15, 10, 13], 1.0)
TAIL = points(140, 212, 112, 250, 104, 310, 106, 370)
GROUND = 520.0
# Where the points of the body lie once it is unrolled into a straight tube: stripes are the lines
# of constant first coordinate, so they ring the neck, sweep back over the rump and cross the legs.
UNROLLED = (
    points(
        *(370, 182, 300, 200, 230, 190, 165, 186, 132, 220, 122, 280, 150, 325, 205, 322),
        *(290, 350, 400, 336, 446, 270, 470, 210, 494, 166, 425, 128, 468, 84, 500, 64),
        *(524, 70, 586, 176, 562, 198, 515, 164),
    ),
    points(
        *(370, 0, 300, 0, 226, 0, 148, -4, 92, 0, 34, 20, -14, 60, 62, 140),
        *(290, 150, 384, 150, 440, 150, 505, 140, 552, 120, 432, 0, 494, 0, 535, 0),
        *(562, 2, 690, 40, 680, 90, 592, 116),
    ),
)


def coat(rng: Generator, kin: Generator, own: Traits) -> Sheets:
    """Paint a zebra's sheets."""
    x, y = grid(640, 560)
    tile = stripe_tile(rng, kin)
    unrolled = dense_map(thin_plate(*UNROLLED), 0, 0, 640, 560)
    start = CELLS * kin.random(2)
    density = densities(rng, kin, x.shape, own)
    sheets = {}
    body = (unrolled[..., 0], unrolled[..., 1])
    for name, (s, t), cell in (("body", body, 50.0), ("legs", (y, x), 32.0)):
        u, v = pattern_space(s, t, cell, own, start, 0.75)
        wave = look_up(tile, u, v)
        dark = smoothstep(-0.22, 0.22, wave + 0.7 * density)
        cream = flood((560, 640), (0.95, 0.92, 0.85))
        cream = mix(cream, (0.86, 0.70, 0.50), 0.8 * own.tone)
        dust = smoothstep(0.2, 1, soft_noise(rng, x.shape, 90))
        cream = mix(cream, (0.80, 0.70, 0.56), 0.5 * dust)
        ink = (0.07 + 0.19 * own.tone, 0.065 + 0.10 * own.tone, 0.065 + 0.04 * own.tone)
        rgb = mix(cream, ink, dark)
        if name == "body":
            rgb = mix(rgb, (0.95, 0.92, 0.86), 0.85 * smoothstep(340, 358, y) * (x < 470))
            _face(rgb)
            sheets[name] = finish(rng, rgb, own)
        else:
            rgb = mix(rgb, (0.13, 0.11, 0.10), smoothstep(494, 500, y))
            hip = np.where(x < 290, 312, 318)
            sheets[name] = finish(rng, rgb, own, smoothstep(0, 16, y - hip))
    tuft = sheets["legs"][..., :3] * np.float32(1 / 255)
    tuft = mix(tuft, (0.08, 0.07, 0.07), smoothstep(286, 310, y))
    sheets["tail"] = finish(rng, tuft, own)
    return sheets


def _face(rgb: np.ndarray) -> None:
    dab(rgb, (582, 182), (27, 24), (0.12, 0.10, 0.10), 0.45)
    dab(rgb, (581, 172), (5, 3), (0.02, 0.02, 0.02), 0.3, 0.9)
    line(rgb, points(583, 192, 568, 187, 558, 182), 2, (0.03, 0.03, 0.03))
    dab(rgb, (523, 106), (12, 9), (0.13, 0.11, 0.10), 0.35, 0.7)
    eye(rgb, (523, 105), 6.0, (0.16, 0.09, 0.05))
    dab(rgb, (487, 46), (9, 24), (0.90, 0.86, 0.79), 0.3, -0.1)
    dab(rgb, (487, 50), (4.5, 15), (0.34, 0.29, 0.27), 0.6, -0.1)
    dab(rgb, (482, 19), (12, 8), (0.1, 0.09, 0.09), 0.4)


def pose(rng: Generator) -> list[Piece]:
    """Pose a zebra: walking or standing, neck raised or lowered."""
    neck, head = rng.uniform(-0.18, 0.55), rng.uniform(-0.22, 0.22)
    sway, flick = rng.uniform(-0.5, 0.35, 2), rng.uniform(-0.35, 0.3)

    def body(points: np.ndarray) -> np.ndarray:
        nodded = bend(points, (494, 108), (556, 118), head)
        return bend(nodded, (400, 228), (478, 128), neck)

    tail = limb(TAIL, [12, 8, 7, 13], 1.6)
    swung = limb(swing(TAIL, [*sway, 0.3 * sway[0]]), [12, 8, 7, 13], 1.6)
    legs = walk({"hind": HIND, "front": FRONT}, GROUND, 22, rng)
    ear = turn(EAR, EAR[0], flick)
    far_ear = turn(EAR + [17, 2], EAR[0], 0.32 + flick)
    return [
        *legs[:2],
        Piece(tail, swung, "tail"),
        Piece(EAR, body(far_ear), "body", -12, 0.1),
        Piece(MANE, body(MANE), "body", 0, 0.2),
        Piece(BODY, body(BODY), "body"),
        *legs[2:],
        Piece(EAR, body(ear), "body", 20, 0.1),
    ]
