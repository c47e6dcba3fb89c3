"""A page of photographs and their candidates, to be checked by eye in any browser."""

import base64
import io
from pathlib import Path

import pandas as pd
from jinja2 import Environment

from megalib.data.images import load
from megalib.files.places import inside
from megalib.files.writing import whole_file

SIDE = 160  # pixels of the longer side of an image on the page

PAGE = Path(__file__).with_suffix(".html")  # its template


def write_page(file: Path, title: str, table: pd.DataFrame, new: Path, known: Path) -> None:
    """Write the page; the images are in it, so the file can be sent to others as it is.

    Args:
        file: of the page.
        title: its heading.
        table: of `judging.rank`.
        new: folder of the prepared new photographs.
        known: folder of the prepared known ones.
    """
    photographs = []
    for name, rows in table.groupby("photograph", sort=False):
        first = rows.iloc[0]
        candidates = [
            {
                "name": row.candidate,
                "file": row.known_photograph,
                "image": _embedded(inside(known, row.known_path)),
                "figures": _figures(row),
            }
            for row in rows.itertuples()
        ]
        photographs.append(
            {
                "name": name,
                "image": _embedded(inside(new, first["path"])),
                "is_new": first["new_individual"] == "yes",
                "candidates": candidates,
            }
        )
    page = Environment(autoescape=True).from_string(PAGE.read_text(encoding="utf-8"))
    text = page.render(title=title, side=SIDE, photographs=photographs)
    with whole_file(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _figures(row: tuple) -> str:
    similarity = f"cosine {row.similarity:.2f}"
    return similarity if pd.isna(row.probability) else f"{row.probability:.0%}, {similarity}"


def _embedded(path: Path) -> str:
    """A small copy of an image as an address that holds it."""
    image = load(path)
    image.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
