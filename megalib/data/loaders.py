"""The classes that open raw datasets, and what it takes to get their pictures."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from megalib.data.catalogue import Dataset
from megalib.data.wildlife import WildlifeDataset, datasets
from megalib.errors import UserError
from megalib.files.places import shown
from megalib.own import listing, pixels
from megalib.own.options import Options


class OwnPictures(WildlifeDataset):
    """Pictures in a folder of one's own, or in a list; `listing` says what was understood."""

    def create_catalogue(self, source: Path, named: bool, options: Options) -> pd.DataFrame:
        """One row per animal and picture, see `own.listing`."""
        self.listing = listing.read(source, named, options)
        rows = self.listing.rows
        made = datasets.utils.create_id(rows["unique"])
        rows = rows.assign(image_id=rows["image_id"].fillna(made)).drop(columns="unique")
        return self.finalize_catalogue(rows)

    def load_image(self, path: str) -> Image.Image:
        """Read a picture as the published code does, and by Pillow what that reads wrongly."""
        file = Path(path)
        return pixels.picture_of(file) if pixels.needs_care(file) else super().load_image(path)


class Drawn(WildlifeDataset):
    """What `megalib.drawn` drew, as people in the field would know it, and masks."""

    def create_catalogue(self, boxes: bool = False) -> pd.DataFrame:
        """Read the annotations of a finished drawing; without one there is no such file."""
        rows = self.table("annotations.csv")
        kept = rows.drop(columns=["x", "y", "width", "height"]).assign(
            path=rows["path"].str.replace("/", os.path.sep),
            segmentation=self.table("truth.csv")["mask"],
        )
        if boxes:
            kept["bbox"] = rows[["x", "y", "width", "height"]].to_numpy().tolist()
        return self.finalize_catalogue(kept.reset_index())

    def table(self, name: str) -> pd.DataFrame:
        """A table of the drawing, indexed by `image_id`."""
        rows = pd.read_csv(Path(self.root, name), keep_default_na=False)
        ids = datasets.utils.create_id(rows["path"] + " " + rows["identity"])
        return rows.set_index(ids.rename("image_id"))


def loader_of(dataset: Dataset) -> Callable[..., WildlifeDataset]:
    """The class that reads a raw dataset."""
    if dataset.own is not None:
        return partial(
            OwnPictures, source=dataset.own, named=dataset.named, options=dataset.options
        )
    if dataset.is_drawn:
        return partial(Drawn, boxes=dataset.crop == "bbox")
    return getattr(datasets, dataset.loader_name)


def access(dataset: Dataset) -> str:
    """What it takes to get the raw pictures of a dataset, in words."""
    if dataset.is_drawn or dataset.own is not None:
        return "drawn" if dataset.is_drawn else "your own"
    if dataset.by_hand:
        return "by hand"
    kind = getattr(loader_of(dataset), "kaggle_type", "")
    terms = " and the competition's terms" if kind == "competitions" else ""
    return f"a Kaggle account{terms}" if kind else "open"


def is_there(dataset: Dataset, raw: Path) -> bool:
    """Whether the raw pictures of a dataset are on disk."""
    folder = dataset.folder(raw)
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError:  # a folder that may not be read
        return False


def open_raw(dataset: Dataset, folder: Path) -> WildlifeDataset:
    """Read the catalogue of a raw dataset, with the loader's own crop rule where it has one.

    Files that are named there but missing are found when they are read, not here.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        folder: of its raw pictures, see `Dataset.folder`.

    Raises:
        UserError: the folder does not hold the dataset, or no image of it.
    """
    rule = "full" if dataset.crop == "mask_then_crop_black" else dataset.crop
    try:
        source = loader_of(dataset)(str(folder), img_load=rule, check_files=False)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"too little memory to read the list of {dataset.name}") from error
    except Exception as error:  # loaders fail in many ways on an empty or foreign folder
        what = (
            "does not hold {} as its download unpacks"
            if dataset.own is None
            else ("cannot be read as pictures of one's own, {}")
        )
        raise UserError(
            f"{shown(folder)} {what.format(dataset.name)}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if len(source) == 0:
        raise UserError(f"{shown(folder)} holds no image of {dataset.name}")
    return source


def understood(dataset: Dataset, source: WildlifeDataset) -> str:
    """What was understood of one's own pictures, what is doubtful and what is left out, in lines.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        source: the raw dataset, as `open_raw` opened it.

    Returns:
        The report; "" for an entry of the catalogue, whose form is known.
    """
    if dataset.own is None:
        return ""
    return f"{dataset.name}, {shown(dataset.own)}:\n{source.listing.report()}"
