import json
import os
import re
import shutil
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import yaml

from megalib import flavours
from megalib.book import notebook, pages, parameters, pipeline
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files.places import ROOT, Run
from tests import forks
from tests.book.built_book import needs_book
from tests.conftest import write_image

DRY_RUN = ("snakemake", "--dry-run", "--cores", "2")


def snakemake(*arguments, runs=None):
    """Plan with the real Snakefile; nothing is executed."""
    variables = {"MEGALIB_RUNS": str(runs)} if runs else {}
    return forks.run(forks.module, *DRY_RUN, *arguments, **variables)


def jobs(result) -> dict[str, int]:
    """The table of jobs that snakemake prints, by rule."""
    lines = [line.split() for line in result.stdout.splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}


CLOSER = {"days": 1, "errors": 1, "field": 1, "new_animals": 1, "own_data": 1, "sensitivity": 1}
FACTS = {"flavours": 1, "published": 1}
PAGE_OF = {  # what the Snakefile calls the page of a notebook that makes one
    "0_datasets": "datasets",
    "0_try": "try",
    "2_flavours": "flavours",
    "3_sift": "sift",
    "4_days": "days",
    "4_errors": "errors",
    "4_field": "field",
    "4_new_animals": "new_animals",
    "4_published": "published",
    "4_results": "results",
    "4_sensitivity": "sensitivity",
    "4_truth": "truth",
    "5_own_data": "own_data",
    "6_colophon": "colophon",
}
LESSONS = {path.stem: 1 for path in parameters.lessons()}
MATRIX = ("prepare", "aggregate", "train", "infer")  # jobs for each dataset or flavour
LAST = {"colophon": 1, "book": 1, "all": 1}
SUMMED = {"results": 1, "truth": 1}  # pages of the accuracies of all methods
ALWAYS = CLOSER | FACTS | LESSONS | LAST | SUMMED
ALWAYS |= {"first_result": 1, "datasets": 1, "sift": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["profile=paper"], {"prepare": 29, "aggregate": 1, "train": 5, "infer": 8}),
        (["profile=paper", "weights=hub"], {"prepare": 29, "infer": 8}),
        (["profile=lions"], {"prepare": 1, "aggregate": 1, "train": 5, "infer": 5}),
        (["profile=demo"], {"prepare": 4, "aggregate": 1, "train": 5, "infer": 5}),
    ],
    ids=" ".join,
)
def test_a_profile_resolves_to_its_whole_matrix(tmp_path, arguments, expected):
    found = jobs(snakemake("--quiet", "rules", "--config", *arguments, runs=tmp_path))
    assert found.pop("total") == sum(found.values())
    assert found == ALWAYS | expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("profile=demos", "unknown profile 'demos': did you mean 'demo'?"),
        ("epoch=3", "unknown parameter 'epoch': did you mean 'epochs'?"),
        ("flavours=[MegaDescriptor-T-22]", "did you mean 'MegaDescriptor-T-224'?"),
    ],
)
def test_a_mistake_in_the_configuration_is_told_before_anything_runs(config, message):
    result = snakemake("--config", config)
    assert result.returncode != 0
    assert message in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_what_a_short_profile_leaves_out_is_as_in_the_notebooks(tmp_path):
    (tmp_path / "mine.yaml").write_text("datasets: [DemoZebra]\n")
    configuration = f"profile={tmp_path / 'mine.yaml'}"
    found = jobs(snakemake("--quiet", "rules", "--config", configuration, runs=tmp_path / "runs"))
    assert found.pop("total") == sum(found.values())
    assert found == ALWAYS | {"prepare": 1, "aggregate": 1, "train": 5, "infer": 5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets: []", "parameter datasets is empty: write for instance `datasets: [DemoZebra]`"),
        ('profile: "x$(touch PWNED)"', "cannot name a profile"),
        ('own: {"A;touch PWNED;": a}', "cannot name your own pictures"),
        ("profile: ../evil", "cannot name a profile"),
    ],
)
def test_a_profile_that_makes_no_run_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    result = snakemake("--config", f"profile={tmp_path / 'mine.yaml'}", runs=tmp_path / "runs")
    assert result.returncode != 0
    assert message in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]


