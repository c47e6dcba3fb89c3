"""Drawn datasets take the way of all others, and every rule of preparation has its case."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from megalib import stamp
from megalib.book import pipeline
from megalib.data import catalogue, drawn_by, loaders, raw_data
from megalib.data.catalogue import find
from megalib.drawn import drawing
from megalib.errors import UserError
from megalib.files.places import ROOT
from tests.book.built_book import needs_book


@pytest.fixture(scope="module")
def drawn(drawn_animals):
    """All drawn datasets, small, opened."""
    return {
        entry.name: loaders.open_raw(entry, drawn_animals[entry.species])
        for entry in catalogue.DRAWN
    }


def test_catalogues_have_what_their_datasets_promise(drawn):
    for name, source in drawn.items():
        entry, df = find(name), source.df
        assert list(df)[:3] == ["image_id", "identity", "path"]
        assert df["image_id"].is_unique
        assert ("bbox" in df) == (entry.crop == "bbox")
        assert {"date", "orientation", "encounter", "station", "segmentation"} <= set(df)
        assert (df["identity"] == "unknown").sum() == 3
        again = loaders.open_raw(entry, source.root).df
        pd.testing.assert_frame_equal(df, again)


def test_pairs_share_a_picture(drawn):
    df = drawn["DemoZebra"].df
    pairs = df[df["path"].duplicated(keep=False)]
    assert len(pairs) > 0
    for _, pair in pairs.groupby("path"):
        assert pair["identity"].nunique() == 2
        assert pair["bbox"].map(tuple).nunique() == 2


@pytest.mark.parametrize("name", ["DemoZebra", "DemoWhaleShark"])
def test_boxes_lie_inside_their_pictures(drawn, name):
    source = drawn[name]
    for k, (x, y, w, h) in enumerate(source.df["bbox"]):
        assert all(isinstance(c, int) for c in (x, y, w, h))
        width, height = source.get_image(k).size
        assert 0 <= x < x + w <= width and 0 <= y < y + h <= height
        assert source[k].size == (w, h)
        assert max(w, h) > 30


def test_segmented_animals_lie_on_pure_black(drawn):
    source = drawn["DemoTurtle"]
    for k in range(len(source)):
        full = np.asarray(source.get_image(k))
        rows, columns = np.concatenate([full[:3], full[-3:]]), full[:, [0, 1, 2, -3, -2, -1]]
        assert (rows == 0).all() and (columns == 0).all()
        cropped = source[k].size
        assert cropped[0] < full.shape[1] and cropped[1] < full.shape[0]


def test_animals_are_met_on_several_days(drawn):
    for source in drawn.values():
        df = source.df[source.df["identity"] != "unknown"]
        days = pd.to_datetime(df["date"], format="%Y-%m-%d")
        assert days.dt.year.nunique() >= 2
        assert (days.groupby(df["identity"]).nunique() >= 2).all()
        assert days.groupby(df["encounter"]).nunique().max() == 1


def test_a_drawing_that_is_not_finished_is_not_opened(tmp_path):
    with pytest.raises(UserError, match="does not hold DemoZebra"):
        loaders.open_raw(find("DemoZebra"), tmp_path)


def test_what_the_code_of_today_drew_is_kept_and_everything_else_drawn_again(tmp_path, monkeypatch):
    entry, calls = find("DemoTurtle"), []
    monkeypatch.setattr(drawing, "draw", lambda *what, **how: calls.append((*what, how["version"])))
    folder, today = tmp_path / "DemoTurtle", drawn_by.today()
    assert not drawn_by.is_outdated(entry, tmp_path)  # nothing is there
    assert raw_data.fetch(entry, tmp_path, download=False) == folder
    assert calls == [("turtle", folder, today["code"])]
    assert not drawn_by.is_outdated(entry, tmp_path)
    raw_data.fetch(entry, tmp_path, download=False)
    assert len(calls) == 1
    for number, text in enumerate(("", "[]", json.dumps(today | {"code": "older"}), None), 2):
        mark = drawn_by.file(folder)
        mark.unlink() if text is None else mark.write_text(text)
        assert drawn_by.is_outdated(entry, tmp_path)
        raw_data.fetch(entry, tmp_path, download=False)
        assert len(calls) == number
        assert stamp.read(mark) == today


def test_a_small_drawing_is_kept_until_other_numbers_are_asked_for(tmp_path, monkeypatch):
    entry, calls = find("DemoTurtle"), []
    monkeypatch.setattr(drawing, "draw", lambda *what, **how: calls.append(how))
    few = {"seed": 3, "individuals": 2, "pictures": 5}
    for drawn, number in ((few, 1), (few, 1), (few | {"seed": 4}, 2), (None, 3), (None, 3)):
        raw_data.fetch(entry, tmp_path, drawn=drawn)
        assert len(calls) == number
        assert set(calls[-1]) == {"workers", "version", *(drawn or {})}
        assert (drawn or {}).items() <= calls[-1].items()


def test_photographs_cannot_be_drawn(tmp_path):
    with pytest.raises(UserError, match="LionData holds photographs, which cannot be drawn"):
        raw_data.fetch(find("LionData"), tmp_path, drawn={"individuals": 2})


def test_the_stamp_tells_of_all_drawing_code_and_of_no_other(monkeypatch):
    files = stamp.files_of("import megalib.drawn.drawing")
    home = ROOT / "megalib" / "drawn"
    ours = {path for path in files if path.is_relative_to(home)}
    assert ours == set(home.rglob("[!_]*.py"))
    today, read, changed = drawn_by.today(), Path.read_text, None

    def edited(path, *how, **more):
        return read(path, *how, **more) + ("\nmore = 1\n" if path == changed else "")

    monkeypatch.setattr(Path, "read_text", edited)
    assert drawn_by.today() == today
    for changed in files:
        assert (drawn_by.today() != today) == (changed in ours), changed


def test_drawn_datasets_that_a_run_lacks_are_prepared_by_their_notebook(
    prepared, monkeypatch, capsys
):
    executed = []
    monkeypatch.setattr(pipeline, "execute", lambda *what, **_: executed.append(what))
    folder = prepared.folder / "raw" / "DemoLeopard"
    folder.mkdir(parents=True)
    stamp.write(drawn_by.file(folder), drawn_by.today())
    pipeline.prepare_missing(prepared, ["DemoLeopard", "DemoTurtle", "LionData"])
    output = prepared.notebook("1_prepare", "DemoTurtle")
    values = {"profile": "test", "dataset": "DemoTurtle"}
    assert executed == [("1_prepare", output, values)]
    assert capsys.readouterr().out == "DemoTurtle is not there yet: it is drawn and prepared\n"
    stamp.write(drawn_by.file(folder), {"code": "older"})
    pipeline.prepare_missing(prepared, ["DemoLeopard"])
    assert len(executed) == 2
    told = "DemoLeopard was drawn by other code: it is drawn and prepared\n"
    assert capsys.readouterr().out == told


@needs_book
def test_whole_demo_has_its_size():
    total = 0
    for entry in catalogue.DRAWN:
        df = loaders.open_raw(entry, entry.folder(ROOT / "runs" / "demo" / "raw")).df
        counts = df[df["identity"] != "unknown"].groupby("identity")["path"].nunique()
        assert len(counts) == drawing.INDIVIDUALS
        assert (counts >= drawing.PICTURES).all()
        total += df["path"].nunique()
    assert total == len(catalogue.DRAWN) * (30 * 10 + 8 * 3)
