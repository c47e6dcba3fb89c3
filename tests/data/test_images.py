import pytest

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
