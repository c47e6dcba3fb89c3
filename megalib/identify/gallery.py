"""A page of photographs and their candidates, to be checked by eye in any browser."""

from pathlib import Path

import pandas as pd
from jinja2 import Environment

from megalib.data.images import as_address
from megalib.evaluation.judging import flags
from megalib.files.places import inside
from megalib.files.writing import whole_file

SIDE = 160  # pixels of the longer side of an image on the page

PAGE = Path(__file__).with_suffix(".html")  # its template


def write_page(
    file: Path, title: str, table: pd.DataFrame, new: Path, known: Path, expected: str = ""
) -> None:
    """Write the page; the images are in it, so the file can be sent to others as it is.

    Args:
        file: of the page.
        title: its heading.
        table: of `judging.rank`.
        new: folder of the prepared new photographs.
        known: folder of the prepared known ones.
        expected: what the flag of photographs unlike all known ones is worth, in words.
    """
    photographs = []
    for (name, _), rows in table.groupby(["photograph", "animal"], sort=False):
        first = rows.iloc[0]
        candidates = [
            {
                "name": row.candidate,
                "file": row.known_photograph,
                "image": as_address(inside(known, row.known_path), SIDE),
                "figures": _figures(row),
            }
            for row in rows.dropna(subset="candidate").itertuples()
        ]
        photographs.append(
            {
                "name": name,
                "image": as_address(inside(new, first["path"]), SIDE),
                "is_flagged": first["unlike_all_known"] == "yes",
                "candidates": candidates,
            }
        )
    page = Environment(autoescape=True).from_string(PAGE.read_text(encoding="utf-8"))
    text = page.render(
        title=title, side=SIDE, photographs=photographs, flag=flags.FLAG, expected=expected
    )
    with whole_file(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _figures(row: tuple) -> str:
    similarity = f"similarity {row.similarity:.2f}"
    return similarity if pd.isna(row.probability) else f"{row.probability:.0%}, {similarity}"
