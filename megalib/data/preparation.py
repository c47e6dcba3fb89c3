"""Raw dataset to prepared images in several sizes, and metadata with the split.

On the command line, the training parts of prepared datasets are joined to the training set::

    python -m megalib.data.preparation demo DemoZebra DemoLeopard
"""

import argparse
import hashlib
import inspect
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.transforms import Resize
from tqdm import tqdm

from megalib.data import catalogue, raw_data, record, splits
from megalib.data.catalogue import Dataset
from megalib.data.images import ends_early
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files import locks, processes, spreadsheet
from megalib.files.names import kind_of
from megalib.files.places import Run, inside, shown
from megalib.files.writing import sweep, whole_file, write_whole

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset

# Another version of these may decode, resize or encode to other pixels.
PIXEL_MAKERS = ("wildlife-datasets", "opencv-python-headless", "pillow", "torchvision")
UNREADABLE = "not readable as an image"
MEMORY_SHORT = re.compile("[Ii]nsufficient memory|[Ff]ailed to allocate|allocate memory")
# What decoding takes at most: three copies of three colours, and the coefficients of a JPEG.
BYTES_A_PIXEL = 18
LONGEST_SIDE = 30_000  # pixels of a prepared image; longer ones fill the memory
PROBLEM_COLUMNS = ["image_id", "raw_path", "reason"]


@dataclass(frozen=True)
class Problem:
    """An image that could not be prepared: its id, the raw file ("" if none), and the reason."""

    image_id: str
    raw_path: str
    reason: str


@dataclass(frozen=True)
class _Job:
    """One image to make: its rows of raw dataset and metadata, its path there, and its files."""

    source_row: int
    metadata_row: int
    path: str
    targets: dict[int, Path]


