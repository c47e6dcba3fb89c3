"""What was taken together stays together, in whatever order it comes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.identify.learning import occasions


def table(rows, *columns):
    names = ["photograph", "identity", *columns]
    return pd.DataFrame(rows, columns=names).replace({"": np.nan})


def together(metadata, copies=None):
    """The photographs of each occasion, sorted."""
    names = pd.Series(occasions.of(metadata, copies))
    groups = metadata["photograph"].groupby(names.to_numpy())
    return sorted(sorted(own) for _, own in groups)


def test_an_encounter_counts_before_a_moment_and_a_moment_before_a_day():
    metadata = table(
        [
            ("a", "Ada", "E1", "2024-05-01T10:00:00", "2024-05-01"),
            ("b", "Bo", "E1", "2024-07-01T10:00:00", "2024-07-01"),
            ("c", "Ada", "", "2024-05-01T10:05:00", "2024-05-01"),
            ("d", "Ada", "", "2024-05-01T10:55:00", "2024-05-01"),
            ("e", "Ada", "", "2024-05-01T11:54:00", "2024-05-01"),
            ("f", "Ada", "", "2024-05-01T12:55:00", "2024-05-01"),
            ("g", "Ada", "", "", "2024-05-01"),
            ("h", "Bo", "", "", "2024-05-01"),
            ("i", "Bo", "", "", ""),
            ("j", "Bo", "", "", ""),
        ],
        *("encounter", "moment", "date"),
    )
    # c, d and e follow one another within the hour, though c and e are further apart.
    expected = [["a", "b"], ["c", "d", "e"], ["f"], ["g", "h"], ["i"], ["j"]]
    assert together(metadata) == expected


def test_moments_count_at_one_station_or_else_of_one_individual_in_one_folder():
    at = "2024-05-01T10:00:00"
    metadata = table(
        [("a", "Ada", at, "N"), ("b", "Bo", at, "N"), ("c", "Ada", at, "S")], "moment", "station"
    )
    assert together(metadata) == [["a", "b"], ["c"]]
    metadata = table([("x/a", "Ada", at), ("x/b", "Bo", at), ("y/c", "Ada", at)], "moment")
    assert together(metadata) == [["x/a"], ["x/b"], ["y/c"]]
    unknown = metadata.assign(identity="unknown")  # new photographs: the folder of a camera
    assert together(unknown) == [["x/a", "x/b"], ["y/c"]]
    assert occasions.meetings(unknown).tolist()[0] == "x 2024-05-01T10:00:00"


def test_two_animals_on_one_photograph_were_taken_on_one_occasion():
    metadata = table([("a", "Ada"), ("a", "Bo"), ("b", "Ada")])
    assert together(metadata) == [["a", "a"], ["b"]]


def test_nothing_noted_is_no_meeting():
    assert occasions.meetings(table([("a", "Ada")])).isna().all()


def naively_joined(names, copies):
    """Merge groups that share a name or a content until nothing changes."""
    groups = [{place} for place in range(len(names))]
    merged = True
    while merged:
        merged = False
        for one in groups:
            for other in groups:
                if one is not other and any(
                    names[a] == names[b] or copies[a] == copies[b] for a in one for b in other
                ):
                    one |= other
                    groups.remove(other)
                    merged = True
                    break
            if merged:
                break
    return sorted(sorted(group) for group in groups)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9))
def test_copies_of_a_photograph_join_their_occasions(pairs):
    names, copies = [f"E{one}" for one, _ in pairs], [other for _, other in pairs]
    metadata = table([(str(n), "Ada", name) for n, name in enumerate(names)], "encounter")
    expected = [[str(n) for n in group] for group in naively_joined(names, copies)]
    assert together(metadata, np.array(copies)) == sorted(expected)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.randoms())
def test_the_order_of_rows_decides_nothing(minutes, random):
    start = pd.Timestamp("2024-05-01")
    rows = [
        (str(number), "Ada", (start + pd.Timedelta(minutes=minute)).isoformat())
        for number, minute in enumerate(minutes)
    ]
    shuffled = random.sample(rows, len(rows))
    expected = together(table(rows, "moment"))
    assert together(table(shuffled, "moment")) == expected
    # The plain way: a gap of more than an hour between neighbours in time parts them.
    gaps = np.diff(sorted(minutes))
    assert len(expected) == 1 + (gaps > 60).sum()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "each photograph counts as an occasion of its own: where several were taken in a row"),
        ({"date": ["2024-05-01", np.nan]}, "by their date, are never compared for this. Of 1 none"),
        ({"encounter": ["E", "F"]}, "by their encounter, are never compared for this."),
    ],
)
def test_it_says_by_what_photographs_are_held_apart(columns, words):
    metadata = table([("a", "Ada"), ("b", "Bo")]).assign(**columns)
    assert words in occasions.in_words(metadata)
