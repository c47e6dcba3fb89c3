"""How the pages look: figures of one style, and tables in which text stays text.

pandas' own `style` writes cells and labels into the page as HTML. Names of individuals and files
come from strangers, so every styled table of the compendium is made here.
"""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from markupsafe import escape
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from PIL import Image

from megalib.files.plain import in_figure
from megalib.files.writing import whole_file

INK, PAPER = "#1f2933", "#ffffff"
RIGHT, WRONG, QUIET = "#0072b2", "#d55e00", "#9aa5b1"  # Okabe and Ito: safe for colour-blind eyes

Form = str | Callable[[object], object]


def styled(
    frame: pd.DataFrame,
    index: bool = True,
    precision: int = 6,
    formats: Form | Mapping[str, Form] | None = None,
    na_rep: str | None = None,
) -> Styler:
    """A table for a page, in which nothing that a cell or a label holds becomes HTML or formulas.

    Args:
        frame: the table; its rows and columns may have several levels of labels.
        index: whether the names of the rows are shown.
        precision: digits after the point of all floats that have no form of their own.
        formats: how to tell the values of all columns, or of some: a format such as "{:,.0f}", or
            a function of the value. Only what a function returns as `markupsafe.Markup` is HTML.
        na_rep: what is shown where a value is missing; None shows what is there, such as nan.

    Returns:
        The table, which may be given colours and the like.
    """
    own = formats if isinstance(formats, Mapping) else dict.fromkeys(frame.columns, formats)
    forms = {name: _shown_by(own.get(name), precision) for name in frame.columns}
    label = _shown_by(None, 6)
    table = frame.style.format(forms, na_rep=na_rep)
    for axis in (0, 1):
        table = table.format_index(label, axis=axis).format_index_names(label, axis=axis)
    if not index:
        table = table.hide(axis="index")
    # Jupyter would set what stands between dollar signs as a formula.
    return table.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')


def _shown_by(form: Form | None, precision: int) -> Callable[[object], str]:
    """The function that turns a value into HTML."""

    def shown(value: object) -> str:
        if isinstance(form, str):
            told = form.format(value)
        elif form is not None:
            told = form(value)
        else:
            told = f"{value:.{precision}f}" if pd.api.types.is_float(value) else value
        return str(escape(told))  # which leaves Markup alone

    return shown


def use_style() -> None:
    """The style of the book: opaque paper, so that figures are read in light and dark mode.

    What stands between two dollar signs is text, too, in figures and in tables: names come from
    strangers, and half a formula would stop the notebook.
    """
    pd.set_option("display.html.use_mathjax", False)
    sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")
    plt.rcParams.update(
        {
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "axes.titleweight": "bold",
            "axes.titlesize": "medium",
            "text.color": INK,
            "text.parse_math": False,
            "figure.constrained_layout.use": True,
        }
    )
    shell = get_ipython()
    if shell is not None:  # in a notebook, whose backend sets its own formats when it is loaded
        plt.switch_backend(plt.get_backend())
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, as_vector)


def as_vector(figure: Figure) -> str | None:
    """A figure as SVG; None where it holds photographs, which are shown as pixels."""
    if any(axis.images for axis in figure.axes):
        return None
    return print_figure(figure, "svg")


def signed(figure: Figure, text: str) -> Figure:
    """Write under a figure what made it, so that it stays known where the figure is copied."""
    figure.supxlabel(in_figure(text), fontsize=8, color="#52606d", ha="right", x=0.995)
    return figure


def mark_rows(figure: Figure, marks: Mapping[str, str]) -> Figure:
    """Add a sign to the names of rows that say less than they seem to, and set them in italics.

    Args:
        figure: with a dataset per row, named on the left.
        marks: of `published.marks`; datasets that the figure does not show are passed over.
    """
    axis = figure.axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    axis.set_yticks(axis.get_yticks(), [f"{name} {marks.get(name, '')}".strip() for name in names])
    for name, label in zip(names, axis.get_yticklabels(), strict=True):
        if name in marks:
            label.set(style="italic", color="#52606d")
    return figure


def save(figure: Figure, file: Path, **how: Any) -> None:
    """Write a figure whole or not at all.

    Args:
        figure: to be written.
        file: whose ending says in which form, such as `.svg` or `.png`.
        **how: options of matplotlib's `savefig`.

    Raises:
        UserError: the file cannot be written.
    """
    with whole_file(file) as temporary:
        figure.savefig(temporary, **how)


def hide_frame(axis: plt.Axes) -> None:
    """Show the picture of an axis alone, without ticks, grid and frame."""
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def legend(axis: plt.Axes, marks: Sequence[Artist], names: Iterable[object], **style: Any) -> None:
    """A legend of given names; the usual one leaves out those that begin with an underscore."""
    axis.legend(marks, [in_figure(name) for name in names], frameon=False, **style)


def picture_in_box(axis: plt.Axes, image: Image.Image) -> None:
    """Show an image whole in a square, so that images of all shapes make even rows."""
    axis.set_axis_on()
    axis.imshow(image)
    axis.set(xticks=[], yticks=[], box_aspect=1)
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(False)


def wrapped(name: str) -> str:
    """A name on as many lines as fit above a picture."""
    return in_figure("\n".join(textwrap.wrap(str(name), 17)) or " ")
