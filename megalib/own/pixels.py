"""Pictures of all kinds that people have: what their heads say, and their pixels as RGB."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from megalib.own.lists.boxes import TURNED, Frame

pillow_heif.register_heif_opener()

ORIENTATION = 0x0112  # the EXIF tag
DEEP = {"PNG", "TIFF"}  # formats whose values may have more than 8 bits
PLAIN = {"JPEG", "PNG", "TIFF", "BMP", "WEBP"}  # what OpenCV reads as the published code does
DEPTHS = (8, 12, 14, 16)  # bits of a value that cameras and scanners give
LONGEST = 250_000_000  # pixels of a picture


@dataclass(frozen=True)
class Head:
    """What the head of a picture says of it."""

    frame: Frame
    is_transparent: bool
    frames: int = 1  # of an animation


def head_of(file: Path) -> Head | None:
    """The head of a picture; None of a file that cannot be read as one."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            orientation = image.getexif().get(ORIENTATION, 1)
            turned = orientation in TURNED
            frame = Frame(*((height, width) if turned else (width, height)), orientation)
            return Head(frame, image.has_transparency_data, getattr(image, "n_frames", 1))
    except Exception:  # a damaged file makes Pillow's decoders raise almost anything
        return None


def needs_care(file: Path) -> bool:
    """Whether a picture has what the published code reads wrongly or not at all.

    That is transparency, more than 8 bits a value, or a format of its own.
    """
    try:
        with Image.open(file) as image:
            is_plain = image.format in PLAIN and not image.has_transparency_data
            return not is_plain or (image.format in DEEP and _is_deep(image))
    except Exception:  # it is told when the picture is read
        return False


def _is_deep(image: Image.Image) -> bool:
    """Whether values have more than 8 bits; Pillow calls the mode of some of these RGB."""
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))
        return max(bits if isinstance(bits, tuple) else (bits,)) > 8
    return image.mode.startswith("I") or image.mode == "F"


def picture_of(file: Path) -> Image.Image:
    """A picture as RGB, upright.

    What is transparent becomes black, as backgrounds in the published datasets that are cut out.
    Values of more than 8 bits are taken for 12, 14 or 16 bits, whichever just holds the largest;
    of an animation, the first picture is taken.

    Raises:
        OSError: the file cannot be read as a picture.
        ValueError: it has more than 250 million pixels.
    """
    with Image.open(file) as image:
        if image.width * image.height > LONGEST:
            raise ValueError(f"more than {LONGEST / 1e6:g} million pixels")
        if image.format in DEEP and _is_deep(image):
            return _of_many_bits(file)
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return upright.convert("RGB")
        coloured = upright.convert("RGBA")
        black = Image.new("RGBA", coloured.size, "black")
        return Image.alpha_composite(black, coloured).convert("RGB")


def _of_many_bits(file: Path) -> Image.Image:
    values = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise OSError(f"cannot read the values of {file.name}")
    if values.dtype.kind == "f":
        most = values.max() if values.max() > 1 else 1.0
    else:
        largest = int(values.max())
        most = 2 ** next(bits for bits in DEPTHS if largest < 2**bits or bits == DEPTHS[-1]) - 1
    if values.ndim == 2:
        values = values[..., None].repeat(3, axis=2)
    scaled = np.clip(values[..., :3].astype(np.float64) / most * 255, 0, 255).round()
    return Image.fromarray(scaled.astype(np.uint8)[..., ::-1].copy())
