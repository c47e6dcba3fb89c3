"""The drawn animals: same seed same pixels, and every rule of preparation has its case."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib import stamp
from megalib.data import catalogue, drawn_datasets, preparation, raw_data
from megalib.drawn.coats import TILE, cell_tile, stripe_tile, traits
from megalib.drawn.pictures import SIZES, SPECIES, bounding_box, draw_picture, sheets
from megalib.files.places import ROOT
from tests.book.built_book import needs_book

SMALL = {"individuals": 2, "pictures": 6, "workers": 2}


def digests(root):
    """Digest every file below a folder except the mark of the download."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw a small version of all four data sets once."""
    root = tmp_path_factory.mktemp("demo")
    return {
        name: drawn_datasets.draw(name, root / name, **SMALL)
        for name in drawn_datasets.DEMO_DATASETS
    }


def test_names_lead_to_classes():
    assert len(drawn_datasets.DEMO_DATASETS) >= 4
    for name, cls in drawn_datasets.DEMO_DATASETS.items():
        assert name == cls.__name__ == cls.display_name()
        assert name.startswith("Demo")
        assert cls.summary["wild"] is False
        assert cls.summary["real_animals"] is False


def test_sizes_serve_both_prepared_sizes():
    assert min(min(size) for size in SIZES) > 518
    assert len({round(w / h, 2) for w, h in SIZES}) >= 5
    assert any(w > h for w, h in SIZES) and any(w < h for w, h in SIZES)


@pytest.mark.parametrize("species", SPECIES)
def test_same_seed_same_pixels(species):
    first, _ = draw_picture(1, species, 2, 3)
    sheets.cache_clear()
    draw_picture(1, species, 0, 0)
    again, _ = draw_picture(1, species, 2, 3)
    other, _ = draw_picture(2, species, 2, 3)
    assert first.dtype == np.uint8 and first.shape[2] == 3
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.slow
def test_number_of_processes_changes_nothing(tmp_path):
    for workers in (1, 2):
        drawn_datasets.draw(
            "DemoZebra", tmp_path / str(workers), workers=workers, individuals=2, pictures=6
        )
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


def test_another_seed_gives_other_files(tmp_path):
    for seed in (5, 6):
        drawn_datasets.draw(
            "DemoTurtle", tmp_path / str(seed), seed=seed, individuals=1, pictures=2
        )
    one, two = digests(tmp_path / "5"), digests(tmp_path / "6")
    assert all(one[path] != two[path] for path in one if path.endswith(".png"))


def test_catalogues(drawn):
    for name, dataset in drawn.items():
        df = dataset.df
        assert {"image_id", "identity", "path"} <= set(df.columns)
        assert df["image_id"].is_unique
        named = df["identity"] != dataset.unknown_name
        assert df["identity"][named].nunique() == SMALL["individuals"]
        first = df["path"][named].groupby(df["identity"][named]).nunique()
        assert (first >= SMALL["pictures"]).all(), name
        for path in df["path"].unique():
            with Image.open(Path(dataset.root, path)) as image:
                assert image.mode == "RGB" and min(image.size) > 518
                assert image.format == ("PNG" if name == "DemoTurtle" else "JPEG")


def test_reading_again_gives_the_same_catalogue(drawn):
    for name, dataset in drawn.items():
        pd.testing.assert_frame_equal(
            dataset.df, drawn_datasets.DEMO_DATASETS[name](dataset.root).df
        )


def test_pairs_share_a_picture(drawn):
    df = drawn["DemoZebra"].df
    pairs = df[df["path"].duplicated(keep=False)]
    assert len(pairs) == 2 * SMALL["individuals"]
    for _, pair in pairs.groupby("path"):
        assert pair["identity"].nunique() == 2
        assert pair["bbox"].map(tuple).nunique() == 2


@pytest.mark.parametrize("name", ["DemoZebra", "DemoWhaleShark"])
def test_boxes_lie_inside_their_pictures(drawn, name):
    dataset = drawn_datasets.DEMO_DATASETS[name](drawn[name].root, img_load="bbox")
    for k, (x, y, w, h) in enumerate(dataset.df["bbox"]):
        assert all(isinstance(c, int) for c in (x, y, w, h))
        width, height = dataset.get_image(k).size
        assert 0 <= x < x + w <= width and 0 <= y < y + h <= height
        assert dataset[k].size == (w, h)
        assert min(w, h) > 60


@pytest.mark.parametrize("species", SPECIES)
def test_boxes_hold_the_animal(species):
    for picture in range(3):
        companion = 1 if species == "zebra" and picture == 2 else None
        pixels, sightings = draw_picture(drawn_datasets.SEED, species, 0, picture, companion)
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


