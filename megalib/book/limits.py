"""What the value of each parameter may be: its range, its choices, its length.

The tables hold every parameter of every notebook that takes more than a type to describe. Words
that only modules know which take seconds to import are repeated here; a test compares them.
"""

import math
import re
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from megalib import flavours
from megalib.errors import UserError, choose, told
from megalib.files.names import check_name, check_path, is_printable, kind_of
from megalib.files.places import resolve

MANY = 10**9  # more of anything than a run can have
LARGEST_SIZE = 4096  # pixels of the shorter side of a prepared image
LONGEST_TEXT = 4000  # letters

# Whole numbers: the least and the greatest that are allowed. Of `sizes`, each one is meant.
FROM_TO = {
    "seed": (0, 2**32 - 1),  # what NumPy takes
    "split_seed": (0, 2**32 - 1),
    "workers": (0, 256),
    "processes": (1, 1024),
    "sizes": (1, LARGEST_SIZE),
    "stored_size": (1, LARGEST_SIZE),
    "epochs": (1, MANY),
    "batch_size": (1, MANY),
    "accumulation_steps": (1, MANY),
    "checkpoint_every": (1, MANY),
    "validate_every": (1, MANY),
    "votes": (1, MANY),
    "candidates": (1, MANY),
    "keypoints": (1, MANY),
    "most_images": (1, MANY),
    "individuals": (2, MANY),
    "pictures": (3, MANY),
    "individual_level": (1, 20),
    "occasion_days": (1, 3660),
}

# Numbers with a fraction: two bounds, neither of which is allowed itself.
BETWEEN = {
    "train_share": (0, 1),
    "new_share": (0, 1),
    "occasion_share": (0, 0.5),
    "newcomers": (0, 1),
    "learning_rate": (0, 1e6),
    "triplet_margin": (0, 1e6),
    "detection_threshold": (0, 1),
}

CHOICES = {
    "metadata_source": ("raw", "published"),
    "loss": flavours.LOSSES,
    "accumulation": flavours.ACCUMULATIONS,
    "triplet_mining": flavours.MININGS,
    "precision": ("auto", "fp32", "bf16", "fp16"),
    "projection": ("pca", "tsne"),
    "resume": ("auto", "never"),
    "on_bad_image": ("stop", "skip"),
}

# Names of folders below the folder of all runs.
NAMES = {"profile", "workshop"}
# Words, or paths of folders and files.
PATHS = {"raw", "weights", "start"}
# The same, where an empty text means that there is none.
PATHS_OR_EMPTY = {"known", "new", "decisions"}
# Lists of which an empty one makes no run; and what to write.
NOT_EMPTY = {
    "datasets": "datasets: [DemoZebra]",
    "flavours": "flavours: [pocket-T]",
    "sizes": "sizes: [256, 518]",
}
# None is allowed where it is the default, and here, where it means "never".
NEVER = {"validate_every"}


def check(name: str, value: Any, default: Any, wanted: type) -> Any:
    """Return the value of one parameter if it can be meant.

    Args:
        name: of the parameter.
        value: what the user wrote.
        default: what the notebook declares.
        wanted: the type that the notebook declares.

    Returns:
        The value; a float that came as text is a number.

    Raises:
        UserError: another type, out of range, or no value that the parameter knows.
    """
    if value is None and (default is None or name in NEVER):
        return value
    value = _of_type(name, value, wanted)
    if isinstance(value, list):
        _check_list(name, value, type(default[0]))
    elif isinstance(value, dict):
        _check_own(value)
    elif isinstance(value, str):
        _check_text(name, value)
    else:
        _check_number(name, value)
    return value


def _of_type(name: str, value: Any, wanted: type) -> Any:
    if wanted is float and isinstance(value, str) and len(value) < 80:
        with suppress(ValueError):
            value = float(value)
    if wanted is str and isinstance(value, int | float):
        return _as_text(name, value)
    whole = wanted is float and type(value) is int
    if type(value) is not wanted and not whole:
        hint = "; None is not allowed here" if value is None else ""
        raise UserError(
            f"parameter {name} must be of type {wanted.__name__}, not {told(value)}{hint}"
        )
    return value


def _as_text(name: str, value: float) -> str:
    """A number where a text is wanted: papermill's `-p` makes one of all that looks like it.

    What was typed is lost then: 7 may have been 007. Only a file that is there shows what is meant.
    """
    if type(value) is int and name in PATHS | PATHS_OR_EMPTY and kind_of(resolve(str(value))):
        return str(value)
    raise UserError(
        f"parameter {name} must be of type str, not {told(value)}: for papermill write -r {name} "
        f"in place of -p {name}, in a profile put quotes around it"
    )


def _check_list(name: str, values: list, wanted: type) -> None:
    """Elements of one type, in range, each of them once."""
    if not values and name in NOT_EMPTY:
        raise UserError(f"parameter {name} is empty: write for instance `{NOT_EMPTY[name]}`")
    seen: set[Hashable] = set()
    for value in values:
        if type(value) is not wanted:
            raise UserError(
                f"parameter {name} must be a list of {wanted.__name__}, but holds {told(value)}"
            )
        if value in seen:
            raise UserError(f"parameter {name} holds {told(value)} twice")
        seen.add(value)
        if wanted is int:
            _check_number(name, value)
        else:
            _check_text(name, value)


def _check_own(own: dict) -> None:
    """Names of one's own pictures, and the folder or file of each."""
    for name, source in own.items():
        check_name("your own pictures", name)
        if not isinstance(source, str):
            raise UserError(
                f"parameter own must name a folder or list for {told(name)}, not {told(source)}: "
                "put it in quotes"
            )
        check_path(f"the folder or list of {told(name)} in own", source)


def _check_text(name: str, value: str) -> None:
    if name in PATHS or (name in PATHS_OR_EMPTY and value):
        check_path(f"parameter {name}", value)
    if len(value) > LONGEST_TEXT or not is_printable(value):
        raise UserError(
            f"parameter {name} must be one line of at most {LONGEST_TEXT} letters without control "
            f"characters, not {told(value)}"
        )
    if name in NAMES:
        check_name(f"a {name}", value)
    if name in CHOICES:
        choose(name, value, CHOICES[name])
    if name == "device" and not re.fullmatch(r"[a-z]{2,12}(:[0-9]{1,4})?", value):
        raise UserError(f"parameter device must be auto, cpu, cuda or mps, not {told(value)}")
    if name == "utc_offset" and not re.fullmatch(r"Z|[+-]\d{2}:\d{2}", value):
        raise UserError(f"parameter utc_offset must be like +02:00, or Z, not {told(value)}")
    if name == "tracker" and not value.strip():
        raise UserError("parameter tracker is empty: write none, or a tracker such as tensorboard")


def _check_number(name: str, value: int | float) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"parameter {name} must be a finite number, not {value}")
    if name in FROM_TO:
        low, high = FROM_TO[name]
        if not low <= value <= high:
            never = "; None means never" if name in NEVER and value == 0 else ""
            raise UserError(
                f"parameter {name} must be from {low} to {high}, not {told(value)}{never}"
            )
    if name in BETWEEN:
        low, high = BETWEEN[name]
        if not low < value < high:
            raise UserError(
                f"parameter {name} must lie between {low} and {high:g}, and be neither, "
                f"not {told(value)}"
            )
