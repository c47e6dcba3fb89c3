"""Prepared images are read, for networks and for pages."""

import base64
import io
from pathlib import Path

from PIL import Image

from megalib.errors import UserError
from megalib.files.places import shown


def load(path: Path) -> Image.Image:
    """Read an image as RGB.

    Raises:
        UserError: the file is missing or no image; the message names it.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(
            f"cannot read image {shown(path)}: {reason}; remove it and run 1_prepare.ipynb of its "
            "dataset again"
        ) from error


def check_is_there(path: Path) -> None:
    """Refuse to go on without a prepared image.

    Raises:
        UserError: the file is missing; the message names it.
    """
    if not path.is_file():
        raise UserError(f"image {shown(path)} is missing: run 1_prepare.ipynb of its dataset again")


def as_address(path: Path, side: int) -> str:
    """A small copy of an image as an address that holds it, for pages that are sent as one file.

    Args:
        path: of the image.
        side: pixels of the longer side of the copy, at most.

    Raises:
        UserError: see `load`.
    """
    image = load(path)
    image.thumbnail((side, side))
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(image)).decode()


def as_jpeg(image: Image.Image) -> bytes:
    """An image as a JPEG that holds its pixels and nothing else.

    Pillow would pass on the comment of a photograph, in which some cameras write where they are.
    """
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    data = io.BytesIO()
    bare.save(data, "JPEG", quality=85)
    return data.getvalue()
