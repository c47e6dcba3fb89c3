"""wildlife-datasets, imported without a side effect of one of its dependencies.

pyinaturalist lets rich take over the display of the whole notebook when it is imported; tables
and figures of every later cell would be shown differently.
"""

from pathlib import Path
from unittest import mock

with mock.patch("rich.pretty.install"):
    from wildlife_datasets import datasets, splits

__all__ = ["datasets", "download", "splits"]


def download(loader: type[datasets.WildlifeDataset], folder: Path) -> None:
    """Fetch and unpack a dataset by its own loader.

    Version 1.0.9 stops half-way, with a TypeError, where a dataset has no address of its licence.
    """
    licence = loader.summary.get("licenses_url") or ""
    with mock.patch.dict(loader.summary, licenses_url=licence):
        loader.get_data(str(folder))
