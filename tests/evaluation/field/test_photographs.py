"""What the field asks of is read from a run, or from that of its earlier days."""

import shutil

import numpy as np
import pandas as pd
import pytest

from megalib.data.metadata import read_metadata
from megalib.evaluation.field import photographs
from megalib.evaluation.judging import days
from megalib.retrieval import features

NAME, OTHER = "DemoLeopard", "LionData"


@pytest.fixture
def made(prepared):
    """A run with features of two datasets, of which one was divided in time."""
    metadata = read_metadata(prepared.metadata(NAME))
    shutil.copytree(prepared.images(256, NAME), prepared.images(256, OTHER))
    prepared.metadata(OTHER).parent.mkdir()
    metadata.to_csv(prepared.metadata(OTHER))
    rng = np.random.default_rng(0)
    earlier = days.earlier_days(prepared)
    for run, name in ((prepared, NAME), (prepared, OTHER), (earlier, NAME)):
        rows = rng.normal(size=(len(metadata), 3)).astype(np.float32)
        features.save(run.features("pocket-T", name), rows, {})
    earlier.metadata(NAME).parent.mkdir(parents=True)
    metadata.assign(split=metadata["split"].iloc[::-1].to_numpy()).to_csv(earlier.metadata(NAME))
    return prepared, earlier


def test_the_earlier_days_are_taken_where_there_are_any(made):
    run, earlier = made
    lines = []
    found = photographs.read(run, "pocket-T", [NAME, OTHER], report=lines.append)
    assert lines == [f"{OTHER}: not divided in time, its random split is taken"]
    assert [one.trained_on for one in found] == ["the earlier days", "the random training part"]
    for one, source, name in ((found[0], earlier, NAME), (found[1], run, OTHER)):
        metadata, rows = features.embedded(source, "pocket-T", name)
        assert one.dataset == name and one.table[list(metadata)].equals(metadata)
        assert np.array_equal(one.descriptors["network"], rows)
        assert np.array_equal(one.descriptors["thumbnails"], days.thumbnails(run, name))
    alone = photographs.read(run, "pocket-T", [NAME], "hub", pytest.fail)
    assert alone[0].trained_on == "nothing by this run"
    assert np.array_equal(
        alone[0].descriptors["network"], features.embedded(run, "pocket-T", NAME)[1]
    )


def test_strangers_have_names_where_the_truth_is_known(made):
    run, _ = made
    metadata = read_metadata(run.metadata(NAME))
    is_stranger = metadata["identity"] == "unknown"
    animals = metadata["identity"].mask(is_stranger, "wanderer")
    truth = pd.DataFrame({"image_id": metadata["image_id"], "animal": animals}).iloc[::-1]
    truth.to_csv(run.truth(NAME), index=False)
    drawn, photographed = photographs.read(run, "pocket-T", [NAME, OTHER])
    assert drawn.has_truth and drawn.table["animal"].tolist() == animals.tolist()
    assert not photographed.has_truth
    assert photographed.table["animal"].isna().tolist() == is_stranger.tolist()
    known = photographed.table.loc[~is_stranger, ["identity", "animal"]]
    assert known["identity"].equals(known["animal"].rename("identity"))


def test_what_is_noted_is_told(made):
    run, _ = made
    metadata = read_metadata(run.metadata(NAME))
    count = len(metadata)
    columns = {
        "date": ["2021-05-01", "2021-05-02"] * (count // 2) + ["2021-05-02 12:00"],
        "orientation": ["right", "left"] * (count // 2) + [""],
        "encounter": [str(number // 2) for number in range(count)],
    }
    noted = pd.DataFrame({"image_id": metadata["image_id"], **columns})
    noted.to_csv(run.noted(NAME), index=False)
    table = photographs.what_is_there(photographs.read(run, "pocket-T", [NAME, OTHER]))
    assert table.loc[NAME].tolist() == [21, 4, 1, 2, "left, right", 11, "the earlier days"]
    assert table.loc[OTHER].tolist() == [21, 4, 1, 0, "none", 0, "the random training part"]
    noted.assign(date="some day").to_csv(run.noted(NAME), index=False)
    unread = photographs.what_is_there(photographs.read(run, "pocket-T", [NAME]))
    assert unread.loc[NAME, "days"] == 0


def test_published_datasets_are_named_by_what_they_note():
    lines = photographs.of_published().splitlines()
    assert len(lines) == 5 and all(line.startswith("* ") for line in lines)
    flanks, encounters, days, _, bare = ([*line.split(": ")][-1].split(", ") for line in lines)
    assert "NyalaData" in flanks and "NyalaData" not in days + encounters + bare
    assert "AerialCattle2017" in encounters and "AerialCattle2017" not in days
    assert set(days) < set(encounters) and "SeaTurtleIDHeads" in days
    assert "LionData" in bare and not set(bare) & {*flanks, *encounters, *days}
