"""Pictures that a user gave; those of folders and CSV files are tried in tests/data/test_own.py."""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from megalib.files import pictures


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
        assert not pictures.ends_early(file)
        file.write_bytes(whole[: int(share * len(whole))])
        try:
            Image.open(file).load()
        except OSError as error:
            assert pictures.ends_early(file) == ("truncat" in str(error).lower())
        else:  # all of the pixels are there
            assert kind in {"JPEG", "TIFF", "BMP", "PNG"}
            assert not pictures.ends_early(file)
