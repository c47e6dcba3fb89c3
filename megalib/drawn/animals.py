"""Four species: outlines, coats and poses.

Every animal is drawn facing right. `coat` paints an individual's sheets once per side; `pose`
returns the parts of one picture. All lengths are pixels of the coat sheet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from megalib.drawn.coats import (
    Traits,
    cell_tile,
    flood,
    look_up,
    mix,
    pattern_space,
    scaled,
    smoothstep,
    soft_noise,
    stripe_tile,
)
from megalib.drawn.shapes import Piece, bend, dense_map, limb, spline, swing, thin_plate, turn

Sheets = dict[str, np.ndarray]


@dataclass(frozen=True)
class Animal:
    """How one species is drawn.

    Attributes:
        coat: Paints an individual's sheets, uint8 (h, w, 4), from a generator and its traits.
        pose: Draws a pose from a generator.
        ground: Height of the ground below the animal's frame origin; None where it floats.
    """

    coat: Callable[[np.random.Generator, Traits], Sheets]
    pose: Callable[[np.random.Generator], list[Piece]]
    ground: float | None


def _points(*numbers: float) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 2)


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _dab(
    sheet: np.ndarray,
    centre: tuple[float, float],
    axes: tuple[float, float],
    colour: tuple[float, float, float],
    soft: float = 0.25,
    angle: float = 0.0,
    strength: float = 1.0,
) -> None:
    """Paint a soft ellipse onto a sheet, in place; `soft` is the share of its rim that fades."""
    reach = int(max(axes) * (1 + soft)) + 2
    x0, y0 = max(int(centre[0]) - reach, 0), max(int(centre[1]) - reach, 0)
    part = sheet[y0 : int(centre[1]) + reach, x0 : int(centre[0]) + reach]
    x, y = _grid(part.shape[1], part.shape[0])
    dx, dy = x + x0 - centre[0], y + y0 - centre[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    radius = np.hypot((cosine * dx + sine * dy) / axes[0], (cosine * dy - sine * dx) / axes[1])
    part[:] = mix(part.copy(), colour, strength * smoothstep(1 + soft, 1 - soft, radius))


def _line(
    sheet: np.ndarray, points: np.ndarray, width: int, colour: tuple[float, float, float]
) -> None:
    """Paint a smooth open line onto a sheet, in place."""
    curve = spline(np.vstack([points, points[-2:0:-1]]))[: 8 * (len(points) - 1) + 1]
    fixed = np.round(curve * 16).astype(np.int32)
    cv2.polylines(sheet, [fixed], False, colour, width, cv2.LINE_AA, 4)


def _eye(sheet: np.ndarray, at: tuple[float, float], size: float, iris: tuple[float, ...]) -> None:
    """Paint an eye with a highlight, in place."""
    x, y = at
    _dab(sheet, at, (1.5 * size, 1.2 * size), (0.08, 0.06, 0.05), 0.15, 0.3)
    _dab(sheet, at, (0.95 * size, 0.9 * size), iris, 0.1)
    _dab(sheet, at, (0.55 * size, 0.6 * size), (0.02, 0.02, 0.02), 0.1)
    _dab(sheet, (x + 0.3 * size, y - 0.35 * size), (0.3 * size, 0.26 * size), (1, 1, 1), 0.2)


def _finish(
    rng: np.random.Generator, rgb: np.ndarray, own: Traits, opacity: np.ndarray | None = None
) -> np.ndarray:
    """Add the tint and a fine grain of fur or skin, and the opacity; uint8 (h, w, 4)."""
    height, width = rgb.shape[:2]
    grain = rng.standard_normal((height // 2 + 1, width // 6 + 1)).astype(np.float32)
    grain = cv2.resize(grain, (width, height)) * 0.035
    tinted = cv2.multiply(scaled(rgb, 1 + grain), (*own.tint, 1.0))
    alpha = np.ones((height, width), np.float32) if opacity is None else opacity
    return cv2.convertScaleAbs(cv2.merge([*cv2.split(tinted), np.float32(alpha)]), alpha=255)


def _walk(
    legs: dict[str, tuple[np.ndarray, list[float], float]], ground: float, rng: np.random.Generator
) -> list[Piece]:
    """Pose four legs somewhere in a walk.

    Args:
        legs: For "hind" and "front": joints, radii, and the sense in which the knee bends.
        ground: Height of the ground, on which resting feet stand.
        rng: Source of phase and length of the step.
    """
    step, phase = rng.uniform(0.05, 0.34), rng.uniform(0, 2 * np.pi)
    pieces = []
    for i, (name, far) in enumerate([(n, f) for f in (True, False) for n in ("hind", "front")]):
        joints, radii, knee = legs[name]
        beat = phase + np.pi * (far + 0.5 * (name == "front")) + 0.25 * (i % 2)
        lifted = max(0.0, np.cos(beat)) * min(1, 3 * step)
        angles = [-step * np.sin(beat), 0.35 * lifted, knee * 0.8 * lifted, 0.5 * lifted]
        posed = swing(joints, angles[: len(joints) - 1])
        rest_ground = ground - 12 * far
        if lifted < 0.15:  # a standing leg reaches the ground
            top, foot = posed[0, 1], posed[-1, 1]
            reach = (rest_ground - (ground - joints[-1, 1]) - top) / (foot - top)
            posed[:, 1] = top + (posed[:, 1] - top) * reach
        posed[:, 0] += 8 * far
        pieces.append(Piece(limb(joints, radii), limb(posed, radii), "legs", far))
    return pieces


# --- Zebra ---------------------------------------------------------------------------------------

ZEBRA_BODY = _points(
    *(136, 222, 146, 198, 182, 182, 236, 186, 300, 193, 352, 182, 386, 164, 424, 124, 462, 86),
    *(492, 64, 516, 66, 534, 84, 552, 114, 570, 144, 584, 166, 587, 184, 576, 196, 560, 195),
    *(545, 184, 528, 172, 508, 166, 492, 178, 480, 210, 466, 246, 456, 278, 438, 314, 402, 336),
    *(350, 350, 290, 358, 240, 346, 200, 326, 168, 330, 140, 318, 124, 286, 124, 250),
)
ZEBRA_MANE = _points(
    *(372, 186, 376, 166, 398, 132, 420, 106, 444, 78, 466, 58, 490, 40, 506, 42, 516, 62),
    *(500, 76, 474, 104, 440, 140, 410, 172),
)
ZEBRA_EAR = _points(486, 74, 474, 52, 472, 28, 481, 14, 494, 28, 500, 52, 502, 70)
ZEBRA_HIND = (_points(172, 262, 184, 338, 156, 408, 160, 476, 168, 507), [54, 33, 16, 10, 13], -1.0)
ZEBRA_FRONT = (_points(410, 272, 402, 342, 402, 414, 402, 478, 408, 507), [40, 25, 15, 10, 13], 1.0)
ZEBRA_TAIL = _points(140, 212, 112, 250, 104, 310, 106, 370)
ZEBRA_GROUND = 520.0

# Where the points of the body lie once it is unrolled into a straight tube: stripes are the lines
# of constant first coordinate, so they ring the neck, sweep back over the rump and cross the legs.
ZEBRA_UNROLLED = (
    _points(
        *(370, 182, 300, 200, 230, 190, 165, 186, 132, 220, 122, 280, 150, 325, 205, 322),
        *(290, 350, 400, 336, 446, 270, 470, 210, 494, 166, 425, 128, 468, 84, 500, 64),
        *(524, 70, 586, 176, 562, 198, 515, 164),
    ),
    _points(
        *(370, 0, 300, 0, 226, 0, 148, -4, 92, 0, 34, 20, -14, 60, 62, 140),
        *(290, 150, 384, 150, 440, 150, 505, 140, 552, 120, 432, 0, 494, 0, 535, 0),
        *(562, 2, 690, 40, 680, 90, 592, 116),
    ),
)


def zebra_coat(rng: np.random.Generator, own: Traits) -> Sheets:
    """Paint a zebra's sheets."""
    x, y = _grid(640, 560)
    tile = stripe_tile(rng)
    unrolled = dense_map(thin_plate(*ZEBRA_UNROLLED), 0, 0, 640, 560)
    shift = 400 * rng.random(2)
    sheets = {}
    for name, (s, t), cell in (
        ("body", (unrolled[..., 0], unrolled[..., 1]), 50.0),
        ("legs", (y, x), 32.0),
    ):
        u, v = pattern_space(s + shift[0], t + shift[1], cell, own, 0.75)
        wave = look_up(tile, u, v)
        dark = smoothstep(-0.22, 0.22, wave + 0.7 * own.density)
        cream = flood((560, 640), (0.95, 0.92, 0.85))
        cream = mix(cream, (0.86, 0.70, 0.50), 0.8 * own.tone)
        cream = mix(
            cream, (0.80, 0.70, 0.56), 0.5 * smoothstep(0.2, 1, soft_noise(rng, x.shape, 90))
        )
        ink = (0.07 + 0.19 * own.tone, 0.065 + 0.10 * own.tone, 0.065 + 0.04 * own.tone)
        rgb = mix(cream, ink, dark)
        if name == "body":
            rgb = mix(rgb, (0.95, 0.92, 0.86), 0.85 * smoothstep(340, 358, y) * (x < 470))
            _zebra_face(rgb)
            sheets[name] = _finish(rng, rgb, own)
        else:
            rgb = mix(rgb, (0.13, 0.11, 0.10), smoothstep(494, 500, y))
            hip = np.where(x < 290, 312, 318)
            sheets[name] = _finish(rng, rgb, own, smoothstep(0, 16, y - hip))
    tuft = sheets["legs"][..., :3] * np.float32(1 / 255)
    tuft = mix(tuft, (0.08, 0.07, 0.07), smoothstep(286, 310, y))
    sheets["tail"] = _finish(rng, tuft, own)
    return sheets


