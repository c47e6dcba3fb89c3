"""What made a book: its executed notebooks, and the packages with their versions and licences."""

from importlib.metadata import distributions
from pathlib import Path

import nbformat
import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from megalib.book import licences, parameters
from megalib.files.places import Run


def executed(run: Run) -> pd.DataFrame:
    """The notebooks that papermill has executed for a run.

    Returns:
        One row per notebook in the order of the stages: `notebook`, `page` (flavour, dataset or
        the like), `started` (UTC, text), `seconds`, and how many of its `parameters` differ from
        the defaults.
    """
    rows = []
    for path in sorted(run.folder.glob("notebooks/*/*.ipynb")):
        if path.stem.endswith(".failed"):
            continue
        facts = nbformat.read(path, as_version=4).metadata.get("papermill", {})
        if facts.get("end_time") is None:  # the one that is asking
            continue
        stage = path.parent.name
        given, defaults = facts["parameters"], parameters.declared(stage)
        rows.append(
            {
                "notebook": stage,
                "page": path.stem,
                "started": facts["start_time"][:16].replace("T", " "),
                "seconds": facts["duration"],
                "parameters": sum(given[name] != defaults.get(name) for name in given),
            }
        )
    columns = ["notebook", "page", "started", "seconds", "parameters"]
    return pd.DataFrame(rows, columns=columns)


def versions(lock: Path) -> pd.DataFrame:
    """The packages that the lock file names and this environment holds.

    Args:
        lock: of pinned versions, a `name==version` per line.

    Returns:
        `package`, `pinned` and `installed` version, `licence`, and `same`, whether the versions are
        (a build for the CPU alone, such as 2.0+cpu, is of the same version); packages that the lock
        names for other systems only, and that are not installed, are left out.
    """
    installed = {canonicalize_name(found.name): found for found in distributions()}
    rows = []
    for line in lock.read_text().splitlines():
        wanted = Requirement(line)
        here = wanted.marker is None or wanted.marker.evaluate()
        name = canonicalize_name(wanted.name)
        if here and name in installed:
            pinned, found = str(wanted.specifier).removeprefix("=="), installed[name]
            same = Version(pinned).public == Version(found.version).public
            rows.append((wanted.name, pinned, found.version, licences.of(found), same))
    return pd.DataFrame(rows, columns=["package", "pinned", "installed", "licence", "same"])


def exceptions(packages: pd.DataFrame) -> pd.DataFrame:
    """The packages that are accepted although they name no allowed licence.

    Args:
        packages: see `versions`.

    Returns:
        `package`, `licence` and `reason`.
    """
    allowed, reasons = licences.rules()
    found = licences.not_allowed(packages, allowed)[["package", "licence"]]
    return found.assign(reason=found["package"].map(reasons))
