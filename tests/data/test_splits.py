import hashlib
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.data import proof, published, splits
from megalib.data.metadata import read_metadata
from megalib.data.wildlife import splits as loaders
from megalib.errors import UserError
from tests.conftest import SHARED, needs_shared

# What animals are called in folders of the field, also what a reader of CSV files may mistake.
NAMES = ["a", "b", "unknown", "NA", "None", "nan", "null", "7", "007", "1", "1.0", "1e0", "inf"]
METADATA = sorted((SHARED / "published" / "metadata").glob("*.csv"))


def frame(identities):
    ids = [str(number) for number in range(len(identities))]
    return pd.DataFrame({"image_id": ids, "identity": identities, "path": ids})


@needs_shared
@pytest.mark.parametrize("path", METADATA, ids=lambda path: path.stem)
def test_the_published_assignment_is_reproduced(path):
    theirs = read_metadata(path)
    ours = splits.add_closed_set_split(theirs.drop(columns="split"), 0.8, 666)
    pd.testing.assert_series_equal(ours["split"], theirs["split"], check_dtype=False)
    assert proof.compare_with_published(path.stem, ours).startswith("Identical to the published")


@needs_shared
def test_a_difference_from_the_published_split_is_counted():
    metadata = read_metadata(SHARED / "published" / "metadata" / "LionData.csv")
    told = proof.compare_with_published("LionData", metadata.iloc[1:])
    assert "584 instead of 585 train images" in told
    assert "155 instead of 155 test images" in told


@needs_shared
def test_with_the_published_file_at_hand_every_difference_is_counted(run):
    file = SHARED / "published" / "metadata" / "LionData.csv"
    kept = published.metadata_file("LionData")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(file.read_bytes())
    ours = read_metadata(file).iloc[3:].copy()
    ours.loc[ours.index[0], "identity"] = "Simba"
    swapped = ours.index[[1, 2, 3, 4]]
    ours.loc[swapped, "split"] = ours.loc[swapped, "split"].map({"train": "test", "test": "train"})
    extra = pd.DataFrame({"image_id": ["new"], "identity": ["Nala"], "split": ["train"]})
    told = proof.compare_with_published("LionData", pd.concat([ours, extra]))
    assert "3 missing here" in told
    assert "1 not in it" in told
    assert "1 of another identity" in told
    assert "4 in another part" in told


def test_drawn_datasets_and_unknown_digests_are_not_compared():
    metadata = frame(["a", "a"]).assign(split=["train", "test"])
    assert "no published split" in proof.compare_with_published("DemoZebra", metadata)
    assert "not known" in proof.compare_with_published("HappyWhale", metadata)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=60),
    st.integers(0, 9),
)
def test_every_test_identity_is_in_training_and_the_unknown_in_neither(identities, seed):
    metadata = frame(identities)
    if set(identities) == {"unknown"}:
        with pytest.raises(UserError, match="no image of a known individual"):
            splits.add_closed_set_split(metadata, 0.8, seed)
        return
    result = splits.add_closed_set_split(metadata, 0.8, seed)
    train = set(result.loc[result["split"] == "train", "identity"])
    test = set(result.loc[result["split"] == "test", "identity"])
    assert test <= train
    assert train == set(identities) - {"unknown"}
    assert (result["split"].isna() == (result["identity"] == "unknown")).all()
    assert list(result["image_id"]) == list(metadata["image_id"])
    with tempfile.TemporaryDirectory() as folder:
        result.to_csv(Path(folder, "metadata.csv"))
        again = read_metadata(Path(folder, "metadata.csv"))
    pd.testing.assert_frame_equal(again, result, check_dtype=False)


@pytest.mark.parametrize("names", [["7", "007"], ["1", "1.0"], ["None", "NA"], ["nan", "3"]])
def test_every_animal_has_its_own_share(names):
    """Four images of each in five, whatever a number their names might be."""
    result = splits.add_closed_set_split(frame(names * 10), 0.8, 666)
    for name in names:
        own = result.loc[result["identity"] == name, "split"]
        assert own.value_counts().to_dict() == {"train": 8, "test": 2}


