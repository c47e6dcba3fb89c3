"""The training set: the training parts of several datasets, joined."""

import pandas as pd
import pytest

from megalib.data import training_set
from megalib.data.metadata import read_metadata
from megalib.errors import UserError


def frame(identities):
    rows = {"image_id": range(len(identities)), "identity": identities}
    return pd.DataFrame(rows | {"path": [str(number) for number in range(len(identities))]})


def test_the_training_set_tells_animals_of_equal_names_apart():
    part = frame(["Leo", "Leo", "Mia"]).assign(split=["train", "test", "train"])
    combined = training_set.joined({"A": part, "B": part})
    assert list(combined["identity"]) == ["A_Leo", "A_Mia", "B_Leo", "B_Mia"]
    assert list(combined["path"]) == ["A/0", "A/2", "B/0", "B/2"]
    assert list(combined["dataset"]) == ["A", "A", "B", "B"]


def test_equal_ids_of_two_datasets_meet_in_the_training_set(tmp_path):
    part = frame(["Leo", "Mia"]).assign(split="train")
    training_set.joined({"A": part, "B": part}).to_csv(tmp_path / "combined.csv")
    assert len(read_metadata(tmp_path / "combined.csv")) == 4


def test_the_training_set_is_written_only_when_it_changes(prepared):
    first = training_set.aggregate(prepared, ["DemoLeopard"])
    written = prepared.combined.stat().st_mtime_ns
    training_set.aggregate(prepared, ["DemoLeopard"])
    assert prepared.combined.stat().st_mtime_ns == written
    assert first["identity"].str.startswith("DemoLeopard_").all()
    assert set(first["split"]) == {"train"}
    assert len(read_metadata(prepared.combined)) == len(first)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"image_id\n"])
def test_a_damaged_training_set_is_written_again(prepared, content):
    prepared.combined.parent.mkdir(parents=True)
    prepared.combined.write_bytes(content)
    combined = training_set.aggregate(prepared, ["DemoLeopard"])
    assert prepared.combined.read_text() == combined.to_csv()


def test_an_unprepared_dataset_stops_the_aggregation(run):
    with pytest.raises(UserError, match=r"no prepared data.*LionData"):
        training_set.aggregate(run, ["LionData"])
