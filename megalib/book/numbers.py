"""Numbers for hand-written pages of the book, as a Sphinx extension.

A page writes `{{ mean_largest }}` and gets the number out of `data/`: none is typed into a page. A
name that does not exist fails the build. `{{ minutes }}` is what the page itself takes to read.
The environment variable REPOSITORY_URL is the one place that says where the repository lives; the
button to it and the link to Binder follow.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from megalib.book import pages
from megalib.data import published
from megalib.evaluation import benchmarks, metrics
from megalib.files.places import PUBLISHED
from megalib.flavours import MEGADESCRIPTORS, RECIPES

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

SMALL_TEST = 300  # images


def facts() -> dict[str, str]:
    """All numbers by name, as text."""
    return {
        **_values(PUBLISHED / "quoted.csv"),
        **_values(benchmarks.FOLDER / "sift_lions.csv"),
        **_accuracies(),
        **_recipes(),
        **_measurements(),
    }


def _values(file: Path) -> dict[str, str]:
    return pd.read_csv(file, dtype=str).set_index("key")["value"].to_dict()


def _accuracies() -> dict[str, str]:
    """What follows from the published accuracies, datasets and durations."""
    table, long, found = published.accuracies(), published.accuracies_long(), published.datasets()
    sizes = long.groupby("dataset")["n_test"].first()
    right = long.pivot(index="dataset", columns="flavour", values="n_correct")
    smallest, largest = table.columns[0], table.columns[-1]
    saturated = table[largest] >= published.SATURATED
    low, high = metrics.wilson_interval(50, 100)
    wide_low, wide_high = metrics.wilson_interval(5000, 10_000)
    durations = published.inference()
    return {
        "cells": str(len(long)),
        "datasets": str(len(table)),
        "individuals": f"{found['n_identities'].sum():,.0f}",
        "counted": str(found["n_identities"].count()),
        "proven": str(found["train_sha256"].notna().sum()),
        "mean_smallest": f"{table[smallest].mean():.0f}",
        "mean_largest": f"{table[largest].mean():.0f}",
        "worst_largest": f"{table[largest].min():.0f}",
        "saturated": str(saturated.sum()),
        "saturated_from": str(published.SATURATED),
        "saturated_gain": f"{published.gains()[saturated[saturated].index].max():.1f}",
        "cattle_right": str(right.loc["FriesianCattle2015", largest]),
        "cattle_images": str(sizes["FriesianCattle2015"]),
        "lions_largest": str(right.loc["LionData", largest]),
        "small_test": str(SMALL_TEST),
        "small_tests": str((sizes < SMALL_TEST).sum()),
        "cattle_2017_images": str(sizes["FriesianCattle2017"]),
        "leopard_images": f"{sizes['LeopardID2022']:,}",
        "giraffe_zebra": f"{table.loc['GiraffeZebraID', smallest]:.0f}",
        "reach_100": f"{100 * (high - low) / 2:.0f}",
        "reach_10000": f"{100 * (wide_high - wide_low) / 2:.0f}",
        "inference_smallest": f"{durations.loc[smallest, 'hours']:g}",
        "inference_largest": f"{durations.loc[largest, 'hours']:g}",
    }


def _recipes() -> dict[str, str]:
    """How many batches the MegaDescriptors of the smaller and of the larger image accumulate."""
    return {
        f"accumulation_{flavour.image_size}": str(RECIPES[name].accumulation_steps)
        for name, flavour in MEGADESCRIPTORS.items()
    }


def _measurements() -> dict[str, str]:
    """How many times as fast as the reference each stage was at its best."""
    kinds = {
        "preparation": _ratio("preparation"),
        "features_fp32": _ratio("features", precision="fp32"),
        "features_bf16": _ratio("features", precision="bf16"),
        "retrieval": _ratio("retrieval"),
    }
    return {f"faster_{kind}": f"{ratio:.1f}" for kind, ratio in kinds.items()}


def _ratio(stage: str, **chosen: str) -> float:
    table = benchmarks.read(stage)
    ours = (table[list(chosen)] == pd.Series(chosen)).all(axis=1) & (table["way"] == "megalib")
    return table.loc[ours, "ratio"].max()


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


def _on_source(app: "Sphinx", docname: str, source: list[str]) -> None:
    text = source[0].replace("{{ minutes }}", str(pages.minutes_to_read(source[0])))
    source[0] = pages.without_missing_pages(text, docname, Path(app.srcdir))


def setup(app: "Sphinx") -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", _configure, priority=100)
    app.connect("source-read", _on_source)
    return {"parallel_read_safe": True}
