"""How well it works on these animals: what to expect of the answers before there are any."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from megalib.evaluation.judging import flags
from megalib.evaluation.resampling import DRAWINGS
from megalib.identify.learning.rehearsal import Encounters, Rehearsal

FOUND = 0.95  # share of the known animals that a person wants to find
FIRST = "first candidate is right, %"
TOGETHER = "first candidate of an encounter with several photographs is right, %"
FIVE = "right one is among the first 5, %"
LOOKED_AT = f"candidates to look at, to find {FOUND:.0%} of the known animals"
RECALL = f"photographs of new animals that are {flags.FLAG}, %"
ALARMS = f"photographs of known animals that are {flags.FLAG}, %"
PRECISION = f"photographs {flags.FLAG} that show a new animal, %"
ROWS = [FIRST, TOGETHER, FIVE, LOOKED_AT, RECALL, ALARMS, PRECISION]


@dataclass(frozen=True)
class Expected:
    """What known photographs promise.

    `table` has a row per measure of this module (`FIRST`, …): `expected`; `low` and `high`, its
    95 % interval over individuals; and `low for yours` and `high for yours`, the interval within
    which it would be on as many photographs as there are new ones. Shares are in per cent. NaN: the
    list of candidates ends before, or there is no threshold. `newcomers` is the share of
    photographs that show new animals for which `PRECISION` holds, `listed` how many candidates a
    list holds at most, `photographs` and `individuals` those that were asked.
    """

    table: pd.DataFrame
    newcomers: float
    listed: int
    photographs: int
    individuals: int


def measure(
    told: Rehearsal,
    met: Encounters,
    flagged: np.ndarray,
    flagged_as_newcomer: np.ndarray,
    newcomers: float,
    new_photographs: int,
    seed: int = 0,
) -> Expected:
    """Measure what to expect, with intervals by drawing individuals anew.

    As new photographs show other animals than the ones asked, whole individuals are drawn, with all
    their photographs (see `resampling.cluster_interval`). For as many photographs as there are new
    ones, individuals are drawn out of those drawn, as many as have that number of photographs.

    Args:
        told: of `rehearsal.rehearse`.
        met: of `rehearsal.encounters`.
        flagged: whether each photograph is unlike all known ones, bool (n,).
        flagged_as_newcomer: the same where its own individual is passed over.
        newcomers: share of the new photographs that show new animals, in (0, 1).
        new_photographs: how many there are.
        seed: of the drawings.
    """
    names, codes = np.unique(told.identity, return_inverse=True)
    of_met = np.searchsorted(names, met.identity)
    number, listed = len(names), told.score.shape[1]
    sizes = np.bincount(codes)

    def shares(values: np.ndarray, whose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How often something is true of each individual, and how often it was asked."""
        return np.bincount(whose, values, number), np.bincount(whose, minlength=number)

    of_known = {
        FIRST: shares(told.rank < 1, codes),
        TOGETHER: shares(met.right[:, 0], of_met),
        FIVE: shares(told.rank < 5, codes),
        ALARMS: shares(flagged, codes),
    }
    of_new = shares(flagged_as_newcomer, codes)
    ranks = np.zeros((number, listed + 1))
    np.add.at(ranks, (codes, np.minimum(told.rank, listed).astype(int)), 1)

    def measured(known: np.ndarray, new: np.ndarray) -> dict[str, np.ndarray]:
        """All measures where individuals count so often, known and new, (drawings, individuals)."""
        with np.errstate(invalid="ignore"):  # nobody is asked, nothing is flagged
            found = {name: known @ true / (known @ all_) for name, (true, all_) in of_known.items()}
            found[RECALL] = new @ of_new[0] / (new @ of_new[1])
            hits = newcomers * found[RECALL]
            found[PRECISION] = hits / (hits + (1 - newcomers) * found[ALARMS])
        return found | {LOOKED_AT: _candidates_to_look_at(known @ ranks)}

    rng = np.random.default_rng(seed)
    once = np.ones((1, number))
    drawn = rng.multinomial(number, once[0] / number, size=DRAWINGS)
    of_yours = [
        rng.multinomial(max(1, round(share * new_photographs / sizes.mean())), drawn / number)
        for share in (1 - newcomers, newcomers)
    ]
    expected = measured(once, once)
    table = pd.DataFrame({"expected": [expected[name][0] for name in ROWS]}, index=ROWS)
    for kind, values in (("", measured(drawn, drawn)), (" for yours", measured(*of_yours))):
        for end, part in (("low", 0.025), ("high", 0.975)):
            table[end + kind] = [_quantile(values[name], part) for name in ROWS]
    table.loc[table.index != LOOKED_AT] *= 100
    return Expected(table, newcomers, new_photographs, listed, len(codes), number)


def _candidates_to_look_at(ranks: np.ndarray) -> np.ndarray:
    """How many candidates hold the right one of `FOUND` of the photographs; infinite: too many.

    Args:
        ranks: how many photographs have each rank, the last column those off the list, (d, s + 1).
    """
    reached = ranks.cumsum(axis=1) >= FOUND * ranks.sum(axis=1, keepdims=True) - 1e-9
    number = reached.argmax(axis=1) + 1.0
    return np.where(number > ranks.shape[1] - 1, np.inf, number)


def _quantile(values: np.ndarray, part: float) -> float:
    """One of the values, so that infinite ones do no harm; NaN where none is a number."""
    values = values[~np.isnan(values)]
    return float(np.quantile(values, part, method="inverted_cdf")) if len(values) else np.nan


def shown(expected: Expected) -> pd.DataFrame:
    """The table as text, for a page: a row per measure that could be taken."""
    rows = {}
    for name, row in expected.table.iterrows():
        if not np.isnan(row["expected"]):
            rows[name] = {
                "expected": _value(expected, row["expected"]),
                f"on {expected.new_photographs} new photographs": yours(expected, name),
                "on many": _interval(expected, row, ""),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def in_words(expected: Expected) -> str:
    """The same in a few sentences."""
    said = {
        name: f"{_value(expected, row['expected'])} ({yours(expected, name)})"
        for name, row in expected.table.iterrows()
    }
    has_encounters = not np.isnan(expected.table.loc[TOGETHER, "expected"])
    together = f", and of encounters for {said[TOGETHER]}" if has_encounters else ""
    return (
        f"Expected, from {expected.photographs} photographs of {expected.individuals} known "
        "individuals, in per cent; in brackets what it would be on as many photographs as the "
        f"{expected.new_photographs} new ones, in 95 of 100 cases. Of the photographs of known "
        f"animals, the first candidate is right for {said[FIRST]}{together}; the right one is "
        f"among the first 5 for {said[FIVE]}. To find {FOUND:.0%} of the known animals, a person "
        f"looks at {said[LOOKED_AT]} candidates. {said[RECALL]} of the photographs of new animals "
        f"are {flags.FLAG}, and {said[ALARMS]} of those of known ones. So where "
        f"{expected.newcomers:.0%} of the photographs show new animals, {said[PRECISION]} of the "
        "flagged ones do; where fewer are new, fewer of the flagged are. A network that was "
        "trained on these very photographs does worse on others than this says."
    )


def yours(expected: Expected, name: str) -> str:
    """The interval of a measure on as many photographs as are new, in words."""
    return _interval(expected, expected.table.loc[name], " for yours")


def _value(expected: Expected, value: float) -> str:
    return f"more than {expected.listed}" if np.isinf(value) else f"{value:.0f}"


def _interval(expected: Expected, row: pd.Series, kind: str) -> str:
    low, high = (_value(expected, row[end + kind]) for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"
