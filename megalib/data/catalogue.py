"""The datasets that can be prepared: the 29 of MegaDescriptor, the drawn ones, and one's own."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from megalib.data import published
from megalib.errors import UserError, choose
from megalib.files import csv_files
from megalib.files.names import check_name, check_path, kind_of
from megalib.files.places import DATA, resolve, shown

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset


@dataclass(frozen=True)
class Dataset:
    """How one dataset is read and prepared.

    `loader_name` names a class of `wildlife_datasets.datasets`, or of `megalib.demo` for a drawn
    dataset. `crop` is "full", "bbox", "crop_black" or "mask_then_crop_black". `unique_file_name`
    says whether the image id is added to the name of a prepared file, as in the published ones.
    `by_hand` is the reason why a person must download it, and empty where a program can. `own` is
    the folder or CSV file of one's own pictures, `named` whether it says who is in them.
    """

    name: str
    loader_name: str
    crop: str
    keeps_date: bool
    unique_file_name: bool = True
    is_drawn: bool = False
    by_hand: str = ""
    own: Path | None = None
    named: bool = True

    @property
    def loader(self) -> Callable[..., "WildlifeDataset"]:
        """The class that reads the raw dataset."""
        # Imported on demand: names are checked everywhere, raw data are read in few places, and
        # these imports take seconds.
        if self.own is not None:
            from megalib.data.own import OwnPictures

            table = self.own if self.own.is_file() else None
            return partial(OwnPictures, table=table, named=self.named)
        if self.is_drawn:
            from megalib.data import drawn_datasets as source
        else:
            from megalib.data.wildlife import datasets as source
        return getattr(source, self.loader_name)

    @property
    def is_on_kaggle(self) -> bool:
        """Whether the download needs an account there."""
        return hasattr(self.loader, "kaggle_type")

    @property
    def access(self) -> str:
        """What it takes to get the raw pictures, in words."""
        if self.is_drawn or self.own is not None:
            return "drawn" if self.is_drawn else "your own"
        if self.by_hand:
            return "by hand"
        if self.is_on_kaggle:
            terms = self.loader.kaggle_type == "competitions"
            return "a Kaggle account" + (" and the competition's terms" if terms else "")
        return "open"

    @property
    def columns(self) -> list[str]:
        """Columns of the prepared metadata before the split is added."""
        return ["image_id", "identity", "path"] + (["date"] if self.keeps_date else [])


DRAWN = (
    Dataset("DemoZebra", "DemoZebra", "bbox", keeps_date=False, is_drawn=True),
    Dataset("DemoLeopard", "DemoLeopard", "full", keeps_date=False, is_drawn=True),
    Dataset("DemoTurtle", "DemoTurtle", "crop_black", keeps_date=False, is_drawn=True),
    Dataset("DemoWhaleShark", "DemoWhaleShark", "bbox", keeps_date=True, is_drawn=True),
)


def _read() -> dict[str, Dataset]:
    with (DATA / "by_hand.csv").open(newline="") as file:
        by_hand = {row["dataset"]: row["reason"] for row in csv.DictReader(file)}
    real = (
        Dataset(
            name=str(name),
            loader_name=row["loader"],
            crop=row["crop"],
            keeps_date=row["keeps_date"],
            unique_file_name=row["unique_file_name"],
            by_hand=by_hand.get(name, ""),
        )
        for name, row in published.datasets().iterrows()
    )
    return {dataset.name: dataset for dataset in (*real, *DRAWN)}


CATALOGUE = _read()


def find(name: str, own: Mapping[str, str] | None = None) -> Dataset:
    """Look a dataset up by its name.

    Args:
        name: of an entry of the catalogue, or of one's own pictures.
        own: folders or CSV files of one's own pictures, by the name they shall have.

    Raises:
        UserError: there is no such dataset, or no such folder or file.
    """
    own = own or {}
    if name in own:
        return own_pictures(name, own[name])
    return CATALOGUE[choose("dataset", name, [*CATALOGUE, *own])]


def own_pictures(name: str, source: str | Path, named: bool = True) -> Dataset:
    """One's own pictures as an entry; the columns of a CSV file decide about crop and date.

    Args:
        name: that they shall have.
        source: a folder with one sub-folder per individual, or a CSV file, see `own`.
        named: whether the pictures must say who is in them; new photographs need not.

    Raises:
        UserError: the name is no name or taken, or there is no such folder or file.
    """
    check_name("your own pictures", name)
    if name in CATALOGUE:
        raise UserError(f"your own pictures cannot be called {name!r}: the catalogue has that name")
    source = resolve(check_path(f"the folder or CSV file of {name}", source))
    if not kind_of(source):
        raise UserError(f"no folder or CSV file of your own pictures at {shown(source)}")
    if kind_of(source) == "other":
        raise UserError(f"{shown(source)} is neither a folder nor a CSV file of your own pictures")
    columns = csv_files.header(source)
    return Dataset(
        name=name,
        loader_name="OwnPictures",
        crop="bbox" if "bbox" in columns else "full",
        keeps_date="date" in columns,
        own=source,
        named=named,
    )
