"""Images that show nothing are named, others are not."""

import numpy as np
import pytest
from PIL import Image

from megalib.own import looks
from tests.conftest import write_image


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_black_and_flat_images_are_told_from_dark_ones(tmp_path, kind):
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((16, 16, 1)))  # patches, as of coats
    values = {
        "scene": scene,
        "night": scene * 0.25,
        "black": scene * 0.03,
        "grey": np.full((256, 256, 3), 90),
        "white": np.full((256, 256, 3), 255),
    }
    files = [tmp_path / f"{name}.{kind}" for name in values]
    for file, pixels in zip(files, values.values(), strict=True):
        Image.fromarray(pixels.astype(np.uint8)).save(file)
    assert [looks.kind_of(file) for file in files] == [
        *("", "", "nearly black", "of one colour", "of one colour")
    ]
    assert looks.in_words(files, list(values)) == [
        "1 photograph nearly black ('black')",
        "2 photographs of one colour ('grey', 'white')",
    ]


def test_an_image_that_cannot_be_read_is_an_error(tmp_path):
    write_image(tmp_path / "a.png", (20, 20), 0)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(OSError, match="cannot identify"):
        looks.in_words([tmp_path / "a.png"], ["a"])
