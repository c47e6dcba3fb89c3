"""Raw datasets: fetched, drawn, or one's own; and opened by their loader of wildlife-datasets."""

import os
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from megalib import stamp
from megalib.data.catalogue import Dataset
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import shown
from megalib.files.writing import sweep, told_if_unwritable, whole_file

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset

GUIDE = "https://wildlifedatasets.github.io/wildlife-datasets/preprocessing"
DRAWN_BY = "drawn-by.txt"  # holds the digest of the code that drew a dataset


def folder_of(dataset: Dataset, raw: Path) -> Path:
    """Where the raw pictures of a dataset lie, or will lie.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        raw: the folder that holds one sub-folder per raw dataset, named after the loader, as
            wildlife-datasets unpacks it.
    """
    if dataset.own is not None:
        return dataset.own if dataset.own.is_dir() else dataset.own.parent
    return raw / dataset.loader_name


def is_there(dataset: Dataset, raw: Path) -> bool:
    """Whether the raw pictures of a dataset are on disk."""
    return _holds_something(folder_of(dataset, raw))


def _holds_something(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError:  # a folder that may not be read
        return False


def fetch(dataset: Dataset, raw: Path, download: bool) -> Path:
    """Make sure that the raw pictures of a dataset are there.

    Drawn datasets are drawn; others are fetched by wildlife-datasets if `download` is set.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        raw: see `folder_of`.
        download: whether missing photographs may be fetched.

    Returns:
        The folder of this dataset.

    Raises:
        UserError: the pictures are missing, or fetching them failed; the message says what to do.
    """
    folder = folder_of(dataset, raw)
    if dataset.is_drawn:
        return _draw(dataset, folder)
    if is_there(dataset, raw):
        return folder
    if dataset.own is not None:
        raise UserError(f"no pictures in {shown(folder)}")
    if dataset.by_hand:
        raise UserError(
            f"{dataset.name} must be downloaded by hand ({dataset.by_hand}): follow "
            f"{GUIDE}#{dataset.name.lower()} and put the unpacked files into {shown(folder)}"
        )
    if not download:
        raise UserError(
            f"no raw images of {dataset.name} in {shown(folder)}: put them there, name the folder "
            "above it with -p raw FOLDER, or let wildlife-datasets fetch them with -p download True"
        )
    _download(dataset, folder)
    return folder


def _download(dataset: Dataset, folder: Path) -> None:
    """Fetch into a folder beside, and rename it when everything is there."""
    partial = folder.with_name(f".{folder.name}.part")
    with locks.held(folder, f"download of {dataset.name}"):
        if _holds_something(folder):  # by the process for which this one waited
            return
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            dataset.loader.get_data(str(partial))
            open_raw(dataset, partial)  # some loaders overlook that a program they call has failed
            partial.replace(folder)
        except Exception as error:  # wildlife-datasets raises bare exceptions with instructions
            reason = " ".join(str(error).split())
            account = f"; it needs {dataset.access}, see {GUIDE}" if dataset.is_on_kaggle else ""
            raise UserError(
                f"cannot fetch {dataset.name} into {shown(folder)}: {reason}{account}"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # a part of it would only fill the disk


def is_outdated(dataset: Dataset, raw: Path) -> bool:
    """Whether a drawn dataset is there, but the drawing code has changed since."""
    mark = folder_of(dataset, raw) / DRAWN_BY
    return mark.is_file() and mark.read_bytes() != stamp.of_code("data.drawn_datasets").encode()


def _draw(dataset: Dataset, folder: Path) -> Path:
    """Draw a dataset, again if the drawing code has changed since."""
    mark, drawn_by = folder / DRAWN_BY, stamp.of_code("data.drawn_datasets")
    with locks.held(folder, f"drawing of {dataset.name}"):
        sweep(mark)
        if mark.is_file() and mark.read_bytes() == drawn_by.encode():
            return folder
        with told_if_unwritable(folder, folder / "images"):
            folder.mkdir(parents=True, exist_ok=True)
            workers = torch.get_num_threads()
            try:
                dataset.loader.get_data(str(folder), force=True, workers=workers, drawn_by=drawn_by)
            except BrokenProcessPool as error:
                raise UserError(
                    f"a process that draws {dataset.name} was killed, as happens when memory runs "
                    "out: run this again, it goes on where it was"
                ) from error
            os.sync()  # the mark must not be on the disk before the pictures
        with whole_file(mark) as temporary:
            temporary.write_text(drawn_by)
    return folder


def open_raw(dataset: Dataset, folder: Path) -> "WildlifeDataset":
    """Read the catalogue of a raw dataset, with the loader's own crop rule where it has one.

    Files that are named there but missing are found when they are read, not here.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        folder: what `fetch` returned.

    Raises:
        UserError: the folder does not hold the dataset, or no image of it.
    """
    rule = "full" if dataset.crop == "mask_then_crop_black" else dataset.crop
    try:
        source = dataset.loader(str(folder), img_load=rule, check_files=False)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"too little memory to read the list of {dataset.name}") from error
    except Exception as error:  # loaders fail in many ways on an empty or foreign folder
        raise UserError(
            f"{shown(folder)} does not hold {dataset.name} as its download unpacks: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if len(source) == 0:
        raise UserError(f"{shown(folder)} holds no image of {dataset.name}")
    return source
