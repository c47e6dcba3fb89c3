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

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 1rem/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; }
  body { padding: 0 1rem; }
  section { border-top: 1px solid #8888; display: flex; flex-wrap: wrap; gap: .8rem; }
  section { padding: 1rem 0; }
  figure { margin: 0; width: {{ side }}px; overflow-wrap: anywhere; }
  figcaption { font-size: .85rem; }
  img { max-width: 100%; }
  .new { outline: 4px solid #d55e00; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>Each new photograph stands left, then the known individuals whose photographs are most similar
to it. Photographs with a thick frame probably show an animal that is not among the known ones.
A probability, in per cent, is that of the candidate being right if the animal is a known one.</p>
{% for photograph in photographs %}
<section>
  <figure>
    <img src="{{ photograph.image }}" alt="New photograph {{ photograph.name }}"
         {% if photograph.is_new %}class="new"{% endif %}>
    <figcaption><strong>{{ photograph.name }}</strong>
    {% if photograph.is_new %}<br>probably a new animal{% endif %}</figcaption>
  </figure>
  {% for candidate in photograph.candidates %}
  <figure>
    <img src="{{ candidate.image }}"
         alt="{{ candidate.name }}, known photograph {{ candidate.file }}">
    <figcaption>{{ loop.index }}. <strong>{{ candidate.name }}</strong><br>
    {{ candidate.figures }}</figcaption>
  </figure>
  {% endfor %}
</section>
{% endfor %}
</body>
</html>
"""


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
    page = Environment(autoescape=True).from_string(PAGE)
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
