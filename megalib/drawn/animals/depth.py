"""Depth: an animal is turned to the viewer, seen from above, and bent, as a body in space.

Each part of an animal is an outline in its plane. Here it gets a thickness: its cross-section is a
half circle on either side of the plane (T. Igarashi et al., 1999, "Teddy"). One side carries the
coat of one flank, the other side that of the other flank. Rays from the camera find the surface.

Coordinates of the body are those of the coat sheets, x to the right, y downwards, and z towards a
viewer who sees a flank. Lengths are pixels of the sheets.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from megalib.drawn.animals.shapes import Light, Piece, Size, dense_map, fill, spline, thin_plate
from megalib.drawn.animals.sheets import Sheets
from megalib.drawn.pixels import mix, smoothstep

MIDDLE = np.array([330.0, 270.0, 0.0])  # about this point of the body the camera turns
DISTANCE = 2600.0  # of the camera from it
RELIEF_STEP = 3  # thickness is smooth, so a third of the resolution is enough
RAY_STEP = 2  # rays are cast at every second pixel
STEPS = 14  # along each ray
FLAT = 0.15  # thinner parts are met as plates, since steps along a ray would miss them


@dataclass(frozen=True)
class View:
    """From where a body is seen, and how it bends.

    Angles in degrees: `yaw` above 0 turns the head towards the viewer, `pitch` above 0 looks from
    above, `roll` turns the picture clockwise, and `bend` curves the body, both ends towards the
    viewer where it is above 0. `scale` is in pixels of the picture per pixel of the sheets, `shift`
    is where the middle of the body goes. A mirrored view shows the other flank, facing left.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    bend: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False

    @cached_property
    def rotation(self) -> np.ndarray:
        """From body to viewer: x to the right, y down, z towards the camera; float (3, 3)."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        c, s = np.cos(yaw), np.sin(yaw)
        about_y = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        c, s = np.cos(pitch), np.sin(pitch)
        about_x = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        c, s = np.cos(roll), np.sin(roll)
        about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        mirror = np.diag([-1.0 if self.mirrored else 1.0, 1.0, 1.0])
        return mirror @ about_z @ about_x @ about_y

    def curve(self, x: np.ndarray) -> np.ndarray:
        """How far the middle plane of the bent body is from that of the straight one, at `x`."""
        away = (x - MIDDLE[0]) / 300
        return 150 * np.tan(np.radians(self.bend) / 2) * (away * away - 0.2)

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3) of the straight body are in the picture; (n, 3), with the depth."""
        bent = points.copy()
        bent[:, 2] += self.curve(points[:, 0])
        x, y, z = self.rotation @ (bent - MIDDLE).T
        nearer = self.scale / (1 - z / DISTANCE)
        return np.stack([x * nearer + self.shift[0], y * nearer + self.shift[1], z], axis=-1)


@dataclass(frozen=True)
class Solid:
    """A part of an animal with its thickness, on a grid of every third pixel of its plane."""

    piece: Piece
    corner: tuple[int, int]  # x and y of the grid's first pixel
    bulge: np.ndarray  # float32 (h, w): half the thickness, below 0 outside the outline
    slope: np.ndarray  # float32 (h, w, 2): of the softened bulge
    rest: np.ndarray  # float32 (h, w, 2): the point of the coat sheet that came to lie here

    @property
    def is_flat(self) -> bool:
        """Whether the part is a plate rather than a body."""
        return self.piece.round < FLAT

    def surface(self) -> np.ndarray:
        """Some points of both sides; float (n, 3)."""
        rows, columns = np.nonzero(self.bulge[::3, ::3] > 0)
        bulge = self.bulge[3 * rows, 3 * columns]
        plane = np.stack([columns, rows], axis=-1) * (3.0 * RELIEF_STEP) + self.corner
        sides = [np.column_stack([plane, self.piece.depth + s * bulge]) for s in (-1, 1)]
        outline = spline(self.piece.posed, 3)
        rim = np.column_stack([outline, np.full(len(outline), self.piece.depth)])
        return np.vstack([*sides, rim])


