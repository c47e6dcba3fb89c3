"""What each notebook does first and last: check its parameters, say what made it."""

import ast
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import pandas as pd
import torch
from IPython.display import Markdown

from megalib import flavours, look
from megalib.book import parameters
from megalib.data import catalogue
from megalib.files import spreadsheet
from megalib.files.places import ROOT, Run
from megalib.files.plain import in_markdown
from megalib.models import computer

POCKET = (
    "Pocket networks are small, and start from ImageNet weights unless the page says otherwise. "
    "Their results are not those of the released MegaDescriptors."
)
# What pages show besides, or instead of, results of this run.
KINDS = {
    "published": "Published results. The accuracies on this page were measured by the authors of "
    "MegaDescriptor and are read from files; this run measured none of them.",
    "mixed": "Published facts, and this run's own. What is published comes first; a line says "
    "where this run begins.",
    "facts": "Facts. Nothing on this page is a result of this run: it shows what is published, "
    "counted or recorded.",
    "recorded": f"Drawn animals; pocket networks. {POCKET} The figures were recorded and are "
    "read from a file; those of this run are named so.",
}
NETWORKS = {"pocket": "pocket networks", "published": "networks at published scale"}
COMPUTED = "The results on this page were computed by this run, unless a caption says otherwise."
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


def banner(datasets: Sequence[str], networks: Sequence[str] = ()) -> Markdown:
    """The first thing on an executed page: what its results may be compared with.

    Args:
        datasets: names of what the page shows.
        networks: names of the flavours whose results it shows; none on a page without a network.
    """
    data, kinds = _described(datasets), _kinds(networks)
    if not networks:
        return Markdown(f"> **{data}.** This page was made by running the notebook.")
    return Markdown(f"> **{data}; {kinds}.** {POCKET if 'pocket' in kinds else COMPUTED}")


def _kinds(networks: Sequence[str]) -> str:
    scales = {flavours.get(name).scale for name in networks}
    return " and ".join(NETWORKS[scale] for scale in sorted(scales))


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


def note(run: Run, datasets: Sequence[str], networks: Sequence[str]) -> str:
    """The line under a figure that says which run made it."""
    return f"this run: profile {run.profile}, {_described(datasets).lower()}, {_kinds(networks)}"


def _described(datasets: Sequence[str]) -> str:
    drawn = [any(name == entry.name for entry in catalogue.DRAWN) for name in datasets]
    if drawn and all(drawn):
        return "Drawn animals"
    return "Drawn animals and photographs" if any(drawn) else "Photographs"


def provenance(
    run: Run,
    seed: int | None = None,
    device: torch.device | None = None,
    also: Mapping[str, str] | None = None,
) -> Markdown:
    """The last thing on an executed page: profile, seed, what `also` decided it, and hardware."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    rows = {
        "Profile": in_markdown(run.profile),
        "Seed": seed,
        **{name: in_markdown(value) for name, value in (also or {}).items()},
        "Compendium": f"megalib {version('megalib')}, commit {commit()}",
        "Versions": f"Python {platform.python_version()}, {versions}",
        "Hardware": in_markdown(computer.hardware(device)),
    }
    lines = [f"| {key} | {value} |" for key, value in rows.items() if value is not None]
    return Markdown("\n".join(["| Made by | |", "|---|---|", *lines]))


def commit() -> str:
    """The commit of the code that runs, with "-dirty" where files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
