"""Licences of the packages that this environment holds, as their own metadata name them.

`pyproject.toml` lists those that are allowed, as packages spell them, and the packages that are
accepted although they name another one or none, each with its reason.
"""

import re
import tomllib
from collections.abc import Collection
from importlib.metadata import Distribution
from pathlib import Path

import pandas as pd

from megalib.files.places import ROOT

UNKNOWN = "not stated"


def of(package: Distribution) -> str:
    """The licence that a package names, or "not stated".

    An expression comes first, then what the package is classified as, then its free text, of which
    some hold the whole licence.
    """
    facts = package.metadata
    classes = [name for name in facts.get_all("Classifier", []) if name.startswith("License ::")]
    classified = "; ".join(sorted(name.rpartition(" :: ")[2] for name in classes))
    text = facts.get("License", "").partition("\n")[0].strip()
    return facts.get("License-Expression") or classified or text or UNKNOWN


def named(licence: str) -> set[str]:
    """The single licences of an expression ("MIT AND (BSL-1.0 OR Zlib)") or of a list ("A; B")."""
    parts = re.split(r"; | AND | OR ", licence)
    return {part if part.count("(") == part.count(")") else part.strip("()") for part in parts}


def rules(project: Path = ROOT / "pyproject.toml") -> tuple[set[str], dict[str, str]]:
    """The allowed licences, and the reason of each exception by the name of its package."""
    section = tomllib.loads(project.read_text())["tool"]["megalib"]["licences"]
    return set(section["allowed"]), section["exceptions"]


def not_allowed(packages: pd.DataFrame, allowed: Collection[str]) -> pd.DataFrame:
    """The packages that name a licence which is not allowed, or none.

    Every licence that a package names must be allowed, also where one might choose among them.

    Args:
        packages: a row per package, with its `licence`, see `colophon.versions`.
        allowed: single licences.
    """
    return packages[[not named(licence) <= set(allowed) for licence in packages["licence"]]]
