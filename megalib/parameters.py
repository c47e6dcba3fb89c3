"""The parameters of the notebooks: what is declared, what a profile sets, what is refused.

The parameter cell of each notebook is the only place where a parameter is declared. A profile
is a flat YAML file that may set the parameters of all notebooks, so that papermill's `-f` option
takes it as it is.
"""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from megalib import catalogue, flavours, workshop
from megalib.errors import UserError, choose
from megalib.files import NOTEBOOKS, PROFILES, Run, shown

METADATA_SOURCES = ("raw", "published")


def notebooks() -> dict[str, Path]:
    """The notebooks by name, such as "1_prepare", in their order; those of the workshop last."""
    found = [*sorted(NOTEBOOKS.glob("[0-9]_*.ipynb")), *workshop.lessons()]
    return {path.stem: path for path in found}


def declared(notebook: str) -> dict[str, Any]:
    """The parameters of a notebook with their default values."""
    path = notebooks()[choose("notebook", notebook, notebooks())]
    cells = json.loads(path.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    lines = ast.parse("".join(tagged[0]["source"])).body
    return {line.target.id: ast.literal_eval(line.value) for line in lines}


def known() -> dict[str, Any]:
    """The parameters of all notebooks with their default values."""
    return {name: value for key in notebooks() for name, value in declared(key).items()}


def read_profile(name: str) -> dict[str, Any]:
    """The parameters that a profile sets.

    Args:
        name: of a file in `notebooks/profiles/`, or the path of a YAML file.

    Raises:
        UserError: there is no such profile, it is no YAML mapping, or it sets what no notebook
            declares.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = PROFILES / f"{choose('profile', name, profiles())}.yaml"
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read the profile {shown(path)}: {error.strerror}") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the profile {shown(path)} is no valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise UserError(f"the profile {shown(path)} must hold lines of `parameter: value`")
    check(values)
    return values


def profiles() -> list[str]:
    """Names of the profiles that come with the compendium."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def check(values: Mapping[str, Any]) -> None:
    """Refuse parameters that no notebook declares, and values that cannot be meant.

    Raises:
        UserError: the name is unknown (the message gives the nearest), the type differs from
            the default's, or a flavour, dataset or scale does not exist.
    """
    defaults = known()
    for name, value in values.items():
        choose("parameter", name, defaults)
        _check_type(name, value, defaults[name])
    for name in _listed(values, "flavour", "flavours"):
        choose("flavour", name, flavours.FLAVOURS | flavours.BASELINES)
    for name in values.get("baselines", []):
        choose("baseline", name, [*flavours.BASELINES, flavours.SIFT])
    own = values.get("own") or {}
    prepared = Run(values.get("profile", defaults["profile"])).prepared()
    for name in _listed(values, "dataset", "datasets"):
        choose("dataset", name, dict.fromkeys([*catalogue.CATALOGUE, *own, *prepared]))
    if "metadata_source" in values:
        choose("metadata_source", values["metadata_source"], METADATA_SOURCES)
    if "scale" in values:
        choose("scale", values["scale"], flavours.SCALES)


def _listed(values: Mapping[str, Any], single: str, several: str) -> list[str]:
    return ([values[single]] if single in values else []) + list(values.get(several, []))


def _check_type(name: str, value: Any, default: Any) -> None:
    if default is None or value is None:
        return
    numbers = isinstance(default, float) and isinstance(value, int)
    if type(value) is not type(default) and not numbers:
        wanted = type(default).__name__
        raise UserError(f"parameter {name} must be of type {wanted}, not {value!r}")


def for_notebook(notebook: str, *sources: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one notebook out of several sources, later ones winning.

    Parameters of other notebooks, which a profile may set too, are left out.

    Raises:
        UserError: see `check`.
    """
    merged = {name: value for source in sources for name, value in source.items()}
    check(merged)
    own = declared(notebook)
    return {name: value for name, value in merged.items() if name in own}
