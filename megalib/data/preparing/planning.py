"""Which images a dataset shall have, and what each is made of."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from megalib.data.catalogue import Dataset
from megalib.data.problems import Problem
from megalib.data.wildlife import WildlifeDataset
from megalib.files.places import Run, inside

WRITTEN = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}


@dataclass(frozen=True)
class Job:
    """One image to make of a raw dataset's row; `targets` are its files by their size."""

    source_row: int
    raw_path: str
    image_id: str
    path: str
    targets: dict[int, Path]


def rows_of(dataset: Dataset, source: WildlifeDataset) -> pd.DataFrame:
    """The rows of a raw dataset, with the paths of the prepared images."""
    pictures = zip(source.df["path"], source.df["image_id"], strict=True)
    paths = [prepared_name(dataset, path, image_id) for path, image_id in pictures]
    return source.df.assign(path=paths)[dataset.columns]


def prepared_name(dataset: Dataset, path: str, image_id: object) -> str:
    """The path of a prepared image: that of its picture, as published with the image id in it."""
    path = path.replace(os.sep, "/")
    if not dataset.unique_file_name:
        return path
    file = PurePosixPath(path)
    # Pictures of one's own may have formats in which no image is written.
    is_written = dataset.own is None or file.suffix.lower() in WRITTEN
    return str(file.with_name(f"{file.stem}_{image_id}{file.suffix if is_written else '.png'}"))


def plan(
    dataset: Dataset,
    source: WildlifeDataset,
    metadata: pd.DataFrame,
    run: Run,
    sizes: Sequence[int],
) -> tuple[list[Job], list[Problem]]:
    """One job per image of the metadata; those that the raw dataset lacks are problems.

    Raises:
        UserError: the metadata name a path outside their folder.
    """
    folders = {size: run.images(size, dataset.name) for size in sizes}
    rows = {str(image_id): row for row, image_id in enumerate(source.df["image_id"])}
    raw_paths = source.df["path"].tolist()
    jobs, problems = [], []
    for image_id, path in zip(metadata["image_id"].astype(str), metadata["path"], strict=True):
        targets = {size: inside(folder, path) for size, folder in folders.items()}
        row = rows.get(image_id)
        if row is None:
            problems.append(Problem(image_id, "", "not in the raw dataset"))
        elif prepared_name(dataset, raw_paths[row], image_id) != path:
            # Some datasets count their images: with one more, an id means another picture.
            problems.append(Problem(image_id, raw_paths[row], "another picture in the raw dataset"))
        else:
            jobs.append(Job(row, raw_paths[row], image_id, path, targets))
    return jobs, problems
