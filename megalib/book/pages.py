"""From the executed notebooks of a run to its book.

On the command line::

    python -m megalib.book.pages demo runs/demo/notebooks/4_results/results.ipynb …

The notebooks are checked, given the title that fits their flavour or dataset, and laid beside the
hand-written pages in a folder of the run, together with the figures and tables of the run, and with
a table of contents of the pages that this run has. Jupyter Book makes the pages of that folder, so
the books of two runs never meet.
"""

import argparse
import fnmatch
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_book.cli.main import main as jupyter_book
from nbformat import NotebookNode

from megalib.errors import UserError
from megalib.files import locks, processes
from megalib.files.places import ROOT, Run, shown
from megalib.files.plain import in_markdown
from megalib.files.writing import whole_folder

CONTENTS = ROOT / "_toc.yml"  # of a book that has every page there could be
HAND_WRITTEN = ("_config.yml", "book", "data", "benchmarks/README.md")  # what pages are made of
EXECUTED = Path("book", "run")  # where they expect what a run made
WORDS_A_MINUTE = 200


def stage(notebooks: Sequence[Path], run: Run) -> Path:
    """Lay pages, executed notebooks, figures and tables of a run together.

    Args:
        notebooks: executed copies, each below a folder named after its stage.
        run: whose figures and tables are shown.

    Returns:
        The folder of which Jupyter Book makes the pages.

    Raises:
        UserError: a notebook is missing, unfinished or failed; or the folder cannot be written.
    """
    pages = {path: read_executed(path) for path in notebooks}
    staged = sorted((EXECUTED / path.parent.name / path.stem).as_posix() for path in notebooks)
    contents = with_pages(yaml.safe_load(CONTENTS.read_text()), staged)
    with whole_folder(run.book / "source") as folder:
        for name in HAND_WRITTEN:
            _copy(ROOT / name, folder / name)
        for path, page in pages.items():
            target = folder / EXECUTED / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(as_page(page), target)
        for made in (run.figure(""), run.table("")):
            _copy(made, folder / EXECUTED / made.name)
        (folder / CONTENTS.name).write_text(yaml.safe_dump(contents, sort_keys=False))
    return run.book / "source"


def _copy(source: Path, target: Path) -> None:
    if source == ROOT / EXECUTED:  # where earlier versions laid the pages of any run
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # One after the other, not by `copytree`, which collects errors and loses their kind.
        for path in sorted(source.iterdir()):
            _copy(path, target / path.name)
    else:
        shutil.copyfile(source, target)


def with_pages(contents: Any, staged: Sequence[str]) -> Any:
    """A table of contents with just those executed pages that a run has.

    Args:
        contents: of `_toc.yml`, or a part of it.
        staged: the executed pages, such as "book/run/3_sift/sift".
    """
    if isinstance(contents, list):
        entries = [entry for part in contents for entry in _without_pattern(part, staged)]
        return [entry for entry in (with_pages(part, staged) for part in entries) if entry]
    if not isinstance(contents, dict):
        return contents
    page = contents.get("file", "")
    if page.startswith(f"{EXECUTED.as_posix()}/") and page not in staged:
        return {}
    parts = {key: with_pages(part, staged) for key, part in contents.items()}
    return {key: part for key, part in parts.items() if part}


def _without_pattern(entry: dict[str, Any], staged: Sequence[str]) -> list[dict[str, Any]]:
    """An entry as it is, or one for each page that its `glob` stands for."""
    if "glob" not in entry:
        return [entry]
    return [{"file": page} for page in fnmatch.filter(staged, entry["glob"])]


