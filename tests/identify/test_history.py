"""Capture histories against a plain loop, and as program MARK reads them."""

import re
from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.errors import UserError
from megalib.identify import history

FIRST = date(2023, 12, 25)
SHOTS = st.lists(
    st.tuples(
        st.sampled_from(["Ada", "Bo", "Zoë; */ 'x'", "unknown"]),
        st.one_of(st.none(), st.integers(0, 40), st.sampled_from(["2024", "2024-01", ""])),
    ),
    max_size=25,
)


def as_table(shots):
    days = [
        (FIRST + timedelta(days=day)).isoformat() if isinstance(day, int) else day
        for _, day in shots
    ]
    return pd.DataFrame({"identity": [name for name, _ in shots], "date": days}, dtype=object)


@settings(max_examples=60, deadline=None)
@given(SHOTS, st.integers(1, 9))
def test_a_history_is_that_of_a_plain_loop(shots, length):
    found = history.capture_history(as_table(shots), length)
    dated = [(name, day) for name, day in shots if isinstance(day, int) and name != "unknown"]
    if not dated:
        assert found.table.empty and found.in_words.startswith("no capture history")
        return
    begin = min(day for _, day in dated)
    occasions = sorted({(day - begin) // length for _, day in dated})
    names = sorted({name for name, _ in dated})
    assert found.table.index.tolist() == names
    assert list(found.table) == [
        (FIRST + timedelta(days=begin + one * length)).isoformat() for one in occasions
    ]
    for name in names:
        for number, one in enumerate(occasions):
            seen = any(who == name and (day - begin) // length == one for who, day in dated)
            assert found.table.loc[name].iloc[number] == int(seen)
    assert found.intervals == [b - a for a, b in pairwise(occasions)]
    without = sum(name != "unknown" and not isinstance(day, int) for name, day in shots)
    assert (f"{without} photographs that have no day" in found.in_words) == (without > 0)
    read_as_mark_does(history.as_inp(found), found.table)


def read_as_mark_does(text, table):
    """Comments go, then a history, how many have it, and a semicolon."""
    assert text.isascii()
    assert re.findall(r"^/\*.*\*/$", text, re.MULTILINE) == text.splitlines()[:2]
    records = re.sub(r"/\*.*?\*/", "", text).split(";")
    assert records.pop().strip() == ""
    expected = ["".join(map(str, row)) for row in table.to_numpy()]
    assert [record.split() for record in records] == [[seen, "1"] for seen in expected]
    comments = re.findall(r"/\*(.*?)\*/", text)[2:]
    assert len(set(comments)) == len(table) and not any(";" in one for one in comments)


def test_what_was_left_out_is_told():
    shots = [("Ada", 0), ("Ada", 3), ("Bo", None), ("unknown", 1)]
    found = history.capture_history(as_table(shots), 2)
    assert found.in_words == (
        "capture history: 1 individuals on 2 occasions from 2023-12-25 to 2023-12-28; left out "
        "are 1 photographs that have no day and 1 photographs that show nobody known"
    )
    without = pd.DataFrame({"identity": ["Ada"]})
    assert history.capture_history(without).table.empty


def test_an_occasion_takes_a_day_at_least():
    with pytest.raises(UserError, match="occasion_days must be 1 or more, not 0"):
        history.capture_history(as_table([("Ada", 0)]), 0)


def test_the_files_of_an_empty_history_are_removed(tmp_path):
    files = history.write(tmp_path, history.capture_history(as_table([("=Ada", 0), ("Bo", 2)])))
    assert [file.name for file in files] == ["capture_history.csv", "capture_history.inp"]
    assert files[0].read_text().splitlines() == [
        '"individual","2023-12-25","2023-12-27"',
        '"\'=Ada",1,0',
        '"Bo",0,1',
    ]
    assert files[1].read_text().splitlines() == [
        "/* occasions: 2023-12-25, 2023-12-27 */",
        "/* time intervals: 2 */",
        "/* 1 Ada */ 10 1;",
        "/* 2 Bo */ 01 1;",
    ]
    assert history.write(tmp_path, history.capture_history(as_table([]))) == []
    assert list(tmp_path.iterdir()) == []
