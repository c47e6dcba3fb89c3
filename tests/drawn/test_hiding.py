"""Hiding: about the share asked for, from below or from a side, and the mask says what is left."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.drawn.photographs.hiding import hide
from megalib.drawn.places.stations import scene

WAYS = ("grass", "herd", "bush", "murk")
SPECIES = ("zebra", "whale_shark", "turtle")  # on land, in water, on black
SIZE = (480, 400)


def animal(across, size=SIZE):
    """A striped ellipse on a canvas, and its mask."""
    mask = np.zeros(size[::-1], np.uint8)
    middle = (size[0] // 2, size[1] // 2 + 20)
    cv2.ellipse(mask, middle, (across // 2, across // 4), 0, 0, 360, 255, -1, cv2.LINE_AA)
    stripes = np.float32(0.5 + 0.4 * np.sign(np.sin(np.arange(size[0]) / across * 60)))
    return mask, np.repeat(np.tile(stripes, (size[1], 1))[..., None], 3, axis=2)


def hidden(species, how, share, across=260, seed=0, light="overcast"):
    """The canvas before and after, the mask, and what is left of it."""
    rng = np.random.default_rng(seed)
    place = scene(1, species, seed % 8, light, 40, SIZE, rng)
    mask, coat = animal(across)
    inside = (mask > 0)[..., None]
    before = np.where(inside, coat, place.picture * np.float32(1 / 255)).astype(np.float32)
    after = before.copy()
    left = hide(after, mask, place, rng, how, share)
    assert left.dtype == np.float32 and left.shape == mask.shape
    return before, after, mask, cv2.convertScaleAbs(mask * left)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SPECIES),
    st.sampled_from(WAYS),
    st.floats(0.1, 0.6),
    st.sampled_from([40, 90, 260, 400]),
    st.integers(0, 999),
)
def test_about_the_share_asked_for_is_hidden(species, how, share, across, seed):
    before, after, mask, left = hidden(species, how, share, across, seed)
    assert (left <= mask).all()
    assert abs(1 - left.sum() / mask.sum() - share) < (0.1 if across > 40 else 0.18)
    assert after.dtype == np.float32 and after.min() >= 0 and after.max() <= 1.01
    seen = (left > 250) & (mask > 250)
    if seen.sum() > 50:
        assert np.abs(after[seen] - before[seen]).mean() < 0.03


@pytest.mark.parametrize("how", ["", "frame"])
def test_nothing_is_put_before_an_animal_that_nothing_hides(how):
    before, after, mask, left = hidden("zebra", how, 0.5)
    assert np.array_equal(before, after) and np.array_equal(mask, left)
    before, after, mask, left = hidden("zebra", "grass", 0.0)
    assert np.array_equal(before, after) and np.array_equal(mask, left)


@pytest.mark.parametrize("how", ["grass", "murk"])
@pytest.mark.parametrize("species", ["zebra", "whale_shark"])
def test_grass_and_clouds_hide_from_below(species, how):
    upper, lower = [], []
    for seed in range(6):
        *_, mask, left = hidden(species, how, 0.3, seed=seed)
        gone = 1 - left / np.maximum(mask, 1)
        rows = np.flatnonzero(mask.any(axis=1))
        middle = int(rows.mean())
        upper.append(gone[rows[0] : middle][mask[rows[0] : middle] > 0].mean())
        lower.append(gone[middle : rows[-1]][mask[middle : rows[-1]] > 0].mean())
    assert np.mean(lower) > 1.8 * np.mean(upper)


def test_a_neighbour_hides_from_a_side():
    sides = []
    for seed in range(8):
        *_, mask, left = hidden("zebra", "herd", 0.35, seed=seed)
        gone = (1 - left / np.maximum(mask, 1)) * (mask > 0)
        half = mask.shape[1] // 2
        sides.append(gone[:, :half].sum() / gone.sum())
    assert all(share < 0.3 or share > 0.7 for share in sides)
    assert min(sides) < 0.3 and max(sides) > 0.7, "from either side"


@pytest.mark.parametrize("how", WAYS)
def test_hidden_parts_of_a_cut_out_animal_are_black(how):
    _, after, mask, left = hidden("turtle", how, 0.4)
    gone = (mask > 250) & (left < 25)
    assert gone.sum() > 0.2 * (mask > 250).sum() and after[gone].max() < 0.1


@pytest.mark.parametrize("how", WAYS)
def test_same_source_same_pixels(how):
    first, second, other = (hidden("zebra", how, 0.4, seed=s)[1] for s in (3, 3, 11))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_nothing_is_put_before_an_animal_that_is_not_in_the_picture():
    place = scene(1, "zebra", 0, "sun", 1, SIZE, np.random.default_rng(0))
    canvas = place.picture * np.float32(1 / 255)
    nothing = np.zeros(SIZE[::-1], np.uint8)
    for how in WAYS:
        after = canvas.copy()
        left = hide(after, nothing, place, np.random.default_rng(0), how, 0.5)
        assert (left == 1).all() and np.array_equal(after, canvas)


def test_mist_is_bright_in_the_flash():
    before, after, mask, left = hidden("zebra", "murk", 0.5, light="infrared")
    gone = (mask > 250) & (left < 20)
    assert after[gone].mean() > 0.2
    assert before.shape == after.shape
