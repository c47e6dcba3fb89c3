"""The datasets that can be prepared: the 29 of MegaDescriptor, the drawn ones, and one's own.

Facts and names only: `loaders` opens a raw dataset, `raw_data` fetches or draws it.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from megalib.errors import UserError, choose
from megalib.files.names import check_name, check_path, kind_of
from megalib.files.places import DATA, PUBLISHED, resolve, shown
from megalib.own.options import Options


@dataclass(frozen=True)
class Dataset:
    """How one dataset is read and prepared."""

    name: str
    loader_name: str  # a class of `wildlife_datasets.datasets`, and the folder of raw pictures
    crop: str  # "full", "bbox", "crop_black" or "mask_then_crop_black"
    keeps_date: bool
    unique_file_name: bool = True  # whether names of prepared files get the image id, as published
    species: str = ""  # of a drawn dataset, see `megalib.drawn`
    by_hand: str = ""  # the reason why a person must download it, "" where a program can
    own: Path | None = None  # the folder or list of one's own pictures
    named: bool = True  # whether one's own pictures say who is in them
    options: Options = field(default_factory=Options)  # how one's own pictures are read

    @property
    def is_drawn(self) -> bool:
        """Whether its pictures are drawn."""
        return bool(self.species)

    def folder(self, raw: Path) -> Path:
        """Where its raw pictures lie, or will lie, in the folder of all raw datasets.

        Each has a sub-folder there, named after its loader, as wildlife-datasets unpacks it.
        """
        if self.own is not None:
            return self.own if self.own.is_dir() else self.own.parent
        return raw / self.loader_name

    @property
    def columns(self) -> list[str]:
        """Columns of the prepared metadata before the split is added."""
        return ["image_id", "identity", "path"] + (["date"] if self.keeps_date else [])


DRAWN = (
    Dataset("DemoZebra", "DemoZebra", "bbox", keeps_date=True, species="zebra"),
    Dataset("DemoLeopard", "DemoLeopard", "full", keeps_date=True, species="leopard"),
    Dataset("DemoTurtle", "DemoTurtle", "crop_black", keeps_date=True, species="turtle"),
    Dataset("DemoWhaleShark", "DemoWhaleShark", "bbox", keeps_date=True, species="whale_shark"),
)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def _read() -> dict[str, Dataset]:
    by_hand = {row["dataset"]: row["reason"] for row in _rows(DATA / "by_hand.csv")}
    real = (
        Dataset(
            name=row["dataset"],
            loader_name=row["loader"],
            crop=row["crop"],
            keeps_date=row["keeps_date"] == "True",
            unique_file_name=row["unique_file_name"] == "True",
            by_hand=by_hand.get(row["dataset"], ""),
        )
        for row in _rows(PUBLISHED / "datasets.csv")
    )
    return {dataset.name: dataset for dataset in (*real, *DRAWN)}


CATALOGUE = _read()


def find(
    name: str,
    own: Mapping[str, str] | None = None,
    individual_level: int = 1,
    detection_threshold: float = 0.2,
) -> Dataset:
    """Look a dataset up by its name.

    Args:
        name: of an entry of the catalogue, or of one's own pictures.
        own: folders or lists of one's own pictures, by the name they shall have.
        individual_level: of one's own folders, see `Options`.
        detection_threshold: of detections in one's own lists, see `Options`.

    Raises:
        UserError: there is no such dataset, or no such folder or file.
    """
    own = own or {}
    if name in own:
        options = Options(individual_level, detection_threshold)
        return own_pictures(name, own[name], options=options)
    return CATALOGUE[choose("dataset", name, [*CATALOGUE, *own])]


def own_pictures(
    name: str, source: str | Path, named: bool = True, options: Options | None = None
) -> Dataset:
    """One's own pictures as an entry; boxes and dates are taken where there are any.

    Args:
        name: that they shall have.
        source: a folder with one sub-folder per individual, or a list, see `own.listing`.
        named: whether the pictures must say who is in them; new photographs need not.
        options: how they are read.

    Raises:
        UserError: the name is no name or taken, or there is no such folder or file.
    """
    check_name("your own pictures", name)
    if name in CATALOGUE:
        raise UserError(f"your own pictures cannot be called {name!r}: the catalogue has that name")
    source = resolve(check_path(f"the folder or list of {name}", source))
    if not kind_of(source):
        raise UserError(f"no folder or list of your own pictures at {shown(source)}")
    if kind_of(source) == "other":
        raise UserError(f"{shown(source)} is neither a folder nor a list of your own pictures")
    how = options or Options()
    return Dataset(name, "OwnPictures", "bbox", True, own=source, named=named, options=how)
