"""Small copies of photographs for a page: in the page itself, or in a folder beside it.

A copy holds pixels and nothing else: no position, comment or profile of the photograph. Copies in
the folder are named after the file, its size and its time of change: what yesterday's page shows
stays as it is until today's is there, and only new photographs cost time.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps

from megalib import stamp
from megalib.data import images
from megalib.files.writing import write_whole

IN_PAGE = 400  # copies up to which a page holds them itself; about ten megabytes
LOOKS = 12  # bits in which the looks of one photograph may differ
_LOOK = re.compile(r"x[0-9a-f]{16}")
_OURS = re.compile(r"\.?[0-9a-f]{16}\.jpg(\.part\d+)?")  # copies, and what a killed run left of one
_ORIENTATION = 0x0112  # of EXIF
_BOX = "#ff7f0e", "#000000"  # colours of a box and of its edge, seen on fur and on grass


@dataclass(frozen=True)
class Wanted:
    """A copy that a page shows: `side` is its longer side in pixels, at most.

    `is_whole` marks a picture as the camera wrote it, which may be turned by its EXIF and may have
    a `box` to be drawn: x, y, width, height in pixels of the upright picture. Others are prepared
    images. `needs_look` says whether the page must know its copy again, see `look`.
    """

    file: Path
    side: int
    is_whole: bool = False
    box: tuple[float, float, float, float] | None = None
    needs_look: bool = False


@dataclass(frozen=True)
class Copy:
    """A copy that was made: where the page finds it, its size in pixels, and its `look` or ""."""

    address: str
    width: int
    height: int
    look: str


@contextmanager
def copies(wanted: Iterable[Wanted], folder: Path) -> Iterator[dict[Wanted, Copy]]:
    """Make the copies of a page, which is written within the block.

    Up to `IN_PAGE` of them are addresses that hold the image, and there is no folder; more are
    files of the folder, each whole or not there. Copies that the page does not need are removed
    when the block ends well; other files stay.

    Args:
        wanted: each is made once.
        folder: beside the page.

    Yields:
        The copies. A whole picture that cannot be read is not among them.

    Raises:
        UserError: a prepared image cannot be read, or a copy cannot be written.
    """
    several = list(dict.fromkeys(wanted))
    is_in_page = len(several) <= IN_PAGE
    made = _on_threads(_in_page if is_in_page else partial(_in_folder, folder), several)
    yield made
    needed = set() if is_in_page else {Path(copy.address).name for copy in made.values()}
    _remove_others(folder, needed)


def _on_threads(make: Callable[[Wanted], Copy | None], several: list[Wanted]) -> dict[Wanted, Copy]:
    """What was made of each; Pillow gives up the lock while it decodes and encodes."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        made = pool.map(make, several)
        return {one: copy for one, copy in zip(several, made, strict=True) if copy is not None}


def _in_page(wanted: Wanted) -> Copy | None:
    image = _small(wanted)
    if image is None:
        return None
    data = base64.b64encode(images.as_jpeg(image)).decode()
    return _copy(f"data:image/jpeg;base64,{data}", image, wanted)


def _in_folder(folder: Path, wanted: Wanted) -> Copy | None:
    """A copy as a file; that of an earlier page is taken over where it is whole."""
    if wanted.is_whole and not wanted.file.is_file():
        return None
    images.check_is_there(wanted.file)
    facts = wanted.file.stat()
    told = (wanted.file, facts.st_size, facts.st_mtime_ns, wanted.side, wanted.box)
    file = folder / f"{stamp.digest(map(str, told))}.jpg"
    image = _there(file)
    if image is None:
        image = _small(wanted)
        if image is None:
            return None
        write_whole(file, images.as_jpeg(image))
    return _copy(f"{quote(folder.name)}/{file.name}", image, wanted)


def _there(file: Path) -> Image.Image | None:
    """A copy that was made before; None where there is none, or a damaged one."""
    try:
        with Image.open(file) as image:
            image.load()
            return image
    except (OSError, SyntaxError):
        return None


def _copy(address: str, image: Image.Image, wanted: Wanted) -> Copy:
    return Copy(address, *image.size, look(image) if wanted.needs_look else "")


def _remove_others(folder: Path, needed: set[str]) -> None:
    """Remove copies that the page does not need, and the folder where nothing is left in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name not in needed and _OURS.fullmatch(path.name):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _small(wanted: Wanted) -> Image.Image | None:
    """The copy as an image, RGB; None for a whole picture that cannot be read."""
    if not wanted.is_whole:
        image = images.load(wanted.file)
        image.thumbnail((wanted.side, wanted.side))
        return image
    try:
        return _small_whole(wanted)
    except MemoryError:
        raise
    except Exception:  # decoders fail in many ways; the animal itself has been read
        return None


def _small_whole(wanted: Wanted) -> Image.Image:
    with Image.open(wanted.file) as image:
        width, height = image.size
        image.draft("RGB", (2 * wanted.side, 2 * wanted.side))  # a JPEG is decoded no larger
        if image.getexif().get(_ORIENTATION, 1) >= 5:  # turned by a quarter
            width, height = height, width
        small = _in_eight_bits(ImageOps.exif_transpose(image)).convert("RGB")
    small.thumbnail((wanted.side, wanted.side))
    if wanted.box is not None:
        _draw_box(small, wanted.box, small.width / width, small.height / height)
    return small


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """A picture of more than eight bits spread over the range that it fills; others unchanged."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float32)
    return Image.fromarray((values * (255 / max(values.max(), 1))).astype(np.uint8))


def _draw_box(
    image: Image.Image, box: tuple[float, float, float, float], across: float, down: float
) -> None:
    x, y, width, height = box
    corners = [x * across, y * down, (x + width) * across, (y + height) * down]
    draw = ImageDraw.Draw(image)
    for colour, thickness in zip(_BOX, (4, 1), strict=True):
        with suppress(ValueError):  # a box without extent
            draw.rectangle(corners, outline=colour, width=thickness)


def look(image: Image.Image) -> str:
    """What an image looks like, in 64 bits: where it is brighter than one step to the left.

    A smaller or recoded copy differs in a few bits, another photograph in about half of them. This
    is the "difference hash" of N. Krawetz (hackerfactor.com, 2013).

    Returns:
        An x and 16 hexadecimal digits: no spreadsheet takes it for a number.
    """
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (grey[:, 1:] > grey[:, :-1]).ravel()
    return "x" + np.packbits(bits).tobytes().hex()


def looks_different(one: str, other: str) -> bool:
    """Whether two looks are those of different photographs; what is no look differs from none.

    `LOOKS` bits are more than a smaller copy changes and less than another photograph does.
    """
    if not (_LOOK.fullmatch(one) and _LOOK.fullmatch(other)):
        return False
    return (int(one[1:], 16) ^ int(other[1:], 16)).bit_count() > LOOKS
