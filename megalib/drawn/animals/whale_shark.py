"""Whale sharks: pale spots between pale bars."""

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.coats import CELLS, Traits, cell_tile, densities, look_up, pattern_space
from megalib.drawn.animals.shapes import Piece, bend, turn
from megalib.drawn.animals.sheets import Sheets, dab, eye, finish, grid, line, points
from megalib.drawn.pixels import flood, mix, smoothstep, soft_noise

BODY = points(
    *(806, 186, 792, 158, 744, 138, 680, 126, 600, 118, 510, 116, 420, 124, 340, 138, 262, 156),
    *(196, 170, 150, 176, 150, 200, 200, 208, 262, 222, 340, 244, 420, 262, 510, 276, 600, 280),
    *(680, 274, 744, 258, 790, 232, 805, 208),
)
DORSAL = points(448, 132, 420, 112, 388, 72, 362, 52, 352, 60, 356, 96, 346, 146, 396, 150)
SECOND = points(282, 160, 262, 138, 244, 128, 240, 140, 240, 168)
TAIL = points(
    *(170, 172, 140, 150, 96, 96, 56, 56, 44, 62, 62, 112, 88, 168, 96, 190, 88, 226, 74, 268),
    *(84, 274, 120, 246, 148, 212, 170, 202),
)
PECTORAL = points(
    *(628, 252, 592, 262, 540, 306, 492, 358, 484, 376, 500, 378, 556, 350, 618, 312, 652, 270)
)
PELVIC = points(336, 240, 312, 258, 292, 278, 290, 288, 306, 284, 346, 260, 362, 248)


def coat(rng: Generator, kin: Generator, own: Traits) -> Sheets:
    """Paint a whale shark's sheet: pale spots between pale bars, a white belly."""
    x, y = grid(860, 420)
    near, _, number = cell_tile(rng, kin)
    start = CELLS * kin.random(2)
    density = densities(rng, kin, x.shape, own)
    rgb = flood((420, 860), (0.42, 0.50, 0.52))
    rgb = mix(rgb, (0.12, 0.18, 0.30), own.tone)
    rgb = mix(rgb, (0.17, 0.24, 0.32), 0.6 * smoothstep(190, 120, y))
    rgb = mix(rgb, (0.36, 0.45, 0.48), 0.3 * smoothstep(0, 1, soft_noise(rng, x.shape, 70)))
    pale = (0.93, 0.95, 0.90)
    u, v = pattern_space(x, y, 84.0, own, start)
    size = 0.27 + 0.14 * density + 0.10 * (look_up(number, u, v, smooth=False) - 0.5)
    spots = smoothstep(size + 0.06, size - 0.06, look_up(near, u, v))
    u, v = pattern_space(x, y, 46.0, own, start[::-1], 0.6)
    freckles = smoothstep(0.36, 0.25, look_up(near, u, v) - 0.1 * density)
    head = smoothstep(620, 690, x)
    bars, _ = pattern_space(x, y, 120.0, own, start)
    wave = np.cos(2 * np.pi * bars) + 0.2 * soft_noise(rng, x.shape, 50)
    bar = 0.38 * smoothstep(0.62, 0.95, wave)
    belly = 256 - 0.0002 * (x - 640) ** 2
    below = smoothstep(belly - 16, belly + 10, y)
    rgb = mix(rgb, pale, bar * (1 - head))
    rgb = mix(rgb, pale, 0.96 * (spots * (1 - head) + freckles * head))
    fins = finish(rng, rgb, own)
    for height, dip in ((150, 6), (186, 2)):
        ridge = points(200, 176, 380, height + 6, 560, height - dip, 700, height)
        line(rgb, ridge, 2, (0.45, 0.54, 0.58))
    rgb = mix(rgb, (0.90, 0.93, 0.91), below)
    for i in range(5):
        top = 176 + 2 * i
        gill = points(650 - 15 * i, top, 645 - 15 * i, 205, 648 - 15 * i, 238)
        line(rgb, gill, 2, (0.14, 0.20, 0.26))
    line(rgb, points(806, 200, 790, 208, 770, 206), 3, (0.08, 0.11, 0.15))
    dab(rgb, (762, 193), (9, 7.5), (0.60, 0.66, 0.68), 0.3)
    eye(rgb, (762, 193), 4.6, (0.12, 0.12, 0.14))
    return {"body": finish(rng, rgb, own), "fins": fins}


def pose(rng: Generator) -> list[Piece]:
    """Pose a swimming whale shark: tail beat seen from the side, fins tilted."""
    beat, head, fin = rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1), rng.uniform(-0.35, 0.4)
    turned = rng.uniform(0.72, 1.0)  # the tail swings towards or away from the viewer

    def body(points: np.ndarray) -> np.ndarray:
        bent = bend(points, (430, 190), (110, 190), beat)
        bent = bend(bent, (600, 200), (800, 200), head)
        behind = np.minimum(bent[:, 0] - 430, 0)
        return bent - [[1, 0]] * (behind * (1 - turned))[:, None]

    pectoral = turn(PECTORAL, np.array([630.0, 262.0]), fin)
    far = turn(PECTORAL * [0.8, 0.72] + [146, 72], np.array([640.0, 262.0]), 0.15 + 0.7 * fin)
    return [
        Piece(PECTORAL, body(far), "fins", -46, 0.05),
        Piece(PELVIC, body(PELVIC), "fins", 18, 0.05),
        Piece(SECOND, body(SECOND), "fins", 0, 0.1),
        Piece(DORSAL, body(DORSAL), "fins", 0, 0.1),
        Piece(TAIL, body(TAIL), "fins", 0, 0.1),
        Piece(BODY, body(BODY), "body", 0, 0.8),
        Piece(PECTORAL, body(pectoral), "fins", 50, 0.1),
    ]
