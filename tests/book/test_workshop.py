"""The learners' notebooks come from the same source as the solutions, and run without answers."""

import ast
import re
import shutil
import sys
from io import StringIO

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from megalib.book import parameters, workshop
from megalib.errors import UserError
from megalib.files.places import ROOT, Run
from tests.book.built_book import HTML, needs_book

LESSONS = parameters.lessons()
PICTURE = r"^(\w+ = )?(plots\.|match_gallery\()"  # a line that draws one
# Trainings of the lesson gave 0.44 to 0.48; the networks that it is compared with 0.22 to 0.27.
LEARNED = 0.4


def read(path):
    return nbformat.read(path, as_version=4)


def test_there_are_a_check_and_four_lessons():
    names = [path.stem for path in LESSONS]
    assert names == ["w0_setup", "w1_data", "w2_train", "w3_match", "w4_identify"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_learners_get_everything_but_the_solutions(path):
    lesson = read(path)
    copy = workshop.for_learners(lesson, {})
    for ours, theirs in zip(lesson.cells, copy.cells, strict=True):
        is_exercise = "exercise" in ours.metadata.get("tags", [])
        invitation = workshop.YOUR_TURN if ours.cell_type == "code" else workshop.YOUR_WORDS
        assert theirs.source == (invitation if is_exercise else ours.source)
        assert theirs.get("outputs", []) == []
    assert read(path) == lesson, "the source itself stays as it is"


def executed_once(profile: str, answer: str) -> None:
    """Leave lessons as a profile does that has run them: each solution prints its cell's id."""
    for path in LESSONS:
        lesson = read(path)
        for cell in lesson.cells:
            if cell.cell_type == "code":
                told = f"{cell.id}: {answer}\n"
                cell.outputs = [
                    nbformat.v4.new_output("stream", name="stderr", text="a bar that moves"),
                    nbformat.v4.new_output("stream", name="stdout", text=told),
                    nbformat.v4.new_output("display_data", data={"text/plain": "<Figure>"}),
                    nbformat.v4.new_output("execute_result", data={"text/plain": "a | table"}),
                ]
        target = Run(profile).notebook(path.stem, "lesson")
        target.parent.mkdir(parents=True)
        nbformat.write(lesson, target)


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_learners_see_what_each_solution_said_in_the_run(path, run):
    executed_once(run.profile, "58 of 60")
    lesson = read(path)
    said = workshop.said_by(read(run.notebook(path.stem, "lesson")))
    cells = workshop.for_learners(lesson, said).cells
    places = [
        place
        for place, cell in enumerate(cells)
        if cell.cell_type == "code" and "exercise" in cell.metadata.get("tags", [])
    ]
    assert len(places) == len(said) >= 3
    for place in places:
        told = cells[place + 1]
        assert told.cell_type == "markdown" and told.source.startswith("<details>\n<summary>")
        assert f"```text\n{cells[place].id}: 58 of 60\na | table\n```" in told.source
    assert len(cells) == len(lesson.cells) + len(said)
    nbformat.validate(workshop.for_learners(lesson, said))


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_each_lesson_has_exercises_with_hints_a_quiz_and_common_mistakes(path):
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    solutions = [cell for cell in cells if "exercise" in cell.metadata.get("tags", [])]
    exercises = text.count("# Exercise ")
    assert 3 <= exercises <= 5
    assert text.count("<summary>Hint</summary>") == exercises
    assert len(solutions) == exercises
    assert text.count("<summary>Answer</summary>") == 2
    assert "minutes.*" in text and "## Common mistakes" in text
    for cell in solutions:
        if cell.cell_type == "code":
            assert "hide-cell" in cell.metadata.tags
            assert cell.metadata.mystnb.code_prompt_show == "Show a solution"
        else:
            assert "<summary>Show a solution</summary>" in cell.source


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_each_picture_says_what_is_drawn_and_what_to_see(path):
    drawing = [
        cell
        for cell in read(path).cells
        if cell.cell_type == "code" and re.search(PICTURE, cell.source, re.MULTILINE)
    ]
    assert drawing
    for cell in drawing:
        told = cell.metadata.mystnb
        assert len(told.image.alt) > 20 and len(told.figure.caption) > 20
        assert told.image.alt != told.figure.caption


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


def test_what_a_learner_wrote_stays(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["workshop", run.profile, str(tmp_path / "course")])
    with pytest.raises(SystemExit, match=r"lesson\.ipynb is missing: make workshop"):
        workshop.main()
    assert not (tmp_path / "course").exists()
    executed_once(run.profile, "58 of 60")
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
    monkeypatch.setattr(workshop.computer, "memory_limit", lambda: 2 * 2**30)
    workshop.check_computer(run)
    assert "little memory" in capsys.readouterr().out
    monkeypatch.setattr(workshop.computer, "memory_limit", lambda: 10**9)
    with pytest.raises(UserError, match=r"needs 1\.9 GB of memory, here are 1\.0"):
        workshop.check_computer(run)


def printed(notebook) -> str:
    """What the code cells of an executed notebook say, as text."""
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    texts = [o.text if o.output_type == "stream" else o.get("data", {}) for o in outputs]
    return "\n".join(t if isinstance(t, str) else t.get("text/plain", "") for t in texts)


def top_1(notebook) -> float:
    """The accuracy that lesson 2 prints, in [0, 1]."""
    return float(re.search(r"^top-1: ([\d.]+)%$", printed(notebook), re.MULTILINE)[1]) / 100


def take_from_the_book(run):
    """Take what the book's lessons have drawn, prepared and trained.

    The book has executed the same cells, and what is finished is not done again. Without a book,
    nothing is there, and all is made.
    """
    made = ROOT / "runs" / "workshop"
    if made.is_dir():
        shutil.copytree(made, run.folder, ignore=shutil.ignore_patterns("notebooks", "own"))


@pytest.mark.slow(seconds=90)
def test_the_learners_notebooks_run_from_the_check_to_the_end(tmp_path, monkeypatch):
    """As a learner runs them: written by the command, and alone in a folder."""
    folder = tmp_path / "workshop"
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "runs"))
    take_from_the_book(Run("workshop"))
    monkeypatch.setattr(sys, "argv", ["workshop", "demo", str(folder)])
    executed_once("demo", "58 of 60")
    workshop.main()
    done = {}
    for path in sorted(folder.glob("*.ipynb")):
        lesson = done[path.stem] = read(path)
        NotebookClient(lesson, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    assert "ready" in printed(done["w0_setup"]).splitlines()
    assert top_1(done["w2_train"]) >= LEARNED
    assert (tmp_path / "runs" / "workshop" / "own" / "candidates.html").is_file()
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in LESSONS]


