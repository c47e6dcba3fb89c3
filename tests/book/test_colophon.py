"""What made a book is read from its notebooks and from the environment."""

import nbformat
import pytest
from nbformat.v4 import new_notebook

from megalib.book import colophon
from megalib.files.places import ROOT


def write(run, stage, page, facts):
    path = run.notebook(stage, page)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(metadata={"papermill": facts}), path)


def test_executed_notebooks_are_listed_with_their_time(run):
    done = {"start_time": "2026-01-02T03:04:05.6", "end_time": "2026-01-02T03:05", "duration": 55.5}
    write(run, "2_train", "B", done | {"parameters": {"flavour": "x", "seed": 0}})
    write(run, "1_prepare", "A", done | {"parameters": {}})
    write(run, "1_prepare", "Z.failed", done | {"parameters": {}})
    write(run, "6_colophon", "colophon", {"end_time": None, "parameters": {}})
    table = colophon.executed(run)
    assert table["page"].tolist() == ["A", "B"]
    assert table["seconds"].tolist() == [55.5, 55.5]
    assert table["started"].iloc[0] == "2026-01-02 03:04"
    assert table["parameters"].tolist() == [0, 1]
    assert colophon.executed(type(run)("nothing")).empty


def test_versions_are_compared_with_the_lock(tmp_path):
    table = colophon.versions(ROOT / "requirements.lock").set_index("package")
    assert {"torch", "timm", "jupyter-book"} <= set(table.index)
    assert table["same"].all(), table[~table["same"]]
    lock = tmp_path / "lock"
    lock.write_text('Torch==0.1\nno-such-package==1 ; sys_platform == "win32"\n')
    table = colophon.versions(lock)
    assert table["package"].tolist() == ["Torch"]
    assert not table["same"].any()
    with pytest.raises(FileNotFoundError):
        colophon.versions(tmp_path / "absent")
