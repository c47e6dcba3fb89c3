"""A drawn dataset: same seed, same files, and annotations and a truth that agree with them."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import mlcroissant
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib.drawn import croissant, drawing
from megalib.drawn.animals.species import SPECIES, family_of
from megalib.drawn.drawing import ANNOTATIONS, CROISSANT, SETTINGS, TRUTH, UNFINISHED, draw
from megalib.drawn.photographs.pictures import TRACE, draw_picture
from megalib.drawn.survey import FIRST_DAY, beside, plan
from megalib.drawn.world import World
from megalib.errors import UserError
from megalib.files.places import ROOT
from tests.conftest import DRAWN

SEED = drawing.SEED
ONE_PROCESS = {"workers": 1, **DRAWN}
STRANGERS = 1  # a quarter of two, and at least one


def digests(root):
    """Digest every file below a folder."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def table(folder, name=ANNOTATIONS):
    return pd.read_csv(folder / name, keep_default_na=False)


def shots_of(species):
    """The shots of the small drawing, by the path of their pictures."""
    shots = plan(SEED, species, DRAWN["individuals"], DRAWN["pictures"])
    numbers, paths = {}, {}
    for shot in shots:
        numbers[shot.encounter] = number = numbers.get(shot.encounter, 0) + 1
        name = f"{FIRST_DAY + shot.day}_{shot.encounter:04d}_{number}"
        paths[f"images/station_{shot.station}/{name}{SPECIES[species].extension}"] = shot
    return paths


def test_number_of_processes_changes_nothing(drawn_animals, tmp_path):
    draw("zebra", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["zebra"])


def test_another_seed_gives_other_files_which_replace_what_is_there(drawn_animals, tmp_path):
    before = digests(shutil.copytree(drawn_animals["turtle"], tmp_path, dirs_exist_ok=True))
    draw("turtle", tmp_path, seed=99, **ONE_PROCESS)
    after = digests(tmp_path)
    pictures = {digest for path, digest in after.items() if path.startswith("images")}
    assert len(pictures) == 2 * DRAWN["pictures"] + 3 * STRANGERS
    assert not pictures & set(before.values())
    named = {*table(tmp_path)["path"], *table(tmp_path, TRUTH)["mask"]}
    assert named == {path for path in after if path.endswith(".png")}, "nothing old is left"


@pytest.mark.parametrize("species", SPECIES)
def test_annotations_and_truth_name_every_picture_of_every_animal(drawn_animals, species):
    folder, shots = drawn_animals[species], shots_of(species)
    rows, truth = table(folder), table(folder, TRUTH)
    assert tuple(rows) == drawing.ANNOTATED and tuple(truth) == drawing.KNOWN
    assert set(rows["path"]) == set(shots)
    assert set(shots) == {p.relative_to(folder).as_posix() for p in folder.glob("images/*/*")}
    assert set(truth["mask"]) == {
        p.relative_to(folder).as_posix() for p in folder.glob("masks/*/*")
    }
    assert len(rows) == len(shots) + sum(shot.companion is not None for shot in shots.values())
    shared = [name for name in rows if name in truth]
    pd.testing.assert_frame_equal(rows[shared], truth[shared])
    names = {f"{species}_{number:02d}" for number in range(DRAWN["individuals"])}
    assert set(rows["identity"]) == names | {"unknown"}
    own = truth["animal"].where(truth["animal"].isin(names), "unknown")
    assert own.eq(truth["identity"]).all() and truth["animal"].nunique() == 2 + STRANGERS
    assert not rows.duplicated(["path", "identity"]).any()
    others = {ANNOTATIONS, TRUTH, CROISSANT, SETTINGS, "images", "masks"}
    assert {path.name for path in folder.iterdir()} == others
    assert rows["path"].is_monotonic_increasing, "the order of rows gives no stranger away"


