"""Figures for hand-written pages of the book, as a Sphinx extension.

A page writes `{{ mean_largest }}` and gets the figure out of `data/`: none is typed into a page. A
name that does not exist fails the build. The environment variable REPOSITORY_URL is the one place
that says where the repository lives; the button to it and the link to Binder follow.
"""

import os
from typing import TYPE_CHECKING, Any

import pandas as pd

from megalib import metrics, published
from megalib.files import DATA, PUBLISHED

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config


def facts() -> dict[str, str]:
    """All figures by name, as text."""
    table, long = published.accuracies(), published.accuracies_long()
    cells = long.set_index(["dataset", "flavour"])
    sizes = long.groupby("dataset")["n_test"].first()
    smallest, largest = table.columns[0], table.columns[-1]
    cattle = cells.loc[("FriesianCattle2015", largest)]
    quoted = pd.read_csv(PUBLISHED / "quoted.csv", dtype=str).set_index("key")["value"]
    low, high = metrics.wilson_interval(50, 100)
    wide_low, wide_high = metrics.wilson_interval(5000, 10_000)
    lions = pd.read_csv(DATA / "measured" / "sift_lions.csv", dtype=str).set_index("key")["value"]
    return {
        **quoted.to_dict(),
        **lions.to_dict(),
        "lions_largest": str(int(cells.loc[("LionData", largest), "n_correct"])),
        "cells": str(len(long)),
        "datasets": str(len(table)),
        "proven": str(published.datasets()["train_sha256"].notna().sum()),
        "mean_smallest": f"{table[smallest].mean():.0f}",
        "mean_largest": f"{table[largest].mean():.0f}",
        "worst_largest": f"{table[largest].min():.0f}",
        "saturated": str((table[largest] >= 99).sum()),
        "cattle_right": str(int(cattle["n_correct"])),
        "cattle_images": str(int(cattle["n_test"])),
        "small_tests": str((sizes < 300).sum()),
        "giraffe_zebra": f"{table.loc['GiraffeZebraID', largest]:.0f}",
        "reach_100": f"{100 * (high - low) / 2:.0f}",
        "reach_10000": f"{100 * (wide_high - wide_low) / 2:.0f}",
    }


def binder_link(repository: str) -> str:
    """A sentence with a link that opens the workshop on Binder, or that there is none.

    Args:
        repository: address of a repository on GitHub, or "".
    """
    start = "https://github.com/"
    if not repository.startswith(start):
        return "This copy of the book was built without a repository, so it has no link to Binder."
    name = repository.removeprefix(start).strip("/")
    address = f"https://mybinder.org/v2/gh/{name}/HEAD?labpath=workshop/w0_setup.ipynb"
    return f"Or open it [on Binder]({address}), without an installation."


def _configure(app: "Sphinx", config: "Config") -> None:
    repository = os.environ.get("REPOSITORY_URL", "")
    known = facts() | {"binder_link": binder_link(repository)}
    config.myst_substitutions = {**config.myst_substitutions, **known}
    if repository:
        config.html_theme_options |= {
            "repository_url": repository,
            "use_repository_button": True,
            "use_issues_button": True,
        }


def setup(app: "Sphinx") -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", _configure, priority=100)
    return {"parallel_read_safe": True}