def _zebra_face(rgb: np.ndarray) -> None:
    _dab(rgb, (582, 182), (27, 24), (0.12, 0.10, 0.10), 0.45)
    _dab(rgb, (581, 172), (5, 3), (0.02, 0.02, 0.02), 0.3, 0.9)
    _line(rgb, _points(583, 192, 568, 187, 558, 182), 2, (0.03, 0.03, 0.03))
    _dab(rgb, (523, 106), (12, 9), (0.13, 0.11, 0.10), 0.35, 0.7)
    _eye(rgb, (523, 105), 6.0, (0.16, 0.09, 0.05))
    _dab(rgb, (487, 46), (9, 24), (0.90, 0.86, 0.79), 0.3, -0.1)
    _dab(rgb, (487, 50), (4.5, 15), (0.34, 0.29, 0.27), 0.6, -0.1)
    _dab(rgb, (482, 19), (12, 8), (0.1, 0.09, 0.09), 0.4)


def zebra_pose(rng: np.random.Generator) -> list[Piece]:
    """Pose a zebra: walking or standing, neck raised or lowered."""
    neck, head = rng.uniform(-0.18, 0.55), rng.uniform(-0.22, 0.22)
    sway, flick = rng.uniform(-0.5, 0.35, 2), rng.uniform(-0.35, 0.3)

    def body(points: np.ndarray) -> np.ndarray:
        nodded = bend(points, (494, 108), (556, 118), head)
        return bend(nodded, (400, 228), (478, 128), neck)

    tail = limb(ZEBRA_TAIL, [12, 8, 7, 13], 1.6)
    swung = limb(swing(ZEBRA_TAIL, [*sway, 0.3 * sway[0]]), [12, 8, 7, 13], 1.6)
    legs = _walk({"hind": ZEBRA_HIND, "front": ZEBRA_FRONT}, ZEBRA_GROUND, rng)
    ear = turn(ZEBRA_EAR, ZEBRA_EAR[0], flick)
    far_ear = turn(ZEBRA_EAR + [17, 2], ZEBRA_EAR[0], 0.32 + flick)
    return [
        *[leg for leg in legs if leg.far],
        Piece(tail, swung, "tail"),
        Piece(ZEBRA_EAR, body(far_ear), "body"),
        Piece(ZEBRA_MANE, body(ZEBRA_MANE), "body"),
        Piece(ZEBRA_BODY, body(ZEBRA_BODY), "body"),
        *[leg for leg in legs if not leg.far],
        Piece(ZEBRA_EAR, body(ear), "body", lift=8),
    ]


