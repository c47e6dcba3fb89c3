"""The datasets that can be prepared: the 29 of MegaDescriptor and the drawn ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from megalib import published
from megalib.errors import choose

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset


@dataclass(frozen=True)
class Dataset:
    """How one dataset is read and prepared.

    `loader_name` names a class of `wildlife_datasets.datasets`, or of `megalib.demo` for a drawn
    dataset. `crop` is "full", "bbox", "crop_black" or "mask_then_crop_black". `unique_file_name`
    says whether the image id is added to the name of a prepared file, as in the published ones.
    """

    name: str
    loader_name: str
    crop: str
    keeps_date: bool
    unique_file_name: bool = True
    is_drawn: bool = False

    @property
    def loader(self) -> type["WildlifeDataset"]:
        """The class that reads the raw dataset."""
        # Imported on demand: names are checked everywhere, raw data are read in few places, and
        # these imports take seconds.
        if self.is_drawn:
            from megalib import demo as source
        else:
            from megalib.wildlife import datasets as source
        return getattr(source, self.loader_name)

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
    real = (
        Dataset(
            name=str(name),
            loader_name=row["loader"],
            crop=row["crop"],
            keeps_date=row["keeps_date"],
            unique_file_name=row["unique_file_name"],
        )
        for name, row in published.datasets().iterrows()
    )
    return {dataset.name: dataset for dataset in (*real, *DRAWN)}


CATALOGUE = _read()


def find(name: str) -> Dataset:
    """Look a dataset up by its name.

    Raises:
        UserError: there is no such dataset.
    """
    return CATALOGUE[choose("dataset", name, CATALOGUE)]
