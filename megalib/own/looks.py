"""Which images show nothing: nearly black ones, and ones of a single colour."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from megalib.own.report import counted, listed

SIDE = 32  # pixels of the small copy that is looked at
DARK = 16  # of 255: a picture whose brightest twentieth is darker is nearly black
FLAT = 2  # of 255: a picture whose values spread less is of one colour
THREADS = 4


def kind_of(image: Path) -> str:
    """What is odd about an image: "nearly black", "of one colour", or "" where it shows something.

    Raises:
        OSError: it cannot be read.
    """
    with Image.open(image) as picture:
        picture.draft("RGB", (SIDE, SIDE))  # of a JPEG, only as much is decoded
        small = np.asarray(picture.convert("RGB").resize((SIDE, SIDE)), dtype=float)
    if small.std(axis=(0, 1)).max() < FLAT:
        return "of one colour"
    return "nearly black" if np.quantile(small.max(axis=2), 0.95) < DARK else ""


def in_words(images: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Sentences about the images that show nothing, one for each kind.

    Args:
        images: prepared images.
        names: what each is called in the sentences.

    Raises:
        OSError: an image cannot be read.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        kinds = list(pool.map(kind_of, images))
    sentences = []
    for kind in sorted(set(kinds) - {""}):
        found = [name for name, one in zip(names, kinds, strict=True) if one == kind]
        sentences.append(f"{counted(len(found), 'photograph')} {kind} ({listed(found)})")
    return sentences
