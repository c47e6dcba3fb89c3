"""From the executed notebooks of a run to the sources of the book.

    python -m megalib.book runs/demo/notebooks/4_results/results.ipynb … --figures runs/demo/figures

The notebooks are checked, given the title that fits their flavour or dataset, and laid under
`book/run/`, which git ignores, together with the figures of the run.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from megalib.errors import UserError
from megalib.files import ROOT, shown

STAGE = ROOT / "book" / "run"


def stage(notebooks: Sequence[Path], figures: Path) -> None:
    """Lay executed notebooks and figures where the book's table of contents expects them.

    Args:
        notebooks: executed copies, each below a folder named after its stage.
        figures: folder of pictures for the hand-written pages.

    Raises:
        UserError: a notebook is missing, unfinished or failed.
    """
    pages = {path: read_executed(path) for path in notebooks}
    shutil.rmtree(STAGE, ignore_errors=True)
    for path, page in pages.items():
        target = STAGE / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_titles(page), target)
    shutil.copytree(figures, STAGE / "figures")


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


def with_titles(notebook: NotebookNode) -> NotebookNode:
    """Fill flavour and dataset into the title and the alternative texts of an executed notebook.

    One notebook makes several pages, which would all be called the same. A markdown cell may hold
    a title of its own for the book in `metadata.book.title`, with the notebook's parameters in
    braces; so may `metadata.mystnb.image.alt`.
    """
    values = notebook.metadata.papermill.parameters
    for cell in notebook.cells:
        if "book" in cell.metadata:
            title = cell.metadata.book.title.format(**values)
            _, _, text = cell.source.partition("\n")
            cell.source = f"# {title}\n{text}"
        if "mystnb" in cell.metadata:
            cell.metadata.mystnb.image.alt = cell.metadata.mystnb.image.alt.format(**values)
    return notebook


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Lay executed notebooks under book/run/.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--figures", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        stage(arguments.notebooks, arguments.figures)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