# --- Leopard -------------------------------------------------------------------------------------

LEOPARD_BODY = _points(
    *(130, 172, 144, 148, 184, 132, 240, 136, 300, 148, 360, 148, 410, 132, 448, 126, 474, 112),
    *(488, 86, 512, 64, 540, 60, 562, 72, 574, 92, 592, 104, 602, 117, 600, 138, 588, 152),
    *(566, 163, 546, 176, 524, 190, 506, 206, 482, 240, 452, 264, 400, 268, 340, 268, 280, 258),
    *(226, 240, 190, 246, 156, 246, 132, 224, 124, 196),
)
LEOPARD_EAR = _points(492, 88, 488, 68, 496, 52, 510, 50, 520, 62, 524, 78)
LEOPARD_HIND = (
    _points(176, 200, 196, 258, 158, 316, 166, 368, 178, 386),
    [52, 35, 17, 14, 15],
    -1.0,
)
LEOPARD_FRONT = (
    _points(438, 204, 440, 262, 444, 326, 442, 368, 454, 386),
    [34, 27, 18, 15, 16],
    1.0,
)
LEOPARD_TAIL = _points(140, 168, 98, 196, 70, 246, 56, 300, 28, 334, -10, 328)
LEOPARD_GROUND = 402.0
LEOPARD_LEFT = 40  # the tail reaches left of the frame, so sheets start at this margin


