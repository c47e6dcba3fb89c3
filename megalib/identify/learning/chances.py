"""How likely a candidate is right at some similarity: probabilities that never run backwards."""

from collections.abc import Callable

import numpy as np

from megalib.evaluation import resampling
from megalib.evaluation.judging import calibration

FEWEST = 10  # photographs from which a probability can be learned

Probability = Callable[[np.ndarray], np.ndarray]


def learn(score: np.ndarray, right: np.ndarray) -> Probability:
    """Learn how likely a candidate is right, if the animal is among the known ones.

    A first candidate has nobody above it and a further one has, so these are learned apart, each by
    an isotonic regression. One imagined wrong answer at the greatest similarity and one right at
    the least keep it from saying "never" and "certainly" of what was seen a few times (with all n
    right, it says (n + 1) / (n + 2), Laplace's rule of succession).

    Args:
        score: of candidates by falling similarity, float (n, s), NaN where there is nobody.
        right: whether each is right, bool (n, s).

    Returns:
        A function of similarities, float (m, s), the candidates of a photograph in a row and the
        first of them in the first column, or (m,) of first candidates. It gives float64 in [0, 1]
        of the same shape, NaN where there is nobody. Within a column, among all further candidates,
        and from a further to a first one, a greater similarity never has a smaller probability.
    """
    first = _rising(score[:, 0], right[:, 0])
    further = _rising(score[:, 1:], right[:, 1:]) if score.shape[1] > 1 else first

    def probability_of(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype=np.float64)
        result = first(values)
        if values.ndim == 2:
            result[:, 1:] = np.minimum(result[:, 1:], further(values[:, 1:]))
        return result

    return probability_of


def _rising(score: np.ndarray, right: np.ndarray) -> Probability:
    there = ~np.isnan(score)
    values, correct = score[there], right[there]
    if not len(values):
        return lambda asked: np.full(asked.shape, np.nan)
    ends = [values.max(), values.min()]
    stairs = calibration.calibrate(np.append(values, ends), np.append(correct, [False, True]))

    def rising(asked: np.ndarray) -> np.ndarray:
        result = np.full(asked.shape, np.nan)
        is_asked = ~np.isnan(asked)
        if is_asked.any():
            result[is_asked] = stairs(asked[is_asked])
        return result

    return rising


def tells(
    rank: np.ndarray, listed: int, individuals: int, identity: np.ndarray, seed: int = 0
) -> bool:
    """Whether similarity tells right candidates from wrong ones at all.

    The share of the others that are less similar than the right individual is the area under the
    ROC curve of one photograph, 0.5 by chance. Its mean must be greater by more than chance, so its
    95 % interval over individuals must lie above.

    Args:
        rank: of the right individual, from 0, float (n,); infinite where it is not on the list.
        listed: how many a list holds.
        individuals: how many there are.
        identity: of each photograph, text (n,).
        seed: of the interval.
    """
    beyond = (listed + individuals - 1) / 2  # off the list it may be anywhere
    area = 1 - np.where(np.isinf(rank), beyond, rank) / max(individuals - 1, 1)
    return resampling.cluster_interval(area, identity, seed=seed)[0] > 0.5
