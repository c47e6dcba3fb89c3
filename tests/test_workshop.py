"""The learners' notebooks come from the same source as the solutions, and run without answers."""

import ast
import os
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from megalib import workshop
from megalib.errors import UserError
from megalib.files import ROOT, Run

LESSONS = workshop.lessons()


def read(path):
    return nbformat.read(path, as_version=4)


def test_there_are_a_check_and_four_lessons():
    names = [path.stem for path in LESSONS]
    assert names == ["w0_setup", "w1_data", "w2_train", "w3_match", "w4_identify"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_learners_get_everything_but_the_solutions(path):
    lesson = read(path)
    copy = workshop.for_learners(lesson)
    for ours, theirs in zip(lesson.cells, copy.cells, strict=True):
        is_exercise = "exercise" in ours.metadata.get("tags", [])
        assert theirs.source == (workshop.YOUR_TURN if is_exercise else ours.source)
        assert theirs.get("outputs", []) == []
    assert read(path) == lesson, "the source itself stays as it is"


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_each_lesson_has_exercises_with_hints_a_quiz_and_common_mistakes(path):
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    solutions = [cell for cell in cells if "exercise" in cell.metadata.get("tags", [])]
    exercises = text.count("# Exercise ")
    assert 3 <= exercises <= 5
    assert text.count("<summary>Hint</summary>") == exercises
    assert len(solutions) in (exercises, exercises - 1)  # one may be answered in words
    assert text.count("<summary>Answer</summary>") == 2
    assert "minutes.*" in text and "## Common mistakes" in text
    assert all("hide-cell" in cell.metadata.tags for cell in solutions)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_cell_needs_the_answer_of_an_exercise(path):
    """Names that only a solution assigns are used by no cell that a learner gets."""
    lesson = read(path)
    answered, given, used = set(), set(), set()
    for cell in lesson.cells:
        if cell.cell_type != "code":
            continue
        names = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if "exercise" in cell.metadata.get("tags", []):
            answered |= stored
        else:
            given |= stored
            used |= {node.id for node in names if isinstance(node.ctx, ast.Load)}
    assert not used & (answered - given)


def test_what_a_learner_wrote_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["workshop", str(tmp_path / "course")])
    workshop.main()
    written = sorted((tmp_path / "course").iterdir())
    assert [path.name for path in written] == [path.name for path in LESSONS]
    written[1].write_text("my answers")
    workshop.main()
    assert written[1].read_text() == "my answers"
    assert capsys.readouterr().out.count("stays as it is") == len(LESSONS)


def test_a_computer_that_is_too_small_is_told(run, monkeypatch, capsys):
    workshop.check_computer(run)
    assert "processor cores" in capsys.readouterr().out
    monkeypatch.setattr(workshop.psutil, "virtual_memory", lambda: type("M", (), {"total": 1e9})())
    with pytest.raises(UserError, match=r"needs 3\.5 GB of memory, here are 1\.0"):
        workshop.check_computer(run)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("CI") and not Run("workshop").folder.is_dir(),
    reason="needs the run of the workshop: make book",
)
def test_the_learners_notebooks_run_from_the_check_to_the_end():
    for path in LESSONS:
        copy = workshop.for_learners(read(path))
        NotebookClient(copy, timeout=900, resources={"metadata": {"path": str(ROOT)}}).execute()
        printed = "".join(
            output.text
            for cell in copy.cells
            if cell.cell_type == "code"
            for output in cell.outputs
            if output.output_type == "stream" and output.name == "stdout"
        )
        assert path.stem != "w0_setup" or printed.endswith("ready\n")
