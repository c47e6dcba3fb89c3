"""From the executed notebooks of a run to the sources of the book.

On the command line::

    python -m megalib.book demo runs/demo/notebooks/4_results/results.ipynb …

The notebooks are checked, given the title that fits their flavour or dataset, and laid under
`book/run/`, which git ignores, together with the figures and tables of the run, and with a table of
contents of the pages that this run has.
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
from nbformat import NotebookNode

from megalib.errors import UserError
from megalib.files import ROOT, Run, shown, whole_file
from megalib.plain import in_markdown

STAGE = ROOT / "book" / "run"
CONTENTS = ROOT / "_toc.yml"  # of a book that has every page there could be
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
    staged = sorted(f"book/run/{path.parent.name}/{path.stem}" for path in notebooks)
    contents = with_pages(yaml.safe_load(CONTENTS.read_text()), staged)
    with whole_file(run.book / CONTENTS.name) as temporary:
        temporary.write_text(yaml.safe_dump(contents, sort_keys=False))


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
    if page.startswith("book/run/") and page not in staged:
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


def without_missing_pages(text: str, folder: Path) -> str:
    """Markdown without the links to executed pages that this book does not have.

    Args:
        text: of a page, or of a notebook as it is stored.
        folder: of the page, from which its links count.
    """

    def kept(link: re.Match) -> str:
        target = (folder / link["target"]).resolve()
        missing = target.is_relative_to(STAGE) and not target.exists()
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