def leopard_coat(rng: np.random.Generator, own: Traits) -> Sheets:
    """Paint a leopard's sheets: rosettes on the body, spots on head and legs, rings on the tail."""
    x, y = _grid(640, 440)
    near, _, _ = cell_tile(rng)
    blotch = soft_noise(rng, x.shape, 13)
    shift = 400 * rng.random(2)
    sheets = {}
    for name in ("body", "legs", "tail"):
        ground = flood((440, 640), (0.93, 0.83, 0.60))
        ground = mix(ground, (0.82, 0.52, 0.22), own.tone)
        ground = mix(ground, (0.66, 0.42, 0.20), 0.45 * smoothstep(190, 120, y))
        ground = mix(ground, (0.96, 0.91, 0.80), smoothstep(226, 262, y) * (name == "body"))
        cell = {"body": 54.0, "legs": 36.0, "tail": 36.0}[name]
        head = smoothstep(470, 520, x) * (name == "body")
        u, v = pattern_space(x + shift[0], y + shift[1], cell, own)
        big = look_up(near, u, v) + 0.09 * blotch
        ring = 0.34 + 0.08 * own.density
        thickness = 0.12 + 0.07 * own.density
        rosette = smoothstep(thickness + 0.05, thickness - 0.05, np.abs(big - ring))
        rosette *= smoothstep(-0.75, -0.35, blotch + 0.25 * own.density)
        inside = smoothstep(ring, ring - 0.1, big)
        u, v = pattern_space(x + shift[1], y + shift[0], 20.0, own, 0.7)
        small = look_up(near, u, v) + 0.05 * blotch
        spots = smoothstep(0.34, 0.24, small - 0.07 * own.density)
        solid = smoothstep(0.42, 0.32, big - 0.07 * own.density)
        mark = rosette * (1 - head) + spots * head if name == "body" else solid
        if name == "body":
            ground = mix(ground, (0.66, 0.41, 0.18), 0.75 * inside * (1 - head))
        rgb = mix(ground, (0.11, 0.08, 0.06), 0.94 * mark)
        opacity = None
        if name == "body":
            _leopard_face(rgb)
        if name == "legs":
            rgb = mix(rgb, (0.93, 0.84, 0.66), 0.5 * smoothstep(360, 400, y))
            opacity = smoothstep(0, 24, y - np.where(x < 300, 222, 236))
        if name == "tail":
            rgb = mix(rgb, (0.09, 0.07, 0.06), smoothstep(60, 34, x))
        sheets[name] = _finish(rng, rgb, own, opacity)
    return sheets


