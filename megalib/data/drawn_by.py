"""The stamp of a drawn dataset: which code drew it. The drawing code itself is not needed here."""

from pathlib import Path

from megalib import stamp
from megalib.data.catalogue import Dataset


def file(folder: Path) -> Path:
    """Where the stamp of a drawing lies."""
    return folder / "drawn-by.json"


def today() -> dict[str, str]:
    """What the stamp would say if the dataset were drawn now."""
    return {"code": stamp.of_code("drawn.drawing", package="drawn")}


def is_outdated(dataset: Dataset, raw: Path) -> bool:
    """Whether a drawn dataset is there, but unfinished or by other drawing code than today's."""
    folder = dataset.folder(raw)
    return folder.is_dir() and stamp.read(file(folder)) != today()
