"""How well it works on these animals: what to expect of the answers before there are any."""

from collections.abc import Mapping
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
    which it would be on as many photographs as there are new ones. Shares are in per cent; NaN
    where there is nothing to count, infinite where the right one is not on a list of `listed`
    candidates. `newcomers` is the share of photographs that show new animals for which `PRECISION`
    holds, `new_photographs` how many there are, `photographs` and `individuals` those that were
    asked.
    """

    table: pd.DataFrame
    newcomers: float
    new_photographs: int
    listed: int
    photographs: int
    individuals: int


@dataclass(frozen=True)
class Sums:
    """What is true of the photographs of each individual, and last of two imagined ones.

    `known` has by measure how often it is true and how often it was asked, float (k + 2,) each,
    `new` the same of flags where an individual plays a newcomer; `found` how many photographs find
    the right one among the first, the first two, … (k + 2, s); `sizes` how many there are (k + 2,).
    """

    known: Mapping[str, tuple[np.ndarray, np.ndarray]]
    new: tuple[np.ndarray, np.ndarray]
    found: np.ndarray
    sizes: np.ndarray


def measure(
    told: Rehearsal,
    met: Encounters,
    threshold: np.ndarray,
    newcomers: float,
    new_photographs: int,
    seed: int = 0,
) -> Expected:
    """Measure what to expect, with intervals by drawing individuals anew.

    As new photographs show other animals than the ones asked, whole individuals are drawn, with all
    their photographs (see `resampling.cluster_interval`). Two imagined individuals may be drawn,
    too: of one everything is true, of the other nothing. So a few animals that are all found
    promise no certainty, as with the answers of both kinds that Agresti and Coull (1998, The
    American Statistician 52) add to a share. For as many photographs as there are new ones,
    individuals are drawn out of those drawn, as many as have that number.

    Args:
        told: of `rehearsal.rehearse`.
        met: of `rehearsal.encounters`.
        threshold: below which each photograph is unlike all known ones, float (n,).
        newcomers: share of the new photographs that show new animals, in (0, 1).
        new_photographs: how many there are.
        seed: of the drawings.
    """
    sums = _sums(told, met, threshold)
    everybody = len(sums.sizes)
    once = np.append(np.ones(everybody - 2), [0, 0])[None]
    expected = _measures(sums, once, once, newcomers)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(everybody, np.full(everybody, 1 / everybody), size=DRAWINGS)
    known, new = (
        rng.multinomial(
            max(1, round(share * new_photographs / sums.sizes.mean())), drawn / everybody
        )
        for share in (1 - newcomers, newcomers)
    )
    table = pd.DataFrame({"expected": [expected[name][0] for name in ROWS]}, index=ROWS)
    for kind, pair in (("", (drawn, drawn)), (" for yours", (known, new))):
        values = _measures(sums, *pair, newcomers)
        for end, part in (("low", 0.025), ("high", 0.975)):
            table[end + kind] = [_quantile(values[name], part) for name in ROWS]
    table.loc[table.index != LOOKED_AT] *= 100
    asked = (len(told.identity), everybody - 2)
    return Expected(table, newcomers, new_photographs, told.score.shape[1], *asked)


def _sums(told: Rehearsal, met: Encounters, threshold: np.ndarray) -> Sums:
    """Add up what the photographs of each individual found."""
    names, codes = np.unique(told.identity, return_inverse=True)
    listed = told.score.shape[1]

    def shares(values: np.ndarray, whose: np.ndarray = codes) -> tuple[np.ndarray, np.ndarray]:
        true = np.bincount(whose, values, len(names))
        asked = np.bincount(whose, minlength=len(names))
        return np.append(true, [asked.mean(), 0]), np.append(asked, [asked.mean()] * 2)

    def among(most: int) -> np.ndarray:
        return told.grown(told.rank < most, lambda own: told.rank_if(own) < most)

    alarms = told.grown(
        told.score[:, 0] < threshold, lambda own: np.maximum(own, told.as_newcomer) < threshold
    )
    found = np.stack([shares(among(most + 1))[0] for most in range(listed)], axis=1)
    sizes = shares(alarms)[1]
    if listed == len(told.names):  # then nobody is beyond the list
        found[-1, -1] = sizes[-1]
    known = {
        FIRST: shares(among(1)),
        TOGETHER: shares(met.grown, np.searchsorted(names, met.identity)),
        FIVE: shares(among(5)),
        ALARMS: shares(alarms),
    }
    return Sums(known, shares(told.as_newcomer < threshold), found, sizes)


def _measures(
    sums: Sums, known: np.ndarray, new: np.ndarray, newcomers: float
) -> dict[str, np.ndarray]:
    """All measures where individuals count so often, as known and as new, (drawings, k + 2)."""
    with np.errstate(invalid="ignore"):  # nobody is asked, nothing is flagged
        values = {
            name: np.clip(known @ true / (known @ asked), 0, 1)
            for name, (true, asked) in sums.known.items()
        }
        values[RECALL] = new @ sums.new[0] / (new @ sums.new[1])
        hits = newcomers * values[RECALL]
        values[PRECISION] = hits / (hits + (1 - newcomers) * values[ALARMS])
    looked_at = _candidates_to_look_at(known @ sums.found, known @ sums.sizes)
    return values | {LOOKED_AT: looked_at}


def _candidates_to_look_at(found: np.ndarray, photographs: np.ndarray) -> np.ndarray:
    """How many candidates hold the right one of `FOUND` of the photographs; infinite: too many.

    Args:
        found: how many photographs find the right one among the first, the first two, …, (d, s).
        photographs: how many there are, (d,).
    """
    reached = found >= FOUND * photographs[:, None] - 1e-9
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


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
    """The same in a few sentences, one a line."""
    said = {
        name: f"{_value(expected, row['expected'])} ({yours(expected, name)})"
        for name, row in expected.table.iterrows()
    }
    has_encounters = not np.isnan(expected.table.loc[TOGETHER, "expected"])
    together = f", and of encounters for {said[TOGETHER]}" if has_encounters else ""
    lines = [
        f"Expected, from {expected.photographs} photographs of {expected.individuals} known "
        "individuals, in per cent; in brackets what it would be on as many photographs as the "
        f"{expected.new_photographs} new ones, in 95 of 100 cases.",
        "Of the photographs of known animals, the first candidate is right for "
        f"{said[FIRST]}{together}; the right one is among the first 5 for {said[FIVE]}.",
        f"To find {FOUND:.0%} of the known animals, a person looks at {said[LOOKED_AT]} "
        "candidates.",
        f"{said[RECALL]} of the photographs of new animals are {flags.FLAG}, and {said[ALARMS]} of "
        f"those of known ones. So where {expected.newcomers:.0%} of the photographs show new "
        f"animals, {said[PRECISION]} of the flagged ones do; where fewer are new, fewer of the "
        "flagged are.",
        "A network that was trained on these very photographs does worse on others than this says.",
    ]
    return "\n".join(lines)


def yours(expected: Expected, name: str) -> str:
    """The interval of a measure on as many photographs as are new, in words."""
    return _interval(expected, expected.table.loc[name], " for yours")


def _value(expected: Expected, value: float) -> str:
    return f"more than {expected.listed}" if np.isinf(value) else f"{value:.0f}"


def _interval(expected: Expected, row: pd.Series, kind: str) -> str:
    low, high = (_value(expected, row[end + kind]) for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"
