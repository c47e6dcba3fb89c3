"""Raw datasets come to the disk: fetched by wildlife-datasets, or drawn."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from megalib import stamp
from megalib.data import drawn_by, loaders
from megalib.data.catalogue import Dataset
from megalib.data.wildlife import WildlifeDataset
from megalib.drawn import drawing
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import shown

GUIDE = "https://wildlifedatasets.github.io/wildlife-datasets/preprocessing"


def opened(
    dataset: Dataset, raw: Path, download: bool = False, drawn: Mapping[str, int] | None = None
) -> WildlifeDataset:
    """Make sure that the raw pictures of a dataset are there, and read its catalogue.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        raw: see `Dataset.folder`.
        download: whether missing photographs may be fetched.
        drawn: how animals are drawn, see `fetch`.

    Raises:
        UserError: see `fetch` and `loaders.open_raw`.
    """
    return loaders.open_raw(dataset, fetch(dataset, raw, download, drawn))


def fetch(
    dataset: Dataset, raw: Path, download: bool = False, drawn: Mapping[str, int] | None = None
) -> Path:
    """Make sure that the raw pictures of a dataset are there.

    Drawn datasets are drawn, again if the drawing code or `drawn` has changed since; others are
    fetched by wildlife-datasets if `download` is set.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        raw: see `Dataset.folder`.
        download: whether missing photographs may be fetched.
        drawn: `seed`, `individuals` and `pictures` of `drawn.draw` where they are not to be
            those of the demo.

    Returns:
        The folder of this dataset.

    Raises:
        UserError: the pictures are missing, fetching them failed, or photographs are to be drawn;
            the message says what to do.
    """
    folder = dataset.folder(raw)
    if dataset.is_drawn:
        _draw(dataset, folder, drawn or {})
    elif drawn:
        raise UserError(f"{dataset.name} holds photographs, which cannot be drawn")
    elif loaders.is_there(dataset, raw):
        return folder
    elif dataset.own is not None:
        raise UserError(f"no pictures in {shown(folder)}")
    elif dataset.by_hand:
        raise UserError(
            f"{dataset.name} must be downloaded by hand ({dataset.by_hand}): follow "
            f"{GUIDE}#{dataset.name.lower()} and put the unpacked files into {shown(folder)}"
        )
    elif not download:
        raise UserError(
            f"no raw images of {dataset.name} in {shown(folder)}: put them there, name the folder "
            "above it with -p raw FOLDER, or let wildlife-datasets fetch them with -p download True"
        )
    else:
        _download(dataset, raw)
    return folder


def _download(dataset: Dataset, raw: Path) -> None:
    """Fetch into a folder beside, and rename it when everything is there."""
    folder, loader = dataset.folder(raw), loaders.loader_of(dataset)
    partial = folder.with_name(f".{folder.name}.part")
    with locks.held(folder, f"download of {dataset.name}"):
        if loaders.is_there(dataset, raw):  # by the process for which this one waited
            return
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            loader.get_data(str(partial))
            loaders.open_raw(dataset, partial)  # some overlook that a program they call has failed
            partial.replace(folder)
        except Exception as error:  # wildlife-datasets raises bare exceptions with instructions
            reason, access = " ".join(str(error).split()), loaders.access(dataset)
            account = "" if access == "open" else f"; it needs {access}, see {GUIDE}"
            raise UserError(
                f"cannot fetch {dataset.name} into {shown(folder)}: {reason}{account}"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # a part of it would only fill the disk


def _draw(dataset: Dataset, folder: Path, settings: Mapping[str, int]) -> None:
    """Draw a dataset, unless the code of today has done so by the same settings."""
    mark, today = drawn_by.file(folder), drawn_by.today() | settings
    with locks.held(folder, f"drawing of {dataset.name}"):
        if stamp.read(mark) == today:
            return
        try:
            workers = torch.get_num_threads()
            how = {"workers": workers, "version": today["code"]}
            drawing.draw(dataset.species, folder, **how, **settings)
        except BrokenProcessPool as error:
            raise UserError(
                f"a process that draws {dataset.name} was killed, as happens when memory runs "
                "out: run this again, it goes on where it was"
            ) from error
        os.sync()  # the stamp must not be on the disk before the pictures
        stamp.write(mark, today)
