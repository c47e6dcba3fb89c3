"""What made a book: its executed notebooks, how long each took, and the versions of everything."""

from importlib.metadata import distributions
from pathlib import Path

import nbformat
import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from megalib.book import parameters
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
        `package`, `pinned` and `installed`, and `same`, whether they are; those that the lock
        names for other systems only, and that are not installed, are left out.
    """
    installed = {canonicalize_name(found.name): found.version for found in distributions()}
    rows = []
    for line in lock.read_text().splitlines():
        wanted = Requirement(line)
        here = wanted.marker is None or wanted.marker.evaluate()
        name = canonicalize_name(wanted.name)
        if here and name in installed:
            rows.append((wanted.name, str(wanted.specifier).removeprefix("=="), installed[name]))
    table = pd.DataFrame(rows, columns=["package", "pinned", "installed"])
    return table.assign(same=table["pinned"] == table["installed"])
