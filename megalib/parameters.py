"""The parameters of the notebooks: what is declared, what a profile sets, what is refused.

The parameter cell of each notebook is the only place where a parameter is declared. A profile
is a flat YAML file that may set the parameters of all notebooks, so that papermill's `-f` option
takes it as it is.
"""

import ast
import builtins
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from megalib import catalogue, flavours, workshop
from megalib.errors import UserError, choose
from megalib.files import NOTEBOOKS, PROFILES, Run, shown

NOT_NEGATIVE = {"seed", "workers", "checkpoint_every", "validate_every"}
METADATA_SOURCES = ("raw", "published")


def notebooks() -> dict[str, Path]:
    """The notebooks by name, such as "1_prepare", in their order; those of the workshop last."""
    found = [*sorted(NOTEBOOKS.glob("[0-9]_*.ipynb")), *workshop.lessons()]
    return {path.stem: path for path in found}


def declared(notebook: str) -> dict[str, Any]:
    """The parameters of a notebook with their default values."""
    return {line.target.id: ast.literal_eval(line.value) for line in _lines(notebook)}


def _lines(notebook: str) -> list[ast.AnnAssign]:
    """The lines of a notebook's parameter cell, each `name: type = value`."""
    path = notebooks()[choose("notebook", notebook, notebooks())]
    cells = json.loads(path.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    return ast.parse("".join(tagged[0]["source"])).body


def known() -> dict[str, Any]:
    """The parameters of all notebooks with their default values."""
    return {name: value for key in notebooks() for name, value in declared(key).items()}


def types() -> dict[str, type]:
    """The types of the parameters of all notebooks, as their cells declare them."""
    lines = [line for key in notebooks() for line in _lines(key)]
    return {line.target.id: getattr(builtins, line.annotation.id) for line in lines}


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
    return check(values)


def profiles() -> list[str]:
    """Names of the profiles that come with the compendium."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse parameters that no notebook declares, and values that cannot be meant.

    Returns:
        The same values; a float that came as text is a number: YAML takes 1e-4 for a text.

    Raises:
        UserError: the name is unknown (the message gives the nearest), the type is not the one
            declared, a number is out of range, or a flavour, dataset or scale does not exist.
    """
    defaults, wanted = known(), types()
    for name in values:
        choose("parameter", name, defaults)
    values = {name: _of_type(name, value, wanted[name]) for name, value in values.items()}
    for name in NOT_NEGATIVE & set(values):
        if (values[name] or 0) < 0:
            raise UserError(f"parameter {name} must not be negative, but is {values[name]}")
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
    return values


def _listed(values: Mapping[str, Any], single: str, several: str) -> list[str]:
    return ([values[single]] if single in values else []) + list(values.get(several, []))


def _of_type(name: str, value: Any, wanted: type) -> Any:
    """A value of the type that was declared; None stands for "not set" and is left alone."""
    if wanted is float and isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    whole = wanted is float and type(value) is int
    if value is not None and type(value) is not wanted and not whole:
        raise UserError(f"parameter {name} must be of type {wanted.__name__}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"parameter {name} must be a finite number, not {value}")
    return value


def for_notebook(notebook: str, *sources: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one notebook out of several sources, later ones winning.

    Parameters of other notebooks, which a profile may set too, are left out.

    Raises:
        UserError: see `check`.
    """
    merged = {name: value for source in sources for name, value in source.items()}
    own = declared(notebook)
    return {name: value for name, value in check(merged).items() if name in own}