def _leopard_face(rgb: np.ndarray) -> None:
    white = (0.96, 0.92, 0.84)
    _dab(rgb, (588, 138), (22, 13), white, 0.5, -0.3)
    _dab(rgb, (556, 152), (26, 12), white, 0.7, -0.5)
    _dab(rgb, (560, 86), (9, 4), white, 0.6, 0.5)
    _dab(rgb, (601, 117), (8, 7), (0.55, 0.28, 0.25), 0.3, 0.8)
    _line(rgb, _points(602, 124, 594, 134, 578, 138), 2, (0.12, 0.07, 0.06))
    for dx, dy in ((0, 0), (-7, 1), (-2, 5), (-10, 6), (4, -4)):
        _dab(rgb, (588 + dx, 128 + dy), (1.4, 1.4), (0.1, 0.07, 0.05), 0.4)
    _line(rgb, _points(563, 98, 570, 108, 574, 118), 3, (0.10, 0.07, 0.05))
    _eye(rgb, (559, 96), 6.5, (0.83, 0.72, 0.25))
    _dab(rgb, (506, 64), (17, 15), (0.12, 0.09, 0.07), 0.25)
    _dab(rgb, (508, 68), (9, 8), (0.93, 0.86, 0.72), 0.5)


def leopard_pose(rng: np.random.Generator) -> list[Piece]:
    """Pose a leopard: prowling, head high or low, tail anywhere."""
    neck, head, flick = rng.uniform(-0.1, 0.38), rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2)
    arch = rng.uniform(-0.09, 0.07)

    def body(points: np.ndarray) -> np.ndarray:
        nodded = bend(points, (508, 132), (574, 132), head)
        raised = bend(nodded, (432, 190), (520, 126), neck)
        return bend(raised, (300, 205), (120, 205), arch)

    curl = [rng.uniform(-0.5, 1.0), *rng.uniform(-0.15, 0.5, 4)]
    radii = [15, 12, 11, 10, 10, 9]
    legs = _walk({"hind": LEOPARD_HIND, "front": LEOPARD_FRONT}, LEOPARD_GROUND, rng)
    ear = turn(LEOPARD_EAR, LEOPARD_EAR[0], flick)
    far_ear = turn(LEOPARD_EAR + [30, -4], LEOPARD_EAR[0] + [30, 0], 0.25 + flick)
    return [
        *[leg for leg in legs if leg.far],
        Piece(
            limb(LEOPARD_TAIL + [LEOPARD_LEFT, 0], radii),
            limb(swing(LEOPARD_TAIL, curl), radii),
            "tail",
        ),
        Piece(LEOPARD_EAR, body(far_ear), "body"),
        Piece(LEOPARD_BODY, body(LEOPARD_BODY), "body"),
        *[leg for leg in legs if not leg.far],
        Piece(LEOPARD_EAR, body(ear), "body", lift=7),
    ]


# --- Turtle, from above --------------------------------------------------------------------------

