"""The camera: hard light, spots of sun, infrared, motion, and the files that it writes."""

import io

import numpy as np
import pytest
from PIL import Image

from megalib.drawn.photographs.camera import encoded, photograph, segmented

SHAPE = (300, 420)


def grey(value=0.5):
    return np.full((*SHAPE, 3), value, np.float32)


def taken(canvas, shot, seed=0):
    return photograph(canvas.copy(), np.random.default_rng(seed), shot)


@pytest.mark.parametrize("light", ["sun", "shade", "overcast", "infrared"])
def test_same_source_same_picture(shot, light):
    first, again, other = (taken(grey(), shot(light=light), seed) for seed in (1, 1, 2))
    assert first.dtype == np.uint8 and first.shape == (*SHAPE, 3)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_hard_light_has_more_contrast_and_blows_whites_out(shot):
    canvas = np.tile(np.linspace(0.05, 0.95, SHAPE[1], dtype=np.float32)[:, None], (SHAPE[0], 1, 3))

    def spread(light):
        pictures = [taken(canvas, shot(light=light), seed) for seed in range(20)]
        return np.std(pictures), np.mean(np.array(pictures) == 255)

    (hard, blown), (soft, kept) = spread("sun"), spread("")
    assert hard > 1.05 * soft and blown > 1.5 * kept


def test_spots_of_sun_fall_in_the_shade_of_trees_and_not_on_the_sky(shot):
    def patchiness(species, light, value=0.4):
        """The spread of what is larger than the grain of a picture."""
        picture = taken(grey(value), shot(species, light=light), 5)[60:-60, 60:-60]
        blocks = picture[:180, :300].reshape(15, 12, 25, 12, 3).mean((1, 3, 4))
        return blocks.std()

    assert patchiness("zebra", "shade") > 3 * patchiness("zebra", "overcast")
    assert patchiness("whale_shark", "shade") < 2 * patchiness("whale_shark", "overcast")
    assert patchiness("zebra", "shade", 0.95) < 2 * patchiness("zebra", "overcast", 0.95)


def test_infrared_is_grey_noisier_and_darker_in_the_corners(shot):
    coloured = grey() * np.float32((1.3, 0.8, 0.4))
    night = taken(coloured, shot(light="infrared")).astype(int)
    day = taken(coloured, shot(light="overcast")).astype(int)
    assert np.abs(night - night[..., :1]).max() <= 1 < np.abs(day - day[..., :1]).max()
    middle, corner = night[130:170, 190:230].mean(), night[:30, :30].mean()
    assert corner < 0.7 * middle
    fine = np.abs(np.diff(night[130:170, 190:230, 0], axis=1)).mean()
    assert fine > np.abs(np.diff(day[130:170, 190:230, 0], axis=1)).mean()


@pytest.mark.parametrize("length", [6.0, 14.0])
def test_motion_smears_a_point_as_far_as_it_moved(shot, length):
    """A line of that length has a variance of its square over 12 along it."""
    canvas = np.zeros((*SHAPE, 3), np.float32)
    canvas[150, 210] = 400
    added = []
    for seed in range(8):
        spreads = []
        for motion in (0.0, length):
            picture = taken(canvas, shot(light="", motion=motion), seed).astype(float).sum(2)
            window = picture[130:171, 190:231]
            weight = np.where(window > 3 * picture.std() / 10 + 90, window, 0) > 0
            rows, columns = np.nonzero(weight)
            spreads.append(np.hypot(np.ptp(rows), np.ptp(columns)))
        added.append(spreads[1] - spreads[0])
    assert abs(np.mean(added) - length) < 0.25 * length + 1


def test_a_cut_out_animal_is_on_black_and_nowhere_black_itself(shot):
    mask = np.zeros(SHAPE, np.uint8)
    mask[100:200, 100:300] = 255
    for light in ("sun", "shade", "overcast", "infrared"):
        picture = segmented(grey(), np.random.default_rng(0), mask, shot("turtle", light=light))
        assert not picture[mask == 0].any() and picture[mask > 0].min() >= 1
        spread = np.abs(picture.astype(int) - picture[..., :1]).max()
        assert (spread <= 1) == (light == "infrared")


def test_files_hold_the_pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for image in (pixels, pixels[..., 0]):
        with Image.open(io.BytesIO(encoded(image, ".png", 1))) as read:
            assert read.format == "PNG" and np.array_equal(np.asarray(read), image)
    smooth = np.tile(np.arange(80, dtype=np.uint8)[None, :, None], (60, 1, 3))
    sizes, errors = [], []
    for quality in (10, 50, 90):
        data = encoded(smooth, ".jpg", quality)
        with Image.open(io.BytesIO(data)) as read:
            assert read.format == "JPEG" and read.size == (80, 60)
            errors.append(np.abs(np.asarray(read).astype(int) - smooth).mean())
        sizes.append(len(encoded(pixels, ".jpg", quality)))
    assert sizes == sorted(sizes) and len(set(sizes)) == 3
    assert errors[0] > errors[2]
