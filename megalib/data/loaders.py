"""The classes that open raw datasets, and what it takes to get their pictures."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from megalib.data import own
from megalib.data.catalogue import Dataset
from megalib.data.wildlife import WildlifeDataset, datasets
from megalib.errors import UserError
from megalib.files.places import shown


class OwnPictures(WildlifeDataset):
    """Pictures in a folder of one's own; `table` names the CSV file, if there is one."""

    def create_catalogue(self, table: Path | None = None, named: bool = True) -> pd.DataFrame:
        """One row per animal and picture, see `own.rows`."""
        rows = own.rows(Path(self.root), table, named)
        if "image_id" not in rows:
            rows["image_id"] = datasets.utils.create_id(rows["unique"])
        return self.finalize_catalogue(rows.drop(columns="unique"))

    def apply_segmentation(self, img: Image.Image, idx: int) -> Image.Image:
        """Cut out the box; one that leaves the picture is refused, not filled up with black.

        Raises:
            ValueError: the box leaves the picture.
        """
        box = self.df["bbox"].iloc[idx] if self.img_load == "bbox" else None
        if box is not None:
            x, y, width, height = box
            corners = [round(number) for number in (x, y, x + width, y + height)]  # as Pillow does
            if min(corners[:2]) < 0 or corners[2] > img.width or corners[3] > img.height:
                raise ValueError(
                    f"the box {box} leaves the picture of {img.width} x {img.height} pixels"
                )
        return super().apply_segmentation(img, idx)


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
        table = dataset.own if dataset.own.is_file() else None
        return partial(OwnPictures, table=table, named=dataset.named)
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
        raise UserError(
            f"{shown(folder)} does not hold {dataset.name} as its download unpacks: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if len(source) == 0:
        raise UserError(f"{shown(folder)} holds no image of {dataset.name}")
    return source
