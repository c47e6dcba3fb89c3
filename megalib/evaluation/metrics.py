"""How good matching is, said in more than one number.

Each function says its formula and where it comes from. Identities are text, accuracies lie in
[0, 1].
"""

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import recall_score

from megalib.retrieval.found import Ranks


def top_k(ranks: Ranks, k: int) -> float:
    """Share of queries whose individual is among the k nearest database images.

    Σ over queries of [rank of the first right image < k] / n: the cumulative match characteristic
    at rank k (Phillips et al., 2000, "The FERET evaluation methodology for face-recognition
    algorithms", IEEE TPAMI 22), where the database may hold several images of an individual.

    Args:
        ranks: of the queries.
        k: how many images are looked at, 1 or more.
    """
    return float((ranks.first_match < k).mean())


def mean_average_precision(ranks: Ranks) -> float:
    """Mean of the average precision over the queries whose individual is in the database."""
    return float(np.nanmean(ranks.average_precision))


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share by its score test (Wilson, 1927, JASA 22), as scipy has it."""
    interval = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def balanced_accuracy(identity: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the individuals of the share of their images that are right.

    1 / c · Σ over the c individuals of (right images of it) / (images of it): the mean recall
    (Brodersen et al., 2010, "The balanced accuracy and its posterior distribution", ICPR).

    Args:
        identity: the truth, text (n,).
        predicted: text (n,); names that are no truth count as wrong.
    """
    names = np.unique(identity)
    return float(recall_score(identity, predicted, labels=names, average="macro"))


def chance_of_top_1(query_identity: np.ndarray, database_identity: np.ndarray) -> float:
    """Probability that a database image drawn at random shows the query's individual.

    It is averaged over the queries: Σ over individuals of (share of queries) x (share of images).
    """
    names, counts = np.unique(database_identity, return_counts=True)
    shares = dict(zip(names, counts / len(database_identity), strict=True))
    return float(np.mean([shares.get(name, 0.0) for name in query_identity]))


def normalised_gain(accuracy: float, chance: float) -> float:
    """(accuracy - chance) / (1 - chance): 0 is guessing, 1 is perfect.

    The form is that of kappa (Cohen, 1960, "A coefficient of agreement for nominal scales"), with
    `chance_of_top_1` as the agreement by chance; it is below 0 for less than chance.

    Args:
        accuracy: in [0, 1].
        chance: in [0, 1]; where it is 1 there is nothing to gain, and the result is 1.
    """
    return 1.0 if chance == 1 else (accuracy - chance) / (1 - chance)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p-value that two methods are right equally often (McNemar, 1947).

    Only queries on which they disagree count; under equality either is right in half of them.

    Args:
        first: bool (n,), whether one method was right.
        second: bool (n,), whether the other was, on the same queries.
    """
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)
