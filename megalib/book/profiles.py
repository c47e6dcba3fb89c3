"""Profiles: files that set the parameters of all notebooks.

A profile is a flat YAML file, so that papermill's `-f` option takes it as it is.
"""

from pathlib import Path
from typing import Any

from megalib.book import parameters
from megalib.errors import UserError, choose, told
from megalib.files import texts
from megalib.files.names import is_name
from megalib.files.places import PROFILES, shown


def read(name: str) -> dict[str, Any]:
    """The parameters that a profile sets; its name is that of the file where it sets none.

    Args:
        name: of a file in `notebooks/profiles/`, or the path of a YAML file.

    Raises:
        UserError: there is no such profile, it is no YAML mapping, or it sets what no notebook
            declares, see `parameters.check`.
    """
    if not isinstance(name, str):
        raise UserError(f"a profile is a name or the path of a YAML file, not {told(name)}")
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = PROFILES / f"{choose('profile', name, names())}.yaml"
    values = texts.read(path)
    if "profile" not in values:
        if not is_name(path.stem):
            raise UserError(
                f"the file name of {shown(path)} cannot name a profile: write a line such as "
                "`profile: mine` into it"
            )
        values = {"profile": path.stem} | values
    return parameters.check(values)


def names() -> list[str]:
    """Names of the profiles that come with the compendium."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))