@pytest.mark.parametrize("species", SPECIES)
def test_the_truth_is_what_the_survey_decided(drawn_animals, species):
    shots = shots_of(species)
    for row in table(drawn_animals[species], TRUTH).itertuples():
        shot = shots[row.path]
        causes = {"", shot.hidden_by}
        if row.animal != f"{species}_{shot.individual:02d}":
            shot, causes = beside(shot), causes | {"herd"}
        assert row.animal == f"{species}_{shot.individual:02d}"
        assert row.family == family_of(shot.individual)
        assert row.date == str(np.datetime64("2019-06-01") + shot.day)
        assert row.flank == shot.flank
        for name in ("yaw", "pitch", "bend", "wet", "mud", "motion"):
            assert getattr(row, name) == pytest.approx(getattr(shot, name), abs=1e-4), name
        for name in ("day", "encounter", "station", "light", "scars"):
            assert getattr(row, name) == getattr(shot, name), name
        assert row.hidden_by in causes and (not row.hidden_by or row.hidden >= TRACE)


@pytest.mark.parametrize("species", SPECIES)
def test_boxes_masks_and_measured_truth_agree_with_the_pictures(drawn_animals, species):
    folder = drawn_animals[species]
    rows = table(folder).join(table(folder, TRUTH)[["hidden", "pixels", "mask"]])
    for row in rows.itertuples():
        with Image.open(folder / row.path) as picture, Image.open(folder / row.mask) as image:
            assert picture.mode == "RGB" and image.mode == "L" and picture.size == image.size
            assert picture.format == ("PNG" if species == "turtle" else "JPEG")
            pixels, mask = np.asarray(picture), np.asarray(image)
        x, y, width, height = row.x, row.y, row.width, row.height
        assert 0 <= x < x + width <= mask.shape[1] and 0 <= y < y + height <= mask.shape[0]
        inside = mask[y : y + height, x : x + width]
        share = inside.sum() / mask.sum()
        assert 0.6 < share <= 1, "the box holds the animal"
        assert share == 1 or SPECIES[species].trunk, "and its legs, fins and tail, for most species"
        y, x = np.nonzero(mask > 127)
        assert row.pixels == pytest.approx(max(np.ptp(x), np.ptp(y)) + 1, abs=2)
        assert 0 <= row.hidden < 0.9
        if species == "turtle":
            assert not pixels[mask == 0].any(), "segmented on black"


def test_the_file_holds_the_picture_of_its_shot(drawn_animals):
    for species, folder in drawn_animals.items():
        path, shot = next(iter(shots_of(species).items()))
        pixels, sightings = draw_picture(SEED, shot)
        with Image.open(folder / path) as image:
            assert image.size == pixels.shape[1::-1]
            assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 8, species
        mask = next(row.mask for row in table(folder, TRUTH).itertuples() if row.path == path)
        with Image.open(folder / mask) as image:
            assert np.array_equal(np.asarray(image), sightings[0].mask)


def test_mist_hides_the_second_animal_too():
    world = World(pairs=1.0)
    shot = next(s for s in plan(SEED, "zebra", 8, 10, world) if s.companion is not None)
    clear, misty = (
        draw_picture(SEED, replace(shot, hidden_by=how, hidden=0.5))[1] for how in ("", "murk")
    )
    for before, after in zip(clear, misty, strict=True):
        assert (after.mask <= before.mask).all()
        assert after.hidden > before.hidden + 0.1
        assert after.hidden_by == "murk"
    assert clear[1].hidden_by == ("herd" if clear[1].hidden >= TRACE else "")


def test_the_world_decides_what_is_drawn(drawn_animals, tmp_path):
    world = replace(World(), muddy=0.0, obstructed=0.0, strangers=0.5, stranger_pictures=1)
    draw("leopard", tmp_path, individuals=2, pictures=1, workers=1, world=world)
    truth = table(tmp_path, TRUTH)
    assert not truth["mud"].any() and not (truth["hidden_by"] != "").any()
    assert list(table(tmp_path)["identity"]).count("unknown") == 1
    settings = json.loads((tmp_path / SETTINGS).read_text())
    assert settings["world"]["stranger_pictures"] == 1
    usual = json.loads((drawn_animals["leopard"] / SETTINGS).read_text())
    assert usual["world"]["stranger_pictures"] == World().stranger_pictures


