"""Images that could not be prepared, and why: `problems.csv` beside the metadata."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from megalib.files import spreadsheet
from megalib.files.places import Run

COLUMNS = ["image_id", "raw_path", "reason"]


@dataclass(frozen=True)
class Problem:
    """An image that could not be prepared: its id, the raw file ("" if none), and the reason."""

    image_id: str
    raw_path: str
    reason: str


def write(run: Run, dataset: str, problems: Sequence[Problem]) -> None:
    """Write the problems of a dataset, also where there are none."""
    table = pd.DataFrame([asdict(problem) for problem in problems], columns=COLUMNS)
    spreadsheet.write(run.problems(dataset), table, index=False)


def read_problems(run: Run, dataset: str) -> pd.DataFrame:
    """Images that the preparation had to leave out: `image_id, raw_path, reason`."""
    file = run.problems(dataset)
    if not file.is_file():  # metadata that were not made here
        return pd.DataFrame(columns=COLUMNS)
    return spreadsheet.read(file)
