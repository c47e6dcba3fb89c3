"""What may name a profile, a dataset or a file."""

import stat
import unicodedata
from pathlib import Path

from megalib.errors import UserError, told

LONGEST_NAME = 100  # letters of a name


# Bytes of a name: a file system takes 255, and files add an ending and a mark to it.
LONGEST_IN_BYTES = 200


def is_name(name: object) -> bool:
    """Whether profiles and datasets of one's own may have this name, see `check_name`."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or name[0] in "-.":
        return False
    # Letters of all languages, their marks (without which Hindi cannot be written), and digits.
    if any(letter not in "_-." and unicodedata.category(letter)[0] not in "LMN" for letter in name):
        return False
    return len(name.encode()) <= LONGEST_IN_BYTES and unicodedata.category(name[0])[0] != "M"


def check_name(kind: str, name: object) -> str:
    """Return `name` if it may name a profile or a dataset of one's own, and so a folder.

    Args:
        kind: what is named, for the message: "profile", "own pictures", …
        name: what the user wrote.

    Raises:
        UserError: it is no text, is too long, or holds what no name may hold.
    """
    if not is_name(name):
        raise UserError(
            f"{told(name)} cannot name {kind}: choose a name of letters, digits, _, - and . that "
            f"begins with a letter, a digit or _, without blanks, of at most {LONGEST_NAME} "
            f"letters ({LONGEST_IN_BYTES} bytes)"
        )
    return name


def check_path(kind: str, path: object) -> str:
    """Return the text of a path if it can be one; whether there is a file is another question.

    Args:
        kind: what is named, for the message: "raw", "MEGALIB_RUNS", …
        path: what the user wrote.

    Raises:
        UserError: it is no text or no path, or is empty, too long, holds a line break, another
            control character or what is not UTF-8, or begins with the `~` of nobody.
    """
    if not isinstance(path, str | Path) or not str(path).strip():
        raise UserError(f"{kind} must be a path, not {told(path)}")
    text = str(path)
    if not is_printable(text):
        raise UserError(
            f"{kind} must be a path without line breaks and control characters, not {told(text)}"
        )
    if len(text) > 4000:
        raise UserError(f"{kind} is too long for a path, {len(text)} letters: {told(text)}")
    try:
        Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{kind} begins with a home folder that is not here: {told(text)}"
        ) from error
    return text


def is_printable(text: str) -> bool:
    """Whether a text is one line of UTF-8: no control characters, line breaks, half characters."""
    return not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def kind_of(path: Path) -> str:
    """What lies at a path or where its link leads; opens nothing and never raises.

    Returns:
        "file" for a regular one, "folder", "other" for pipes, sockets and devices, and "" where
        nothing is to be seen.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there, not allowed, or no path at all
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"
