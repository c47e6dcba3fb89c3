"""From the executed notebooks of a run to the sources of the book.

On the command line::

    python -m megalib.book demo runs/demo/notebooks/4_results/results.ipynb …

The notebooks are checked, given the title that fits their flavour or dataset, and laid under
`book/run/`, which git ignores, together with the figures and tables of the run.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from megalib.errors import UserError
from megalib.files import ROOT, Run, shown

STAGE = ROOT / "book" / "run"
WORDS_A_MINUTE = 200


def stage(notebooks: Sequence[Path], run: Run) -> None:
    """Lay executed notebooks, figures and tables where the book's pages expect them.

    Args:
        notebooks: executed copies, each below a folder named after its stage.
        run: whose figures and tables are shown.

    Raises:
        UserError: a notebook is missing, unfinished or failed.
    """
    pages = {path: read_executed(path) for path in notebooks}
    shutil.rmtree(STAGE, ignore_errors=True)
    for path, page in pages.items():
        target = STAGE / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(as_page(page), target)
    for folder in (run.figure(""), run.table("")):
        shutil.copytree(folder, STAGE / folder.name)


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
    title, _, text = first.source.partition("\n")
    if "title" in first.metadata.book:
        title = f"# {first.metadata.book.title.format(**values)}"
    first.source = f"{title}\n\n{_opening(notebook)}\n{text}"
    for cell in notebook.cells:
        shown = cell.metadata.get("mystnb", {})
        for kind, text in (("image", "alt"), ("figure", "caption")):
            if kind in shown:
                shown[kind][text] = shown[kind][text].format(**values)
    return notebook


def _opening(notebook: NotebookNode) -> str:
    """The box that opens a page: what one learns and needs, and how long it takes."""
    told = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    minutes = max(1, round(len(told.split()) / WORDS_A_MINUTE))
    seconds = notebook.metadata.papermill.duration
    run = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    facts = notebook.cells[0].metadata.book
    return (
        ":::{admonition} On this page\n"
        f"**You learn** {facts.learn}.\n\n"
        f"**You need** {facts.need}.\n\n"
        f"**Time:** {minutes} min to read; this page took {run} to run.\n"
        ":::\n"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Lay executed notebooks under book/run/.")
    parser.add_argument("profile", help="whose figures and tables are shown")
    parser.add_argument("notebooks", nargs="+", type=Path)
    arguments = parser.parse_args()
    try:
        stage(arguments.notebooks, Run(arguments.profile))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
