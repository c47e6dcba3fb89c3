"""What each notebook does first and last: check its parameters, say what made it."""

import ast
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import pandas as pd
import torch
from IPython.display import Markdown

from megalib import look
from megalib.book import parameters
from megalib.data import catalogue
from megalib.files import spreadsheet
from megalib.files.places import ROOT, Run
from megalib.files.plain import in_markdown
from megalib.models import computer

# What pages show that hold no results of this run.
KINDS = {
    "published": "Published results. The accuracies on this page were measured by the authors of "
    "MegaDescriptor and are read from files; this run measured none of them.",
    "mixed": "Published facts, and this run's own. What is published comes first; a line says "
    "where this run begins.",
    "facts": "Facts. Nothing on this page is a result of this run: it shows what is published, "
    "counted or recorded.",
}
PACKAGES = ("torch", "timm", "wildlife-datasets", "pytorch-metric-learning")


def start(name: str, variables: dict[str, Any]) -> Run:
    """Check the parameters of the running notebook and set the style of its figures.

    A float that a profile gave as text becomes a number in the notebook too.

    Args:
        name: of the notebook, such as "2_train".
        variables: the notebook's `globals()`.

    Returns:
        The files of the run.

    Raises:
        UserError: a parameter is misspelt or its value cannot be meant.
    """
    parameters.check(_injected(variables.get("In", [])))
    own = parameters.check(values(name, variables))
    variables.update(own)
    look.use_style()
    return Run(own["profile"])


def values(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the running notebook and their values.

    Args:
        name: of the notebook.
        variables: the notebook's `globals()`.
    """
    return {key: variables[key] for key in parameters.declared(name)}


def _injected(cells: list[str]) -> dict[str, Any]:
    """What papermill set: it writes the assignments into a cell of its own."""
    for source in cells:
        if source.startswith("# Parameters\n"):
            assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
            return {node.targets[0].id: ast.literal_eval(node.value) for node in assignments}
    return {}


def banner(datasets: list[str], scale: str | None = None) -> Markdown:
    """The first thing on an executed page: what its results may be compared with.

    Args:
        datasets: names of what the page shows.
        scale: of the networks, or None on a page without a network.
    """
    data = _described(datasets)
    if scale is None:
        return Markdown(f"> **{data}.** This page was made by running the notebook.")
    if scale == "demo":
        return Markdown(
            f"> **{data}; networks at demo scale.** The results on this page show that the method "
            "works. They are not results of the published MegaDescriptors."
        )
    return Markdown(
        f"> **{data}; networks at published scale.** The results on this page were computed by "
        "this run, unless a caption says otherwise."
    )


def kind(name: str) -> Markdown:
    """The first thing on an executed page without results of this run: what it shows instead.

    Args:
        name: one of `KINDS`.
    """
    first, _, rest = KINDS[name].partition(". ")
    return Markdown(f"> **{first}.** {rest}")


def download(run: Run, name: str, table: pd.DataFrame, index: bool = True) -> Markdown:
    """Write a table of a page as CSV, and give the link by which the book's reader gets it.

    Readers open it in a spreadsheet: a text that would be a formula there gets an apostrophe.

    Args:
        run: whose table it is.
        name: of the file; must differ from those of all other pages.
        table: as it was computed, not rounded.
        index: whether the names of the rows are written.

    Raises:
        UserError: the file cannot be written.
    """
    spreadsheet.write(run.table(name), table, index)
    return Markdown(f"The table: [{in_markdown(name)}](../tables/{quote(name)})")


def note(run: Run, datasets: list[str], scale: str) -> str:
    """The line under a figure that says which run made it."""
    return f"this run: profile {run.profile}, {_described(datasets).lower()}, {scale} scale"


def _described(datasets: list[str]) -> str:
    drawn = [any(name == entry.name for entry in catalogue.DRAWN) for name in datasets]
    if drawn and all(drawn):
        return "Drawn animals"
    return "Drawn animals and photographs" if any(drawn) else "Photographs"


def provenance(run: Run, seed: int | None = None, device: torch.device | None = None) -> Markdown:
    """The last thing on an executed page: profile, seed, versions and hardware."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    rows = {
        "Profile": in_markdown(run.profile),
        "Seed": seed,
        "Compendium": f"megalib {version('megalib')}, commit {_commit()}",
        "Versions": f"Python {platform.python_version()}, {versions}",
        "Hardware": in_markdown(computer.hardware(device)),
    }
    lines = [f"| {key} | {value} |" for key, value in rows.items() if value is not None]
    return Markdown("\n".join(["| Made by | |", "|---|---|", *lines]))


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
