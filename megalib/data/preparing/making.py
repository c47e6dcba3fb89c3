"""All images of a dataset that are missing, made on several threads."""

import inspect
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import torch
from tqdm import tqdm

from megalib import stamp
from megalib.data.catalogue import Dataset
from megalib.data.preparing import cropping, finished
from megalib.data.preparing.planning import Job
from megalib.data.problems import Problem
from megalib.data.wildlife import WildlifeDataset
from megalib.errors import UserError
from megalib.files.pictures import ends_early
from megalib.files.places import Run

# Another version of these may decode, resize or encode to other pixels.
PIXEL_MAKERS = ("wildlife-datasets", "opencv-python-headless", "pillow", "torchvision")


def make_missing(
    jobs: list[Job], source: WildlifeDataset, dataset: Dataset, run: Run
) -> tuple[int, list[Problem]]:
    """Make the images that are not there; return how many were, and what could not be made.

    Raises:
        UserError: there is too little memory, or a file cannot be written.
    """
    try:
        waiting = _unfinished(jobs, source, run, dataset)
        failed = _make(waiting, source, dataset, len(jobs))
    except MemoryError as error:
        raise UserError(
            f"too little memory to prepare {dataset.name}: {error or 'an image does not fit'}; "
            "close other programs or take a larger machine, what is finished is kept"
        ) from error
    finished.complete(run, dataset.name)
    return len(jobs) - len(waiting), failed


def _unfinished(jobs: list[Job], source: WildlifeDataset, run: Run, dataset: Dataset) -> list[Job]:
    """The jobs whose images are missing, after outdated ones have been removed."""
    code = (cropping.make_image, cropping.encoded, cropping.crop)
    rule = {
        "crop": dataset.crop,
        "code": stamp.digest(map(inspect.getsource, code)),
        "versions": {name: version(name) for name in PIXEL_MAKERS},
    }
    digests = finished.digests(source, dataset.crop)
    now = {job.path: digests[job.source_row] for job in jobs}
    finished.remove_outdated(run, dataset.name, rule, now)
    return [job for job in jobs if not all(map(os.path.isfile, job.targets.values()))]


def _make(jobs: list[Job], source: WildlifeDataset, dataset: Dataset, total: int) -> list[Problem]:
    """Make the images on all threads; return what could not be made, in the order of the jobs.

    What fails is tried once more, alone: beside others there may have been too little memory for
    it, which must never cost a photograph.

    Raises:
        MemoryError: there is too little even for one picture alone.
    """
    pictures: dict[str, list[Job]] = {}
    for job in jobs:
        pictures.setdefault(job.raw_path, []).append(job)
    failed: dict[str, list[Problem]] = {}
    with tqdm(total=total, initial=total - len(jobs), desc=dataset.name, unit="image") as bar:
        again, starved = [], 0
        for part, problems in _on_threads(source, list(pictures.values()), dataset.crop):
            starved += problems is None
            if problems is None or problems:
                again.append(part)
            else:
                bar.update(len(part))
        if starved:
            print(
                f"{dataset.name}: too little memory for {torch.get_num_threads()} threads, "
                f"{starved} pictures are read one after another"
            )
        for part in again:
            failed[part[0].raw_path] = cropping.make_from_one(source, part, dataset.crop, True)
            bar.update(len(part))
    made = [path for path, part in pictures.items() if len(failed.get(path, [])) < len(part)]
    _tell_early_ends(source, dataset, made)
    order = {job.image_id: number for number, job in enumerate(jobs)}
    return sorted(chain(*failed.values()), key=lambda problem: order[problem.image_id])


def _on_threads(
    source: WildlifeDataset, pictures: list[list[Job]], rule: str
) -> Iterator[tuple[list[Job], list[Problem] | None]]:
    """Make the images of each picture; give its jobs and `make_from_one`'s answer, in order.

    The answer is None where memory was too little. Threads suffice: OpenCV and Pillow give up the
    lock while they decode, resize and encode.
    """

    def make(part: list[Job]) -> list[Problem] | None:
        try:
            return cropping.make_from_one(source, part, rule)
        except MemoryError:
            return None

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        try:
            outcomes = pool.map(make, pictures)
        except RuntimeError:  # not even a thread fits into memory
            outcomes = (None for _ in pictures)
        yield from zip(pictures, outcomes, strict=True)


def _tell_early_ends(source: WildlifeDataset, dataset: Dataset, paths: list[str]) -> None:
    """Name pictures that were read although they are cut off, as the public preparation does."""
    early = [path for path in paths if ends_early(Path(source.root, path))]
    if early:
        named = ", ".join(early[:3]) + (", …" if len(early) > 3 else "")
        print(f"{dataset.name}: {len(early)} pictures end early, the rest of them is grey: {named}")
