"""The notebooks and their parameters: what is declared, and what is refused.

The parameter cell of each notebook is the only place where a parameter is declared.
"""

import ast
import builtins
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from megalib import flavours
from megalib.book import limits
from megalib.data import catalogue
from megalib.errors import choose
from megalib.files.places import NOTEBOOKS, Run


def notebooks() -> dict[str, Path]:
    """The notebooks by name, such as "1_prepare", in their order; those of the workshop last."""
    found = [*sorted(NOTEBOOKS.glob("[0-9]_*.ipynb")), *lessons()]
    return {path.stem: path for path in found}


def lessons() -> list[Path]:
    """The notebooks of the workshop, with solutions, in their order."""
    return sorted((NOTEBOOKS / "workshop").glob("w[0-9]_*.ipynb"))


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
    """The parameters of all notebooks with their default values.

    The pipeline works with what was trained; `weights` has another default for photographs of one's
    own, on which nobody trained a network.
    """
    found = {name: value for key in notebooks() for name, value in declared(key).items()}
    return found | {"weights": declared("3_infer")["weights"]}


def types() -> dict[str, type]:
    """The types of the parameters of all notebooks, as their cells declare them."""
    lines = [line for key in notebooks() for line in _lines(key)]
    return {line.target.id: getattr(builtins, line.annotation.id) for line in lines}


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
