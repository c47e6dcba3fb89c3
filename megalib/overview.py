"""Tables about datasets: the 29 published ones, and what a run holds of its own."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from megalib import catalogue, prepare, published, raw_data, splits
from megalib.files import Run


def published_datasets() -> pd.DataFrame:
    """The 29 datasets of MegaDescriptor, largest first.

    Counts are the published ones; species, licence and addresses come from the summaries of
    wildlife-datasets.

    Returns:
        By name of the dataset: `species, images, individuals, images each, train, test, left out`
        (NaN where the published metadata could not be read), `crop, access, licence, data,
        paper`.
    """
    facts = published.datasets()
    rows = {}
    for name, fact in facts.iterrows():
        dataset = catalogue.find(name)
        summary = dataset.loader.summary
        rows[name] = {
            "species": summary["animals_simple"],
            "images": fact["n_images"],
            "individuals": fact["n_identities"],
            "images each": fact["n_images"] / fact["n_identities"],
            "train": fact["n_train"],
            "test": fact["n_test"],
            "left out": fact["n_discarded"],
            "crop": dataset.crop,
            "access": dataset.access,
            "licence": _short(summary["licenses"]),
            "data": summary["url"],
            "paper": summary["publication_url"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("images", ascending=False)


def _short(licence: str | None) -> str:
    """The short name of a Creative Commons licence where the long one holds it."""
    short = re.search(r"\((CC [^)]+)\)", licence or "")
    return short[1] if short else licence or "not stated"


def counts(table: pd.DataFrame) -> Styler:
    """The part of `published_datasets` that says how large the datasets are, for a page."""
    numbers = ["images", "individuals", "images each", "train", "test", "left out"]
    shown = table[["species", *numbers, "crop"]]
    return shown.style.format("{:,.0f}", subset=numbers, na_rep="not known")


def sources(table: pd.DataFrame) -> Styler:
    """The part of `published_datasets` that says where the datasets come from, for a page."""

    def link(address: str | float) -> str:
        return f'<a href="{address}">open</a>' if isinstance(address, str) else "none"

    shown = table[["access", "licence", "data", "paper"]]
    return shown.style.format(link, subset=["data", "paper"])


def status(
    run: Run, raw: Path, datasets: Sequence[str], own: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """What a run holds of each of its datasets.

    Args:
        run: whose images and metadata are looked at.
        raw: the folder with one sub-folder per raw dataset.
        datasets: names.
        own: see `catalogue.find`.

    Returns:
        By name: `access`, whether it is `downloaded` and `prepared`, prepared `images`,
        `problems`, `megabytes` of prepared images, and `split`, how it relates to the published
        one.
    """
    rows = {}
    for name in datasets:
        dataset = catalogue.find(name, own)
        row = {"access": dataset.access, "downloaded": raw_data.is_there(dataset, raw)}
        row["prepared"] = run.metadata(name).is_file()
        if row["prepared"]:
            metadata = splits.read(run.metadata(name))
            row["images"] = len(metadata)
            row["problems"] = len(prepare.read_problems(run, name))
            row["megabytes"] = _megabytes(run, name)
            row["split"] = splits.compare_with_published(name, metadata)
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _megabytes(run: Run, dataset: str) -> float:
    files = run.images_root.glob(f"size-*/{dataset}/**/*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
