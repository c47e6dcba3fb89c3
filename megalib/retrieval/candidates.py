"""Candidates: who is on the photographs by the answers of several methods, side by side.

Answers are what `inference.infer` and `sift.infer` found, by method and dataset. All methods have
been asked about the same photographs.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from jinja2 import Environment

from megalib.data.images import as_address
from megalib.files.places import inside
from megalib.retrieval.found import CANDIDATES, Found
from megalib.retrieval.matching import parts_of

TEMPLATE = Path(__file__).with_suffix(".html")  # of the gallery
QUERY_SIDE, SIDE = 256, 144  # pixels of the longer side of a query and of a candidate
FIRST, AMONG = "first candidate right", f"right one among the first {CANDIDATES}"

Answers = Mapping[str, Mapping[str, Found]]


def table(found: Found) -> pd.DataFrame:
    """The candidates of each query, the nearest first.

    Args:
        found: by any method on one dataset.

    Returns:
        One row per query and candidate: `image_id, identity, path` of the query, `rank` from 1, the
        `candidate`, the path `candidate_path` of its nearest image, and whether it is `correct`.
    """
    is_query, is_database = parts_of(found.metadata)
    k = found.ranks.candidates.shape[1]
    queries = found.metadata.loc[is_query, ["image_id", "identity", "path"]]
    nearest = found.metadata[is_database].iloc[found.ranks.candidates.ravel()]
    rows = queries.iloc[np.repeat(np.arange(len(queries)), k)].reset_index(drop=True)
    rows["rank"] = np.tile(np.arange(1, k + 1), len(queries))
    rows["candidate"] = nearest["identity"].to_numpy()
    rows["candidate_path"] = nearest["path"].to_numpy()
    return rows.assign(correct=rows["candidate"] == rows["identity"])


def counted(answers: Answers) -> pd.DataFrame:
    """How many new photographs each method names correctly, and how many one would guess.

    Returns:
        One row per method, and "guessing", which may expect to be right on 1 in K photographs where
        a dataset has K known individuals: the number of photographs whose first candidate is right,
        column `FIRST`, and of those that have the right one among their candidates, `AMONG`.
    """
    rows, guess = {}, np.zeros(2)
    for method, by_dataset in answers.items():
        rank = pd.concat([table(found).query("correct")["rank"] for found in by_dataset.values()])
        rows[method] = {FIRST: (rank == 1).sum(), AMONG: len(rank)}
    for found in next(iter(answers.values())).values():
        is_query, is_database = parts_of(found.metadata)
        known = found.metadata.loc[is_database, "identity"].nunique()
        guess += is_query.sum() * np.minimum([1, CANDIDATES], known) / known
    rows["guessing"] = {FIRST: guess[0], AMONG: guess[1]}
    return pd.DataFrame.from_dict(rows, orient="index")


def finding(answers: Answers) -> Markdown:
    """How many new photographs each method names correctly, in one sentence for a page."""
    *methods, guess = counted(answers)[FIRST].items()
    count = sum(len(found.matches) for found in next(iter(answers.values())).values())
    named = ", ".join(f"{method} names {right:.0f} correctly" for method, right in methods)
    guessed = f"guessing would name about {guess[1]:.0f}"
    return Markdown(f"**Of {count} new photographs, {named}, and {guessed}.**")


def gallery(folders: Mapping[str, Path], answers: Answers, first: int = 2) -> HTML:
    """New photographs, and beside each the candidates of every method, right and wrong ones marked.

    The images are in it; on a telephone there are fewer in a row.

    Args:
        folders: of the prepared images, by dataset.
        answers: on these datasets.
        first: photographs of each dataset that are seen at once, chosen by their image ids, which
            are digests; the others are folded.

    Raises:
        UserError: an image cannot be read.
    """
    shown, folded = [], []
    for dataset, folder in folders.items():
        by_method = {method: table(found[dataset]) for method, found in answers.items()}
        rows = {name: dict(list(own.groupby("image_id"))) for name, own in by_method.items()}
        for number, query in enumerate(sorted(next(iter(rows.values())))):
            card = _card(folder, {method: own[query] for method, own in rows.items()})
            (shown if number < first else folded).append(card)
    page = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return HTML(page.render(shown=shown, folded=folded))


def _card(folder: Path, by_method: Mapping[str, pd.DataFrame]) -> dict:
    """What the template wants to know of one query."""
    query = next(iter(by_method.values())).iloc[0]
    found = [
        {"method": method, "candidates": [_candidate(folder, row) for row in rows.itertuples()]}
        for method, rows in by_method.items()
    ]
    image = as_address(inside(folder, query["path"]), QUERY_SIDE)
    return {"name": query["identity"], "image": image, "found": found}


def _candidate(folder: Path, row: tuple) -> dict:
    verdict = "right" if row.correct else "wrong" if row.rank == 1 else "other"
    image = as_address(inside(folder, row.candidate_path), SIDE)
    return {"name": row.candidate, "image": image, "verdict": verdict}