def test_an_unknown_species_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="did you mean 'zebra'"):
        draw("zebras", tmp_path)
    assert list(tmp_path.iterdir()) == []


def stopped(monkeypatch, folder, **how):
    """Draw turtles, but stop when all pictures are there."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(drawing, "_finish", stop)
        draw("turtle", folder, **how, **ONE_PROCESS)
    assert not (folder / ANNOTATIONS).exists()


def test_a_stopped_drawing_goes_on_where_it_was(drawn_animals, tmp_path, monkeypatch):
    stopped(monkeypatch, tmp_path)
    rows = {
        name: json.loads((tmp_path / UNFINISHED / f"{name}.json").read_text())
        for name in ("turtle_00", "turtle_01", "turtle_02")
    }
    first = {tmp_path / row["path"] for row in rows["turtle_00"]}
    before = {path: path.stat().st_mtime_ns for path in first}
    assert len(first) == DRAWN["pictures"]
    (tmp_path / rows["turtle_01"][0]["path"]).write_bytes(b"half a picture")
    (tmp_path / UNFINISHED / "turtle_01.json").unlink()
    draw("turtle", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["turtle"])
    assert {path: path.stat().st_mtime_ns for path in first} == before


@pytest.mark.parametrize(
    "other", [{"seed": 99}, {"version": "older"}, {"world": replace(World(), night=0.5)}]
)
def test_a_stopped_drawing_of_other_settings_is_begun_anew(
    drawn_animals, tmp_path, monkeypatch, other
):
    stopped(monkeypatch, tmp_path, **other)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    draw("turtle", tmp_path, **ONE_PROCESS)
    assert digests(tmp_path) == digests(drawn_animals["turtle"])
    still = [path for path in before if path.exists()]
    assert all(path.stat().st_mtime_ns > before[path] for path in still)


@pytest.mark.parametrize("species", SPECIES)
def test_the_description_is_croissant_and_reads_the_tables_back(drawn_animals, species):
    folder = drawn_animals[species]
    dataset = mlcroissant.Dataset(jsonld=folder / CROISSANT)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors and not issues.warnings
    assert dataset.metadata.conforms_to == ["http://mlcommons.org/croissant/1.1"]
    assert dataset.metadata.license == [croissant.LICENCE]
    for name in (ANNOTATIONS, TRUTH):
        record_set = name.removesuffix(".csv")
        read = [
            {field.split("/")[1]: cell.decode() if isinstance(cell, bytes) else cell
             for field, cell in record.items()}
            for record in dataset.records(record_set)
        ]  # fmt: skip
        expected = table(folder, name)
        read = pd.DataFrame(read).fillna({"hidden_by": ""})
        read["date"] = read["date"].dt.strftime("%Y-%m-%d")
        pd.testing.assert_frame_equal(read[list(expected)], expected, check_dtype=False)
    paths = set()
    for record in dataset.records("pictures"):
        paths.add(record["pictures/path"].decode())
        with Image.open(folder / record["pictures/path"].decode()) as image:
            assert record["pictures/image"].size == image.size
    assert paths == set(table(folder)["path"])


def test_a_changed_table_has_another_digest_than_described(drawn_animals):
    for folder in drawn_animals.values():
        files = json.loads((folder / CROISSANT).read_text())["distribution"]
        for name in (ANNOTATIONS, TRUTH):
            told = next(file["sha256"] for file in files if file["@id"] == name)
            assert told == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_the_card_names_every_column_and_the_defaults():
    card = (ROOT / "megalib" / "drawn" / "README.md").read_text()
    for column in croissant.COLUMNS:
        assert f"`{column}`" in card, column
    assert set(drawing.ANNOTATED) | set(drawing.KNOWN) == set(croissant.COLUMNS)
    for number in (drawing.INDIVIDUALS, drawing.PICTURES, drawing.SEED):
        assert str(number) in card
    assert croissant.LICENCE in card
    world = World()
    assert (world.strangers, world.stranger_pictures, world.visited) == (0.25, 3, 3)
    assert f"{world.stations} camera stations" in card and world.days == 3 * 365 + 1
    assert f"bursts of 2 to {world.longest_burst}" in card


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
