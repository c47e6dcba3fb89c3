import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from megalib.data import images
from megalib.errors import UserError
from tests.conftest import write_image


def test_a_damaged_image_is_named_whatever_the_decoder_raises(tmp_path):
    """A flipped byte in a PNG makes Pillow raise now an OSError, now a SyntaxError or another."""
    write_image(tmp_path / "a.png", (20, 20), 0)
    whole = (tmp_path / "a.png").read_bytes()
    failures = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "a.png").write_bytes(damaged)
        try:
            images.load(tmp_path / "a.png")
        except UserError as error:
            failures += 1
            assert "a.png" in str(error)
            assert "\n" not in str(error)
    assert failures > 100


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_an_unreadable_image_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read image .*a\.jpg"):
        images.load(tmp_path / "a.jpg")


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "TIFF", "BMP", "WEBP"]),
    share=st.floats(0.3, 0.98),
    behind=st.sampled_from([b"", b"\0\0\0", b"a trailer of a telephone" * 9]),
)
def test_a_picture_that_was_cut_off_is_noticed_and_a_whole_one_is_not(kind, share, behind):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    data = BytesIO()
    thumbnail = Image.Exif()
    thumbnail[0x9286] = "\xff\xd9"  # bytes that end a JPEG may stand in its head
    how = {"exif": thumbnail} if kind == "JPEG" else {}
    Image.fromarray(pixels).save(data, kind, **how)
    whole = data.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "picture")
        file.write_bytes(whole + behind)
        assert not images.ends_early(file)
        file.write_bytes(whole[: int(share * len(whole))])
        try:
            Image.open(file).load()
        except OSError as error:
            assert images.ends_early(file) == ("truncat" in str(error).lower())
        else:  # all of the pixels are there
            assert kind in {"JPEG", "TIFF", "BMP", "PNG"}
            assert not images.ends_early(file)