EXECUTED = HTML.parents[2] / "notebooks"


@needs_book
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_solutions_find_something(path):
    """A network that has hardly learned shows in numbers that cannot be computed."""
    lesson = read(EXECUTED / path.stem / "lesson.ipynb")
    for cell in lesson.cells:
        if "exercise" in cell.metadata.get("tags", []) and cell.cell_type == "code":
            said = printed(nbformat.v4.new_notebook(cells=[cell]))
            assert said.strip(), "a solution that shows nothing"
            assert not re.search(r"\b(nan|never)\b|\b0 candidates", said)


@needs_book
def test_the_network_of_the_lessons_has_learned():
    lesson = read(EXECUTED / "w2_train" / "lesson.ipynb")
    assert top_1(lesson) >= LEARNED
    shares = re.findall(r"^(?:untrained: |frozen: |)([\d.]+)%$", printed(lesson), re.MULTILINE)
    chance, random, frozen = (float(share) / 100 for share in shares)
    # Small as they are, networks with random weights see as much of some species as frozen ones.
    assert chance < min(random, frozen) and max(random, frozen) < top_1(lesson)


@needs_book
def test_the_day_gives_animals_away():
    """Lesson 1 says so of the splits, lesson 3 of the day of the query."""
    for name, column in (("w1_data", "split"), ("w3_match", "descriptor")):
        lesson = read(EXECUTED / name / "lesson.ipynb")
        tables = [
            pd.read_html(StringIO(output.data["text/html"]))[0]
            for cell in lesson.cells
            if cell.cell_type == "code"
            for output in cell.outputs
            if "text/html" in output.get("data", {})
        ]
        table = next(table for table in tables if column in table and "top-1" in table)
        # The last two rows are those of thumbnails; a network may have learned to ignore the day.
        easy, hard = table["top-1"].iloc[-2:]
        assert easy > hard + 0.05, name  # three of sixty photographs