def test_segmented_animals_lie_on_pure_black(drawn):
    dataset = drawn_datasets.DEMO_DATASETS["DemoTurtle"](
        drawn["DemoTurtle"].root, img_load="crop_black"
    )
    for k in range(len(dataset)):
        full = np.asarray(dataset.get_image(k))
        border = (
            np.concatenate([full[:3], full[-3:]]),
            np.concatenate([full[:, :3], full[:, -3:]], 1),
        )
        assert all((edge == 0).all() for edge in border)
        assert (full.max(axis=2) > 0).mean() > 0.1
        cropped = dataset[k].size
        assert cropped[0] < full.shape[1] and cropped[1] < full.shape[0]


def test_some_leopards_are_unknown(drawn):
    dataset = drawn["DemoLeopard"]
    unknown = dataset.df["identity"] == dataset.unknown_name
    assert 0 < unknown.sum() < (~unknown).sum()
    known = drawn_datasets.DEMO_DATASETS["DemoLeopard"](dataset.root, remove_unknown=True)
    assert len(known) == (~unknown).sum()
    assert "bbox" not in dataset.df


def test_sharks_have_dates(drawn):
    df = drawn["DemoWhaleShark"].df
    days = pd.to_datetime(df["date"], format="%Y-%m-%d")
    assert days.dt.year.nunique() >= 2
    assert (days.groupby(df["identity"]).nunique() >= 2).all()
    assert days.nunique() < len(df)


def test_each_animal_is_seen_on_several_days_and_days_show_several_pictures():
    survey = [
        drawn_datasets._sighting_days(
            drawn_datasets.SEED, "whale_shark", animal, drawn_datasets.PICTURES
        )
        for animal in range(drawn_datasets.INDIVIDUALS)
    ]
    assert all(len(set(days)) >= 5 and days == sorted(days) for days in survey)
    pictures = Counter(day for days in survey for day in days)
    animals = Counter(day for days in survey for day in set(days))
    assert np.mean(list(pictures.values())) > 5
    assert np.mean(list(animals.values())) > 2


def test_pictures_of_one_day_share_light_and_water():
    """The hue at the rim differs between days far more than within a day; exposure does not."""

    def rim(day, individual, picture):
        pixels, _ = draw_picture(drawn_datasets.SEED, "whale_shark", individual, picture, day=day)
        edge = np.concatenate([pixels[:20].reshape(-1, 3), pixels[-20:].reshape(-1, 3)])
        return edge.mean(axis=0) / edge.mean()

    days = np.array([[rim(day, k % 2, k) for k in range(4)] for day in (3, 14, 159, 265)])
    within = days.std(axis=1).mean()
    between = days.mean(axis=1).std(axis=0).mean()
    assert between > 3 * within


def test_one_animal_on_one_day_shows_one_side():
    def side(individual, picture, day=None):
        _, sightings = draw_picture(
            drawn_datasets.SEED, "whale_shark", individual, picture, day=day
        )
        return sightings[0].facing

    by_day = [[side(i, k, day) for k in range(2)] for i in range(6) for day in (1, 2)]
    assert all(len(set(sides)) == 1 for sides in by_day)
    assert len({sides[0] for sides in by_day}) == 2
    assert len({side(i, k) for i in range(2) for k in range(2)}) == 2, "without a day, any side"


def test_only_dated_species_know_days(drawn):
    """The catalogue's picture is the one that its day draws, or the one of no day."""
    for name, dataset in drawn.items():
        row = dataset.df.iloc[0]
        place = Path(row["path"]).stem.rsplit("_", 2)
        individual, picture = int(place[1]), int(place[2])
        day = None
        if "date" in row:
            day = int((np.datetime64(row["date"]) - drawn_datasets.FIRST_DAY).astype(int))
        companion = type(dataset)._companion(individual, picture, SMALL["individuals"])
        pixels, _ = draw_picture(
            drawn_datasets.SEED, type(dataset).species, individual, picture, companion, day
        )
        with Image.open(Path(dataset.root, row["path"])) as image:
            assert image.size == pixels.shape[1::-1]
            assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 4, name


def test_second_call_draws_nothing(drawn, monkeypatch):
    def fail(*_args, **_kwargs):
        raise AssertionError("drew again")

    dataset = drawn["DemoTurtle"]
    monkeypatch.setattr(drawn_datasets, "ProcessPoolExecutor", fail)
    again = drawn_datasets.draw("DemoTurtle", dataset.root, **SMALL)
    pd.testing.assert_frame_equal(dataset.df, again.df)
    type(dataset).get_data(dataset.root)


