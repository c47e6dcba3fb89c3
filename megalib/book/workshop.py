"""The workshop: what its notebooks share, and the learners' copies without the solutions.

On the command line::

    python -m megalib.book.workshop workshop/

Each lesson is one notebook. Cells with the tag `exercise` hold a solution, as code or as text; in
the learners' copy they are replaced by an invitation, and everything else stays.
"""

import argparse
import os
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from megalib.book import parameters
from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file
from megalib.models import computer

DATASETS = ("DemoLeopard", "DemoWhaleShark")
YOUR_TURN = "# your turn\n..."
YOUR_WORDS = "*Your turn: write here.*"
COMFORTABLE = 3.5  # GB of memory, for several notebooks at a time


def check_computer(run: Run) -> None:
    """Print cores, memory and free disk, and say so where memory is scarce.

    Raises:
        UserError: there is not enough of one of them.
    """
    place = next(folder for folder in run.folder.parents if folder.is_dir())
    memory = computer.memory_limit() / 1e9
    found = {
        "processor cores": (os.cpu_count() or 1, 1),
        "GB of memory": (memory, 1.9),
        "GB of free disk": (shutil.disk_usage(place).free / 1e9, 2),
    }
    for name, (amount, needed) in found.items():
        print(f"{amount:.0f} {name}")
        if amount < needed:
            raise UserError(f"the workshop needs {needed} {name}, here are {amount:.1f}")
    if memory < COMFORTABLE:
        print("little memory: shut down the kernel of each notebook before you open the next")


def for_learners(lesson: NotebookNode) -> NotebookNode:
    """A copy without solutions and outputs."""
    copy = nbformat.from_dict(lesson)
    for cell in copy.cells:
        is_code = cell.cell_type == "code"
        if is_code:
            cell.outputs, cell.execution_count = [], None
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = YOUR_TURN if is_code else YOUR_WORDS
    return copy


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the learners' notebooks of the workshop.")
    parser.add_argument("folder", type=Path, help="where they go; what a learner wrote there stays")
    folder = parser.parse_args().folder
    for path in parameters.lessons():
        target = folder / path.name
        if target.exists():
            print(f"{shown(target)} is there already and stays as it is")
            continue
        with whole_file(target) as temporary:
            nbformat.write(for_learners(nbformat.read(path, as_version=4)), temporary)
        print(shown(target))


if __name__ == "__main__":
    main()