def prepare(
    dataset: Dataset,
    folder: Path,
    run: Run,
    sizes: Sequence[int] = (256, 518),
    train_share: float = 0.8,
    seed: int = 666,
    published_metadata: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Crop and resize the images of a dataset and write its metadata with the split.

    Each picture is read once; each animal in it is cropped by the dataset's rule and resized so
    that its shorter side has each of the sizes, on as many threads as torch uses. Images that an
    earlier call finished are kept, unless the picture, its box or mask, the rule or a library has
    changed since; what is no longer of this dataset is removed. What cannot be read is left out
    and listed in `problems.csv`. The metadata file is written last: where it is, the images are
    complete.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        folder: the raw dataset.
        run: where images, metadata and problems go.
        sizes: lengths of the shorter side in pixels.
        train_share: part of the images that goes to training.
        seed: of the split.
        published_metadata: as `published.fetch_metadata` returns it, to be taken in place of a
            split of one's own.

    Returns:
        The metadata of the prepared images: `image_id, identity, path`, `date` where the dataset
        has one, and `split`.

    Raises:
        UserError: the folder holds no image or none that can be read, the metadata name a path
            outside their folder, or a file cannot be written.
    """
    if not sizes or any(size <= 0 for size in sizes):
        raise UserError(f"sizes must be one or more numbers of pixels, not {list(sizes)}")
    source = raw_data.open_raw(dataset, folder)
    metadata = published_metadata
    if metadata is None:
        metadata = _split(dataset, _with_prepared_names(dataset, source), train_share, seed)
    jobs, problems = _plan(dataset, source, metadata, run, sizes)
    with locks.held(run.metadata(dataset.name), f"preparation of {dataset.name}"):
        kept, failed = _make_missing(jobs, source, dataset, metadata, run)
        problems += failed
        lost = {problem.image_id for problem in problems}
        metadata = metadata[~metadata["image_id"].astype(str).isin(lost)]
        _write_problems(run.problems(dataset.name), problems)
        if metadata.empty:
            raise UserError(
                f"none of the {len(problems)} images of {dataset.name} could be prepared: "
                f"see {shown(run.problems(dataset.name))}"
            )
        if lost and dataset.own is not None and published_metadata is None:
            # Nothing has been published of these: only what can be read is divided.
            rows = metadata[dataset.columns].reset_index(drop=True)
            metadata = _split(dataset, rows, train_share, seed)
        with whole_file(run.metadata(dataset.name)) as temporary:
            metadata.to_csv(temporary)
    print(_summary(dataset, run, metadata, kept, len(problems)))
    return metadata


def _with_prepared_names(dataset: Dataset, source: "WildlifeDataset") -> pd.DataFrame:
    """The rows of the raw dataset, with the paths of the prepared images."""
    paths = [
        _prepared_name(dataset, path, image_id)
        for path, image_id in zip(source.df["path"], source.df["image_id"], strict=True)
    ]
    return source.df.assign(path=paths)[dataset.columns]


def _split(dataset: Dataset, rows: pd.DataFrame, train_share: float, seed: int) -> pd.DataFrame:
    if not dataset.named:  # new photographs: nobody knows whom they show
        return rows.assign(split=None)
    return splits.add_closed_set_split(rows, train_share, seed)


def _prepared_name(dataset: Dataset, path: str, image_id: object) -> str:
    path = path.replace(os.sep, "/")
    if not dataset.unique_file_name:
        return path
    file = PurePosixPath(path)
    return str(file.with_name(f"{file.stem}_{image_id}{file.suffix}"))


def _plan(
    dataset: Dataset,
    source: "WildlifeDataset",
    metadata: pd.DataFrame,
    run: Run,
    sizes: Sequence[int],
) -> tuple[list[_Job], list[Problem]]:
    """One job per image of the metadata; those that the raw dataset lacks are problems."""
    folders = {size: run.images(size, dataset.name) for size in sizes}
    rows = {str(image_id): row for row, image_id in enumerate(source.df["image_id"])}
    raw_paths = source.df["path"].tolist()
    jobs, problems = [], []
    for position, (image_id, path) in enumerate(
        zip(metadata["image_id"].astype(str), metadata["path"], strict=True)
    ):
        targets = {size: inside(folder, path) for size, folder in folders.items()}
        row = rows.get(image_id)
        if row is None:
            problems.append(Problem(image_id, "", "not in the raw dataset"))
        elif _prepared_name(dataset, raw_paths[row], image_id) != path:
            # Some datasets count their images: with one more, an id means another picture.
            problems.append(Problem(image_id, raw_paths[row], "another picture in the raw dataset"))
        else:
            jobs.append(_Job(row, position, path, targets))
    return jobs, problems


def _unfinished(
    jobs: list[_Job], source: "WildlifeDataset", run: Run, dataset: Dataset
) -> list[_Job]:
    """The jobs whose images are missing, after outdated ones have been removed."""
    code = "".join(inspect.getsource(function) for function in (_make_image, _encoded, crop))
    rule = {
        "crop": dataset.crop,
        "code": hashlib.sha256(code.encode()).hexdigest(),
        "versions": {name: version(name) for name in PIXEL_MAKERS},
    }
    digests = record.digests(source, dataset.crop)
    now = {job.path: digests[job.source_row] for job in jobs}
    record.remove_outdated(run, dataset.name, rule, now)
    return [job for job in jobs if not all(map(os.path.isfile, job.targets.values()))]


def _make_missing(
    jobs: list[_Job],
    source: "WildlifeDataset",
    dataset: Dataset,
    metadata: pd.DataFrame,
    run: Run,
) -> tuple[int, list[Problem]]:
    """Make the images that are not there; return how many were, and what could not be made.

    Raises:
        UserError: there is too little memory, or a file cannot be written.
    """
    try:
        waiting = _unfinished(jobs, source, run, dataset)
        failed = _make(waiting, source, dataset, metadata, len(jobs))
    except MemoryError as error:
        raise UserError(
            f"too little memory to prepare {dataset.name}: {error or 'an image does not fit'}; "
            "close other programs or take a larger machine, what is finished is kept"
        ) from error
    record.complete(run, dataset.name)
    return len(jobs) - len(waiting), failed


def _make(
    jobs: list[_Job],
    source: "WildlifeDataset",
    dataset: Dataset,
    metadata: pd.DataFrame,
    total: int,
) -> list[Problem]:
    """Make the images on all threads; return what could not be made, in the metadata's order.

    What fails is tried once more, alone: beside others there may have been too little memory for
    it, which must never cost a photograph.

    Raises:
        MemoryError: there is too little even for one picture alone.
    """
    paths, pictures = source.df["path"].tolist(), {}
    for job in jobs:
        pictures.setdefault(paths[job.source_row], []).append(job)
    reasons: dict[int, str] = {}
    with tqdm(total=total, initial=total - len(jobs), desc=dataset.name, unit="image") as bar:
        again, starved = [], 0
        for part, outcome in _on_threads(source, list(pictures.values()), dataset.crop):
            starved += outcome is None
            if outcome is None or any(outcome.values()):
                again.append(part)
            else:
                bar.update(len(part))
        if starved:
            print(
                f"{dataset.name}: too little memory for {torch.get_num_threads()} threads, "
                f"{starved} pictures are read one after another"
            )
        for part in again:
            reasons |= _make_from_one(source, part, dataset.crop, alone=True)
            bar.update(len(part))
    made = [
        path
        for path, part in pictures.items()
        if not all(reasons.get(job.metadata_row) for job in part)
    ]
    _tell_early_ends(source, dataset, made)
    ids = metadata["image_id"].tolist()
    return [
        Problem(str(ids[job.metadata_row]), paths[job.source_row], reasons[job.metadata_row])
        for job in sorted(jobs, key=lambda job: job.metadata_row)
        if reasons.get(job.metadata_row)
    ]


def _tell_early_ends(source: "WildlifeDataset", dataset: Dataset, paths: list[str]) -> None:
    """Name pictures that were read although they are cut off, as the public preparation does."""
    early = [path for path in paths if ends_early(Path(source.root, path))]
    if early:
        named = ", ".join(early[:3]) + (", …" if len(early) > 3 else "")
        print(f"{dataset.name}: {len(early)} pictures end early, the rest of them is grey: {named}")


def _on_threads(
    source: "WildlifeDataset", pictures: list[list[_Job]], rule: str
) -> Iterator[tuple[list[_Job], dict[int, str] | None]]:
    """Make the images of each picture; give its jobs and `_make_from_one`'s answer, in order.

    The answer is None where memory was too little. Threads suffice: OpenCV and Pillow give up the
    lock while they decode, resize and encode.
    """

    def make(part: list[_Job]) -> dict[int, str] | None:
        try:
            return _make_from_one(source, part, rule)
        except MemoryError:
            return None

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        try:
            outcomes = pool.map(make, pictures)
        except RuntimeError:  # not even a thread fits into memory
            outcomes = (None for _ in pictures)
        yield from zip(pictures, outcomes, strict=True)


def _make_from_one(
    source: "WildlifeDataset", jobs: list[_Job], rule: str, alone: bool = False
) -> dict[int, str]:
    """Make all images of one picture; return the reason of each failure, or "", by job.

    Raises:
        MemoryError: there was too little memory; where nothing else runs (`alone`), libraries that
            hide this are seen through.
    """
    row = jobs[0].source_row
    if reason := _why_no_file(source, row):
        return {job.metadata_row: reason for job in jobs}
    try:
        picture = source.get_image(row)
    except Exception as error:  # decoders fail in many ways, and one file must not stop the run
        _raise_if_memory(error)
        reason = _why_unreadable(source, row, error)
        if alone and reason == UNREADABLE:
            _claim_memory_for(Path(source.root, source.df["path"].iloc[row]))
        return {job.metadata_row: reason for job in jobs}
    return {job.metadata_row: _make_image(source, picture, job, rule) for job in jobs}


def _make_image(source: "WildlifeDataset", picture: Image.Image, job: _Job, rule: str) -> str:
    """Make one image in all its sizes; return why it failed, or "".

    Raises:
        MemoryError: there was too little memory.
    """
    try:
        image = crop(source, picture, job.source_row, rule)
        if reason := _why_too_thin(image, job):
            return reason
        resized = {size: Resize(size)(image) for size in job.targets}
    except Exception as error:  # such as a box outside the picture
        _raise_if_memory(error)
        return f"cannot be cropped by the rule {rule}: {_one_line(error)}"
    for size, image in resized.items():
        try:
            write_whole(job.targets[size], _encoded(image, job.targets[size].name))
        except (ValueError, OSError) as error:  # no format, too long a side, or too long a name
            return f"cannot be saved: {_one_line(error)}"
    return ""


def _encoded(image: Image.Image, name: str) -> bytes:
    """An image as its file holds it.

    Pillow would write some formats by itself, past Python, and not notice a full disk.
    """
    buffer = io.BytesIO()
    buffer.name = name  # from which Pillow takes the format, as it would from a path
    image.save(buffer)
    return buffer.getvalue()


def _raise_if_memory(error: Exception) -> None:
    """Raise MemoryError where a library tells in its own way that memory was too little."""
    if isinstance(error, MemoryError) or MEMORY_SHORT.search(str(error)):
        raise MemoryError(_one_line(error)) from error


def _claim_memory_for(picture: Path) -> None:
    """Claim what decoding a picture may take, and give it back.

    OpenCV answers alike to a damaged picture and to too little memory for a sound one.

    Raises:
        MemoryError: there is not so much.
    """
    try:
        with Image.open(picture) as image:
            width, height = image.size
    except Exception:  # not even the head can be read
        return
    try:
        np.empty(width * height * BYTES_A_PIXEL, dtype=np.uint8)
    except MemoryError as error:
        raise MemoryError(f"{shown(picture)} has {width} x {height} pixels") from error


def crop(source: "WildlifeDataset", picture: Image.Image, row: int, rule: str) -> Image.Image:
    """Cut one animal out of a picture by the dataset's rule.

    Args:
        source: a dataset of wildlife-datasets, opened with that rule.
        picture: the whole picture, as `source.get_image` reads it.
        row: position of the animal in the dataset.
        rule: "full", "bbox" and "crop_black" are wildlife-datasets' own. "mask_then_crop_black"
            sets what lies outside the mask to black and cuts to what is not black; as in the
            published preparation, the last row and column of that box are left out.

    Returns:
        The image, RGB.
    """
    if rule != "mask_then_crop_black":
        return source.apply_segmentation(picture, row)
    mask = source.load_image(str(Path(source.root, source.df["segmentation"].iloc[row])))
    masked = np.asarray(picture) * np.asarray(mask).astype(bool)
    rows, columns, _ = np.nonzero(masked)
    box = (columns.min(), rows.min(), columns.max(), rows.max())
    return Image.fromarray(masked).crop(box)


def _why_no_file(source: "WildlifeDataset", row: int) -> str:
    """Why a picture is no file to be opened, or ""; for many missing ones this must be quick."""
    kind = kind_of(Path(source.root, source.df["path"].iloc[row]))
    return {"file": "", "": "file is missing"}.get(kind, "not a regular file")


def _why_too_thin(image: Image.Image, job: _Job) -> str:
    """Why an image would become too long: its shorter side is stretched to the sizes wanted."""
    shorter, longer = sorted(image.size)
    length = max(job.targets) * longer // max(shorter, 1)
    if length <= LONGEST_SIDE:
        return ""
    return (
        f"too thin: of {image.width} x {image.height} pixels, the longer side would become "
        f"{length}, and {LONGEST_SIDE} are the most"
    )


def _why_unreadable(source: "WildlifeDataset", row: int, error: Exception) -> str:
    file = Path(source.root, source.df["path"].iloc[row])
    if file.stat().st_size == 0:
        return "file is empty"
    if not os.access(file, os.R_OK):
        return "file may not be read: give yourself the permission"
    if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
        most = int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"]) / 1e6
        return f"more than {most:g} million pixels"
    if "CV_IO_MAX_IMAGE" in str(error):
        return "a longer side than OpenCV reads"
    return UNREADABLE


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _write_problems(path: Path, problems: list[Problem]) -> None:
    table = pd.DataFrame([asdict(problem) for problem in problems], columns=PROBLEM_COLUMNS)
    spreadsheet.write(path, table, index=False)


def read_problems(run: Run, dataset: str) -> pd.DataFrame:
    """Images that `prepare` had to leave out: `image_id, raw_path, reason`."""
    file = run.problems(dataset)
    if not file.is_file():  # metadata that were not made here
        return pd.DataFrame(columns=PROBLEM_COLUMNS)
    return spreadsheet.read(file)


def _summary(dataset: Dataset, run: Run, metadata: pd.DataFrame, kept: int, problems: int) -> str:
    text = f"{dataset.name}: {len(metadata)} images prepared"
    if kept:
        text += f", {kept} of them by an earlier run"
    if problems:
        text += f"; {problems} could not be, see {shown(run.problems(dataset.name))}"
    test, train = (metadata[metadata["split"] == part] for part in ("test", "train"))
    alone = (~test["identity"].isin(train["identity"])).sum()
    if alone:
        text += f"; {alone} test images lost all training images of their individual"
    return text


def draw_missing(run: Run, datasets: Sequence[str]) -> None:
    """Draw and prepare the drawn datasets that the run lacks, with the defaults of 1_prepare.

    Those that were drawn by older code count as missing.
    """
    raw = run.folder / "raw"
    for dataset in catalogue.DRAWN:
        is_there = run.metadata(dataset.name).is_file() and not raw_data.is_outdated(dataset, raw)
        if dataset.name in datasets and not is_there:
            prepare(dataset, raw_data.fetch(dataset, raw, download=True), run)


def aggregate(run: Run, datasets: Sequence[str]) -> pd.DataFrame:
    """Join the training parts of prepared datasets; write them where they have changed.

    Raises:
        UserError: a dataset has not been prepared.
    """
    combined = splits.aggregate({name: read_metadata(run.metadata(name)) for name in datasets})
    content = combined.to_csv().encode()
    sweep(run.combined)
    if not run.combined.is_file() or run.combined.read_bytes() != content:
        with whole_file(run.combined) as temporary:
            temporary.write_bytes(content)
    return combined


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Join prepared datasets to a training set.")
    parser.add_argument("profile", help="of the run that holds them")
    parser.add_argument("datasets", nargs="+", help="their names, in this order")
    processes.add_argument(parser)
    arguments = parser.parse_args()
    processes.obey(arguments)
    try:
        aggregate(Run(arguments.profile), arguments.datasets)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
