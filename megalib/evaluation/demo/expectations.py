"""What the demo is expected to show, since it is what the field knows; and whether it does.

Each expectation is about some rows of the truth table: it sees the top-1 of a row from a reference,
such as the top-1 of another row, and says between which bounds the result lies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from megalib.evaluation.demo import record
from megalib.flavours import POCKET

RANDOM, NEAR_AND_FLAT, LATER, FLANK, BACKGROUND = record.CONDITIONS
OWN_BACKGROUND = "own background"  # the random split of those species that have a background
NAMES = list(POCKET)


class Row(NamedTuple):
    """Who answers, with which weights, and what is asked; see `record.read`."""

    method: str
    weights: str
    condition: str


class Scale(NamedTuple):
    """How a top-1 in per cent is seen: as (top-1 - reference) / unit."""

    reference: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class World:
    """Means over species and trainings of one world, in per cent by row."""

    top_1: Mapping[Row, float]
    chance: Mapping[Row, float]

    def at(self, row: Row) -> float:
        """The top-1 of a row; NaN where it was not measured."""
        return self.top_1.get(row, nan)

    def best(self, rows: list[Row]) -> float:
        """The greatest top-1 of those rows that were measured; NaN if none was."""
        return max((self.top_1[row] for row in rows if row in self.top_1), default=nan)

    def worst(self, rows: list[Row]) -> float:
        """The smallest one, in the same way."""
        return min((self.top_1[row] for row in rows if row in self.top_1), default=nan)


def worlds(table: pd.DataFrame) -> dict[int, World]:
    """The figures of each world, by its seed.

    Args:
        table: as `record.read` returns it.
    """
    swapped = table.loc[table["condition"] == BACKGROUND, "species"].unique()
    usual = table[(table["condition"] == RANDOM) & table["species"].isin(swapped)]
    means = record.means(pd.concat([table, usual.assign(condition=OWN_BACKGROUND)]))
    found = {}
    for seed, part in means.groupby("world_seed"):
        by_row = part.groupby(list(Row._fields))[["top_1", "chance"]].mean()
        rows = [Row(*key) for key in by_row.index]
        columns = (dict(zip(rows, by_row[name], strict=True)) for name in by_row)
        found[int(seed)] = World(*columns)
    return found


@dataclass(frozen=True)
class Expectation:
    """One expectation.

    `sentence` says it, with `low` and `high` in braces. `scales` says which rows it is about, and
    how each is seen in a world. The values shall lie between `low` and `high`, both included;
    `unit` is said behind them. `otherwise` says what it means if one does not.
    """

    sentence: str
    scales: Callable[[World], Mapping[Row, Scale]]
    low: float
    high: float
    unit: str
    otherwise: str

    def __str__(self) -> str:
        """The sentence with its bounds."""
        return self.sentence.format(low=self.low, high=self.high)

    def values(self, world: World) -> dict[Row, float]:
        """What is found in a world: the values of those rows that were measured."""
        values = {
            row: (world.at(row) - reference) / unit if unit else nan
            for row, (reference, unit) in self.scales(world).items()
        }
        return {row: value for row, value in values.items() if not isnan(value)}

    def is_met(self, value: float) -> bool:
        """Whether a value lies between the bounds."""
        return self.low <= value <= self.high

    def bands(self, world: World) -> dict[Row, tuple[float, float]]:
        """Between which top-1, in per cent, each measured row is expected in this world."""
        scales = self.scales(world)
        ends = {
            row: [scales[row].reference + scales[row].unit * end for end in (self.low, self.high)]
            for row in self.values(world)
        }
        return {row: (max(min(pair), 0.0), min(max(pair), 100.0)) for row, pair in ends.items()}


def of(weights: str, condition: str = RANDOM) -> list[Row]:
    """The rows of all networks with some weights, smallest network first."""
    return [Row(name, weights, condition) for name in NAMES]


def below(row: Row, condition: str = RANDOM) -> Callable[[World], Scale]:
    """Points below the same method, trained as usual, or asked under another condition."""
    usual = row._replace(condition=condition, weights="trained" if row.weights else "")
    return lambda world: Scale(world.at(usual), -1)


THUMBNAILS, SIFT = Row("thumbnails", "", RANDOM), Row("SIFT", "", RANDOM)
SIFT_NEAR = SIFT._replace(condition=NEAR_AND_FLAT)
SWAPPED = THUMBNAILS._replace(condition=BACKGROUND)
UNTRAINED, FROZEN, TRAINED = of("random"), of("imagenet"), of("trained")


def _frozen(world: World) -> dict[Row, Scale]:
    """Frozen networks, above the better of thumbnails and themselves with random weights."""
    before = {row: (THUMBNAILS, row._replace(weights="random")) for row in FROZEN}
    return {row: Scale(np.max([world.at(one) for one in two])) for row, two in before.items()}


def _rising(world: World) -> dict[Row, Scale]:
    """Each trained network but the smallest, above the one before it."""
    return {row: Scale(world.at(before)) for before, row in pairwise(TRAINED)}


def _lost(world: World) -> dict[Row, Scale]:
    """Thumbnails with another background: how much they lose of what they have above chance."""
    own = THUMBNAILS._replace(condition=OWN_BACKGROUND)
    above = world.at(own) - world.chance.get(own, nan)
    return {SWAPPED: Scale(world.at(own), -above / 100 if above > 0 else 0)}


EXPECTED = (
    Expectation(
        "Thumbnails of a few pixels are right on at most {high:g} %",
        lambda _: {THUMBNAILS: Scale()},
        *(-inf, 25, "%"),
        "light, outline and background give animals away, and a method may be right that has seen "
        "no coat",
    ),
    Expectation(
        "Networks with random weights are right on at most {high:g} %",
        lambda _: dict.fromkeys(UNTRAINED, Scale()),
        *(-inf, 25, "%"),
        "the task can be done without having learned anything",
    ),
    Expectation(
        "Frozen ImageNet networks are better than thumbnails and than random weights",
        _frozen,
        *(0, inf, "points above the better of these"),
        "what photographs of everything teach is of no use for these drawings",
    ),
    Expectation(
        "Training makes every network better than its frozen ImageNet weights",
        lambda world: {row: below(row)(world) for row in FROZEN},
        *(0, inf, "points below the trained network"),
        "the training teaches nothing that ImageNet had not taught",
    ),
    Expectation(
        "On near, flat coats SIFT is better than every frozen network",
        lambda world: {SIFT_NEAR: Scale(world.best(of("imagenet", NEAR_AND_FLAT)))},
        *(0, inf, "points above the best of these"),
        "corners and spots are not what tells these coats apart, as they are on real ones",
    ),
    Expectation(
        "On all photographs SIFT is worse than every trained network",
        lambda world: {SIFT: Scale(world.worst(TRAINED), -1)},
        *(0, inf, "points below the worst of these"),
        "the photographs are too plain: local features alone do what networks are trained for",
    ),
    Expectation(
        f"{NAMES[0]} is right on {{low:g}} to {{high:g}} %",
        lambda _: {TRAINED[0]: Scale()},
        *(55, 80, "%"),
        "the animals are too hard for the smallest network, or leave the larger ones no room",
    ),
    Expectation(
        "Each larger network is at least as good as the one before it",
        _rising,
        *(0, inf, "points above the one before"),
        "the order of the flavours that the paper found is not to be seen in every step",
    ),
    Expectation(
        f"{NAMES[-1]} is at least {{low:g}} points better than {NAMES[0]}",
        lambda world: {TRAINED[-1]: Scale(world.at(TRAINED[0]))},
        *(10, inf, f"points above {NAMES[0]}"),
        "size and larger images buy less here than they do in the paper",
    ),
    Expectation(
        f"{NAMES[-1]} is right on at most {{high:g}} %",
        lambda _: {TRAINED[-1]: Scale()},
        *(-inf, 95, "%"),
        "the task is nearly solved, and could not tell better networks apart",
    ),
    Expectation(
        "Trained on earlier days and asked about later ones, every network loses at least {low:g} "
        "points",
        lambda world: {row: below(row)(world) for row in of("trained", LATER)},
        *(8, inf, "points lower"),
        "photographs of one day resemble each other less than those of the field, and a random "
        "split flatters less",
    ),
    Expectation(
        "Shown the other flank, trained networks are right at most {high:g} times as often as "
        "chance",
        lambda world: {row: Scale(0, world.chance.get(row, nan)) for row in of("trained", FLANK)},
        *(-inf, 3, "times chance"),
        "something other than the coat is the same on both flanks, and gives the animal away",
    ),
    Expectation(
        "In front of another background, trained networks lose at most {high:g} points",
        lambda world: {row: below(row, OWN_BACKGROUND)(world) for row in of("trained", BACKGROUND)},
        *(-inf, 10, "points lower"),
        "the networks look at the place, and not only at the animal",
    ),
    Expectation(
        "In front of another background, thumbnails lose at least {low:g} % of what they have "
        "above chance",
        _lost,
        *(50, inf, "% of it lost"),
        "what thumbnails find is not the background: the outline or the light of the animal itself "
        "gives it away",
    ),
)


def judged(found: Mapping[int, World]) -> pd.DataFrame:
    """Each expectation in each world.

    Args:
        found: of `worlds`.

    Returns:
        One row per expectation (`number`, its place in `EXPECTED`), world (`world_seed`) and row of
        the truth table that was measured (`row`): the `value` in the unit of the expectation, and
        whether it `is_met`.
    """
    rows = [
        (number, seed, row, value, expectation.is_met(value))
        for number, expectation in enumerate(EXPECTED)
        for seed, world in found.items()
        for row, value in expectation.values(world).items()
    ]
    return pd.DataFrame(rows, columns=["number", "world_seed", "row", "value", "is_met"])


def bands(found: Mapping[int, World]) -> dict[Row, tuple[float, float]]:
    """Between which top-1, in per cent, each row is expected by all expectations about it.

    Bounds that depend on other figures are means over the worlds. Where expectations contradict
    each other, a band has no width.
    """
    ends: dict[Row, list[list[tuple[float, float]]]] = {}
    for expectation in EXPECTED:
        own: dict[Row, list[tuple[float, float]]] = {}
        for world in found.values():
            for row, band in expectation.bands(world).items():
                own.setdefault(row, []).append(band)
        for row, pairs in own.items():
            ends.setdefault(row, []).append(np.mean(pairs, axis=0))
    return {
        row: (max(low for low, _ in pairs), min(high for _, high in pairs))
        for row, pairs in ends.items()
    }
