"""Posed outlines and their rendering: from control points and coat sheets to a shaded animal.

Coordinates are (x, y) with y downwards. An animal at rest lives in the pixel frame of its coat
sheets, facing right; a `Piece` says where the control points of one part went in a pose.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.pixels import smoothstep

SUBPIXEL_BITS = 4  # cv2 draws polygons at a sixteenth of a pixel
MAP_STEP = 12  # the map from picture to coat is computed at every twelfth pixel

Point = tuple[float, float]
Size = tuple[int, int]  # width and height in pixels
Map = Callable[[np.ndarray], np.ndarray]  # from points (n, 2) to points (n, 2)


@dataclass(frozen=True)
class Piece:
    """One part of an animal."""

    rest: np.ndarray  # control points of the closed outline at rest, float (n, 2)
    posed: np.ndarray  # the same points in the pose, float (n, 2)
    sheet: str  # name of the coat sheet
    depth: float = 0.0  # of its middle plane, towards the viewer, in pixels of the sheet
    round: float = 0.6  # its thickness as a share of that of a round body, 0 for a plate


@dataclass(frozen=True)
class Light:
    """Light of a picture."""

    direction: tuple[float, float, float]  # unit vector towards it: right, down, to the viewer
    sun: tuple[float, float, float]  # RGB strength of the direct light
    sky: tuple[float, float, float]  # RGB strength of the light from all around


def spline(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """Round a closed polygon with a Catmull-Rom spline; (n, 2) gives (n * steps, 2)."""
    before, after, beyond = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None] for p in (before, points, after, beyond))
    curve = p1 + 0.5 * t * (
        p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0))
    )
    return curve.reshape(-1, 2)


def turn(points: np.ndarray, pivot: np.ndarray, angle: float | np.ndarray) -> np.ndarray:
    """Turn points about a pivot, clockwise on screen; `angle` in radians, one or one per point."""
    cosine, sine = np.cos(angle), np.sin(angle)
    dx, dy = (points - pivot).T
    return np.stack([cosine * dx - sine * dy, sine * dx + cosine * dy], axis=-1) + pivot


def bend(points: np.ndarray, pivot: Point, towards: Point, angle: float) -> np.ndarray:
    """Turn what lies beyond `pivot` in the direction of `towards`, with a soft transition."""
    start, axis = np.array(pivot), np.array(towards, float) - pivot
    along = (points - start) @ axis / (axis @ axis)
    return turn(points, start, angle * smoothstep(-0.15, 1, along))


def swing(joints: np.ndarray, angles: list[float]) -> np.ndarray:
    """Turn a chain of joints: angle i turns everything beyond joint i about it."""
    moved = joints.astype(float)
    for i, angle in enumerate(angles):
        moved[i + 1 :] = turn(moved[i + 1 :], moved[i], angle)
    return moved


def limb(joints: np.ndarray, radii: list[float], cap: float = 0.8) -> np.ndarray:
    """Outline a chain of n joints with a radius each; returns 2 n + 2 control points."""
    tangent = np.gradient(joints, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    offset = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1) * np.array(radii)[:, None]
    tip = joints[-1] + cap * radii[-1] * tangent[-1]
    root = joints[0] - cap * radii[0] * tangent[0]
    return np.vstack([joints + offset, tip, (joints - offset)[::-1], root])


def walk(
    legs: dict[str, tuple[np.ndarray, list[float], float]],
    ground: float,
    apart: float,
    rng: Generator,
) -> list[Piece]:
    """Pose four legs somewhere in a walk, the two of the far side first.

    Args:
        legs: For "hind" and "front": joints, radii, and the sense in which the knee bends.
        ground: Height of the ground, on which resting feet stand.
        apart: Distance of the legs of one side from the middle of the body.
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
        if lifted < 0.15:  # a standing leg reaches the ground
            top, foot = posed[0, 1], posed[-1, 1]
            reach = (joints[-1, 1] - top) / (foot - top)
            posed[:, 1] = top + (posed[:, 1] - top) * reach
        depth = -apart if far else apart
        pieces.append(Piece(limb(joints, radii), limb(posed, radii), "legs", depth, 0.55))
    return pieces


def thin_plate(sites: np.ndarray, values: np.ndarray) -> Map:
    """Fit the smoothest map that takes sites (n, 2) to values (n, 2).

    F. L. Bookstein (1989), "Principal warps: thin-plate splines".
    """

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        square = ((a[:, None] - b[None]) ** 2).sum(-1)
        return square * np.log(square + 1e-9)

    n = len(sites)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = kernel(sites, sites) + 1e-3 * np.eye(n)
    system[:n, n:] = np.hstack([np.ones((n, 1)), sites])
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    return lambda x: kernel(x, sites) @ weights[:n] + weights[n] + x @ weights[n + 1 :]


def dense_map(fit: Map, x: int, y: int, width: int, height: int) -> np.ndarray:
    """Evaluate a smooth map on a pixel rectangle; float32 of shape (height, width, 2)."""
    columns, rows = width // MAP_STEP + 2, height // MAP_STEP + 2
    # cv2.resize puts sample centres at (i + 0.5) * step - 0.5.
    grid_x = x + (np.arange(columns) + 0.5) * MAP_STEP - 0.5
    grid_y = y + (np.arange(rows) + 0.5) * MAP_STEP - 0.5
    grid = np.stack(np.meshgrid(grid_x, grid_y), axis=-1).reshape(-1, 2)
    coarse = fit(grid).reshape(rows, columns, 2).astype(np.float32)
    fine = cv2.resize(coarse, (columns * MAP_STEP, rows * MAP_STEP))
    return fine[:height, :width]


def fill(shape: tuple[int, int], outline: np.ndarray) -> np.ndarray:
    """Fill a polygon with smooth edges; uint8 (height, width), 0 to 255."""
    mask = np.zeros(shape, np.uint8)
    fixed = np.round(outline * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask
