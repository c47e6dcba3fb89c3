"""Mistakes that a user can mend, told in one line."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's, not of the program's.

    The message is one line: what is wrong, where, and what to type instead. Jupyter, and so
    papermill, shows that line alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """The hook by which IPython asks an exception how it wants to be shown."""
        return [f"{type(self).__name__}: {self}"]


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
    if name in valid:
        return str(name)
    folded = {option.casefold(): option for option in valid}
    near = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    hint = f"did you mean {folded[near[0]]!r}? " if near else ""
    raise UserError(f"unknown {kind} {name!r}: {hint}valid are {', '.join(valid)}")
