"""Licences of the packages that this environment holds, as their own metadata name them.

`pyproject.toml` lists those that are allowed, as packages spell them, and the packages that are
accepted although they name another one or none, each with its reason.
"""

import re
import tomllib
from collections.abc import Collection
from importlib.metadata import Distribution

import pandas as pd

from megalib.files.places import ROOT

UNKNOWN = "not stated"


def of(package: Distribution) -> str:
    """The licence that a package names: as an expression, by its class, or as text."""
    facts = package.metadata
    classes = [name for name in facts.get_all("Classifier", []) if name.startswith("License ::")]
    classified = "; ".join(sorted(name.rpartition(" :: ")[2] for name in classes))
    text = facts.get("License", "").partition("\n")[0].strip()  # some write the whole licence
    text = "" if text == "UNKNOWN" else text  # what older tools write where nothing is stated
    return facts.get("License-Expression") or classified or text or UNKNOWN


def rules() -> tuple[set[str], dict[str, str]]:
    """The allowed licences, and the reason of each exception by the name of its package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    section = project["tool"]["megalib"]["licences"]
    return set(section["allowed"]), section["exceptions"]


def not_allowed(packages: pd.DataFrame, allowed: Collection[str]) -> pd.DataFrame:
    """The packages, see `colophon.versions`, that name a licence which is not allowed, or none.

    Every licence that a package names must be allowed, also where one might choose among them.
    """
    return packages[[not _named(licence) <= set(allowed) for licence in packages["licence"]]]


def _named(licence: str) -> set[str]:
    """The single licences of an expression ("MIT AND (BSL-1.0 OR Zlib)") or of a list ("A; B")."""
    parts = re.split(r"; | AND | OR ", licence)
    return {part if part.count("(") == part.count(")") else part.strip("()") for part in parts}
