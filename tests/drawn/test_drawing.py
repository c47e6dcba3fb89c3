"""The drawn animals: same seed, same pixels, and annotations that tell the truth."""

import hashlib
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib.drawn import drawing
from megalib.drawn.animals.coats import TILE, cell_tile, stripe_tile, traits
from megalib.drawn.animals.species import SPECIES, painted
from megalib.drawn.drawing import ANNOTATIONS, UNFINISHED, draw
from megalib.drawn.photographs.pictures import SIZES, draw_picture
from megalib.drawn.photographs.placing import bounding_box
from megalib.errors import UserError
from megalib.files.places import ROOT
from tests.conftest import DRAWN

SEED = drawing.SEED
ONE_PROCESS = {"workers": 1, **DRAWN}


def digests(root):
    """Digest every file below a folder."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def annotations(folder):
    return pd.read_csv(folder / ANNOTATIONS, dtype=str)


def test_sizes_serve_both_prepared_sizes():
    assert min(min(size) for size in SIZES) > 518
    assert len({round(w / h, 2) for w, h in SIZES}) >= 5
    assert any(w > h for w, h in SIZES) and any(w < h for w, h in SIZES)


@pytest.mark.parametrize("species", SPECIES)
def test_same_seed_same_pixels(species):
    first, _ = draw_picture(1, species, 2, 3)
    painted.cache_clear()
    draw_picture(1, species, 0, 0)
    again, _ = draw_picture(1, species, 2, 3)
    other, _ = draw_picture(2, species, 2, 3)
    assert first.dtype == np.uint8 and first.shape[2] == 3
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_number_of_processes_changes_nothing(drawn_animals, tmp_path):
    draw("zebra", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["zebra"])


def test_another_seed_gives_other_files_which_replace_what_is_there(drawn_animals, tmp_path):
    before = digests(shutil.copytree(drawn_animals["turtle"], tmp_path, dirs_exist_ok=True))
    draw("turtle", tmp_path, seed=99, **ONE_PROCESS)
    after = digests(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before if path.endswith(".png"))


@pytest.mark.parametrize("species", SPECIES)
def test_boxes_hold_the_animal(species):
    for picture in range(3):
        companion = 1 if species == "zebra" and picture == 2 else None
        pixels, sightings = draw_picture(SEED, species, 0, picture, companion)
        assert len(sightings) == 1 + (companion is not None)
        for sighting in sightings:
            x, y, w, h = sighting.bbox
            assert sighting.mask.shape == pixels.shape[:2]
            assert sighting.mask[y : y + h, x : x + w].sum() == sighting.mask.sum() > 0
            rows, columns = np.nonzero(sighting.mask)
            slack = 0.03 * max(w, h) + 1
            assert rows.min() - y <= slack and columns.min() - x <= slack


def test_box_margin_stops_at_the_edge():
    mask = np.zeros((100, 200), np.uint8)
    mask[0:50, 20:120] = 255
    assert bounding_box(mask) == (17, 0, 106, 53)


def test_each_animal_is_seen_on_several_days_and_days_show_several_pictures():
    survey = [
        drawing.sighting_days(SEED, "whale_shark", animal, drawing.PICTURES)
        for animal in range(drawing.INDIVIDUALS)
    ]
    assert all(len(set(days)) >= 5 and days == sorted(days) for days in survey)
    pictures = Counter(day for days in survey for day in days)
    animals = Counter(day for days in survey for day in set(days))
    assert np.mean(list(pictures.values())) > 5
    assert np.mean(list(animals.values())) > 2


def test_pictures_of_one_day_share_light_and_water():
    """The hue at the rim differs between days far more than within a day; exposure does not."""

    def rim(day, individual, picture):
        pixels, _ = draw_picture(SEED, "whale_shark", individual, picture, day=day)
        edge = np.concatenate([pixels[:20].reshape(-1, 3), pixels[-20:].reshape(-1, 3)])
        return edge.mean(axis=0) / edge.mean()

    days = np.array([[rim(day, k % 2, k) for k in range(4)] for day in (3, 14, 159, 265)])
    within = days.std(axis=1).mean()
    between = days.mean(axis=1).std(axis=0).mean()
    assert between > 3 * within


def test_one_animal_on_one_day_shows_one_side():
    def side(individual, picture, day=None):
        _, sightings = draw_picture(SEED, "whale_shark", individual, picture, day=day)
        return sightings[0].facing

    by_day = [[side(i, k, day) for k in range(2)] for i in range(6) for day in (1, 2)]
    assert all(len(set(sides)) == 1 for sides in by_day)
    assert len({sides[0] for sides in by_day}) == 2
    assert len({side(i, k) for i in range(2) for k in range(2)}) == 2, "without a day, any side"


def test_annotations_name_every_picture_of_every_animal(drawn_animals):
    for species, folder in drawn_animals.items():
        rows = annotations(folder)
        named = rows[rows["identity"] != "unknown"]
        assert named["identity"].nunique() == DRAWN["individuals"]
        pictures = named["path"].groupby(named["identity"]).nunique()
        assert (pictures >= DRAWN["pictures"]).all(), species
        files = {path.relative_to(folder).as_posix() for path in folder.glob("images/*/*")}
        assert set(rows["path"]) == files
        for path in files:
            with Image.open(folder / path) as image:
                assert image.mode == "RGB" and min(image.size) > 518
                assert image.format == ("PNG" if species == "turtle" else "JPEG")
        others = {ANNOTATIONS, "drawing.json", "images"}
        assert {path.name for path in folder.iterdir()} == others


def test_some_leopards_could_not_be_identified_and_only_they(drawn_animals):
    for species, folder in drawn_animals.items():
        unknown = annotations(folder)["identity"] == "unknown"
        assert (0 < unknown.sum() < (~unknown).sum()) == (species == "leopard")


def test_the_picture_is_the_one_of_its_day_where_the_species_is_dated(drawn_animals):
    for species, folder in drawn_animals.items():
        row = annotations(folder).iloc[0]
        day = int((np.datetime64(row["date"]) - drawing.FIRST_DAY).astype(int))
        kind = SPECIES[species]
        companion = drawing.companion(0, 0, DRAWN["individuals"]) if kind.pairs else None
        pixels, _ = draw_picture(SEED, species, 0, 0, companion, day if kind.dated else None)
        with Image.open(folder / row["path"]) as image:
            assert image.size == pixels.shape[1::-1]
            assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 4, species


def test_an_unknown_species_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="did you mean 'zebra'"):
        draw("zebras", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_drawing_goes_on_where_it_was(drawn_animals, tmp_path, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(drawing.csv, "DictWriter", stop)
        draw("turtle", tmp_path, **ONE_PROCESS)
    assert not (tmp_path / ANNOTATIONS).exists()
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "images/turtle_00").iterdir()}
    assert len(first) == DRAWN["pictures"]
    (tmp_path / "images" / "turtle_01" / "turtle_01_000.png").write_bytes(b"half a picture")
    (tmp_path / UNFINISHED / "turtle_01.json").unlink()
    draw("turtle", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["turtle"])
    assert {path: path.stat().st_mtime_ns for path in first} == first


@pytest.mark.parametrize("other", [{"seed": 99}, {"version": "older"}])
def test_a_stopped_drawing_of_other_settings_is_begun_anew(
    drawn_animals, tmp_path, monkeypatch, other
):
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(drawing.csv, "DictWriter", lambda *_, **__: 1 / 0)
        draw("turtle", tmp_path, **other, **ONE_PROCESS)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    draw("turtle", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["turtle"])
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


LOADED = """
import sys
import megalib.drawn.drawing
loaded = {name for name in sys.modules if name.startswith("megalib.")}
allowed = ("megalib.drawn", "megalib.files", "megalib.errors")
print(sorted(name for name in loaded if not name.startswith(allowed)))
"""


def test_drawing_needs_nothing_of_the_rest():
    command = [sys.executable, "-c", LOADED]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_tiles_are_periodic():
    rng = np.random.default_rng(0)
    for tile in (stripe_tile(rng), *cell_tile(rng)[:2]):
        assert tile.shape == (TILE, TILE) and tile.dtype == np.float32
        inner = np.abs(np.diff(tile, axis=0)).max()
        assert np.abs(tile[0] - tile[-1]).max() <= 1.5 * inner


def test_traits_are_individual_and_do_not_depend_on_the_others():
    own = [traits(1, 0, i) for i in range(12)]
    assert len({round(t.scale, 3) for t in own}) == 12
    assert max(t.scale for t in own) / min(t.scale for t in own) > 1.8
    assert all(abs(c - 1) <= 0.12 for t in own for c in t.tint)
    assert own[3] == traits(1, 0, 3) != traits(2, 0, 3)


def test_coats_agree_among_pictures_and_differ_among_individuals():
    """The share of dark coat varies more between turtles than between pictures of one."""

    def darkness(individual, picture):
        pixels, sightings = draw_picture(SEED, "turtle", individual, picture)
        animal = pixels[sightings[0].mask > 200].astype(float).mean(axis=1)
        return (animal < 0.8 * animal.mean()).mean()

    share = np.array([[darkness(i, k) for k in range(5)] for i in range(6)])
    assert share.mean(axis=1).std() > 1.2 * share.std(axis=1).mean()
