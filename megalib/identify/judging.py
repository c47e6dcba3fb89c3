"""Who is on new photographs: ranked candidates, how likely each is, or unlike all known ones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.errors import UserError, told
from megalib.evaluation.judging import flags
from megalib.files.places import shown
from megalib.identify import copies, encounters
from megalib.identify.learning import expected as promises
from megalib.identify.learning import occasions, rehearsal, scores, shared_points
from megalib.identify.learning.candidates import MOST, lists, pairs
from megalib.identify.learning.learned import Judgement as Judgement
from megalib.identify.learning.learned import learn as learn
from megalib.identify.photographs import Photographs

NAMED = 3  # photographs that a sentence names


def rank(
    new: Photographs,
    known: Photographs,
    judgement: Judgement,
    candidates: int,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Rank the known individuals for each new photograph: the first table of `answer`."""
    return answer(new, known, judgement, candidates, device, report)[0]


def answer(
    new: Photographs,
    known: Photographs,
    judgement: Judgement,
    candidates: int,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rank the known individuals for each new photograph, and for each encounter.

    Photographs of opposite flanks are not compared.

    Args:
        new: photographs of animals to be identified.
        known: photographs of known individuals; those of unknown ones are left out.
        judgement: of `learned.learn`.
        candidates: how many to give, at most as many as there are individuals.
        device: where to compare.
        report: takes a line where new photographs are among the known ones, or have no candidate.

    Returns:
        Two tables. The first has one row per animal on a new photograph and candidate, the nearest
        first: `photograph`, `animal`, `image_id`, `rank` from 1, the `candidate`, the
        `known_photograph` and `known_animal` that speak most for it, their `similarity`, the
        `probability` in [0, 1] that it is right if the animal is a known one, `unlike_all_known`
        ("yes" where the best candidate is less similar than the threshold, "no", or empty where
        that could not be learned; the same in all rows of an animal), the `encounter` as noted or
        by `occasions.GAP`, missing where neither is known, and `path` and `known_path` of the
        prepared images. The similarity is the cosine, in [-1, 1], the known photograph the one of
        greatest cosine; where key points count, it is the mean of both matchers, in [0, 1], the
        known photograph the one that shares most points, and `cosine` and `shared_points` follow.
        An animal with which no known photograph may be compared has one row, in which all of the
        candidate is missing.

        The second is that of `encounters.answers`.

    Raises:
        UserError: no known photograph shows a known individual, or a prepared image cannot be read.
    """
    if not len(new.metadata):  # all of them are decided
        return pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=encounters.COLUMNS)
    known_already(new, known, report)
    known = rehearsal.in_order(known)
    if not len(known.metadata):
        raise UserError("no known photograph shows a known individual: nobody can be a candidate")
    apart = pairs(new.metadata, known.metadata)
    found = lists(new, known, apart, max(candidates, MOST), device)
    place, more = found.place, {}
    if judgement.fusion is not None:
        shared = shared_points.shared(new, known, found, apart)
        place, more = shared.place, {"cosine": found.cosine, "shared_points": shared.count}
    score = scores.score(found.cosine, more.get("shared_points"), judgement.fusion)
    columns = scores.order(score)[:, :candidates]
    ranked = np.take_along_axis(score, columns, axis=1)
    is_there = ~np.isnan(ranked)
    alone = new.metadata["photograph"].to_numpy()[~is_there[:, 0]]
    if len(alone):
        report(
            f"{len(alone)} animals have no candidate, since the known photographs show only their "
            f"other side: {_some(alone)}"
        )
    is_there[:, 0] = True
    query, number = np.nonzero(is_there)
    column = columns[query, number]
    met = occasions.meetings(new.metadata)
    table = _described(new.metadata.iloc[query], known.metadata.iloc[place[query, column]])
    probability = np.full(ranked.shape, np.nan)
    if judgement.probability_of is not None:
        probability = judgement.probability_of(ranked)
    table = table.assign(
        rank=number + 1,
        similarity=ranked[query, number],
        probability=probability[query, number],
        unlike_all_known=_flags(ranked[:, 0], judgement.threshold)[query],
        encounter=met.to_numpy()[query],
        **{name: values[query, column] for name, values in more.items()},
    )
    nobody = table["similarity"].isna()
    of_candidate = ["candidate", "known_photograph", "known_animal", "known_path", *more]
    table[of_candidate] = table[of_candidate].astype(object).mask(nobody)
    together = encounters.answers(new.metadata, met, found, score, judgement, candidates)
    return table[[*COLUMNS, *more]], together


COLUMNS = [
    *("photograph", "animal", "image_id", "rank", "candidate", "known_photograph", "known_animal"),
    *("similarity", "probability", "unlike_all_known", "encounter", "path", "known_path"),
]


def _described(asked: pd.DataFrame, nearest: pd.DataFrame) -> pd.DataFrame:
    """What the metadata say of new photographs and of the known ones beside them."""
    ours = asked[["photograph", "animal", "image_id", "path"]].reset_index(drop=True)
    theirs = nearest[["identity", "photograph", "animal", "path"]].reset_index(drop=True)
    theirs.columns = ["candidate", "known_photograph", "known_animal", "known_path"]
    return pd.concat([ours, theirs], axis=1)


def _flags(best: np.ndarray, threshold: float | None) -> np.ndarray:
    """What `unlike_all_known` says of photographs whose best candidates are so similar."""
    if threshold is None:
        return np.full(len(best), "")
    return np.select([best < threshold, best >= threshold], ["yes", "no"], "")


def known_already(
    new: Photographs, known: Photographs, report: Callable[[str], None] = print
) -> None:
    """Report new photographs of which a copy is among the known ones: their answers are no test."""
    pairs_of_copies = copies.already_known(new, known)
    if len(pairs_of_copies):
        named = (
            f"{one.photograph} is {one.known_photograph} of {one.identity}"
            for one in pairs_of_copies.itertuples()
        )
        count = pairs_of_copies["photograph"].nunique()
        report(f"{count} new photographs are, byte for byte, among the known ones: {_some(named)}")


def _some(names: Iterable[str]) -> str:
    names = [told(name) for name in names]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def in_words(table: pd.DataFrame, judgement: Judgement, file: Path) -> str:
    """What was found, in a sentence.

    Args:
        table: of `answer`.
        judgement: by which the candidates were judged.
        file: into which the table was written.
    """
    first = table[table["rank"] == 1]
    photographs, animals = first["photograph"].nunique(), len(first)
    shows = "" if photographs == animals else f" of {animals} animals"
    text = f"{photographs} new photographs{shows}, their candidates in {shown(file)}"
    if judgement.threshold is None:
        return text
    strange = (first["unlike_all_known"] == "yes").sum()
    threshold = f"similarity below {judgement.threshold:.2f}"
    return f"{text}; {strange} are {flags.FLAG} ones ({threshold}): look at these first"


def expected(judgement: Judgement) -> str:
    """What to expect of the answers, see `learned.Judgement`."""
    return judgement.in_words


@dataclass(frozen=True)
class Marks:
    """The answers beside the truth: `in_words`, and `counts`, see `flags.two_by_two`."""

    in_words: str
    counts: pd.DataFrame


def marked(
    table: pd.DataFrame, truth: pd.Series, known: Photographs, judgement: Judgement
) -> Marks:
    """Compare with the truth of `example`, and with what was expected.

    Args:
        table: of `answer`.
        truth: identities by file name.
        known: the photographs of known individuals.
        judgement: by which the candidates were judged.
    """
    first = table[table["rank"] == 1]
    identity = first["photograph"].map(truth)
    is_known = identity.isin(known.metadata["identity"]).to_numpy()
    flagged = (first["unlike_all_known"] == "yes").to_numpy()
    counts = flags.two_by_two(flagged, ~is_known)
    right = (first["candidate"] == identity).to_numpy()
    found = table.loc[table["candidate"] == table["photograph"].map(truth), "image_id"].nunique()
    shares = {
        promises.FIRST: right[is_known],
        promises.RECALL: flagged[~is_known],
        promises.ALARMS: flagged[is_known],
    }
    compared = [
        f"{name[:-3]}: {promises.yours(judgement.expected, name)} % expected, "
        f"{100 * share.mean():.0f} % found"
        for name, share in shares.items()
        if judgement.expected is not None and len(share)
    ]
    return Marks(
        f"Of {is_known.sum()} photographs of known animals, {right.sum()} have the right one as "
        f"first candidate and {found} among all candidates. {flags.counted_in_words(counts)} "
        f"{'; '.join(compared)}".strip(),
        counts,
    )
