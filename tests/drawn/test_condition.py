"""Condition: scars stay where they are, mud belongs to a meeting, water and season tint."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.drawn.animals.condition import WEAR, weathered
from megalib.drawn.animals.species import SPECIES, painted

SEED = 3


def worn(shot, individual=0, side=0):
    return weathered(painted(SEED, shot.species, individual, side), SEED, individual, side, shot)


def main(sheets, species):
    return sheets[WEAR[species].sheet][..., :3].astype(int)


def changed(shot, plain, **kwargs):
    """Where the main sheet differs from that of a plain shot."""
    difference = main(worn(shot, **kwargs), shot.species) - main(
        worn(plain, **kwargs), shot.species
    )
    return np.abs(difference).max(axis=2) > 12


@pytest.mark.parametrize("species", SPECIES)
def test_nothing_changes_a_coat_to_which_nothing_happened(shot, species):
    coat = painted(SEED, species, 0, 0)
    before = {name: sheet.copy() for name, sheet in coat.items()}
    for name, sheet in worn(shot(species)).items():
        assert np.array_equal(sheet, before[name])
    worn(shot(species, wet=1.0, mud=0.5, scars=5))
    assert all(np.array_equal(sheet, before[name]) for name, sheet in coat.items())


@pytest.mark.parametrize("species", SPECIES)
def test_scars_are_added_one_by_one_and_are_the_individuals_own(shot, species):
    plain, spots = shot(species), []
    for scars in range(1, 5):
        spots.append(changed(shot(species, scars=scars), plain))
    sizes = [spot.sum() for spot in spots]
    assert sizes[0] > 20 and all(a < b for a, b in pairwise(sizes))
    for fewer, more in pairwise(spots):
        assert (fewer & more).sum() > 0.9 * fewer.sum()
    later = changed(shot(species, scars=4, encounter=77), shot(species, encounter=77))
    assert np.array_equal(later, spots[-1])
    for other in ({"individual": 1}, {"side": 1}):
        elsewhere = changed(shot(species, scars=4), plain, **other)
        assert (elsewhere & spots[-1]).sum() < 0.5 * spots[-1].sum()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(list(SPECIES)), st.floats(0.1, 0.6), st.integers(0, 1000))
def test_mud_covers_about_the_share_asked_for(shot, species, mud, encounter):
    """Where mud is, the sheet moves towards its colour: that share is solved for per pixel."""
    wear = WEAR[species]
    clean = main(worn(shot(species)), species).astype(float)
    muddy = main(worn(shot(species, mud=mud, encounter=encounter)), species).astype(float)
    left, top, right, bottom = wear.box
    clean, muddy = clean[top:bottom, left:right], muddy[top:bottom, left:right]
    towards = 255 * np.array(wear.mud) - clean
    amount = ((muddy - clean) * towards).sum(2) / np.maximum((towards**2).sum(2), 1)
    assert abs((amount > 0.41).mean() - mud) < 0.06


@pytest.mark.parametrize("species", SPECIES)
def test_mud_is_another_at_another_meeting_and_leaves_outlines_alone(shot, species):
    first = worn(shot(species, mud=0.3, encounter=1, scars=3))
    again = worn(shot(species, mud=0.3, encounter=1, scars=3))
    other = worn(shot(species, mud=0.3, encounter=2, scars=3))
    for name, sheet in painted(SEED, species, 0, 0).items():
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
        assert np.array_equal(first[name][..., 3], sheet[..., 3])


@pytest.mark.parametrize("species", ["zebra", "leopard"])
def test_mud_is_on_legs_and_belly_rather_than_on_the_back(shot, species):
    muddy = np.mean(
        [changed(shot(species, mud=0.3, encounter=k), shot(species)) for k in range(6)], axis=0
    )
    left, top, right, bottom = WEAR[species].box
    middle = (top + bottom) // 2
    below = muddy[middle:bottom, left:right].mean()
    assert below > 2 * muddy[top:middle, left:right].mean()


@pytest.mark.parametrize("species", SPECIES)
def test_a_wet_coat_is_darker_and_has_more_contrast(shot, species):
    dry, wet = main(worn(shot(species)), species), main(worn(shot(species, wet=1.0)), species)
    assert wet.mean() < 0.9 * dry.mean()
    assert wet.std() / wet.mean() > 1.05 * dry.std() / dry.mean()


def test_the_season_tints_each_channel(shot):
    plain = main(worn(shot("zebra")), "zebra")
    tinted = main(worn(shot("zebra", tint=(0.9, 1.0, 0.8))), "zebra")
    for channel, factor in enumerate((0.9, 1.0, 0.8)):
        assert np.abs(tinted[..., channel] - factor * plain[..., channel]).max() <= 1
