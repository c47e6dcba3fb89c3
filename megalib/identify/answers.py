"""The answers about new photographs, written for a spreadsheet and for a browser."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from megalib.files import spreadsheet
from megalib.identify import gallery, judging
from megalib.identify.judging import Judgement
from megalib.identify.photographs import Photographs


@dataclass(frozen=True)
class Answers:
    """What was written: the `table` that `csv` holds, and the `page`; `in_words` sums it up.

    `made_by` are the weights and the threshold that decided it, for the last cell of a notebook.
    """

    table: pd.DataFrame
    csv: Path
    page: Path
    in_words: str
    made_by: dict[str, str]


def write_answers(
    folder: Path,
    table: pd.DataFrame,
    judgement: Judgement,
    new: Photographs,
    known: Photographs,
    together: pd.DataFrame | None = None,
) -> Answers:
    """Write the candidates of new photographs as `candidates.csv` and `candidates.html`.

    Where encounters are known, `encounters.csv` holds the answers for these.

    Args:
        folder: where both files go.
        table: of `judging.rank`.
        judgement: by which the candidates were judged.
        new: the new photographs.
        known: those of known individuals.
        together: the answers for encounters, the second table of `judging.answer`.

    Raises:
        UserError: a file cannot be written, or a prepared image cannot be read.
    """
    csv, page = folder / "candidates.csv", folder / "candidates.html"
    told = table.drop(columns=["path", "known_path"])
    spreadsheet.write(csv, told, index=False)
    if together is not None and len(together):
        spreadsheet.write(folder / "encounters.csv", together, index=False)
    else:
        (folder / "encounters.csv").unlink(missing_ok=True)
    gallery.write_page(
        page, "Candidates", table, new.folder, known.folder, judging.expected(judgement)
    )
    threshold = "none" if judgement.threshold is None else f"{judgement.threshold:.6f}"
    made_by = {"Weights": f"SHA-256 {new.weights[:16]}", "Threshold": threshold}
    return Answers(told, csv, page, judging.in_words(table, judgement, csv), made_by)
