"""Boxes around animals, however they are written: pixels or fractions, sizes or corners.

What a file means is decided for all of its lines together, never line by line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from megalib.own.report import Notes, counted, listed

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TYPE = re.compile(r"np\.\w+|numpy\.\w+|float\d+|int\d+")  # as Python writes numbers of numpy
MOST_FRACTION = 1.005  # rounding may lift a fraction a little above 1
LEAST_INSIDE = 0.5  # of a box's area, below which it is no box of this picture
EDGE = 0.01  # of a picture's side, by which a box may leave it and still fit
SMALL = 16  # pixels of a box's shorter side, below which little is to be seen
TURNED = {5, 6, 7, 8}  # EXIF orientations that change width with height


@dataclass(frozen=True)
class Frame:
    """A picture: its size in pixels as it is seen, and the EXIF orientation that turns it."""

    width: int
    height: int
    orientation: int = 1


def numbers(text: str, decimal_comma: bool = False) -> list[float] | None:
    """The four numbers of a box; None where the text holds others."""
    text = TYPE.sub("", text)
    if decimal_comma:
        text = text.replace(",", ".")
    found = [float(part) for part in NUMBER.findall(text)]
    whole = re.sub(NUMBER, "", text).strip(" ()[]{},;:|\t\"'xywhXYWH=")
    good = len(found) == 4 and not whole and np.isfinite(found).all()
    return found if good else None


def in_pixels(
    boxes: Sequence[list[float] | None],
    frames: Sequence[Frame | None],
    places: Sequence[str],
    are_corners: bool | None,
    notes: Notes,
) -> tuple[list[list[float] | None], list[str]]:
    """All boxes as x, y, width and height in pixels of the picture as it is seen.

    Args:
        boxes: four numbers each; None where the whole picture is meant.
        frames: the pictures; None where there is none.
        places: where each box is written, such as "line 3".
        are_corners: whether the third and fourth number are the other corner; None where the file
            does not say so.
        notes: takes what was decided, and how many boxes were clipped.

    Returns:
        The boxes, and for each why it cannot be used ("" where it can).
    """
    there = [number for number, box in enumerate(boxes) if box is not None]
    if not there:
        return list(boxes), [""] * len(boxes)
    values = np.array([boxes[number] for number in there], dtype=float)
    known = np.array([frames[number] is not None for number in there])
    seen = [frames[number] or Frame(1, 1) for number in there]
    sizes = np.array([(frame.width, frame.height) for frame in seen], dtype=float)
    is_fraction = _are_fractions(values)
    if is_fraction:
        values = values * np.tile(sizes, 2)
    values, corners = _with_sizes(values, sizes, known, are_corners)
    values, turned = _upright(values, sizes, seen, known) if not is_fraction else (values, 0)
    notes.understood.append(
        f"{counted(len(there), 'box', 'boxes')} in "
        + ("fractions of the picture" if is_fraction else "pixels")
        + (", as two corners" if corners else "")
        + (f", {turned} of them of a picture before it is turned upright" if turned else "")
    )
    return _clipped(boxes, there, values, sizes, known, places, notes)


def _are_fractions(values: np.ndarray) -> bool:
    """Whether most boxes fit into a picture of size 1; a box of one pixel is none."""
    return bool((np.abs(values).max(axis=1) <= MOST_FRACTION).mean() > 0.5)


def _fits(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which boxes (x, y, width, height) lie within their picture, but for its edge."""
    most = sizes * (1 + EDGE) + 1
    return (
        (values[:, :2] >= -EDGE * sizes - 1).all(axis=1)
        & (values[:, 2:] > 0).all(axis=1)
        & (values[:, :2] + values[:, 2:] <= most).all(axis=1)
    )


def _with_sizes(
    values: np.ndarray, sizes: np.ndarray, known: np.ndarray, are_corners: bool | None
) -> tuple[np.ndarray, bool]:
    """Boxes with width and height, and whether they were written as two corners.

    Where the file does not say, they are corners if that lets clearly more of them fit.
    """
    as_corners = np.hstack([values[:, :2], values[:, 2:] - values[:, :2]])
    if are_corners is None:
        fit, fit_as_corners = (_fits(each, sizes)[known].sum() for each in (values, as_corners))
        are_corners = bool(fit_as_corners > fit and fit < known.sum() / 2)
    return (as_corners if are_corners else values), are_corners


def _upright(
    values: np.ndarray, sizes: np.ndarray, frames: Sequence[Frame], known: np.ndarray
) -> tuple[np.ndarray, int]:
    """Boxes of the pictures as they are seen, and how many were measured before they were turned.

    That is taken for true where, of the pictures on their side, more boxes fit so.
    """
    turned = np.array([frame.orientation in TURNED for frame in frames]) & known
    if not turned.any():
        return values, 0
    fit = _fits(values[turned], sizes[turned]).sum()
    fit_before = _fits(values[turned], sizes[turned][:, ::-1]).sum()
    if fit_before <= fit:
        return values, 0
    result = values.copy()
    for number in np.flatnonzero(turned):
        result[number] = turn(values[number], frames[number])
    return result, int(turned.sum())


def turn(box: Sequence[float], frame: Frame) -> list[float]:
    """A box of a picture as the camera kept it, in the picture as it is seen.

    Args:
        box: x, y, width and height before the picture is turned.
        frame: the picture; orientation 5 to 8 of EXIF, which all change width with height.
    """
    x, y, width, height = box
    before_width, before_height = frame.height, frame.width
    left = {5: y, 6: before_height - y - height, 7: before_height - y - height, 8: y}
    top = {5: x, 6: x, 7: before_width - x - width, 8: before_width - x - width}
    return [left[frame.orientation], top[frame.orientation], height, width]


def _clipped(
    boxes: Sequence[list[float] | None],
    there: list[int],
    values: np.ndarray,
    sizes: np.ndarray,
    known: np.ndarray,
    places: Sequence[str],
    notes: Notes,
) -> tuple[list[list[float] | None], list[str]]:
    """Cut off what leaves the pictures; tell what is clipped and small, and what is no box."""
    result, reasons = list(boxes), [""] * len(boxes)
    clipped, small = [], []
    for number, box, size, is_known in zip(there, values, sizes, known, strict=True):
        if not is_known:
            continue
        start, end = np.maximum(box[:2], 0), np.minimum(box[:2] + box[2:], size)
        area, inside = box[2:].prod(), np.maximum(end - start, 0).prod()
        text = ", ".join(f"{value:g}" for value in box)
        if (box[2:] <= 0).any():
            reasons[number] = "the box has no width or no height"
        elif (box[2:] < 1).any():
            reasons[number] = "the box is smaller than a pixel"
        elif inside < LEAST_INSIDE * area:
            reasons[number] = (
                f"most of the box ({text}) is outside the picture of {size[0]:.0f} x {size[1]:.0f} "
                "pixels"
            )
        else:
            kept = np.concatenate([start, end - start])
            result[number] = [float(round(value, 3)) for value in kept]
            if np.abs(kept - box).max() > 1e-6 * max(size):
                clipped.append(places[number])
            if kept[2:].min() < SMALL:
                small.append(places[number])
    if clipped:
        what = (
            "left the picture and was clipped"
            if len(clipped) == 1
            else ("left their pictures and were clipped")
        )
        notes.understood.append(
            f"{counted(len(clipped), 'box', 'boxes')} {what} ({listed(clipped)})"
        )
    if small:
        notes.doubts.append(
            f"{counted(len(small), 'box', 'boxes')} of less than {SMALL} pixels "
            f"({listed(small)}): little is to be seen in it"
        )
    return result, reasons
