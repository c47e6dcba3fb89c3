"""What a figure shows, as tests ask for it."""

import xml.dom.minidom

import numpy as np
from IPython.core.pylabtools import print_figure


def points(axis, number=0) -> list[tuple[float, float]]:
    """Where the dots of one scatter lie, without the noise of the last digits."""
    places = np.asarray(axis.collections[number].get_offsets()).round(9)
    return [tuple(place) for place in places.tolist()]


def line(axis, number=0) -> tuple[list[float], list[float]]:
    drawn = axis.lines[number]
    return np.asarray(drawn.get_xdata()).tolist(), np.asarray(drawn.get_ydata()).tolist()


def row_names(axis) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def colours(axes) -> list[int]:
    """Which of the pictures each axis shows, -1 for none."""
    shown = [axis.images[0].get_array() if axis.images else None for axis in np.ravel(axes)]
    return [-1 if image is None else int(np.asarray(image)[0, 0, 0]) // 10 for image in shown]


def drawn(figure) -> str:
    """A figure as SVG, which must be XML, even where a page would show it as pixels."""
    figure.set_dpi(20)
    svg = print_figure(figure, "svg", bbox_inches=None)
    xml.dom.minidom.parseString(svg)
    return svg