def test_an_unknown_parameter_never_starts_a_kernel(tmp_path):
    with pytest.raises(UserError, match="did you mean 'flavour'"):
        pipeline.execute("2_train", tmp_path / "a.ipynb", {"flavor": "x"})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_before_a_kernel_starts(tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(UserError, match=r"cannot write .*MEGALIB_RUNS"):
        pipeline.execute("1_prepare", tmp_path / "taken" / "a.ipynb", {})


@pytest.mark.slow
def test_a_failed_notebook_is_kept_and_named_and_the_error_is_one_line(run):
    output = run.notebook("4_results", "results")
    command = ["megalib.book.pipeline", "4_results", str(output)]
    command += ["--parameters", json.dumps({"profile": "test"})]
    result = forks.run(forks.module, *command)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: no results in")
    assert "results.failed.ipynb" in last
    assert "Traceback" not in result.stderr
    failed = pipeline.failed_copy(output)
    assert [path.name for path in output.parent.iterdir()] == [failed.name]
    with pytest.raises(UserError, match="failed"):
        pages.read_executed(failed)


@pytest.mark.slow
def test_own_pictures_go_through_the_notebook_of_the_preparation(run, tmp_path):
    """The example of the page on one's own pictures."""
    for number in range(8):
        write_image(tmp_path / "owls" / f"owl{number % 2}" / f"{number}.jpg", (600, 540), number)
    output = run.notebook("1_prepare", "Owls")
    own = {"profile": "test", "dataset": "Owls", "own": {"Owls": str(tmp_path / "owls")}}
    pipeline.execute("1_prepare", output, own)
    pages.read_executed(output)
    assert len(read_metadata(run.metadata("Owls"))) == 8
    assert len(list(run.images(518, "Owls").rglob("*.jpg"))) == 8
    pipeline.execute(
        "0_datasets", run.notebook("0_datasets", "datasets"), own | {"datasets": ["Owls"]}
    )


@pytest.fixture
def executed(tmp_path):
    """An executed notebook as papermill leaves it."""
    code = nbformat.v4.new_code_cell("1", execution_count=1)
    code.metadata["mystnb"] = {"image": {"alt": "Curve of {flavour}"}}
    title = nbformat.v4.new_markdown_cell("# Train one flavour\n\nText.")
    title.metadata["book"] = {"title": "Training {flavour}", "learn": "how", "need": "time"}
    notebook = nbformat.v4.new_notebook(cells=[title, code])
    facts = {"parameters": {"flavour": "MegaDescriptor-T-224"}, "duration": 125.0}
    notebook.metadata["papermill"] = facts
    return notebook


def written(notebook, folder):
    path = folder / "2_train" / "T.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def run_with_figure(run):
    run.table("").mkdir(parents=True)
    run.figure("").mkdir(parents=True)
    run.figure("headline.png").write_bytes(b"picture")
    return run


def test_pages_open_with_their_title_and_what_they_are_for(executed, tmp_path, run_with_figure):
    source = pages.stage([written(executed, tmp_path)], run_with_figure)
    assert source.is_relative_to(run_with_figure.folder)
    page = nbformat.read(source / "book" / "run" / "2_train" / "T.ipynb", as_version=4)
    opening = page.cells[0].source.splitlines()
    assert opening[0] == "# Training MegaDescriptor-T-224"
    assert "**You learn** how." in opening
    assert "**Time:** 1 min to read; this page took 2 minutes to run." in opening
    assert opening[-1] == "Text."
    assert page.cells[1].metadata.mystnb.image.alt == "Curve of MegaDescriptor-T-224"
    assert (source / "book/run/figures/headline.png").read_bytes() == b"picture"
    assert yaml.safe_load((source / "_toc.yml").read_text())["root"] == "book/intro"
    for page in (ROOT / "book").glob("*.md"):
        assert (source / "book" / page.name).read_text() == page.read_text()


def test_books_of_two_runs_never_meet(executed, tmp_path, run_with_figure):
    other = Run("other")
    for folder in (other.table(""), other.figure("")):
        folder.mkdir(parents=True)
    ours = pages.stage([written(executed, tmp_path)], run_with_figure)
    before = {path: path.read_bytes() for path in ours.rglob("*") if path.is_file()}
    theirs = pages.stage([written(executed, tmp_path)], other)
    assert not theirs.is_relative_to(ours)
    assert {path: path.read_bytes() for path in ours.rglob("*") if path.is_file()} == before


def test_staging_again_leaves_no_page_of_before(executed, tmp_path, run_with_figure):
    source = pages.stage([written(executed, tmp_path)], run_with_figure)
    (source / "book" / "run" / "2_train" / "old.ipynb").write_text("{}")
    assert pages.stage([written(executed, tmp_path)], run_with_figure) == source
    assert not (source / "book" / "run" / "2_train" / "old.ipynb").exists()
    assert [path.name for path in source.parent.iterdir()] == ["source"]


def contents_of(*staged):
    """Pages of the book of a run that has these executed pages, in their order."""
    template = yaml.safe_load(pages.CONTENTS.read_text())
    return re.findall(r"(?:file|root): (\S+)", yaml.safe_dump(pages.with_pages(template, staged)))


def test_a_book_has_the_pages_of_its_run():
    """Without a training, with a baseline, on two datasets of one's own."""
    staged = [
        "book/run/1_prepare/Owls",
        "book/run/1_prepare/Crows",
        "book/run/3_infer/MegaDescriptor-T-224",
        "book/run/3_infer/DINOv2-ViT-L-518",
    ]
    found = contents_of(*staged)
    assert [page for page in found if "/run/" in page] == staged
    assert [page for page in contents_of() if "/run/" in page] == []
    written_by_hand = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    assert set(found) - set(staged) == set(contents_of()) == written_by_hand


def test_every_page_that_the_pipeline_makes_has_its_place_in_the_book():
    flavour_pages = {
        f"book/run/{stage}/{name}"
        for stage, names in (
            ("2_train", flavours.FLAVOURS),
            ("3_infer", [*flavours.FLAVOURS, *flavours.BASELINES]),
        )
        for name in names
    }
    stages = set(parameters.notebooks()) - {"1_prepare", "2_train", "3_infer"}
    staged = {f"book/run/{stage}/{PAGE_OF.get(stage, 'lesson')}" for stage in stages}
    everything = flavour_pages | staged | {"book/run/1_prepare/LionData"}
    assert {page for page in contents_of(*everything) if "/run/" in page} == everything


def test_flavours_stand_in_their_order_in_the_book():
    pages = [f"book/run/2_train/{name}" for name in flavours.FLAVOURS]
    assert [page for page in contents_of(*sorted(pages)) if "/run/" in page] == pages


def test_links_to_pages_that_a_book_does_not_have_become_text(tmp_path):
    page = tmp_path / "book" / "run" / "3_sift" / "sift.ipynb"
    page.parent.mkdir(parents=True)
    page.touch()
    hand = "[SIFT](run/3_sift/sift.ipynb), [T](run/2_train/T.ipynb#x), [a](short.md) [*b*](c.ipynb)"
    assert pages.without_missing_pages(hand, "book/inference", tmp_path) == (
        "[SIFT](run/3_sift/sift.ipynb), T (not part of this book), [a](short.md) [*b*](c.ipynb)"
    )
    notebook = '"source": ["[x] and [two\\n",\n "lines](../2_train/T.ipynb)"]'
    assert pages.without_missing_pages(notebook, "book/run/3_sift/sift", tmp_path) == (
        '"source": ["[x] and two\\n",\n "lines (not part of this book)"]'
    )


@pytest.mark.parametrize(("words", "minutes"), [(0, 1), (299, 1), (301, 2), (2000, 10)])
def test_minutes_to_read_grow_with_the_words(words, minutes):
    assert pages.minutes_to_read("word " * words) == minutes


def test_every_notebook_says_what_one_learns_and_needs():
    for name, path in parameters.notebooks().items():
        facts = nbformat.read(path, as_version=4).cells[0].metadata.book
        assert facts.learn and facts.need, name
        assert not facts.learn.endswith("."), name


def test_every_notebook_opens_by_saying_what_kind_of_page_it_is():
    told, kinds = ("notebook.banner(", "notebook.kind("), {}
    for name, path in parameters.notebooks().items():
        cells = nbformat.read(path, as_version=4).cells
        code = [cell.source.splitlines()[-1] for cell in cells if cell.cell_type == "code"]
        opening = code[1]  # after the parameters
        assert opening.startswith(told), name
        if "kind" in opening:
            kinds[name] = opening.split('"')[1]
    assert kinds == {
        "0_datasets": "mixed",
        "2_flavours": "facts",
        "4_published": "published",
        "4_truth": "recorded",
        "6_colophon": "facts",
    }
    assert set(kinds.values()) == set(notebook.KINDS)
    assert notebook.kind("facts").data.startswith("> **Facts.** Nothing on this page is a result")


def test_what_is_not_complete_is_not_published(executed, tmp_path):
    pages.read_executed(written(executed, tmp_path))
    executed.cells[1].execution_count = None
    with pytest.raises(UserError, match="cell 2 was never executed"):
        pages.read_executed(written(executed, tmp_path))
    executed.cells[1].execution_count = 1
    executed.cells[1].outputs = [
        nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    ]
    with pytest.raises(UserError, match="cell 2 failed"):
        pages.read_executed(written(executed, tmp_path))
    executed.cells[1].outputs = []
    executed.metadata.papermill["exception"] = True
    with pytest.raises(UserError, match="stopped with an error"):
        pages.read_executed(written(executed, tmp_path))
    with pytest.raises(UserError, match="is missing"):
        pages.read_executed(tmp_path / "absent.ipynb")


def test_a_page_that_fails_leaves_the_staged_ones_alone(executed, tmp_path, run_with_figure):
    source = pages.stage([written(executed, tmp_path)], run_with_figure)
    executed.cells[1].execution_count = None
    with pytest.raises(UserError):
        pages.stage([written(executed, tmp_path)], run_with_figure)
    assert (source / "book" / "run" / "2_train" / "T.ipynb").is_file()


KILLED = """
import os, signal
from megalib.files.writing import whole_file
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_kernel_is_told_in_one_line_and_its_notebook_kept(run, monkeypatch, tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("# A title"),
        nbformat.v4.new_code_cell(
            'profile: str = "test"  # of the run', metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_code_cell(KILLED),
    ]
    source = tmp_path / "9_killed.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    notebooks = {**parameters.notebooks(), "9_killed": source}
    monkeypatch.setattr(parameters, "notebooks", lambda: notebooks)
    output = run.notebook("9_killed", "killed")
    with pytest.raises(UserError, match=r"was killed in cell \d, as happens when memory") as told:
        pipeline.execute("9_killed", output, {})
    assert "\n" not in str(told.value)
    assert [path.name for path in output.parent.iterdir()] == [pipeline.failed_copy(output).name]


def test_what_is_dated_ahead_counts_as_outdated(run):
    table, today = run.table("a.csv"), run.table("b.csv")
    table.parent.mkdir(parents=True)
    for file in (table, today):
        file.write_text("x")
    tomorrow = time.time() + 86400
    os.utime(table, (tomorrow, tomorrow))
    before = today.stat().st_mtime
    assert pipeline.outdate_from_ahead(run) == 1
    assert table.stat().st_mtime < before == today.stat().st_mtime
    assert pipeline.outdate_from_ahead(run) == 0


def hidden(folder):
    return sorted(path.name for path in folder.rglob(".*"))


@pytest.mark.slow(seconds=30)
def test_a_killed_pipeline_leaves_no_process_and_no_lock(tmp_path):
    """Two at once, then a kill, then the next call: in a folder with a blank and other signs."""
    runs = tmp_path / "my runs; it's $HOME"
    variables = {"MEGALIB_RUNS": str(runs)}
    command = ["snakemake", "--cores", "1", "--", "published"]
    first = forks.start(forks.module, *command, said=tmp_path, **variables)
    until = time.monotonic() + 60
    notebooks = runs / "demo" / "notebooks" / "4_published"
    while not list(notebooks.glob(".published.ipynb.part*/*")):
        assert first.is_alive() and time.monotonic() < until
        time.sleep(0.1)
    second = forks.run(forks.module, *command, **variables)
    workers = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    line = f"error: another process does the run of demo: process {first.pid} on "
    assert line in second.stdout + second.stderr, second
    assert second.returncode != 0
    assert "Traceback" not in second.stdout + second.stderr
    assert len(workers) >= 2, "a job and its kernel"
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    third = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert third.returncode == 0, third.stderr
    assert [path.name for path in notebooks.iterdir()] == ["published.ipynb"]
    assert hidden(runs) == []


@needs_book
@pytest.mark.slow
def test_a_second_call_finds_nothing_to_do():
    result = snakemake()
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout + result.stderr


@needs_book
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "redone"),
    [
        ("epochs=3", {"train", "infer", *SUMMED, *CLOSER, *LAST}),
        ("compare_untrained=False", {"infer", *SUMMED, *CLOSER, *LAST}),
        ("keypoints=200", {"first_result", "sift", "days", "field", *SUMMED, *LAST}),
        ("individuals=9", {"first_result", *LAST}),
        ("split_seed=1", {*ALWAYS, *MATRIX} - {*FACTS, *LESSONS, "first_result"}),
    ],
)
def test_a_changed_parameter_redoes_just_what_depends_on_it(config, redone):
    found = jobs(snakemake("--quiet", "rules", "--config", config))
    assert set(found) - {"total"} == redone


@needs_book
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "redone"),
    [
        ("data/published/accuracies.csv", {"published", "results", "datasets", "book"}),
        ("megalib/glossary.py", {"book", "all"}),
        ("book/_static/book.css", {"book", "all"}),
    ],
)
def test_a_changed_file_makes_the_pages_anew_that_show_it(tmp_path, file, redone):
    copy = tmp_path / "copy"
    left_out = shutil.ignore_patterns("runs", ".git", ".venv", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / "runs").symlink_to(ROOT / "runs")
    with (copy / file).open("a") as changed:
        changed.write("\n")
    plan = [*DRY_RUN, "--quiet", "rules", "--rerun-triggers", "mtime"]
    found = jobs(
        subprocess.run([sys.executable, "-m", *plan], cwd=copy, capture_output=True, text=True)
    )
    assert redone <= set(found)
    assert not {"prepare", "train", "infer"} & set(found)
