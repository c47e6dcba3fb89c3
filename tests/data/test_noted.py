"""What a raw dataset notes of its images lies beside their metadata, which stay as published."""

import ast
import inspect
import shutil
import textwrap

import numpy as np
import pandas as pd
import pytest

from megalib.data import catalogue, loaders, noted, published
from megalib.data.metadata import read_metadata
from megalib.data.wildlife import datasets
from megalib.errors import UserError
from tests.conftest import prepare, write_image
from tests.data.test_prepare import Boxed, entry


@pytest.mark.parametrize("name", [entry.name for entry in catalogue.DRAWN])
def test_side_encounter_and_station_of_drawn_animals_are_kept(run, drawn_animals, name):
    dataset = catalogue.find(name)
    folder = dataset.folder(run.folder / "raw")
    shutil.copytree(drawn_animals[dataset.species], folder)
    prepare(dataset, folder, run, [48])
    metadata = read_metadata(run.metadata(name))
    assert list(metadata) == ["image_id", "identity", "path", "date", "split"]
    rows = noted.with_noted(run, name, metadata)
    assert rows[list(metadata)].equals(metadata)
    assert list(rows)[len(metadata.columns) :] == ["orientation", "encounter", "station"]
    raw = pd.read_csv(folder / "annotations.csv", dtype=str)
    # The name of a prepared image is that of its picture, with the id; two animals share a picture.
    stems = rows["path"].str.rsplit("_", n=1).str[0], raw["path"].str.rsplit(".", n=1).str[0]
    columns = ["stem", "identity", "orientation", "encounter", "station"]
    ours, theirs = (
        table.assign(stem=stem)[columns].sort_values(columns).to_numpy().tolist()
        for table, stem in zip((rows, raw), stems, strict=True)
    )
    assert ours == theirs


class Filmed(datasets.WildlifeDataset):
    """Three pictures of two videos, one without a side; no station was noted."""

    def create_catalogue(self):
        return pd.DataFrame(
            {
                "image_id": [3, 1, 2],
                "identity": ["A", "B", "A"],
                "path": ["3.png", "1.png", "2.png"],
                "orientation": ["left", np.nan, "right"],
                "video": [7, 8, 7],
                "station": [np.nan] * 3,
                "photo_quality": [1, 2, 3],
            }
        )


def test_a_video_is_an_encounter_and_what_is_not_noted_is_missing(tmp_path, run, monkeypatch):
    for number in (1, 2, 3):
        write_image(tmp_path / f"{number}.png", (20, 16), number)
    prepare(entry(monkeypatch, Filmed, crop="full"), tmp_path, run, sizes=[8])
    metadata = read_metadata(run.metadata("Filmed"))
    assert list(metadata) == ["image_id", "identity", "path", "split"]
    rows = noted.with_noted(run, "Filmed", metadata).set_index("image_id")
    assert set(rows) == {"identity", "path", "split", "orientation", "encounter"}
    assert rows["encounter"].to_dict() == {"3": "7", "1": "8", "2": "7"}
    assert rows["orientation"].fillna("?").to_dict() == {"3": "left", "1": "?", "2": "right"}
    # The metadata's own word counts.
    own = metadata.assign(orientation="up")
    assert (noted.with_noted(run, "Filmed", own)["orientation"] == "up").all()


def test_where_nothing_is_noted_there_is_no_file(tmp_path, run, monkeypatch):
    for name in ("one", "two"):
        write_image(tmp_path / "p" / f"{name}.png", (30, 24), 1)
    run.noted("Boxed").parent.mkdir(parents=True)
    run.noted("Boxed").write_text("of an earlier preparation")
    prepare(entry(monkeypatch, Boxed, crop="bbox"), tmp_path, run, sizes=[8])
    assert not run.noted("Boxed").exists()
    metadata = read_metadata(run.metadata("Boxed"))
    assert noted.with_noted(run, "Boxed", metadata).equals(metadata)


def test_ones_own_file_may_note_the_same(tmp_path, run):
    for number in range(3):
        write_image(tmp_path / f"{number}.png", (20, 16), number)
    table = tmp_path / "owls.csv"
    table.write_text(
        "path,identity,orientation,encounter,station,mood\n"
        "0.png,Ada,left,007,N1,good\n1.png,Ada,,007,,bad\n2.png,Ada,right,,N2,good\n"
    )
    prepare(catalogue.find("Owls", {"Owls": str(table)}), tmp_path, run, [8])
    rows = noted.with_noted(run, "Owls", read_metadata(run.metadata("Owls")))
    rows = rows.assign(file=rows["path"].str[0]).set_index("file").fillna("-")
    assert "mood" not in rows
    for name, values in {
        "orientation": ("left", "-", "right"),
        "encounter": ("007", "007", "-"),
        "station": ("N1", "-", "N2"),
    }.items():
        assert tuple(rows.loc[["0", "1", "2"], name]) == values


def test_a_damaged_file_is_told(run, prepared):
    run.noted("DemoLeopard").write_text("side\nleft\n")
    with pytest.raises(UserError, match=r"cannot read .*noted\.csv .*run 1_prepare.ipynb again"):
        noted.with_noted(run, "DemoLeopard", read_metadata(run.metadata("DemoLeopard")))


def named_by(loader) -> set[str]:
    """All texts in those functions of a loader that make its table, and in those of its parents."""
    functions = [
        function
        for parent in loader.__mro__
        if parent is not datasets.WildlifeDataset
        for name, function in vars(parent).items()
        if name.startswith("create_catalogue")
    ]
    sources = (textwrap.dedent(inspect.getsource(function)) for function in functions)
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def test_the_list_of_published_datasets_says_what_their_loaders_read():
    table = noted.of_published()
    assert list(table.index) == list(published.datasets().index)
    for name, row in table.iterrows():
        found = named_by(loaders.loader_of(catalogue.find(name)))
        for column, sources in noted.NOTED.items():
            assert row[column] == any(source in found for source in sources), (name, column)
    assert not table["station"].any() and table["orientation"].sum() == 11
