"""Coats: identity is the layout of a pattern; relatives share a part of it, two flanks do not."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from megalib.drawn.animals import coats
from megalib.drawn.animals.coats import (
    ANGLE,
    DENSITY,
    FAMILY_SHARE,
    SCALE,
    TILE,
    TONE,
    cell_tile,
    stripe_tile,
    traits,
)
from megalib.drawn.animals.species import FAMILY, SPECIES, family_of, painted


def source(*words):
    return np.random.default_rng(words)


def correlation(a, b):
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def looks(individual, side, seed=1):
    own = traits(seed, 0, family_of(individual), individual, side)
    return np.array([own.scale, own.stretch, own.angle, own.density, own.tone, *own.tint])


def test_tiles_are_periodic():
    for tile in (stripe_tile(source(0), source(1)), *cell_tile(source(0), source(1))[:2]):
        assert tile.shape == (TILE, TILE) and tile.dtype == np.float32
        for axis in (0, 1):
            inner = np.abs(np.diff(tile, axis=axis)).max()
            seam = np.take(tile, 0, axis) - np.take(tile, -1, axis)
            assert np.abs(seam).max() <= 1.5 * inner


def test_relatives_share_a_part_of_their_stripes_and_strangers_none():
    siblings = [stripe_tile(source(k), source(99)) for k in range(6)]
    strangers = [stripe_tile(source(k), source(k, 99)) for k in range(6)]
    alike, apart = (
        np.mean([correlation(a, b) for a, b in combinations(tiles, 2)])
        for tiles in (siblings, strangers)
    )
    assert abs(alike - FAMILY_SHARE) < 0.1 and abs(apart) < 0.1


def test_relatives_share_so_many_of_their_cells():
    (*_, first), (*_, second), (*_, stranger) = (
        cell_tile(source(k), source(family)) for k, family in ((0, 9), (1, 9), (2, 8))
    )
    cells = set(np.unique(first))
    assert abs(len(cells & set(np.unique(second))) / len(cells) - FAMILY_SHARE) < 0.12
    assert not cells & set(np.unique(stranger))


def test_traits_are_close_together_and_do_not_depend_on_the_others():
    own = [traits(1, 0, family_of(i), i, side) for i in range(30) for side in (0, 1)]
    assert len({t.scale for t in own}) == len(own)
    assert max(t.scale for t in own) / min(t.scale for t in own) < np.exp(2 * SCALE[1])
    for name, (mean, most) in (("angle", ANGLE), ("density", DENSITY), ("tone", TONE)):
        assert all(abs(getattr(t, name) - mean) <= most for t in own), name
    assert traits(1, 0, 1, 3, 0) == own[6] != traits(2, 0, 1, 3, 0)


def test_traits_of_relatives_are_more_alike():
    table = np.array([looks(i, 0) for i in range(30 * FAMILY)]).reshape(30, FAMILY, -1)
    table = (table - table.mean((0, 1))) / table.std((0, 1))
    within = np.linalg.norm(table - table.mean(1, keepdims=True), axis=-1).mean()
    shuffled = np.random.default_rng(0).permutation(table.reshape(90, -1)).reshape(table.shape)
    among = np.linalg.norm(shuffled - shuffled.mean(1, keepdims=True), axis=-1).mean()
    assert within < 0.97 * among


def test_traits_hardly_match_the_other_flank():
    """Even who knew them exactly would find few other flanks among 30."""
    right_answers = []
    for seed in range(10):
        right, left = (np.array([looks(i, side, seed) for i in range(30)]) for side in (0, 1))
        deviation = right.std(0)
        distance = np.linalg.norm((right[:, None] - left[None]) / deviation, axis=-1)
        right_answers += (distance.argmin(1) == np.arange(30)).tolist()
    assert np.mean(right_answers) < 0.15


@pytest.mark.parametrize("species", SPECIES)
def test_same_animal_same_coat_whatever_was_painted_before(species):
    first = painted(5, species, 4, 0)
    painted.cache_clear()
    painted(5, species, 3, 1)
    again = painted(5, species, 4, 0)
    assert first.keys() == again.keys()
    for name, sheet in first.items():
        assert sheet.dtype == np.uint8 and sheet.shape[2] == 4
        assert np.array_equal(sheet, again[name])


@pytest.fixture
def mean_traits(monkeypatch):
    """Coats that differ by their layout alone, however widely the world spreads their traits."""
    painted.cache_clear()
    monkeypatch.setattr(coats, "SOURCES", (0.0, 0.0, 0.0))
    yield
    painted.cache_clear()


@pytest.mark.parametrize("species", SPECIES)
def test_layouts_of_relatives_are_alike_those_of_strangers_and_other_flanks_less(
    species, mean_traits
):
    """By the correlation of their coats once what all of a species share is taken away."""

    def pattern(individual, side):
        sheet = next(iter(painted(5, species, individual, side).values()))
        return cv2.cvtColor(sheet[190:300, 170:450, :3], cv2.COLOR_RGB2GRAY).astype(float)

    right = np.array([pattern(i, 0) for i in range(12)])
    common = right.mean(0)
    kin = [(i, j) for i in range(12) for j in range(i) if family_of(i) == family_of(j)]
    others = [(i, j) for i in range(12) for j in range(i) if family_of(i) != family_of(j)]
    alike, apart = (
        np.mean([correlation(right[i] - common, right[j] - common) for i, j in pairs])
        for pairs in (kin, others)
    )
    flanks = [correlation(right[i] - common, pattern(i, 1) - common) for i in range(12)]
    assert alike > apart + 0.08
    assert abs(np.mean(flanks)) < 0.12