TURTLE_SHELL = _points(
    *(118, 300, 140, 262, 180, 212, 236, 174, 300, 160, 362, 166, 420, 194, 458, 240, 474, 300),
    *(458, 360, 420, 406, 362, 434, 300, 440, 236, 426, 180, 388, 140, 338),
)
TURTLE_NECK = (_points(440, 300, 490, 300, 530, 300, 566, 300), [44, 34, 40, 26])
TURTLE_FLIPPER = (_points(410, 206, 446, 140, 420, 82, 366, 30, 320, 4), [34, 34, 31, 20, 8])
TURTLE_PADDLE = (_points(196, 222, 144, 176, 104, 140, 76, 126), [26, 25, 26, 14])
TURTLE_TAIL = (_points(134, 300, 104, 300, 84, 300), [14, 9, 4])
TURTLE_MIDDLE = 300.0  # the animal is symmetric about this line
# Centres of the scutes: five along the back, four on either side, and the rim.
TURTLE_SCUTES = _points(
    *(418, 300, 348, 300, 276, 300, 208, 300, 152, 300, 400, 236, 330, 216, 254, 220, 192, 252),
    *(400, 364, 330, 384, 254, 380, 192, 348),
)


@cache
def _scutes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the shell into scutes, the Voronoi cells of their centres.

    Returns:
        Depth inside the scute in pixels, and x and y of its centre; each float32 (600, 640).
    """
    x, y = _grid(640, 600)
    rim, middle = spline(TURTLE_SHELL, 2), TURTLE_SCUTES.mean(0)
    centres = np.vstack([TURTLE_SCUTES, middle + 0.985 * (rim - middle)]).astype(np.float32)
    first, second = np.full_like(x, np.inf), np.full_like(x, np.inf)
    nearest = np.zeros(x.shape, int)
    for number, (cx, cy) in enumerate(centres):
        distance = np.hypot(x - cx, y - cy)
        if number >= len(TURTLE_SCUTES):
            distance += 26  # scutes of the rim are the smaller ones
        nearest[distance < first] = number
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return second - first, centres[nearest, 0], centres[nearest, 1]


def turtle_coat(rng: np.random.Generator, own: Traits) -> Sheets:
    """Paint a turtle's sheets: streaked scutes on the shell, plates on head and flippers."""
    x, y = _grid(640, 600)
    near, second, number = cell_tile(rng)
    streaks = stripe_tile(rng)
    seam, cx, cy = _scutes()
    # Streaks radiate from the inner edge of every scute.
    angle = np.arctan2(y - cy, x - cx + 18) + own.angle
    radius = np.hypot(y - cy, x - cx + 18)
    u, v = 12 / own.scale * angle / (2 * np.pi), radius / (60 * own.scale * own.stretch)
    ray = look_up(streaks, u + cx * 0.13, v + cy * 0.17)
    bu, bv = pattern_space(x, y, 54, own)
    blotch = 1 - 2 * look_up(near, bu, bv)
    dark = smoothstep(-0.35, 0.35, 0.5 * ray + 1.3 * blotch + 0.8 * own.density - 0.15)
    shell = flood((600, 640), (0.93, 0.78, 0.46))
    shell = mix(shell, (0.74, 0.40, 0.15), own.tone)
    shell = mix(shell, (0.62, 0.36, 0.15), 0.5 * smoothstep(0, 1, soft_noise(rng, x.shape, 60)))
    shell = mix(shell, (0.20, 0.12, 0.07), 0.92 * dark)
    shell = mix(shell, (0.13, 0.08, 0.05), 0.85 * smoothstep(4.5, 1.5, seam))
    shell = mix(shell, (0.95, 0.82, 0.58), 0.35 * smoothstep(3, 6, seam) * smoothstep(10, 6, seam))

    u, v = pattern_space(x, y, 32, own, 0.8)
    gap = look_up(second, u, v) - look_up(near, u, v)
    tone = look_up(number, u, v, smooth=False)
    plate = smoothstep(0.10, 0.22, gap - 0.05 * own.density)
    skin = flood((600, 640), (0.92, 0.83, 0.62))
    brown = scaled(flood(x.shape, (0.40, 0.28, 0.17)), 0.7 + 0.6 * tone)
    skin = mix(skin, brown, plate)
    for side in (-1, 1):
        _eye(skin, (554, 300 + 25 * side), 6, (0.10, 0.08, 0.06))
    _dab(skin, (584, 300), (9, 16), (0.80, 0.66, 0.40), 0.5)
    _dab(skin, (580, 295), (1.5, 1.2), (0.1, 0.08, 0.06), 0.3)
    _dab(skin, (580, 305), (1.5, 1.2), (0.1, 0.08, 0.06), 0.3)
    return {"shell": _finish(rng, shell, own), "skin": _finish(rng, skin, own)}


