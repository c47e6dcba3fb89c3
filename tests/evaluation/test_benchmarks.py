"""What benchmarks keep for the book."""

import pandas as pd
import pytest

from megalib.evaluation import benchmarks


@pytest.mark.parametrize("stage", ["preparation", "training", "features", "retrieval"])
def test_each_number_says_where_it_was_measured_and_how(stage):
    table = benchmarks.read(stage)
    assert table["hardware"].notna().all() and table["way"].notna().all()
    assert table["command"].str.startswith("python benchmarks/").all()
    assert "megalib" in set(table["way"])
    assert not table["command"].str.contains(r"\s/", regex=True).any(), "a path of one machine"


def test_a_newer_measurement_takes_the_place_of_its_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "FOLDER", tmp_path)
    row = {"hardware": "abacus", "torch": "2.10", "way": "megalib", "ratio": 2.0, "command": "x"}
    for ratio in (2.0, 3.0):
        benchmarks.keep("x", pd.DataFrame([row | {"ratio": ratio}]), ["hardware", "way"])
    benchmarks.keep("x", pd.DataFrame([row | {"hardware": "quipu"}]), ["hardware", "way"])
    table = benchmarks.read("x")
    assert table["ratio"].tolist() == [3.0, 2.0]
    assert table["torch"].tolist() == ["2.10", "2.10"], "versions stay text"
    assert list(table) == ["way", "ratio", "hardware", "torch", "command"]
