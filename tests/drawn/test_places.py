"""Places: a station keeps its background, days and lights change it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.drawn.places import daylight, stations
from megalib.drawn.places.growth import foreground
from megalib.drawn.places.scenes import BASE_SIZE, Base
from megalib.drawn.places.stations import scene

LIGHTS = ("sun", "shade", "overcast", "infrared")
PLACED = ("zebra", "leopard", "whale_shark")
SIZE = (640, 540)


def view(species="zebra", station=0, light="sun", day=50, size=SIZE, seed=1, picture=0):
    return scene(seed, species, station, light, day, size, np.random.default_rng(picture))


@pytest.mark.parametrize("species", [*PLACED, "turtle"])
@pytest.mark.parametrize("light", LIGHTS)
def test_same_words_same_scene(species, light):
    first = view(species, light=light)
    stations._base.cache_clear()
    view(species, station=3)
    again = view(species, light=light)
    assert first.picture.dtype == np.uint8 and first.picture.shape == (540, 640, 3)
    assert np.array_equal(first.picture, again.picture)
    assert first.light == again.light and first.haze == again.haze
    assert all(np.isfinite([*first.light.direction, *first.light.sun, *first.light.sky]))
    if species != "turtle":
        other = view(species, light=light, seed=2)
        assert not np.array_equal(first.picture, other.picture)


@pytest.mark.parametrize("species", PLACED)
def test_a_station_is_recognised_on_other_days(species):
    """The nearest thumbnail, by correlation, is most often one of the same station."""

    def thumbnail(station, day, light, picture):
        small = cv2.resize(view(species, station, light, day, picture=picture).picture, (32, 27))
        fine = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(float)
        return (fine - cv2.GaussianBlur(fine, (0, 0), 4)).ravel()

    stationed = [
        (station, thumbnail(station, 200 * k + 7, light, 10 * station + k))
        for station in range(6)
        for k, light in enumerate(("sun", "overcast", "shade"))
    ]
    likeness = np.corrcoef([thumb for _, thumb in stationed])
    np.fill_diagonal(likeness, -1)
    where = np.array([station for station, _ in stationed])
    assert (where[likeness.argmax(1)] == where).mean() > 0.6  # by chance 2 of 17


@pytest.mark.parametrize("species", PLACED)
def test_pictures_of_one_day_share_light_and_haze(species):
    first, second, later = (view(species, day=d, picture=p) for d, p in ((5, 0), (5, 1), (6, 0)))
    assert first.light == second.light and first.haze == second.haze
    assert first.light != later.light


@given(st.sampled_from(PLACED), st.integers(0, 7), st.sampled_from(LIGHTS), st.integers(0, 1095))
@settings(max_examples=20, deadline=None)
def test_a_scene_says_where_its_ground_is(species, station, light, day):
    for size in ((960, 540), (540, 720), (300, 200)):
        one = view(species, station, light, day, size)
        assert one.picture.shape == (*size[::-1], 3)
        if species == "whale_shark":
            assert (one.place, one.ground, one.horizon) == ("water", None, None)
        else:
            assert one.place == "land" and 0 < one.horizon < one.ground < size[1]
        assert all(0 <= c <= 1 for c in one.haze) and 0 <= one.murk <= 0.25


@settings(max_examples=30, deadline=None)
@given(st.integers(200, 500), st.integers(0, 99), st.sampled_from([(640, 540), (960, 540)]))
def test_the_horizon_is_where_the_cut_shows_it(row, seed, size):
    picture = np.zeros((BASE_SIZE[1], BASE_SIZE[0], 4), np.uint8)
    picture[row:] = 255
    part, horizon = daylight.cut(Base(picture, row, ()), size, np.random.default_rng(seed))
    assert abs(np.flatnonzero(part[:, 0, 0] > 127)[0] - horizon) <= 1.5


@pytest.mark.parametrize("species", ["zebra", "leopard"])
def test_infrared_is_grey_and_falls_off_with_depth(species):
    for station in range(4):
        one = view(species, station, "infrared")
        grey = one.picture.astype(int)
        assert np.abs(grey - grey[..., :1]).max() <= 8
        horizon = round(one.horizon)
        near, far = grey[-60:].mean(), grey[horizon + 4 : horizon + 24].mean()
        assert near > 2 * far and grey[: horizon // 3].mean() < far
        assert one.light.direction[2] > 0.9


def test_the_land_is_greener_after_the_rains():
    assert daylight.season(daylight.RAINS) > 0.99 > 0.01 > daylight.season(daylight.RAINS + 182)

    def green(day):
        ground = view("zebra", 0, "overcast", day).picture[-150:].astype(float).mean((0, 1))
        return ground[1] / ground[0]

    rains, drought = ([green(d + shift + k) for k in range(3)] for d, shift in ((90, 0), (90, 182)))
    assert np.mean(rains) > 1.05 * np.mean(drought)


def test_a_turtle_is_on_black_whatever_the_station():
    for light in LIGHTS:
        one = view("turtle", light=light)
        assert not one.picture.any() and one.place == "black"


def test_grass_grows_before_the_feet_only_where_there_is_ground():
    for species, grows in (("zebra", True), ("whale_shark", False), ("turtle", False)):
        one = view(species)
        canvas = one.picture * np.float32(1 / 255)
        before = canvas.copy()
        foreground(canvas, np.random.default_rng(0), one)
        changed = np.abs(canvas - before).max(axis=2) > 0.02
        assert changed.any() == grows
        assert not changed[: int(540 * 0.3)].any()
