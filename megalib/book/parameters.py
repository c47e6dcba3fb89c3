"""The parameters of the notebooks: what is declared, what a profile sets, what is refused.

The parameter cell of each notebook is the only place where a parameter is declared. A profile
is a flat YAML file that may set the parameters of all notebooks, so that papermill's `-f` option
takes it as it is.
"""

import ast
import builtins
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from megalib import flavours
from megalib.book import limits, workshop
from megalib.data import catalogue
from megalib.errors import UserError, choose, told
from megalib.files import texts
from megalib.files.names import is_name
from megalib.files.places import NOTEBOOKS, PROFILES, Run, shown


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
    """The parameters that a profile sets; its name is that of the file where it sets none.

    Args:
        name: of a file in `notebooks/profiles/`, or the path of a YAML file.

    Raises:
        UserError: there is no such profile, it is no YAML mapping, or it sets what no notebook
            declares.
    """
    if not isinstance(name, str):
        raise UserError(f"a profile is a name or the path of a YAML file, not {told(name)}")
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = PROFILES / f"{choose('profile', name, profiles())}.yaml"
    values = texts.read(path)
    if "profile" not in values:
        if not is_name(path.stem):
            raise UserError(
                f"the file name of {shown(path)} cannot name a profile: write a line such as "
                "`profile: mine` into it"
            )
        values = {"profile": path.stem} | values
    return check(values)


def of_pipeline(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that snakemake is given: those of the profile, and those that change them.

    Args:
        config: what stands behind `--config`; `profile` names a profile or its file.

    Raises:
        UserError: see `read_profile` and `check`.
    """
    changed = {name: value for name, value in config.items() if name != "profile"}
    return check(read_profile(config.get("profile", "demo")) | changed)


def profiles() -> list[str]:
    """Names of the profiles that come with the compendium."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse parameters that no notebook declares, and values that cannot be meant.

    Returns:
        The same values; a float that came as text is a number: YAML takes 1e-4 for a text.

    Raises:
        UserError: the name is unknown (the message gives the nearest), the type is not the one
            declared, a value is none that `limits` allow, or a flavour or dataset does not exist.
    """
    defaults, wanted = known(), types()
    for name in values:
        choose("parameter", name, defaults)
    values = {
        name: limits.check(name, value, defaults[name], wanted[name])
        for name, value in values.items()
    }
    for name in _listed(values, "flavour", "flavours"):
        choose("flavour", name, flavours.FLAVOURS | flavours.BASELINES)
    for name in values.get("baselines", []):
        choose("baseline", name, [*flavours.BASELINES, flavours.SIFT])
    prepared = Run(values.get("profile", defaults["profile"])).prepared()
    datasets = dict.fromkeys([*catalogue.CATALOGUE, *values.get("own", {}), *prepared])
    for name in _listed(values, "dataset", "datasets"):
        choose("dataset", name, datasets)
    if "example_of" in values:
        choose("example_of", values["example_of"], datasets)
    return values


def _listed(values: Mapping[str, Any], single: str, several: str) -> list[str]:
    return ([values[single]] if single in values else []) + list(values.get(several, []))


def for_notebook(notebook: str, *sources: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one notebook out of several sources, later ones winning.

    Parameters of other notebooks, which a profile may set too, are left out.

    Raises:
        UserError: see `check`.
    """
    merged = {name: value for source in sources for name, value in source.items()}
    own = declared(notebook)
    return {name: value for name, value in check(merged).items() if name in own}
