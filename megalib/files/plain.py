"""Text of strangers stays text: names of individuals, files and datasets, wherever they are shown.

Tables have `look.styled`, files for a spreadsheet `spreadsheet`; here is the rest, Markdown and
figures.
"""

import re

# What Markdown, its extensions or HTML could take for more than itself. Hyphens inside a line are
# harmless, and most names have some.
_MARKUP = re.compile(r"[!-+./:-@\[-`{-~]|\A-")
# What neither XML nor a font has; a line end is kept.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def in_markdown(text: object) -> str:
    """Text as Markdown that shows it; a line end becomes a space, as browsers show it.

    Punctuation is written as HTML entities. A backslash in front would do in most places, but
    Jupyter takes some backslashes for mathematics, and cells of tables end at every bar.
    """
    line = " ".join(str(text).split())
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line)


def in_figure(text: object) -> str:
    """Text for a figure; characters that cannot be drawn become the sign for such (U+FFFD)."""
    return _CONTROL.sub("\ufffd", str(text))
