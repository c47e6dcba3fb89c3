"""One picture becomes its images: read, cropped by the rule, resized, saved; or why not."""

import io
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms import Resize

from megalib.data.preparing.planning import Job
from megalib.data.problems import Problem
from megalib.data.wildlife import WildlifeDataset
from megalib.files.names import kind_of
from megalib.files.places import shown
from megalib.files.writing import write_whole

UNREADABLE = "not readable as an image"
MEMORY_SHORT = re.compile("[Ii]nsufficient memory|[Ff]ailed to allocate|allocate memory")
# What decoding takes at most: three copies of three colours, and the coefficients of a JPEG.
BYTES_A_PIXEL = 18
LONGEST_SIDE = 30_000  # pixels of a prepared image; longer ones fill the memory


def make_from_one(
    source: WildlifeDataset, jobs: list[Job], rule: str, alone: bool = False
) -> list[Problem]:
    """Make all images of one picture by a rule of `crop`; return those that could not be made.

    Raises:
        MemoryError: there was too little memory; where nothing else runs (`alone`), libraries that
            hide this are seen through.
        UserError: an image cannot be written.
    """
    picture, reason = _read(source, jobs[0].source_row, alone)
    reasons = [reason or make_image(source, picture, job, rule) for job in jobs]
    return [
        Problem(job.image_id, job.raw_path, reason)
        for job, reason in zip(jobs, reasons, strict=True)
        if reason
    ]


def _read(source: WildlifeDataset, row: int, alone: bool) -> tuple[Image.Image | None, str]:
    """A picture, or why it cannot be read."""
    if reason := _why_no_file(source, row):
        return None, reason
    try:
        return source.get_image(row), ""
    except Exception as error:  # decoders fail in many ways, and one file must not stop the run
        _raise_if_memory(error)
        reason = _why_unreadable(source, row, error)
        if alone and reason == UNREADABLE:
            _claim_memory_for(Path(source.root, source.df["path"].iloc[row]))
        return None, reason


def make_image(source: WildlifeDataset, picture: Image.Image, job: Job, rule: str) -> str:
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
            write_whole(job.targets[size], encoded(image, job.targets[size].name))
        except (ValueError, OSError) as error:  # no format, too long a side, or too long a name
            return f"cannot be saved: {_one_line(error)}"
    return ""


def encoded(image: Image.Image, name: str) -> bytes:
    """An image as its file holds it.

    Pillow would write some formats by itself, past Python, and not notice a full disk.
    """
    buffer = io.BytesIO()
    buffer.name = name  # from which Pillow takes the format, as it would from a path
    image.save(buffer)
    return buffer.getvalue()


def crop(source: WildlifeDataset, picture: Image.Image, row: int, rule: str) -> Image.Image:
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


def _why_no_file(source: WildlifeDataset, row: int) -> str:
    """Why a picture is no file to be opened, or ""; for many missing ones this must be quick."""
    kind = kind_of(Path(source.root, source.df["path"].iloc[row]))
    return {"file": "", "": "file is missing"}.get(kind, "not a regular file")


def _why_too_thin(image: Image.Image, job: Job) -> str:
    """Why an image would become too long: its shorter side is stretched to the sizes wanted."""
    shorter, longer = sorted(image.size)
    length = max(job.targets) * longer // max(shorter, 1)
    if length <= LONGEST_SIDE:
        return ""
    return (
        f"too thin: of {image.width} x {image.height} pixels, the longer side would become "
        f"{length}, and {LONGEST_SIDE} are the most"
    )


def _why_unreadable(source: WildlifeDataset, row: int, error: Exception) -> str:
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