def test_other_settings_are_refused(drawn):
    with pytest.raises(ValueError, match="was drawn with"):
        drawn_datasets.draw("DemoTurtle", drawn["DemoTurtle"].root, **(SMALL | {"pictures": 5}))


def test_what_older_code_drew_is_drawn_again(prepared, monkeypatch):
    drawn = []
    monkeypatch.setattr(raw_data, "fetch", lambda dataset, raw, download: raw / dataset.name)
    monkeypatch.setattr(
        preparation, "prepare", lambda dataset, folder, run: drawn.append(dataset.name)
    )
    mark = prepared.folder / "raw" / "DemoLeopard" / raw_data.DRAWN_BY
    mark.parent.mkdir(parents=True)
    mark.write_text(stamp.of_code("data.drawn_datasets"))
    preparation.draw_missing(prepared, ["DemoLeopard", "DemoTurtle"])
    assert drawn == ["DemoTurtle"]
    mark.write_text("older")
    preparation.draw_missing(prepared, ["DemoLeopard"])
    assert drawn == ["DemoTurtle", "DemoLeopard"]


def test_unknown_name_is_refused(tmp_path):
    with pytest.raises(KeyError):
        drawn_datasets.draw("DemoUnicorn", tmp_path)


@pytest.mark.slow
def test_a_stopped_drawing_goes_on_where_it_was(tmp_path, monkeypatch):
    small = {"workers": 1, "individuals": 2, "pictures": 2}
    root, whole = tmp_path / "stopped", tmp_path / "whole"

    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drawn_datasets.DemoTurtle, "_annotate", stop)
        with pytest.raises(KeyboardInterrupt):
            drawn_datasets.draw("DemoTurtle", root, **small)
    first = {path: path.stat().st_mtime_ns for path in (root / "images/turtle_00").iterdir()}
    assert len(first) == 2
    with pytest.raises(FileNotFoundError, match="no finished drawing"):
        drawn_datasets.DemoTurtle(str(root))
    (root / "images" / "turtle_01").mkdir(exist_ok=True)
    (root / "images" / "turtle_01" / "turtle_01_000.png").write_bytes(b"half a picture")
    (root / drawn_datasets.UNFINISHED / "turtle_01.json").unlink(missing_ok=True)
    drawn_datasets.draw("DemoTurtle", root, **small)
    drawn_datasets.draw("DemoTurtle", whole, **small)
    assert digests(root) == digests(whole)
    assert {path: path.stat().st_mtime_ns for path in first} == first


def test_a_stopped_drawing_of_other_settings_is_begun_anew(tmp_path, monkeypatch):
    small = {"workers": 1, "individuals": 1, "pictures": 2}
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(drawn_datasets.DemoTurtle, "_annotate", lambda *_: 1 / 0)
        drawn_datasets.draw("DemoTurtle", tmp_path / "other", seed=99, **small)
    drawn_datasets.draw("DemoTurtle", tmp_path / "other", **small)
    drawn_datasets.draw("DemoTurtle", tmp_path / "whole", **small)
    assert digests(tmp_path / "other") == digests(tmp_path / "whole")


def test_forced_drawing_replaces(tmp_path):
    small = {"workers": 1, "individuals": 1, "pictures": 2}
    drawn_datasets.draw("DemoTurtle", tmp_path, **small)
    before = digests(tmp_path)
    drawn_datasets.DemoTurtle.get_data(str(tmp_path), force=True, seed=99, **small)
    assert digests(tmp_path).keys() == before.keys()
    assert digests(tmp_path) != before


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
        pixels, sightings = draw_picture(drawn_datasets.SEED, "turtle", individual, picture)
        animal = pixels[sightings[0].mask > 200].astype(float).mean(axis=1)
        return (animal < 0.8 * animal.mean()).mean()

    share = np.array([[darkness(i, k) for k in range(5)] for i in range(6)])
    assert share.mean(axis=1).std() > 1.2 * share.std(axis=1).mean()


@needs_book
def test_whole_demo_has_its_size():
    total = 0
    for name in drawn_datasets.DEMO_DATASETS:
        df = catalogue.find(name).loader(str(ROOT / "runs" / "demo" / "raw" / name)).df
        counts = df[df["identity"] != "unknown"].groupby("identity")["path"].nunique()
        assert len(counts) == drawn_datasets.INDIVIDUALS
        assert (counts >= drawn_datasets.PICTURES).all()
        total += df["path"].nunique()
    assert 1100 <= total <= 1300
