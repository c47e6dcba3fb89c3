"""Whether picture files are whole."""

from pathlib import Path

from PIL import Image

# The first and the last bytes of whole files, of JPEG and of PNG.
BEGIN_AND_END = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND\xaeB`\x82"))


def ends_early(path: Path) -> bool:
    """Whether a picture is cut off, as by an interrupted copy; some decoders fill it up with grey.

    Most files show by their last bytes that they are whole. Only others are decoded.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, path.stat().st_size - 64))
        tail = file.read().rstrip(b"\0\r\n")
    if any(head.startswith(begin) and tail.endswith(end) for begin, end in BEGIN_AND_END):
        return False
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        return "truncat" in str(error).lower()
    return False
