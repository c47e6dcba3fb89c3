"""Splits that hide individuals, and splits in time."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.data import splits
from megalib.errors import UserError

few = settings(deadline=None, max_examples=40)


@st.composite
def closed_sets(draw):
    """Metadata in which every individual has a training image, and two or more a test image."""
    rows = [("unknown", None)]
    for name in ["ann", "bob", "cyd", "dan", "eve"][: draw(st.integers(2, 5))]:
        tests = draw(st.integers(1 if name in {"ann", "bob"} else 0, 3))
        rows += [(name, "train")] * draw(st.integers(1, 3)) + [(name, "test")] * tests
    rows = draw(st.permutations(rows))
    metadata = pd.DataFrame(rows, columns=["identity", "split"])
    return metadata.assign(image_id=[str(number) for number in range(len(rows))])


@few
@given(closed_sets(), st.floats(0.01, 0.99), st.integers(0, 9))
def test_hidden_individuals_lose_all_training_rows_and_nobody_else_any(metadata, share, seed):
    before = metadata.copy()
    result = splits.hide_individuals(metadata, share, seed)
    pd.testing.assert_frame_equal(metadata, before)
    hidden = set(result.loc[result["is_new"], "identity"])
    tested = set(metadata.loc[metadata["split"] == "test", "identity"])
    assert result["is_new"].dtype == bool
    assert (result["is_new"] == metadata["identity"].isin(hidden)).all()
    assert hidden < tested
    assert len(hidden) == min(max(round(share * len(tested)), 1), len(tested) - 1)
    for old, new, is_new in zip(metadata["split"], result["split"], result["is_new"], strict=True):
        if is_new and old == "train":
            assert pd.isna(new)
        else:
            assert new == old or (pd.isna(new) and pd.isna(old))


@few
@given(closed_sets(), st.integers(0, 9), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_rows(metadata, seed, random):
    order = random.sample(range(len(metadata)), len(metadata))
    expected = splits.hide_individuals(metadata, 0.5, seed)
    shuffled = splits.hide_individuals(metadata.iloc[order], 0.5, seed)
    pd.testing.assert_frame_equal(shuffled, expected.iloc[order])


def test_another_seed_hides_others():
    metadata = pd.DataFrame(
        {"identity": list("abcdefgh") * 2, "split": ["train"] * 8 + ["test"] * 8}
    )
    chosen = {
        tuple(metadata["identity"][splits.hide_individuals(metadata, 0.25, seed)["is_new"]])
        for seed in range(10)
    }
    assert len(chosen) > 1


def test_what_cannot_be_hidden_is_told():
    metadata = pd.DataFrame({"identity": ["a", "a", "b", "b"], "split": ["train", "test"] * 2})
    for share in (0, 1, -0.5, 2):
        with pytest.raises(UserError, match="share must lie between"):
            splits.hide_individuals(metadata, share)
    with pytest.raises(UserError, match="needs two"):
        splits.hide_individuals(metadata[metadata["identity"] == "a"])
    with pytest.raises(UserError, match="closed-set"):
        splits.hide_individuals(metadata.drop(index=0))


@st.composite
def dated(draw):
    """Metadata with dates; Ann has two days at least, some rows have no date or no name."""
    days = st.sampled_from(["2014-05-30", "2014-05-31", "2014-06-01", "2015-01-01", None])
    rows = draw(
        st.lists(st.tuples(st.sampled_from(["ann", "bob", "cyd", "unknown"]), days), max_size=30)
    )
    rows += [("ann", "2014-05-31 23:59:00"), ("ann", "2014-06-01 00:01:00")]
    metadata = pd.DataFrame(draw(st.permutations(rows)), columns=["identity", "date"])
    # An index that says nothing about the rows.
    return metadata.set_axis([7] * len(metadata))


@few
@given(dated(), st.sampled_from([0.1, 0.5, 0.8, 0.99]))
def test_training_days_come_before_test_days(metadata, share):
    before = metadata.copy()
    result = splits.time_aware_split(metadata, share)
    pd.testing.assert_frame_equal(metadata, before)
    pd.testing.assert_frame_equal(result[["identity", "date"]], before)
    unusable = metadata["date"].isna() | (metadata["identity"] == "unknown")
    assert (result["split"].isna() == unusable).all()
    for _, own in result[~unusable].groupby("identity"):
        days = own["date"].str[:10]
        train = set(days[own["split"] == "train"])
        test = set(days[own["split"] == "test"])
        assert not train & test
        total = len(train) + len(test)
        # Half-way cases are rounded to even, here and there.
        assert len(train) == max(1, min(total - 1, round(share * total)))
        if test:
            assert max(train) < min(test)
    assert {"train", "test"} <= set(result["split"].dropna())


def test_dates_of_one_zone_keep_their_day_and_numbers_are_years():
    late = ["2014-05-31T23:30:00+02:00", "2014-06-01T00:30:00+02:00"]
    metadata = pd.DataFrame({"identity": ["a", "a"], "date": late})
    assert splits.time_aware_split(metadata)["split"].tolist() == ["train", "test"]
    years = pd.DataFrame({"identity": ["a", "a"], "date": [2015, 2014]})
    assert splits.time_aware_split(years)["split"].tolist() == ["test", "train"]


def test_metadata_without_enough_time_are_refused():
    dates = ["2014-05-31 08:00", "2014-05-31 09:00", None]
    metadata = pd.DataFrame({"identity": ["a", "a", "b"], "date": dates})
    with pytest.raises(UserError, match="two days"):
        splits.time_aware_split(metadata)
    with pytest.raises(UserError, match="two days"):
        splits.time_aware_split(metadata.assign(date=None))
    with pytest.raises(UserError, match="column `date`"):
        splits.time_aware_split(metadata.drop(columns="date"))
    with pytest.raises(UserError, match="cannot be read"):
        splits.time_aware_split(metadata.assign(date=["2014-05-31", "last spring", None]))
    with pytest.raises(UserError, match="mix time zones"):
        zones = ["2014-05-31T12:00:00+02:00", "2014-06-01T12:00:00+01:00", None]
        splits.time_aware_split(metadata.assign(date=zones))
    for share in (0, 1):
        with pytest.raises(UserError, match="share must lie between"):
            splits.time_aware_split(metadata, share)
