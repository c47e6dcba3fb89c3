"""The page of candidates: a working place in any browser, where a person decides who is who.

It asks nobody for anything: images are in it or in the folder beside it. What a person decides is
kept by the browser and saved as `decisions.csv`, see `decisions`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from jinja2 import Environment

from megalib import stamp
from megalib.data.metadata import UNKNOWN
from megalib.evaluation.judging import flags
from megalib.files.places import runs_root
from megalib.files.writing import whole_file
from megalib.identify import decisions
from megalib.identify.page import cards, thumbnails
from megalib.identify.page.cards import Card, Extras
from megalib.identify.page.thumbnails import Copy, Wanted
from megalib.identify.photographs import Photographs

PAGE = Path(__file__).with_suffix(".html")  # its template
PART = 50  # sections that the browser leaves out together while they are far
FILLED = 80  # sections that the browser holds as elements at a time


def write_page(
    file: Path,
    title: str,
    table: pd.DataFrame,
    new: Photographs,
    known: Photographs,
    expected: str = "",
    earlier: pd.DataFrame | None = None,
    extras: Extras | None = None,
) -> None:
    """Write the page, and where its images are many, the folder of the same name beside it.

    Args:
        file: of the page.
        title: its heading.
        table: of `judging.rank`.
        new: the new photographs.
        known: those of known individuals.
        expected: what the flag of photographs unlike all known ones is worth, in words.
        earlier: decisions of earlier pages, see `decisions.read`: what the page saves holds them,
            too.
        extras: what else is known, see `cards.Extras`.

    Raises:
        UserError: the page cannot be written, or a prepared image cannot be read.
    """
    animals = list(cards.make(table, new, known, extras or Extras()))
    with thumbnails.copies(_wanted(animals), file.with_suffix("")) as copies:
        numbers = _numbers(animals, copies)
        page = Environment(autoescape=True).from_string(PAGE.read_text(encoding="utf-8"))
        text = page.render(
            title=title,
            cards=animals,
            copies=copies,
            part=PART,
            numbers=numbers,
            flag=flags.FLAG,
            expected=expected,
            understood=(extras or Extras()).understood,
            facts=_facts(animals, copies, numbers, new, known, earlier),
        )
        with whole_file(file) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _wanted(animals: list[Card]) -> Iterator[Wanted]:
    for card in animals:
        yield card.copy
        if card.whole is not None:
            yield card.whole
        for candidate in card.candidates:
            yield from (photo.copy for photo in candidate.photos)


def _numbers(animals: list[Card], copies: dict[Wanted, Copy]) -> dict[Wanted, int]:
    """A number for each known photograph that the page itself holds.

    Many new animals have the same candidates: their photographs are in the page once.
    """
    shown = dict.fromkeys(
        photo.copy
        for card in animals
        for candidate in card.candidates
        for photo in candidate.photos
    )
    held = [one for one in shown if copies[one].address.startswith("data:")]
    return {one: number for number, one in enumerate(held)}


def _facts(
    animals: list[Card],
    copies: dict[Wanted, Copy],
    numbers: dict[Wanted, int],
    new: Photographs,
    known: Photographs,
    earlier: pd.DataFrame | None,
) -> dict:
    """What the script of the page works with, as JSON."""
    shared = {card.encounter for card in animals if card.animals > 1}
    told = [] if earlier is None else earlier[list(decisions.COLUMNS)].astype(str).to_numpy()
    return {
        # Of the place, and not of what is there: what was decided outlives another run.
        "key": "candidates-" + stamp.digest([os.path.relpath(new.folder, runs_root())]),
        "columns": decisions.COLUMNS,
        "words": decisions.WORDS,
        "looks": thumbnails.LOOKS,
        "filled": FILLED,
        "images": [copies[wanted].address for wanted in numbers],
        "known": sorted(set(known.metadata["identity"]) - {UNKNOWN}),
        "earlier": [list(row) for row in told],
        "animals": [
            {
                "photograph": card.photograph,
                "animal": card.animal,
                "image_id": card.image_id,
                "look": copies[card.copy].look,
                "encounter": "" if card.encounter in shared else card.encounter,
                "candidates": [candidate.name for candidate in card.candidates],
            }
            for card in animals
        ],
    }