def test_numbers_are_gone_through_in_their_order_as_in_the_published_split():
    """Numbers as text are divided as the same numbers are, however their texts would sort."""
    numbers = [number for number in (9, 10, 100, 2) for _ in range(7)]
    ours = splits.add_closed_set_split(frame([str(number) for number in numbers]), 0.8, 666)
    splitter = loaders.ClosedSetSplit(0.8, identity_skip="unknown", seed=666)
    train, _ = splitter.split(frame(numbers))[0]
    assert ours.index[ours["split"] == "train"].tolist() == sorted(train)


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UserError, match="train_share"):
        splits.add_closed_set_split(frame(["a", "a"]), share, 0)


def test_the_digest_is_that_of_the_sorted_ids_as_text():
    assert proof.digest([10, 9]) == hashlib.sha256(b"10\n9").hexdigest()


def test_ids_that_look_like_numbers_stay_text(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text(",image_id,identity,path,split\n0,01e5,007,a.jpg,train\n")
    row = read_metadata(path).iloc[0]
    assert (row["image_id"], row["identity"]) == ("01e5", "007")


def test_missing_and_incomplete_metadata_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no prepared data.*1_prepare"):
        read_metadata(tmp_path / "absent.csv")
    (tmp_path / "bare.csv").write_text(",image_id,path\n0,1,a.jpg\n")
    with pytest.raises(UserError, match="lacks the columns identity, split"):
        read_metadata(tmp_path / "bare.csv")


ROW = b",image_id,identity,path,split\n0,1,Ada,a.jpg,train\n"
NO_METADATA = {
    "empty": (b"", "No columns"),
    "blank": (b"\n\n", "No columns"),
    "binary": (bytes(range(256)) * 9, "cannot read"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "cannot read"),
    "ragged": (ROW + b"1,2,Bo,b.jpg,test,x,y\n", "Expected 5 fields in line 3"),
    "not UTF-8": (ROW + b"1,2,Bo,\xff.jpg,test\n", "cannot read"),
    "an open quote": (ROW + b'1,"2,Bo,b.jpg,test\n', "EOF inside string"),
    "without rows": (b",image_id,identity,path,split\n", "holds no image"),
    "a short row": (ROW + b"1,2\n", "has no identity in row 2"),
    "an image of nobody": (ROW + b"1,2,,b.jpg,test\n", "has no identity in row 2"),
    "without a path": (ROW + b"1,2,Bo,,test\n", "has no path in row 2"),
    "an id twice": (ROW + b"1,1,Bo,b.jpg,test\n", "names the image_id '1' twice"),
    "a path twice": (ROW + b"1,2,Bo,a.jpg,test\n", "names the path 'a.jpg' twice"),
    "another part": (ROW + b"1,2,Bo,b.jpg,valid\n", "the split 'valid', which is neither"),
    "a long part": (ROW + b"1,2,Bo,b.jpg," + b"x" * 9999, "the split 'x"),
}


@pytest.mark.parametrize("kind", NO_METADATA)
def test_what_no_preparation_wrote_is_refused_in_one_line(tmp_path, kind):
    content, message = NO_METADATA[kind]
    (tmp_path / "metadata.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_metadata(tmp_path / "metadata.csv")
    told = str(caught.value)
    assert message in told
    assert "metadata.csv" in told
    assert told.endswith("run 1_prepare.ipynb again")
    assert len(told.splitlines()) == 1
    assert len(told) < 400


@settings(deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_any_file_is_metadata_or_told_in_one_line(content, with_row):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "metadata.csv")
        path.write_bytes(ROW * with_row + content)
        try:
            assert len(read_metadata(path)) >= 1
        except UserError as error:
            assert len(str(error).splitlines()) == 1


def test_published_accuracies_times_test_sizes_are_whole_numbers():
    table = published.accuracies()
    sizes = published.accuracies_long().groupby("dataset")["n_test"].first()
    assert table.shape == (29, 5)
    right = table.mul(sizes, axis=0) / 100
    assert (right - right.round()).abs().max().max() < 1e-6
    assert table.mean().round(2).tolist() == [66.61, 69.12, 71.48, 75.09, 79.30]
