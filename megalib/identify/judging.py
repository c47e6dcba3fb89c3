"""What known photographs teach, and how new ones are judged by it: candidates, or unlike all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.data import splits
from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation.judging import calibration, flags, open_set
from megalib.files.places import shown
from megalib.identify.photographs import Photographs
from megalib.retrieval import matching, search

REPEATS = 20  # ways in which the known photographs are divided to learn from them


@dataclass(frozen=True)
class Judgement:
    """What was learned from the known individuals alone; None where they are too few.

    `threshold` is the similarity below which a photograph is unlike all known ones.
    `probability_of` turns the similarities of candidates into probabilities that they are right, if
    the animal is a known one. `tried` says what the flag was worth on the known animals: the
    measures of `flags.MEASURES`, a row per division.
    """

    threshold: float | None
    probability_of: Callable[[np.ndarray], np.ndarray] | None
    tried: pd.DataFrame | None = None


def learn(
    known: Photographs,
    candidates: int,
    seed: int = 0,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
) -> Judgement:
    """Learn from the known individuals when one is unlike all, and how likely matches are right.

    `REPEATS` times, half of the photographs of each individual play the new ones and the other half
    the known ones; for the threshold, a third of the individuals is taken out of the known ones.
    The threshold is the one of greatest geometric mean of BAKS and BAUS over all divisions, see
    `open_set.sweep`. What its flag is worth is judged on each division by the threshold of the
    others. The probabilities are a logistic calibration over all candidates, see
    `calibration.calibrate`. No individual is taken out for these: they hold if the animal is among
    the known ones. How often it is not, nobody can learn from the known ones.

    Args:
        known: photographs of known individuals.
        candidates: how many are ranked for each photograph.
        seed: of the divisions.
        device: where to compare.
        report: takes a line where something cannot be learned.
    """
    parts = [
        splits.add_closed_set_split(known.metadata, 0.5, seed + number) for number in range(REPEATS)
    ]
    threshold, probability_of, tried = None, None, None
    try:
        threshold, tried = _threshold(parts, known.rows, seed, device)
    except UserError as error:
        report(f"no photograph can be called {flags.FLAG}: {error}")
    try:
        probability_of = _calibration(parts, known.rows, candidates, device)
    except UserError as error:
        report(f"no probabilities: {error}")
    return Judgement(threshold, probability_of, tried)


def _threshold(
    parts: list[pd.DataFrame], rows: np.ndarray, seed: int, device: str | torch.device
) -> tuple[float, pd.DataFrame]:
    """The best threshold of all divisions, and what that of all others is worth on each."""
    tables = []
    for number, part in enumerate(parts):
        hidden = splits.hide_individuals(part, 1 / 3, seed + number)
        is_new = hidden.loc[hidden["split"] == "test", "is_new"].to_numpy()
        tables.append(matching.match(hidden, rows, device=device).assign(is_new=is_new))
    tried = []
    for number, table in enumerate(tables):
        threshold = _best(tables[:number] + tables[number + 1 :])
        counts = flags.two_by_two(table["similarity"] < threshold, table["is_new"])
        tried.append(flags.measures(counts))
    return _best(tables), pd.DataFrame(tried)


def _best(tables: list[pd.DataFrame]) -> float:
    table = open_set.sweep(pd.concat(tables, ignore_index=True))
    return float(table.loc[table["geometric_mean"].idxmax(), "threshold"])


def _calibration(
    parts: list[pd.DataFrame], rows: np.ndarray, candidates: int, device: str | torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    similarities, rights = [], []
    for part in parts:
        test, train = ((part["split"] == kind).to_numpy() for kind in ("test", "train"))
        identity = part["identity"].to_numpy()
        most = min(candidates, len(set(identity[train])))
        names, _, similarity = search.nearest_individuals(
            rows[test], rows[train], identity[train], most, device
        )
        similarities.append(similarity.ravel())
        rights.append((names == identity[test, None]).ravel())
    return calibration.calibrate(np.concatenate(similarities), np.concatenate(rights), "logistic")


def rank(
    new: Photographs,
    known: Photographs,
    judgement: Judgement,
    candidates: int,
    device: str | torch.device = "cpu",
) -> pd.DataFrame:
    """Rank the known individuals for each new photograph.

    Args:
        new: photographs of animals to be identified.
        known: photographs of known individuals; those of unknown ones are left out.
        judgement: of `learn`.
        candidates: how many to give, at most as many as there are individuals.
        device: where to compare.

    Returns:
        One row per photograph and candidate, the nearest first: `photograph`, `rank` from 1, the
        `candidate`, its nearest `known_photograph`, their `similarity` in [-1, 1], the
        `probability` in [0, 1] that it is right if the animal is a known one, `unlike_all_known`
        ("yes" where the best candidate is less similar than the threshold, "no", or empty where
        that could not be learned; the same in all rows of a photograph), and `path` and
        `known_path` of the prepared images.

    Raises:
        UserError: no known photograph shows a known individual.
    """
    shows_known = (known.metadata["identity"] != UNKNOWN).to_numpy()
    database = known.metadata[shows_known]
    identity = database["identity"].to_numpy()
    most = min(candidates, len(set(identity)))
    names, index, similarity = search.nearest_individuals(
        new.rows, known.rows[shows_known], identity, most, device
    )
    flat, place = similarity.ravel(), index.ravel()
    query = new.metadata.iloc[np.repeat(np.arange(len(new.rows)), most)]
    table = pd.DataFrame(
        {
            "photograph": query["photograph"].to_numpy(),
            "rank": np.tile(np.arange(1, most + 1), len(new.rows)),
            "candidate": names.ravel(),
            "known_photograph": database["photograph"].to_numpy()[place],
            "similarity": flat,
            "probability": np.nan,
            "unlike_all_known": "",
            "path": query["path"].to_numpy(),
            "known_path": database["path"].to_numpy()[place],
        }
    )
    if judgement.probability_of is not None:
        table["probability"] = judgement.probability_of(flat)
    if judgement.threshold is not None:
        decided = open_set.decide(names[:, 0], similarity[:, 0], judgement.threshold)
        table["unlike_all_known"] = np.repeat(np.where(decided == UNKNOWN, "yes", "no"), most)
    return table


def in_words(table: pd.DataFrame, judgement: Judgement, file: Path) -> str:
    """What was found, and what the flag is worth, in a few sentences.

    Args:
        table: of `rank`.
        judgement: by which the candidates were judged.
        file: into which the table was written.
    """
    first = table[table["rank"] == 1]
    text = f"{len(first)} new photographs, their candidates in {shown(file)}"
    if judgement.threshold is None:
        return text
    strange = (first["unlike_all_known"] == "yes").sum()
    text += f"; {strange} are {flags.FLAG} ones (similarity below {judgement.threshold:.2f}): look "
    return f"{text}at these first. {expected(judgement)}".strip()


def expected(judgement: Judgement) -> str:
    """What to expect of the flag, see `flags.expected_in_words`; "" where nothing was tried."""
    return "" if judgement.tried is None else flags.expected_in_words(judgement.tried)


@dataclass(frozen=True)
class Marks:
    """The answers beside the truth: `in_words`, and `counts`, see `flags.two_by_two`."""

    in_words: str
    counts: pd.DataFrame


def marked(
    table: pd.DataFrame, truth: pd.Series, known: Photographs, judgement: Judgement
) -> Marks:
    """Compare with the truth of `example`.

    Args:
        table: of `rank`.
        truth: identities by file name.
        known: the photographs of known individuals.
        judgement: by which the candidates were judged.
    """
    first = table[table["rank"] == 1]
    identity = first["photograph"].map(truth)
    is_known = identity.isin(known.metadata["identity"]).to_numpy()
    counts = flags.two_by_two(first["unlike_all_known"] == "yes", ~is_known)
    right = (first["candidate"] == identity).to_numpy()
    found = table[table["candidate"] == table["photograph"].map(truth)]["photograph"].nunique()
    tried = judgement.tried
    compared = "" if tried is None else f" {flags.found_in_words(tried, counts)}"
    return Marks(
        f"Of {is_known.sum()} photographs of known animals, {right.sum()} have the right one as "
        f"first candidate and {found} among all candidates. {flags.counted_in_words(counts)}"
        f"{compared}",
        counts,
    )
