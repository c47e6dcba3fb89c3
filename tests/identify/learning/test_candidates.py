"""Lists of candidates against the plain way, with flanks and occasions held apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.identify.learning import candidates
from tests.identify.animals import NAMES, cosines, directions

SIDES = ["left", "right", "front left", "back", np.nan]
OPPOSITE = [("left", "right"), ("right", "left"), ("front left", "right"), ("right", "front left")]


def naive_list(cosine, identity, barred):
    """The best photograph of each individual that may be compared, best first."""
    best = {}
    for place in np.flatnonzero(~barred):
        name = identity[place]
        if name not in best or cosine[place] > cosine[best[name]]:
            best[name] = place
    return sorted(best.items(), key=lambda item: -cosine[item[1]])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999))
def test_lists_are_those_of_the_plain_way(seed):
    rng = np.random.default_rng(seed)
    new = directions(NAMES[:3], 2, seed, 1.0, orientation=rng.choice(SIDES, 6))
    known = directions(NAMES[:4], 3, seed + 1, 1.0, orientation=rng.choice(SIDES, 12))
    ours, theirs = rng.choice(["E1", "E2", "E3"], 6), rng.choice(["E1", "E2", "E4"], 12)
    apart = candidates.pairs(new.metadata, known.metadata, ours, theirs)
    found = candidates.lists(new, known, apart)
    plain = cosines(new, known)
    identity = known.metadata["identity"].to_numpy()
    for query in range(6):
        pairs = [
            (str(new.metadata["orientation"][query]), str(side))
            for side in known.metadata["orientation"]
        ]
        barred = np.array([pair in OPPOSITE for pair in pairs]) | (theirs == ours[query])
        expected = naive_list(plain[query], identity, barred)
        there = found.individual[query] >= 0
        assert found.names[found.individual[query][there]].tolist() == [one for one, _ in expected]
        assert found.place[query][there].tolist() == [place for _, place in expected]
        assert np.isnan(found.cosine[query][~there]).all()
        assert found.cosine[query][there] == pytest.approx(
            [plain[query, place] for _, place in expected], abs=1e-6
        )


def test_without_sides_and_occasions_nothing_is_held_apart():
    known = directions()
    apart = candidates.pairs(known.metadata, known.metadata)
    assert not apart.matter
    assert not apart.barred(slice(None), slice(None)).any()
    sided = known.metadata.assign(orientation=["left", "right"] * 18)
    assert candidates.pairs(sided, sided).matter
