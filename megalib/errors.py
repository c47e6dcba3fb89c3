"""Mistakes that a user can mend, told in one line."""

import difflib
import reprlib
from collections.abc import Iterable

LETTERS = 80  # of a value that a message prints
ENTRIES = 60  # of a list of names that a message prints

_short = reprlib.Repr()
_short.maxlevel = _short.maxlist = _short.maxdict = _short.maxtuple = 3
_short.maxstring = _short.maxother = _short.maxlong = 30


class UserError(Exception):
    """A mistake of the user's, not of the program's.

    The message is one line: what is wrong, where, and what to type instead. Jupyter, and so
    papermill, shows that line alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """The hook by which IPython asks an exception how it wants to be shown."""
        return [f"{type(self).__name__}: {self}"]


def told(value: object) -> str:
    """A value as a message prints it: one line, and no more than about 80 letters of it."""
    if isinstance(value, str):
        return repr(value) if len(value) <= LETTERS else repr(value[:LETTERS] + "…")
    if isinstance(value, int) and abs(value) >= 10**LETTERS:  # Python refuses to print the longest
        return f"a number of {value.bit_length()} bits"
    text = _short.repr(value)
    return text if len(text) <= LETTERS else text[:LETTERS] + "…"


def choose(kind: str, name: object, valid: Iterable[str]) -> str:
    """Return `name` if it is one of the valid names.

    Args:
        kind: what is named, for the message: "flavour", "dataset", …
        name: what the user wrote.
        valid: the names that exist.

    Raises:
        UserError: the name is unknown; the message gives the nearest name and all valid ones.
    """
    valid = list(valid)
    if isinstance(name, str) and name in valid:
        return name
    folded = {option[:LETTERS].casefold(): option for option in valid}
    written = (name if isinstance(name, str) else told(name))[:LETTERS].casefold()
    near = difflib.get_close_matches(written, folded, n=1, cutoff=0.5)
    hint = f"did you mean {told(folded[near[0]])}? " if near else ""
    shown = [option if len(option) <= LETTERS else option[:LETTERS] + "…" for option in valid]
    more = f" and {len(shown) - ENTRIES} more" if len(shown) > ENTRIES else ""
    listed = ", ".join(shown[:ENTRIES]) + more
    raise UserError(f"unknown {kind} {told(name)}: {hint}valid are {listed}")