def turtle_pose(rng: np.random.Generator) -> list[Piece]:
    """Pose a swimming turtle seen from above."""

    def mirrored(points: np.ndarray) -> np.ndarray:
        return points * [1, -1] + [0, 2 * TURTLE_MIDDLE]

    def moved(part: tuple[np.ndarray, list[float]], angles: list[float], mirror: bool) -> Piece:
        joints, radii = part
        rest, posed = limb(joints, radii, 1.0), limb(swing(joints, angles), radii, 1.0)
        # The right flipper is the left one's mirror image at rest, too: both have their own plates.
        return Piece(*(mirrored(p) if mirror else p for p in (rest, posed)), "skin")

    stroke = rng.uniform(-0.55, 0.35)
    pieces = [moved(TURTLE_TAIL, [0.0, float(rng.uniform(-0.4, 0.4))], False)]
    for mirror in (False, True):
        own = stroke + rng.uniform(-0.2, 0.2)
        pieces.append(moved(TURTLE_FLIPPER, [own, 0.4 * own, 0.5 * own, 0.3 * own], mirror))
        kick = rng.uniform(-0.5, 0.4)
        pieces.append(moved(TURTLE_PADDLE, [kick, 0.3 * kick], mirror))
    look = float(rng.uniform(-0.28, 0.28))
    pieces.append(moved(TURTLE_NECK, [look, 0.6 * look], False))
    return [*pieces, Piece(TURTLE_SHELL, TURTLE_SHELL, "shell", lift=22)]


# --- Whale shark ---------------------------------------------------------------------------------

SHARK_BODY = _points(
    *(806, 186, 792, 158, 744, 138, 680, 126, 600, 118, 510, 116, 420, 124, 340, 138, 262, 156),
    *(196, 170, 150, 176, 150, 200, 200, 208, 262, 222, 340, 244, 420, 262, 510, 276, 600, 280),
    *(680, 274, 744, 258, 790, 232, 805, 208),
)
SHARK_DORSAL = _points(448, 132, 420, 112, 388, 72, 362, 52, 352, 60, 356, 96, 346, 146, 396, 150)
SHARK_SECOND = _points(282, 160, 262, 138, 244, 128, 240, 140, 240, 168)
SHARK_TAIL = _points(
    *(170, 172, 140, 150, 96, 96, 56, 56, 44, 62, 62, 112, 88, 168, 96, 190, 88, 226, 74, 268),
    *(84, 274, 120, 246, 148, 212, 170, 202),
)
SHARK_PECTORAL = _points(
    628, 252, 592, 262, 540, 306, 492, 358, 484, 376, 500, 378, 556, 350, 618, 312, 652, 270
)
SHARK_PELVIC = _points(336, 240, 312, 258, 292, 278, 290, 288, 306, 284, 346, 260, 362, 248)