def solid(piece: Piece) -> Solid:
    """Give a part its thickness."""
    outline = spline(piece.posed)
    low = np.floor(outline.min(0)).astype(int) - 2 * RELIEF_STEP
    width, height = np.ceil(outline.max(0) - low).astype(int) // RELIEF_STEP + 3
    mask = fill((height, width), (outline - low) / RELIEF_STEP)
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((mask <= 127).astype(np.uint8), cv2.DIST_L2, 5)
    # The edge lies half a pixel from the middle of the outermost ones.
    depth = np.where(inside > 0, inside - 0.5, 0.5 - outside) * RELIEF_STEP
    radius = max(float(depth.max()), 1.0)
    ball = radius * np.sqrt(np.maximum(0, 1 - (1 - np.clip(depth / radius, 0, 1)) ** 2))
    bulge = np.where(depth > 0, max(piece.round, 0.02) * ball, depth).astype(np.float32)
    body = np.maximum(bulge, 0) if piece.round >= FLAT else 0.45 * np.maximum(ball, 0)
    soft = 0.5 * cv2.GaussianBlur(np.float32(body), (0, 0), 1.6)
    soft += 0.5 * cv2.GaussianBlur(np.float32(body), (0, 0), 5)
    slopes = [
        cv2.Sobel(soft, cv2.CV_32F, *d, scale=1 / (8 * RELIEF_STEP)) for d in ((1, 0), (0, 1))
    ]
    wide = (width * RELIEF_STEP, height * RELIEF_STEP)
    fit = dense_map(thin_plate(piece.posed, piece.rest), *low.tolist(), *wide)
    rest = np.ascontiguousarray(fit[::RELIEF_STEP, ::RELIEF_STEP])
    return Solid(piece, tuple(low.tolist()), bulge, cv2.merge(slopes), rest)


def extent(solids: list[Solid], view: View) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the smallest upright box around an animal in the picture; float (2,) each."""
    points = np.vstack([view.seen(solid.surface())[:, :2] for solid in solids])
    return points.min(0), points.max(0)


def render(
    solids: list[Solid],
    coats: tuple[Sheets, Sheets],
    view: View,
    window: tuple[int, int, int, int],
    light: Light,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw an animal into a window of a picture.

    Args:
        solids: Its parts.
        coats: The sheets of the flank that is seen, and of the other one; uint8 (h, w, 4).
        view: From where it is seen.
        window: x, y, width and height of the part of the picture that is drawn.
        light: That falls on the animal.

    Returns:
        Colours, float32 (height, width, 3), 0 to 1, and opacity, float32 (height, width), 0 to 1.
    """
    width, height = window[2:]
    colour = np.zeros((height, width, 3), np.float32)
    opacity = np.zeros((height, width), np.float32)
    nearest = np.full((height, width), -np.inf, np.float32)
    # Parts of one depth, as mane and neck, keep their order; otherwise the nearer one covers.
    for part in sorted(solids, key=lambda part: view.seen(part.surface())[:, 2].mean()):
        if (met := _meet(part, view, window)) is None:
            continue
        x, y, w, h, front, cover, depth = met
        here = (slice(y, y + h), slice(x, x + w))
        rgb, alpha = _painted(part, coats, view, front, light, (w, h))
        alpha = alpha * cover * smoothstep(-14, 0, depth - nearest[here])
        colour[here] = mix(colour[here].copy(), rgb, alpha)
        opacity[here] += alpha * (1 - opacity[here])
        nearest[here] = np.where(alpha > 0.5, np.maximum(depth, nearest[here]), nearest[here])
    return np.clip(colour, 0, 1), opacity


