"""The truth of drawn animals beside their prepared images, and masks that are cut as these are."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib.data import catalogue, truth
from megalib.data.images import load
from megalib.data.metadata import read_metadata
from megalib.data.truth import read_truth
from megalib.errors import UserError
from tests.conftest import prepare

SIZES = (96, 160)
NAMES = [entry.name for entry in catalogue.DRAWN]


@pytest.fixture
def ready(run, drawn_animals, capsys):
    """Copy a small drawing into the run, change it, and prepare it."""

    def make(name, change=lambda folder: None):
        entry = catalogue.find(name)
        folder = entry.folder(run.raw())
        shutil.copytree(drawn_animals[entry.species], folder)
        change(folder)
        prepare(entry, folder, run, SIZES)
        return read_metadata(run.metadata(name))

    return make


@pytest.mark.parametrize("name", NAMES)
def test_each_prepared_image_has_its_truth(ready, run, name):
    metadata, facts = ready(name), read_truth(run, name)
    assert list(facts.index) == list(metadata["image_id"])
    assert not set(facts) & set(metadata), "they join without a clash"
    joined = metadata.join(facts, on="image_id")
    known = joined["identity"] != "unknown"
    assert joined.loc[known, "identity"].equals(joined.loc[known, "animal"])
    assert set(joined.loc[~known, "animal"]).isdisjoint(joined["identity"])
    raw = pd.read_csv(run.raw() / name / "truth.csv", keep_default_na=False)
    raw = raw.set_index("mask").loc[facts["mask"]]
    for column in ("animal", "date", "pixels", "hidden", "encounter", "hidden_by"):
        assert list(joined[column]) == list(raw[column]), column
    # The name of an image is that of its picture, with the id.
    stems = raw["path"].str.rsplit(".", n=1).str[0]
    assert all(path.startswith(stem) for path, stem in zip(joined["path"], stems, strict=True))


def as_pictures(folder):
    """Put the masks in the place of the pictures; of two animals, the last one's."""
    rows = pd.read_csv(folder / "truth.csv")
    for row in rows.itertuples():
        with Image.open(folder / row.mask) as image:
            image.convert("RGB").save(folder / row.path, quality=95)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_is_cut_and_resized_as_its_image(ready, run, name):
    """Where the masks are the pictures, the prepared image of each is its mask."""
    metadata = ready(name, as_pictures)
    pairs = metadata["path"].str.rsplit("_", n=1).str[0].duplicated(keep=False)
    for row in metadata[~pairs].itertuples():
        for size in SIZES:
            mask = truth.mask(run, name, row.image_id, size)
            image = np.asarray(load(run.images(size, name) / row.path))[..., 0] / 255
            assert mask.dtype == np.float32 and mask.shape == image.shape
            assert min(mask.shape) == size and mask.min() >= 0 and mask.max() <= 1
            # JPEG changes the values a little, PNG does not.
            assert np.abs(mask - image).mean() < (1e-6 if name == "DemoTurtle" else 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_covers_the_animal_of_its_image(ready, run, name):
    for row in ready(name).itertuples():
        mask = truth.mask(run, name, row.image_id, SIZES[0], run.raw())
        image = np.asarray(load(run.images(SIZES[0], name) / row.path), float).max(axis=2)
        assert mask.shape == image.shape and mask.max() > 0.5
        if name == "DemoTurtle":
            assert image[mask > 0.5].min() > 0
            assert image[mask == 0].mean() < 1


def test_photographs_have_no_truth_and_others_are_told_what_to_do(run, ready):
    for ask in (read_truth, lambda *what: truth.mask(*what, "1", 256)):
        with pytest.raises(UserError, match="LionData holds photographs"):
            ask(run, "LionData")
    with pytest.raises(UserError, match=r"truth.csv .*run 1_prepare.ipynb again"):
        read_truth(run, "DemoZebra")
    ready("DemoTurtle")
    with pytest.raises(UserError, match="DemoTurtle has no image 'nobody'"):
        truth.mask(run, "DemoTurtle", "nobody", 96)
    run.truth("DemoTurtle").write_text("image,animal\n1,2\n")
    with pytest.raises(UserError, match="cannot read"):
        read_truth(run, "DemoTurtle")


def test_a_truth_that_got_lost_is_written_again(ready, run):
    ready("DemoTurtle")
    before = run.truth("DemoTurtle").read_bytes()
    run.truth("DemoTurtle").unlink()
    entry = catalogue.find("DemoTurtle")
    prepare(entry, entry.folder(run.raw()), run, SIZES)
    assert run.truth("DemoTurtle").read_bytes() == before
