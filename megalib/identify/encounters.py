"""One answer for each encounter, beside those for its photographs."""

import numpy as np
import pandas as pd

from megalib.identify.learning import scores
from megalib.identify.learning.candidates import Lists
from megalib.identify.learning.learned import Judgement

COLUMNS = ["encounter", "photographs", "rank", "candidate", "similarity", "probability"]


def answers(
    query: pd.DataFrame,
    encounter: pd.Series,
    found: Lists,
    score: np.ndarray,
    judgement: Judgement,
    candidates: int,
) -> pd.DataFrame:
    """Rank the known individuals for each encounter of the new photographs.

    An individual's similarity is its mean over the photographs of the encounter, see
    `scores.together`. A photograph of several animals says nothing of which is which in others, so
    an encounter with one is left out.

    Args:
        query: metadata of the new photographs.
        encounter: of each, text, missing where it is not known.
        found: the lists of the new photographs.
        score: of their individuals, float (n, s), NaN where there is nobody.
        judgement: of `learned.learn`.
        candidates: how many to give.

    Returns:
        One row per encounter and candidate: `encounter`, the number of its `photographs`, `rank`
        from 1, the `candidate`, its `similarity`, the `probability` that it is right if the animal
        is a known one (for several photographs, learned from known encounters, or where these are
        too few, that of a single photograph), and `unlike_all_known` ("yes" where the best
        candidates of the photographs are on average less similar than the threshold, "no", or
        empty).
    """
    several = query.groupby("photograph")["image_id"].transform("size") > 1
    crowded = set(encounter[several.to_numpy()].dropna())
    tables = [pd.DataFrame(columns=[*COLUMNS, "unlike_all_known"])]
    for name, rows in (
        encounter.reset_index(drop=True).groupby(encounter.to_numpy()).indices.items()
    ):
        individual, mean = scores.together(found.individual[rows], score[rows])
        if name in crowded or not len(mean):
            continue
        individual, mean = individual[:candidates], mean[:candidates]
        together = judgement.together_of if len(rows) > 1 else None
        probability_of = together or judgement.probability_of
        best = np.nanmean(score[rows].max(axis=1, initial=-np.inf, where=~np.isnan(score[rows])))
        table = pd.DataFrame({"rank": np.arange(1, len(mean) + 1)})
        table = table.assign(
            encounter=name,
            photographs=len(rows),
            candidate=found.names[individual],
            similarity=mean,
            probability=np.nan if probability_of is None else probability_of(mean[None])[0],
            unlike_all_known="",
        )
        if judgement.threshold is not None:
            table["unlike_all_known"] = "yes" if best < judgement.threshold else "no"
        tables.append(table[[*COLUMNS, "unlike_all_known"]])
    return pd.concat(tables, ignore_index=True)


def in_words(table: pd.DataFrame) -> dict[str, str]:
    """What all photographs of an encounter say together, by its name.

    Args:
        table: of `answers`.
    """
    said = {}
    for row in table[table["rank"] == 1].itertuples():
        chance = "" if pd.isna(row.probability) else f", {row.probability:.0%}"
        said[row.encounter] = (
            f"{row.photographs} photographs together: {row.candidate}{chance}, "
            f"similarity {row.similarity:.2f}"
        )
    return said