def _meet(part: Solid, view: View, window: tuple[int, int, int, int]) -> tuple | None:
    """Where rays meet a part.

    Returns:
        Its rectangle in the window; points of its plane and side, float32 (n, m, 3), at every
        second pixel; opacity and depth, float32 (h, w). None where it is out of the window.
    """
    points = view.seen(part.surface())
    low = np.maximum(np.floor(points[:, :2].min(0)).astype(int) - 2 - window[:2], 0)
    high = np.minimum(np.ceil(points[:, :2].max(0)).astype(int) + 3 - window[:2], window[2:])
    (x, y), (w, h) = low.tolist(), (high - low).tolist()
    if w < 2 or h < 2:
        return None
    columns, rows = -(-w // RAY_STEP) + 1, -(-h // RAY_STEP) + 1
    # cv2.resize puts the middles of its samples at (i + 0.5) * step - 0.5.
    u = (np.arange(columns, dtype=np.float32) + 0.5) * RAY_STEP - 0.5 + x + window[0]
    v = (np.arange(rows, dtype=np.float32) + 0.5) * RAY_STEP - 0.5 + y + window[1]
    u, v = np.meshgrid((u - view.shift[0]) / view.scale, (v - view.shift[1]) / view.scale)
    depth, outside = _depths(part, view, (u, v), points[:, 2])
    place = _at(part, view, (u, v), depth)
    side = np.clip(place[2] / np.maximum(place[3], 1), -1, 1)
    found = cv2.merge([*place[:2], np.float32(side)])
    size = (columns * RAY_STEP, rows * RAY_STEP)
    smooth = cv2.resize(np.clip(outside, -8, 8) * view.scale, size, interpolation=cv2.INTER_LINEAR)
    cover = smoothstep(0.7, -0.7, smooth[:h, :w])
    return x, y, w, h, found, cover, cv2.resize(depth, size)[:h, :w]


def _at(part: Solid, view: View, pixel: tuple, z: np.ndarray | float) -> tuple:
    """The points of a part's plane behind which, or before which, rays are at a depth.

    Returns:
        x and y in the plane, the distance from it, and the bulge there; float32 (n, m) each.
    """
    wide = 1 - z / np.float32(DISTANCE)
    a, b = pixel[0] * wide, pixel[1] * wide
    inverse = np.linalg.inv(view.rotation).astype(np.float32)
    x, y, depth = (row[0] * a + row[1] * b + row[2] * z for row in inverse)
    x, y = np.float32(x + MIDDLE[0]), np.float32(y + MIDDLE[1])
    column, row = (
        (c - start) / np.float32(RELIEF_STEP) for c, start in zip((x, y), part.corner, strict=True)
    )
    edge = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": -9}
    bulge = cv2.remap(part.bulge, column, row, cv2.INTER_LINEAR, **edge)
    return x, y, np.float32(depth - view.curve(x) - part.piece.depth), bulge


def _depths(
    part: Solid, view: View, pixel: tuple, depths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where rays meet a part first, and how far outside of it the others pass, below 0 inside."""
    near, far = np.float32(depths.max() + 1), np.float32(depths.min() - 1)
    if part.is_flat:
        steep = (view.rotation.T)[2, 2]
        steep = np.float32(np.sign(steep) * max(abs(steep), 0.2))
        z = np.full(pixel[0].shape, (near + far) / 2, np.float32)
        for _ in range(3):  # to where the ray meets the plate
            z = np.clip(z - _at(part, view, pixel, z)[2] / steep, far, near)
        return z, -_at(part, view, pixel, z)[3]
    best, closest = np.full(pixel[0].shape, far), np.full(pixel[0].shape, np.float32(np.inf))
    before, step = closest, (near - far) / (STEPS - 1)

    def distance(z: np.ndarray | float) -> np.ndarray:
        _, _, off, bulge = _at(part, view, pixel, z)
        return np.maximum(np.abs(off) - np.maximum(bulge, 0), -bulge)

    for z in np.linspace(near, far, STEPS, dtype=np.float32):
        outside = distance(z)
        better = (outside < closest) & (closest > 0)  # what is met first counts
        back = np.clip(-outside / np.maximum(before - outside, 1e-3), 0, 1)  # the surface is there
        best = np.where(better, z + back * step, best)
        closest = np.where(better, outside, closest)
        before = outside
    for share in (0.5, -0.5, 0.25, -0.25, 0.12, -0.12):  # a ray may graze between two steps
        z = best + np.float32(share * step)
        outside = distance(z)
        better = (outside < closest) & (closest > 0)
        best, closest = np.where(better, z, best), np.where(better, outside, closest)
    return best, closest


def _painted(
    part: Solid,
    coats: tuple[Sheets, Sheets],
    view: View,
    found: np.ndarray,
    light: Light,
    size: Size,
) -> tuple[np.ndarray, np.ndarray]:
    """The lit colours of a part and the opacity of its coat, where rays have met it."""
    x = (found[..., 0] - part.corner[0]) / RELIEF_STEP
    y = (found[..., 1] - part.corner[1]) / RELIEF_STEP
    edge = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    rest = cv2.remap(part.rest, x, y, **edge)
    slope = cv2.remap(part.slope, x, y, **edge)
    shade = _shade(slope, found[..., 2], view, light, part.piece)
    full = (found.shape[1] * RAY_STEP, found.shape[0] * RAY_STEP)
    width, height = size
    rest, shade, side = (
        cv2.resize(field, full)[:height, :width] for field in (rest, shade, found[..., 2])
    )
    near, far = (
        cv2.remap(sheets[part.piece.sheet], rest, None, **edge).astype(np.float32) * (1 / 255)
        for sheets in coats
    )
    share = smoothstep(-0.12, 0.12, side)[..., None]
    coat = near * share + far * (1 - share)
    return coat[..., :3] * shade, coat[..., 3]


def _shade(
    slope: np.ndarray, side: np.ndarray, view: View, light: Light, piece: Piece
) -> np.ndarray:
    """Light on a surface: Lambert's law and a sky above; float32 (n, m, 3)."""
    facing = np.where(side < 0, -1, 1).astype(np.float32)
    normal = cv2.merge([-slope[..., 0], -slope[..., 1], facing])
    seen = np.float32(normal) @ view.rotation.T.astype(np.float32)
    seen /= np.linalg.norm(seen, axis=-1, keepdims=True)
    right, down, front = light.direction
    direct = np.maximum(0, seen[..., 0] * right + seen[..., 1] * down + seen[..., 2] * front)
    around = 0.72 - 0.28 * seen[..., 1]
    # The body keeps the sun from the legs behind it.
    tone = 1 - 0.38 * (piece.depth < 0) * abs(view.rotation[2, 2])
    return cv2.merge(
        [
            np.float32(tone * (s * direct + a * around))
            for s, a in zip(light.sun, light.sky, strict=True)
        ]
    )
