"""Tables about datasets: the 29 published ones, and what a run holds of its own."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from tqdm import tqdm

from megalib import look
from megalib.data import catalogue, loaders, problems, proof, published
from megalib.data.metadata import read_metadata
from megalib.files.places import Run
from megalib.look import QUIET, RIGHT


def published_datasets() -> pd.DataFrame:
    """The 29 datasets of MegaDescriptor, largest first.

    Counts are the published ones; species, licence and addresses come from the summaries of
    wildlife-datasets.

    Returns:
        By name of the dataset: `species, images, individuals, images each, train, test, left out`
        (NaN where the published metadata could not be read), `crop, access, licence, data,
        paper, citation`, the last being the key in the bibliography of wildlife-datasets.
    """
    facts = published.datasets()
    rows = {}
    for name, fact in facts.iterrows():
        dataset = catalogue.find(name)
        summary = loaders.loader_of(dataset).summary
        rows[name] = {
            "species": _species(summary["animals_simple"]),
            "images": fact["n_images"],
            "individuals": fact["n_identities"],
            "images each": fact["n_images"] / fact["n_identities"],
            "train": fact["n_train"],
            "test": fact["n_test"],
            "left out": fact["n_discarded"],
            "crop": dataset.crop,
            "access": loaders.access(dataset),
            "licence": _short(summary["licenses"]),
            "data": summary["url"],
            "paper": summary["publication_url"],
            "citation": summary["cite"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("images", ascending=False)


def _species(animals: str) -> str:
    """Of wildlife-datasets, which misspells one; several are joined by "+"."""
    return animals.replace("doplhins", "dolphins").replace("+", ", ")


def _short(licence: str | None) -> str:
    """The short name of a Creative Commons licence where the long one holds it."""
    short = re.search(r"\((CC [^)]+)\)", licence or "")
    return short[1] if short else licence or "not stated"


def counts(table: pd.DataFrame) -> Styler:
    """The part of `published_datasets` that says how large the datasets are, for a page."""
    numbers = ["images", "individuals", "images each", "train", "test", "left out"]
    shown = table[["species", *numbers, "crop"]]
    return look.styled(shown, formats=dict.fromkeys(numbers, "{:,.0f}"), na_rep="not known")


def sources(table: pd.DataFrame) -> Styler:
    """The part of `published_datasets` that says where the datasets come from, for a page.

    The citation is a link to the paper where there is one.
    """

    def link(to: tuple[str | float, str, str]) -> str:
        """A link to an address with its text, or what stands there without an address."""
        address, text, without = to
        if not isinstance(address, str):
            return without
        return Markup('<a href="{}">{}</a>').format(address, text)

    keys = table["citation"]
    shown = table[["access", "licence"]].assign(
        data=[(address, "open", "none") for address in table["data"]],
        citation=list(zip(table["paper"], keys, keys, strict=True)),
    )
    return look.styled(shown, formats={"data": link, "citation": link})


def sizes(table: pd.DataFrame) -> Figure:
    """Images, and images per individual, of each dataset; both on a logarithmic scale.

    Args:
        table: of `published_datasets`; datasets without counts are left out.
    """
    table = table.dropna(subset="images")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 0.24 * len(table) + 1.2), sharey=True)
    rows = np.arange(len(table))
    for axis, column, label in (
        (left, "images", "images"),
        (right, "images each", "images per individual"),
    ):
        axis.hlines(rows, 1, table[column], color=QUIET, linewidth=1)
        axis.scatter(table[column], rows, color=RIGHT, s=22, zorder=3)
        axis.set(xscale="log", xlabel=label)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.grid(axis="y", visible=False)
    left.set_yticks(rows, table.index, fontsize=9)
    left.set_ylim(len(table) - 0.5, -0.5)
    return figure


def status(
    run: Run, raw: Path, datasets: Sequence[str], own: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """What a run holds of each of its datasets, at any time.

    Args:
        run: whose images and metadata are looked at.
        raw: the folder with one sub-folder per raw dataset.
        datasets: names.
        own: see `catalogue.find`.

    Returns:
        By name: `access`; whether it is `downloaded`, `prepared` and `verified`, that is identical
        to the published split, as "yes", "no" or "not known"; prepared `images`, `problems`, and
        `bytes` of prepared images, missing where it is not prepared; and `split`, how it relates
        to the published one.
    """
    rows = {}
    for name in datasets:
        dataset, file = catalogue.find(name, own), run.metadata(name)
        row = {
            "access": loaders.access(dataset),
            "downloaded": _answer(loaders.is_there(dataset, raw)),
            "prepared": _answer(file.is_file()),
            "verified": "no",
            "images": pd.NA,
            "problems": pd.NA,
            "bytes": pd.NA,
            "split": "",
        }
        if file.is_file():
            metadata = read_metadata(file)
            row |= {
                "verified": _answer(proof.is_published(name, metadata)),
                "images": len(metadata),
                "problems": len(problems.read_problems(run, name)),
                "bytes": _bytes(run, name),
                "split": proof.compare_with_published(name, metadata, file),
            }
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.astype(dict.fromkeys(("images", "problems", "bytes"), "Int64"))


def progress(table: pd.DataFrame) -> Styler:
    """The table of `status` for a page: sizes in handy units, nothing where nothing is."""
    numbers = {"images": "{:,.0f}", "problems": "{:,.0f}", "bytes": _handy}
    return look.styled(table, formats=numbers, na_rep="")


def _answer(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"


def _bytes(run: Run, dataset: str) -> int:
    files = run.images_root.glob(f"size-*/{dataset}/**/*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _handy(size: int) -> str:
    return tqdm.format_sizeof(size, "B", divisor=1000)
