"""Leopards: rosettes on the body, spots on head and legs, rings on the tail."""

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.coats import CELLS, Traits, cell_tile, densities, look_up, pattern_space
from megalib.drawn.animals.shapes import Piece, bend, limb, swing, turn, walk
from megalib.drawn.animals.sheets import Sheets, dab, eye, finish, grid, line, points
from megalib.drawn.pixels import flood, mix, smoothstep, soft_noise

BODY = points(
    *(130, 172, 144, 148, 184, 132, 240, 136, 300, 148, 360, 148, 410, 132, 448, 126, 474, 112),
    *(488, 86, 512, 64, 540, 60, 562, 72, 574, 92, 592, 104, 602, 117, 600, 138, 588, 152),
    *(566, 163, 546, 176, 524, 190, 506, 206, 482, 240, 452, 264, 400, 268, 340, 268, 280, 258),
    *(226, 240, 190, 246, 156, 246, 132, 224, 124, 196),
)
EAR = points(492, 88, 488, 68, 496, 52, 510, 50, 520, 62, 524, 78)
HIND = (points(176, 200, 196, 258, 158, 316, 166, 368, 178, 386), [52, 35, 17, 14, 15], -1.0)
FRONT = (points(438, 204, 440, 262, 444, 326, 442, 368, 454, 386), [34, 27, 18, 15, 16], 1.0)
TAIL = points(140, 168, 98, 196, 70, 246, 56, 300, 28, 334, -10, 328)
GROUND = 402.0
LEFT = 40  # the tail reaches left of the frame, so sheets start at this margin


def coat(rng: Generator, kin: Generator, own: Traits) -> Sheets:
    """Paint a leopard's sheets: rosettes on the body, spots on head and legs, rings on the tail."""
    x, y = grid(640, 440)
    near, _, _ = cell_tile(rng, kin)
    blotch = soft_noise(rng, x.shape, 13)
    start = CELLS * kin.random(2)
    density = densities(rng, kin, x.shape, own)
    sheets = {}
    for name in ("body", "legs", "tail"):
        ground = flood((440, 640), (0.93, 0.83, 0.60))
        ground = mix(ground, (0.82, 0.52, 0.22), own.tone)
        ground = mix(ground, (0.66, 0.42, 0.20), 0.45 * smoothstep(190, 120, y))
        ground = mix(ground, (0.96, 0.91, 0.80), smoothstep(226, 262, y) * (name == "body"))
        cell = {"body": 80.0, "legs": 54.0, "tail": 54.0}[name]
        head = smoothstep(470, 520, x) * (name == "body")
        u, v = pattern_space(x, y, cell, own, start)
        big = look_up(near, u, v) + 0.09 * blotch
        ring = 0.34 + 0.11 * density
        thickness = 0.13 + 0.08 * density
        rosette = smoothstep(thickness + 0.05, thickness - 0.05, np.abs(big - ring))
        rosette *= smoothstep(-0.75, -0.35, blotch + 0.5 * density)
        inside = smoothstep(ring, ring - 0.1, big)
        u, v = pattern_space(x, y, 30.0, own, start[::-1], 0.7)
        small = look_up(near, u, v) + 0.05 * blotch
        spots = smoothstep(0.34, 0.24, small - 0.1 * density)
        solid = smoothstep(0.42, 0.32, big - 0.12 * density)
        mark = rosette * (1 - head) + spots * head if name == "body" else solid
        if name == "body":
            ground = mix(ground, (0.66, 0.41, 0.18), 0.75 * inside * (1 - head))
        rgb = mix(ground, (0.11, 0.08, 0.06), 0.96 * mark)
        opacity = None
        if name == "body":
            _face(rgb)
        if name == "legs":
            rgb = mix(rgb, (0.93, 0.84, 0.66), 0.5 * smoothstep(360, 400, y))
            opacity = smoothstep(0, 24, y - np.where(x < 300, 222, 236))
        if name == "tail":
            rgb = mix(rgb, (0.09, 0.07, 0.06), smoothstep(60, 34, x))
        sheets[name] = finish(rng, rgb, own, opacity)
    return sheets


def _face(rgb: np.ndarray) -> None:
    white = (0.96, 0.92, 0.84)
    dab(rgb, (588, 138), (22, 13), white, 0.5, -0.3)
    dab(rgb, (556, 152), (26, 12), white, 0.7, -0.5)
    dab(rgb, (560, 86), (9, 4), white, 0.6, 0.5)
    dab(rgb, (601, 117), (8, 7), (0.55, 0.28, 0.25), 0.3, 0.8)
    line(rgb, points(602, 124, 594, 134, 578, 138), 2, (0.12, 0.07, 0.06))
    for dx, dy in ((0, 0), (-7, 1), (-2, 5), (-10, 6), (4, -4)):
        dab(rgb, (588 + dx, 128 + dy), (1.4, 1.4), (0.1, 0.07, 0.05), 0.4)
    line(rgb, points(563, 98, 570, 108, 574, 118), 3, (0.10, 0.07, 0.05))
    eye(rgb, (559, 96), 6.5, (0.83, 0.72, 0.25))
    dab(rgb, (506, 64), (17, 15), (0.12, 0.09, 0.07), 0.25)
    dab(rgb, (508, 68), (9, 8), (0.93, 0.86, 0.72), 0.5)


def pose(rng: Generator) -> list[Piece]:
    """Pose a leopard: prowling, head high or low, tail anywhere."""
    neck, head, flick = rng.uniform(-0.1, 0.38), rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2)
    arch = rng.uniform(-0.09, 0.07)

    def body(points: np.ndarray) -> np.ndarray:
        nodded = bend(points, (508, 132), (574, 132), head)
        raised = bend(nodded, (432, 190), (520, 126), neck)
        return bend(raised, (300, 205), (120, 205), arch)

    curl = [rng.uniform(-0.5, 1.0), *rng.uniform(-0.15, 0.5, 4)]
    radii = [15, 12, 11, 10, 10, 9]
    legs = walk({"hind": HIND, "front": FRONT}, GROUND, 22, rng)
    ear = turn(EAR, EAR[0], flick)
    far_ear = turn(EAR + [30, -4], EAR[0] + [30, 0], 0.25 + flick)
    return [
        *legs[:2],
        Piece(limb(TAIL + [LEFT, 0], radii), limb(swing(TAIL, curl), radii), "tail", 0, 0.9),
        Piece(EAR, body(far_ear), "body", -14, 0.1),
        Piece(BODY, body(BODY), "body", 0, 0.7),
        *legs[2:],
        Piece(EAR, body(ear), "body", 22, 0.1),
    ]