def shark_coat(rng: np.random.Generator, own: Traits) -> Sheets:
    """Paint a whale shark's sheet: pale spots between pale bars, a white belly."""
    x, y = _grid(860, 420)
    near, _, number = cell_tile(rng)
    shift = 400 * rng.random(2)
    rgb = flood((420, 860), (0.50, 0.58, 0.58))
    rgb = mix(rgb, (0.12, 0.18, 0.30), own.tone)
    rgb = mix(rgb, (0.17, 0.24, 0.32), 0.6 * smoothstep(190, 120, y))
    rgb = mix(rgb, (0.36, 0.45, 0.48), 0.3 * smoothstep(0, 1, soft_noise(rng, x.shape, 70)))
    pale = (0.93, 0.95, 0.90)
    u, v = pattern_space(x + shift[0], y + shift[1], 60.0, own)
    size = 0.27 + 0.11 * own.density + 0.10 * (look_up(number, u, v, smooth=False) - 0.5)
    spots = smoothstep(size + 0.06, size - 0.06, look_up(near, u, v))
    u, v = pattern_space(x + shift[1], y + shift[0], 32.0, own, 0.6)
    freckles = smoothstep(0.36, 0.25, look_up(near, u, v) - 0.07 * own.density)
    head = smoothstep(620, 690, x)
    bars, _ = pattern_space(x + shift[0], y, 84.0, own)
    bar = 0.38 * smoothstep(
        0.62, 0.95, np.cos(2 * np.pi * bars) + 0.2 * soft_noise(rng, x.shape, 50)
    )
    belly = 256 - 0.0002 * (x - 640) ** 2
    below = smoothstep(belly - 16, belly + 10, y)
    rgb = mix(rgb, pale, bar * (1 - head))
    rgb = mix(rgb, pale, 0.92 * (spots * (1 - head) + freckles * head))
    fins = _finish(rng, rgb, own)
    for height, dip in ((150, 6), (186, 2)):
        ridge = _points(200, 176, 380, height + 6, 560, height - dip, 700, height)
        _line(rgb, ridge, 2, (0.45, 0.54, 0.58))
    rgb = mix(rgb, (0.90, 0.93, 0.91), below)
    for i in range(5):
        top = 176 + 2 * i
        _line(
            rgb,
            _points(650 - 15 * i, top, 645 - 15 * i, 205, 648 - 15 * i, 238),
            2,
            (0.14, 0.20, 0.26),
        )
    _line(rgb, _points(806, 200, 790, 208, 770, 206), 3, (0.08, 0.11, 0.15))
    _dab(rgb, (762, 193), (9, 7.5), (0.60, 0.66, 0.68), 0.3)
    _eye(rgb, (762, 193), 4.6, (0.12, 0.12, 0.14))
    return {"body": _finish(rng, rgb, own), "fins": fins}


def shark_pose(rng: np.random.Generator) -> list[Piece]:
    """Pose a swimming whale shark: tail beat seen from the side, fins tilted."""
    beat, head, fin = rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1), rng.uniform(-0.35, 0.4)
    turned = rng.uniform(0.72, 1.0)  # the tail swings towards or away from the viewer

    def body(points: np.ndarray) -> np.ndarray:
        bent = bend(points, (430, 190), (110, 190), beat)
        bent = bend(bent, (600, 200), (800, 200), head)
        behind = np.minimum(bent[:, 0] - 430, 0)
        return bent - [[1, 0]] * (behind * (1 - turned))[:, None]

    pectoral = turn(SHARK_PECTORAL, np.array([630.0, 262.0]), fin)
    far = turn(SHARK_PECTORAL * [0.8, 0.72] + [146, 72], np.array([640.0, 262.0]), 0.15 + 0.7 * fin)
    return [
        Piece(SHARK_PECTORAL, body(far), "fins", far=True),
        Piece(SHARK_PELVIC, body(SHARK_PELVIC), "fins"),
        Piece(SHARK_SECOND, body(SHARK_SECOND), "fins"),
        Piece(SHARK_DORSAL, body(SHARK_DORSAL), "fins"),
        Piece(SHARK_TAIL, body(SHARK_TAIL), "fins"),
        Piece(SHARK_BODY, body(SHARK_BODY), "body"),
        Piece(SHARK_PECTORAL, body(pectoral), "fins", lift=14),
    ]


ANIMALS = {
    "zebra": Animal(zebra_coat, zebra_pose, ZEBRA_GROUND),
    "leopard": Animal(leopard_coat, leopard_pose, LEOPARD_GROUND),
    "turtle": Animal(turtle_coat, turtle_pose, None),
    "whale_shark": Animal(shark_coat, shark_pose, None),
}