def read_executed(path: Path) -> NotebookNode:
    """Read an executed notebook; jupyter-book itself would publish a failed one as it is.

    Raises:
        UserError: the file is missing, a cell was not executed, or a cell failed.
    """
    if not path.is_file():
        raise UserError(f"{shown(path)} is missing: run the pipeline with `make book`")
    notebook = nbformat.read(path, as_version=4)
    if notebook.metadata.get("papermill", {}).get("exception"):
        raise UserError(f"{shown(path)} stopped with an error: open it and read its last output")
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            raise UserError(f"{shown(path)}: cell {number} was never executed; run it again")
        if any(output.output_type == "error" for output in cell.outputs):
            raise UserError(f"{shown(path)}: cell {number} failed; open it and read its output")
    return notebook


def as_page(notebook: NotebookNode) -> NotebookNode:
    """Fill flavour and dataset into title, captions and alternative texts; say what it is for.

    One notebook makes several pages, which would all be called the same. Its first cell holds in
    `metadata.book` what a reader will `learn` and `need`, and if wanted a `title` of its own for
    the book with the notebook's parameters in braces; so may `metadata.mystnb.image.alt`
    and `metadata.mystnb.figure.caption`.
    """
    values, first = notebook.metadata.papermill.parameters, notebook.cells[0]
    escaped = {name: in_markdown(value) for name, value in values.items()}
    title, _, text = first.source.partition("\n")
    if "title" in first.metadata.book:
        title = f"# {first.metadata.book.title.format(**escaped)}"
    first.source = f"{title}\n\n{_opening(notebook)}\n{text}"
    for cell in notebook.cells:
        shown = cell.metadata.get("mystnb", {})
        for kind, text, told in (("image", "alt", values), ("figure", "caption", escaped)):
            if kind in shown:  # an alternative text is no Markdown
                shown[kind][text] = shown[kind][text].format(**told)
    return notebook


def without_missing_pages(text: str, page: str, source: Path) -> str:
    """Markdown without the links to executed pages that this book does not have.

    Args:
        text: of a page, or of a notebook as it is stored.
        page: its name, such as "book/training", from whose folder its links count.
        source: the folder of the book, see `stage`.
    """
    folder, executed = (source / page).parent, (source / EXECUTED).resolve()

    def kept(link: re.Match) -> str:
        target = (folder / link["target"]).resolve()
        missing = target.is_relative_to(executed) and not target.exists()
        return f"{link['words']} (not part of this book)" if missing else link[0]

    return re.sub(r"\[(?P<words>[^][]+)\]\((?P<target>[^()\s#]+\.ipynb)[^()\s]*\)", kept, text)


def minutes_to_read(text: str) -> int:
    """How long a reader takes, at least one minute."""
    return max(1, round(len(text.split()) / WORDS_A_MINUTE))


def _opening(notebook: NotebookNode) -> str:
    """The box that opens a page: what one learns and needs, and how long it takes."""
    told = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    seconds = notebook.metadata.papermill.duration
    run = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    facts = notebook.cells[0].metadata.book
    return (
        ":::{admonition} On this page\n"
        f"**You learn** {facts.learn}.\n\n"
        f"**You need** {facts.need}.\n\n"
        f"**Time:** {minutes_to_read(told)} min to read; this page took {run} to run.\n"
        ":::\n"
    )


def build(notebooks: Sequence[Path], run: Run) -> None:
    """Stage a book and make its pages; a warning of Sphinx fails the build.

    Args:
        notebooks: see `stage`.
        run: whose book it is.

    Raises:
        UserError: see `stage`.
        SystemExit: Jupyter Book has ended, with its own exit code.
    """
    with locks.held(run.book / "source", f"build of the book of {run.profile}"):
        source = shown(stage(notebooks, run))
        jupyter_book(
            ["build", source, "--all", "-W", "-n", "--keep-going", "--path-output", shown(run.book)]
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the book of a run.")
    parser.add_argument("profile", help="the run's")
    parser.add_argument("notebooks", nargs="+", type=Path, help="executed by that run")
    processes.add_argument(parser)
    arguments = parser.parse_args()
    processes.obey(arguments)
    try:
        build(arguments.notebooks, Run(arguments.profile))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
