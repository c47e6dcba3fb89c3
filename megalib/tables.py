"""How the pages show tables: numbers rounded, and text as text.

pandas' own `style` writes cells and labels into the page as HTML. Names of individuals and files
come from strangers, so every styled table of the compendium is made here.
"""

from collections.abc import Callable, Mapping

import pandas as pd
from markupsafe import escape
from pandas.io.formats.style import Styler

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
