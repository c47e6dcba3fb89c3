"""What known photographs teach: a threshold, probabilities, and how far both can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from megalib.evaluation.judging import flags, open_set
from megalib.identify.learning import chances, expected, occasions, rehearsal
from megalib.identify.learning.chances import Probability
from megalib.identify.learning.expected import Expected
from megalib.identify.learning.rehearsal import Rehearsal
from megalib.identify.learning.scores import Fusion
from megalib.identify.photographs import Photographs

CANDIDATES = 5  # ranked for each photograph, where nobody says otherwise


@dataclass(frozen=True)
class Judgement:
    """What was learned from the known individuals alone; None where they are too few.

    `threshold` is the similarity below which a photograph is unlike all known ones.
    `probability_of` turns similarities of candidates into probabilities that they are right, if the
    animal is a known one, see `chances.learn`; `together_of` does it for the mean similarities of
    encounters. `expected` says how well it works on these animals; `in_words` says it in sentences,
    one a line, or what is missing. `fusion` says what key points are worth, see `scores`; without
    it the network decides alone.
    """

    threshold: float | None
    probability_of: Probability | None
    expected: Expected | None = None
    in_words: str = ""
    fusion: Fusion | None = None
    together_of: Probability | None = None

    @property
    def table(self) -> pd.DataFrame:
        """How well it works, as text for a page; empty where nothing is known of it."""
        return pd.DataFrame() if self.expected is None else expected.shown(self.expected)


def learn(
    known: Photographs,
    candidates: int = CANDIDATES,
    seed: int = 0,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
    local_features: bool = False,
    newcomers: float = 0.2,
    new_photographs: int = 100,
) -> Judgement:
    """Learn from the known individuals when one is unlike all, and how likely matches are right.

    Known photographs are asked as if they were new, see `rehearsal`: no photograph is compared with
    one of its own occasion. The threshold is the one of greatest geometric mean of BAKS and BAUS,
    see `open_set.sweep`, where each photograph is asked twice: with its individual among the known
    ones, and without. What its flag is worth is judged in each division by the threshold of the
    others. The probabilities hold if the animal is among the known ones. How often it is not,
    nobody can learn from the known ones. All of it is the same for the same photographs in any
    order.

    Args:
        known: photographs of known individuals.
        candidates: how many are ranked for each photograph.
        seed: of the divisions and intervals.
        device: where to compare.
        report: takes a line where nothing can be learned.
        local_features: whether key points count beside the network, see `scores`.
        newcomers: share of the new photographs that show new animals, in (0, 1), for what is
            expected of the flag.
        new_photographs: how many there are, for what is expected of these.

    Raises:
        UserError: a prepared image cannot be read, or a date cannot.
    """
    try:
        told = rehearsal.rehearse(known, seed, local_features, device, report)
    except rehearsal.TooFew as error:
        text = f"How well this works on these animals cannot be said: {error}."
        report(f"{text} No photograph can be called {flags.FLAG}, and there are no probabilities.")
        return Judgement(None, None, in_words=text)
    met = rehearsal.encounters(told, candidates)
    by_others = np.zeros(len(told.group))
    for group in np.unique(told.group):
        own = told.group == group
        by_others[own] = _threshold(told, ~own)
    promised = expected.measure(told, met, by_others, newcomers, new_photographs, seed)
    words = [expected.in_words(promised), occasions.in_words(known.metadata)]
    probability_of = together_of = None
    how_many = (told.individual.shape[1], len(told.names), told.identity, seed)
    if chances.tells(told.rank, *how_many):
        probability_of = chances.learn(told.score[:, :candidates], told.right[:, :candidates])
        if len(met.identity) >= chances.FEWEST:
            together_of = chances.learn(met.score, met.right)
    else:
        words.append("No probabilities: similarity does not tell right candidates from wrong ones.")
    threshold = _threshold(told, np.full(len(told.group), True))
    return Judgement(
        threshold, probability_of, promised, "\n".join(words), told.fusion, together_of
    )


def _threshold(told: Rehearsal, chosen: np.ndarray) -> float:
    """The best threshold for some of the photographs, each asked twice: as known and as new."""
    names = told.identity[chosen]
    right, score = told.right[chosen, 0], told.score[chosen, 0]
    table = pd.DataFrame(
        {
            "identity": np.tile(names, 2),
            "predicted": np.concatenate([np.where(right, names, ""), np.full(len(names), "")]),
            "similarity": np.concatenate([score, told.as_newcomer[chosen]]),
            "is_new": np.repeat([False, True], len(names)),
        }
    )
    # Photographs that have nobody else to be compared with are flagged by any threshold.
    table = open_set.sweep(table[np.isfinite(table["similarity"])])
    return float(table.loc[table["geometric_mean"].idxmax(), "threshold"])
