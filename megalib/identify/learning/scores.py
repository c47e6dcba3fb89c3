"""How similar a photograph is to an individual: by the network, or by network and key points.

The two do not measure in the same unit. As in WildFusion (Cermak et al., 2024, "WildFusion:
Individual animal identification with calibrated similarity fusion", ECCV workshops), an isotonic
regression turns each into how often a candidate was right at that value; the score is the mean.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from megalib.evaluation.judging import calibration

STEP = 1e-6  # by which the cosine counts, so that it orders what the regressions make equal

Calibrated = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fusion:
    """From cosines, and from numbers of shared points, to how often a candidate was right."""

    cosine: Calibrated
    count: Calibrated


def learn_fusion(cosine: np.ndarray, count: np.ndarray, right: np.ndarray) -> Fusion:
    """Learn what cosines and shared points are worth.

    Args:
        cosine: of photographs and individuals, float (n, s), NaN where there is nobody.
        count: of the points that they share, int (n, s).
        right: whether it is the individual on the photograph, bool (n, s).

    Raises:
        UserError: all are right, or all are wrong.
    """
    there = ~np.isnan(cosine)
    return Fusion(
        calibration.calibrate(cosine[there], right[there]),
        calibration.calibrate(count[there], right[there]),
    )


def score(cosine: np.ndarray, count: np.ndarray | None, fusion: Fusion | None) -> np.ndarray:
    """The similarity by which individuals are ranked.

    Args:
        cosine: float (n, s), NaN or -inf where there is nobody.
        count: int (n, s), or None without key points.
        fusion: of `learn_fusion`, or None to take the cosine as it is.

    Returns:
        float64 (n, s): the cosine, in [-1, 1], or the mean of both matchers, in [0, 1]; where the
        cosine is no number, that.
    """
    result = cosine.astype(np.float64)
    there = np.isfinite(cosine)
    if fusion is None or count is None or not there.any():
        return result
    both = fusion.cosine(cosine[there]) + fusion.count(count[there])
    result[there] = np.clip((1 - STEP) * both / 2 + STEP * (1 + cosine[there]) / 2, 0, 1)
    return result


def order(score: np.ndarray) -> np.ndarray:
    """The columns of lists by falling score, int64 (n, s); of equals the first, nobody at the end.

    Args:
        score: float (n, s), NaN where there is nobody.
    """
    return np.argsort(-np.nan_to_num(score, nan=-np.inf), axis=1, kind="stable")


def together(individual: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The individuals on the lists of several photographs, by their mean score.

    Where an individual is not on a list that holds as many as it can, it counts as the last of
    these; where a list has room left, the individual cannot be compared with that photograph, as
    one of which only the other flank is known, and the mean is one of the other photographs.

    Args:
        individual: a number for each, int64 (m, s), -1 where there is nobody.
        score: float (m, s), there NaN.

    Returns:
        The individuals, int64 (k,), and their mean scores, float64 (k,), falling; of equals the
        lower number first.
    """
    numbers = np.unique(individual[individual >= 0])
    is_full = (individual >= 0).all(axis=1)
    least = np.where(is_full, score.min(axis=1, initial=np.inf, where=individual >= 0), np.nan)
    table = np.tile(least[:, None], len(numbers))
    rows, columns = np.nonzero(individual >= 0)
    table[rows, np.searchsorted(numbers, individual[rows, columns])] = score[rows, columns]
    means = np.nanmean(table, axis=0)
    falling = np.argsort(-means, kind="stable")
    return numbers[falling], means[falling]
