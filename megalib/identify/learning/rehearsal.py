"""A rehearsal: photographs of known individuals play the new ones.

Each is asked once, and compared with all photographs of other occasions. So it finds what a new
photograph finds: a database as large as the real one, and nothing of its own burst. Where its own
individual is passed over in what was found, it plays a newcomer.

What is learned is tried on others than those it was learned from: the individuals are divided into
`DIVISIONS` groups, and each group is judged by what the others teach.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.identify import copies
from megalib.identify.learning import candidates, growth, occasions, scores, shared_points
from megalib.identify.learning.candidates import Pairs
from megalib.identify.learning.growth import Fewer
from megalib.identify.learning.scores import Fusion
from megalib.identify.photographs import Photographs

DIVISIONS = 20  # groups of individuals, of which each is judged by the others
FEWEST = 5  # individuals from which anything can be learned
MOST = 2000  # photographs that are asked: more teach little more, and each takes time
MOST_BY_POINTS = 600  # of these where key points are compared


class TooFew(UserError):
    """Too few individuals were photographed on two occasions to learn anything from them."""


@dataclass(frozen=True)
class Rehearsal:
    """What n photographs of known individuals found among the others.

    `identity`, `occasion` are theirs, text (n,), and `group` says which of the `DIVISIONS` their
    individual is in, int64 (n,). `names` are those of all individuals; `individual` is the place
    among these of each one on their lists, the most similar first, int64 (n, s), -1 where there is
    nobody; `score` its similarity, float64 (n, s), there NaN, by what other groups teach; `right`
    whether it is theirs, bool (n, s). `fewer` is the score of their own individual if one occasion
    more is left out, and `occasions` how many can be, see `growth.Fewer`. `fusion` is learned from
    all groups, None where key points are not compared.
    """

    identity: np.ndarray
    occasion: np.ndarray
    group: np.ndarray
    names: np.ndarray
    individual: np.ndarray
    score: np.ndarray
    fewer: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    occasions: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fusion: Fusion | None = None

    @property
    def right(self) -> np.ndarray:
        """Whether it is the individual on the photograph, bool (n, s)."""
        return (self.names[self.individual] == self.identity[:, None]) & (self.individual >= 0)

    @property
    def rank(self) -> np.ndarray:
        """Of the right individual, from 0, float64 (n,); infinite where it is not on the list."""
        right = self.right
        return np.where(right.any(axis=1), right.argmax(axis=1), np.inf)

    @property
    def as_newcomer(self) -> np.ndarray:
        """The greatest similarity to another individual than the right one, float64 (n,)."""
        return self._others.max(axis=1)

    @property
    def _others(self) -> np.ndarray:
        return np.where(self.right | np.isnan(self.score), -np.inf, self.score)

    def rank_if(self, own: np.ndarray) -> np.ndarray:
        """The rank if the right individual were so similar; off the list where it is not at all."""
        above = (self._others > own[:, None]).sum(axis=1)
        return np.where(np.isneginf(own), np.inf, above)

    def grown(self, value: np.ndarray, value_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """What a value would be with one occasion more of each individual, as new photographs find.

        What one occasion less takes from it, one more adds; a little less, since each adds less
        than the one before: with c others, c / (c + 1) of the mean that leaving out one of them
        takes away.

        Args:
            value: of each photograph, such as whether its first candidate is right, (n,).
            value_of: the same if the individual's score were another one, (n,).

        Returns:
            float64 (n,); the mean of it is meant, single ones mean nothing.
        """
        value = np.asarray(value, dtype=np.float64)
        less = [
            np.where(np.isnan(own), 0, value - value_of(np.nan_to_num(own, nan=0, neginf=-np.inf)))
            for own in self.fewer.T
        ]
        return value + sum(less) / (self.occasions + 1)


@dataclass(frozen=True)
class Encounters:
    """What m encounters with several photographs found: `score` and `right` of candidates, (m, s).

    They are as in `Rehearsal`, and so is `identity`, text (m,). `grown` is whether the first
    candidate is right, with one occasion more of each individual, see `Rehearsal.grown`.
    """

    identity: np.ndarray
    score: np.ndarray
    right: np.ndarray
    grown: np.ndarray


def rehearse(
    known: Photographs,
    seed: int = 0,
    by_points: bool = False,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
) -> Rehearsal:
    """Ask photographs of known individuals who is on them.

    Args:
        known: photographs of known individuals; those of unknown ones take no part.
        seed: of the groups, and of the choice where there are more than `MOST` photographs.
        by_points: whether key points are compared.
        device: where to compare embeddings.
        report: takes a line where key points teach nothing.

    Returns:
        The same for the same photographs in any order.

    Raises:
        TooFew: fewer than `FEWEST` individuals have photographs of two occasions.
        UserError: a prepared image cannot be read, or a date cannot.
    """
    known = in_order(known)
    rng = np.random.default_rng(seed)
    occasion = occasions.of(known.metadata, copies.numbers(known))
    identity = known.metadata["identity"].to_numpy(dtype=str)
    everybody = candidates.pairs(known.metadata, known.metadata, occasion, occasion)
    asked = np.flatnonzero(_can_be_found(identity, everybody))
    number = len(set(identity[asked]))
    if number < FEWEST:
        raise TooFew(
            f"that takes {FEWEST} individuals or more with photographs of two occasions that can "
            f"be compared, and there are {number}"
        )
    most = MOST_BY_POINTS if by_points else MOST
    if len(asked) > most:
        asked = np.sort(rng.choice(asked, most, replace=False))
    query = known.some(asked)
    apart = candidates.pairs(query.metadata, known.metadata, occasion[asked], occasion)
    found = candidates.lists(query, known, apart, device=device)
    names, codes = np.unique(identity[asked], return_inverse=True)
    group = (rng.permutation(len(names)) % DIVISIONS)[codes]
    shared = shared_points.shared(query, known, found, apart) if by_points else None
    told = Rehearsal(
        identity=identity[asked],
        occasion=occasion[asked],
        group=group,
        names=found.names,
        individual=found.individual,
        score=scores.score(found.cosine, None, None),
    )
    right = told.right
    own = np.where(right.any(axis=1), right.argmax(axis=1), -1)
    if shared is not None and len(set(group[own >= 0])) < 2:
        report("key points are left out: too few animals are found to learn what they are worth")
        shared = None
    less = growth.fewer(known, asked, apart, shared, own)
    if shared is None:
        return replace(told, fewer=less.cosine, occasions=less.occasions)
    return _fused(told, found.cosine, shared.count, less)


def _fused(told: Rehearsal, cosine: np.ndarray, count: np.ndarray, less: Fewer) -> Rehearsal:
    """The same by network and key points, each group by what the others teach about these."""
    score, fewer, right = np.empty(cosine.shape), np.empty(less.cosine.shape), told.right
    for one in np.unique(told.group):
        own = told.group == one
        others = scores.learn_fusion(cosine[~own], count[~own], right[~own])
        score[own] = scores.score(cosine[own], count[own], others)
        fewer[own] = scores.score(less.cosine[own], less.count[own], others)
    order = scores.order(score)
    return replace(
        told,
        individual=np.take_along_axis(told.individual, order, axis=1),
        score=np.take_along_axis(score, order, axis=1),
        fusion=scores.learn_fusion(cosine, count, right),
        fewer=fewer,
        occasions=less.occasions,
    )


def in_order(known: Photographs) -> Photographs:
    """Photographs of known individuals, sorted: among equals, the first of them decides."""
    table = known.metadata.reset_index(drop=True)
    order = table.sort_values(["photograph", "animal"], kind="stable").index.to_numpy()
    return known.some(order[(table["identity"] != UNKNOWN).to_numpy()[order]])


def _can_be_found(identity: np.ndarray, apart: Pairs) -> np.ndarray:
    """Whether a photograph may be compared with another one of its individual, bool (n,)."""
    found = np.zeros(len(identity), dtype=bool)
    codes = np.unique(identity, return_inverse=True)[1]
    for own in np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1]):
        found[own] = ~apart.barred(own, own).all(axis=1)
    return found


def encounters(told: Rehearsal, candidates: int) -> Encounters:
    """Known encounters play new ones: an individual on one occasion, with several photographs.

    Args:
        told: what these photographs found one by one.
        candidates: how many are wanted of each encounter.
    """
    table = pd.DataFrame({"identity": told.identity, "occasion": told.occasion})
    groups = table.groupby(["identity", "occasion"]).indices.values()
    several = [rows for rows in groups if len(rows) > 1]
    score = np.full((len(several), candidates), np.nan)
    right = np.zeros(score.shape, dtype=bool)
    grown = np.zeros(len(several))
    # What each photograph loses without its best other occasion, as if that were one for them all.
    own = np.where(told.right, told.score, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        lost = np.nan_to_num(own - told.fewer[:, 0], nan=0, posinf=np.inf)
    for number, rows in enumerate(several):
        individual, mean = scores.together(told.individual[rows], told.score[rows])
        is_own = told.names[individual] == told.identity[rows[0]]
        count = min(candidates, len(mean))
        score[number, :count], right[number, :count] = mean[:count], is_own[:count]
        others = mean[~is_own].max(initial=-np.inf)
        stays = is_own.any() and mean[is_own][0] - lost[rows].mean() > others
        less = (is_own[0] - float(stays)) / (told.occasions[rows[0]] + 1)
        grown[number] = is_own[0] + less
    return Encounters(told.identity[[rows[0] for rows in several]], score, right, grown)
