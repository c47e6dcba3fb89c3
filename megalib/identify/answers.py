"""The answers about new photographs, written for a spreadsheet, a browser and other programs."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from megalib.files import spreadsheet
from megalib.identify import camtrap, encounters, history, judging
from megalib.identify.albums import Album
from megalib.identify.decisions import Decided
from megalib.identify.learning import key_points
from megalib.identify.learning.learned import CANDIDATES, Judgement
from megalib.identify.page import gallery
from megalib.identify.page.cards import Extras
from megalib.identify.photographs import Photographs


@dataclass(frozen=True)
class Answers:
    """What was written: the `table` that `csv` holds, and the `page`; `in_words` sums it up.

    `ranked` is the table with the paths of the prepared images, see `judging.answer`, `together`
    the answers for encounters. `others` are the files for other programs, see `write_answers`.
    `made_by` are the weights and the threshold that decided it, for the last cell of a notebook.
    """

    table: pd.DataFrame
    ranked: pd.DataFrame
    csv: Path
    page: Path
    in_words: str
    made_by: dict[str, str]
    together: pd.DataFrame | None
    others: tuple[Path, ...] = ()


def answer(
    album: Album,
    judgement: Judgement,
    folder: Path,
    candidates: int = CANDIDATES,
    device: str | torch.device = "cpu",
    occasion_days: int = 1,
    scientific_name: str = "",
    utc_offset: str = "+00:00",
) -> Answers:
    """Rank the known individuals for the new photographs of an album, and write the answers.

    Args:
        album: of `albums.open_album`.
        judgement: of `learned.learn`.
        folder: where the files go, see `write_answers`.
        candidates: how many to rank for each animal.
        device: where to compare.
        occasion_days: see `history.capture_history`.
        scientific_name: of the species, for the observations.
        utc_offset: of the cameras' clock, see `camtrap.observations`.

    Raises:
        UserError: no known photograph shows a known individual, an image cannot be read, a file
            cannot be written, or an option is none.
    """
    new, known = album.new, album.known
    table, together = judging.answer(new, known, judgement, candidates, device)
    between = key_points.between_images(new, known)
    extras = Extras(
        points=(lambda pair: between(*pair)) if judgement.fusion is not None else None,
        wholes=album.wholes,
        encounters=encounters.in_words(together),
        understood=album.understood,
    )
    how = (occasion_days, scientific_name, utc_offset)
    return write_answers(
        folder, table, judgement, new, known, together, album.decided, extras, *how
    )


def write_answers(
    folder: Path,
    table: pd.DataFrame,
    judgement: Judgement,
    new: Photographs,
    known: Photographs,
    together: pd.DataFrame | None = None,
    decided: Decided | None = None,
    extras: Extras | None = None,
    occasion_days: int = 1,
    scientific_name: str = "",
    utc_offset: str = "+00:00",
) -> Answers:
    """Write the candidates of new photographs as `candidates.csv` and `candidates.html`.

    Where encounters are known, `encounters.csv` holds the answers for these. Where days are known,
    `observations.csv` follows, in the form of Camtrap DP, and with those of known individuals
    `capture_history.csv` and `capture_history.inp`.

    Args:
        folder: where the files go.
        table: of `judging.rank`.
        judgement: by which the candidates were judged.
        new: the new photographs, without those that are decided.
        known: those of known individuals, with those that were decided.
        together: the answers for encounters, the second table of `judging.answer`.
        decided: what a person decided before, see `decisions.apply`.
        extras: what else the page is to show, see `page.cards.Extras`.
        occasion_days: see `history.capture_history`.
        scientific_name: of the species, for the observations.
        utc_offset: of the cameras' clock, see `camtrap.observations`.

    Raises:
        UserError: a file cannot be written, a prepared image cannot be read, or an option is none.
    """
    csv, page = folder / "candidates.csv", folder / "candidates.html"
    told = table.drop(columns=["path", "known_path"])
    spreadsheet.write(csv, told, index=False)
    if together is not None and len(together):
        spreadsheet.write(folder / "encounters.csv", together, index=False)
    else:
        (folder / "encounters.csv").unlink(missing_ok=True)
    earlier = None if decided is None else decided.file
    gallery.write_page(
        page, "Candidates", table, new, known, judging.expected(judgement), earlier, extras
    )
    threshold = "none" if judgement.threshold is None else f"{judgement.threshold:.6f}"
    made_by = {"Weights": f"SHA-256 {new.weights[:16]}", "Threshold": threshold}
    by_network = f"network of {made_by['Weights']}"
    animals = None if decided is None else decided.animals
    observed = camtrap.observations(
        table, new.metadata, animals, by_network, scientific_name, utc_offset
    )
    seen = history.capture_history(known.metadata, occasion_days)
    texts = [judging.in_words(table, judgement, csv), observed.in_words, seen.in_words]
    others = [*camtrap.write(folder, observed), *history.write(folder, seen)]
    return Answers(told, table, csv, page, "\n".join(texts), made_by, together, tuple(others))
