"""What one occasion more of an animal is worth, since a rehearsal leaves one out.

A known photograph that plays a new one is compared with the other occasions of its animal: one less
than a real new photograph finds. How much that costs is seen by leaving out one more.
"""

from dataclasses import dataclass

import numpy as np

from megalib.identify.learning.candidates import Pairs
from megalib.identify.learning.shared_points import Shared
from megalib.identify.photographs import Photographs
from megalib.retrieval import search


@dataclass(frozen=True)
class Fewer:
    """How similar n photographs are to their own individual, if another occasion is left out.

    It makes a difference for two occasions at most: that of the photograph of greatest cosine, in
    the first column, and that of the one with most shared points, in the second. `cosine` is
    float64 (n, 2), -inf where nothing is left to compare with, and NaN where there is no such
    occasion or it is the same as the first; `count` int64 (n, 2). `occasions` is how many there
    are that can be left out, int64 (n,).
    """

    cosine: np.ndarray
    count: np.ndarray
    occasions: np.ndarray


def fewer(
    known: Photographs, asked: np.ndarray, apart: Pairs, shared: Shared | None, own: np.ndarray
) -> Fewer:
    """Leave out one occasion more of each individual that is asked for.

    Args:
        known: photographs of known individuals.
        asked: the places of those among them that are asked, int64 (n,).
        apart: which pairs of these and of all are not compared.
        shared: the points that they share with the individuals on their lists.
        own: the column of their own individual on these lists, int64 (n,), -1 where it is not.
    """
    identity = known.metadata["identity"].to_numpy(dtype=str)
    rows = search.unit(known.rows, "known").numpy()
    cosine = np.full((len(asked), 2), np.nan)
    count = np.zeros((len(asked), 2), dtype=np.int64)
    occasions = np.ones(len(asked), dtype=np.int64)
    album = {name: np.flatnonzero(identity == name) for name in np.unique(identity[asked])}
    for number in np.flatnonzero(own >= 0):
        one = asked[number]
        others = album[identity[one]]
        others = others[~apart.barred(np.array([number]), others)[0]]
        similar, when = rows[others] @ rows[one], apart.occasion[others]
        occasions[number] = len(np.unique(when))
        best = when[similar.argmax()]
        special = [best]
        points = places = np.zeros(0, dtype=np.int64)
        if shared is not None:
            places = shared.places[number, own[number]]
            points = shared.counts[number, own[number]][places >= 0]
            places = apart.occasion[places[places >= 0]]
            most = places[points.argmax()]
            special += [most] if most != best else []
        for column, left_out in enumerate(special):
            rest, rest_of_points = similar[when != left_out], points[places != left_out]
            cosine[number, column] = rest.max(initial=-np.inf)
            count[number, column] = rest_of_points.max(initial=0)
    return Fewer(cosine, count, occasions)
