"""The workshop: what its notebooks share, and the learners' copies without the solutions.

On the command line::

    python -m megalib.book.workshop demo workshop/

Each lesson is one notebook. Cells with the tag `exercise` hold a solution, as code or as text; in
the learners' copy they are replaced by an invitation, and everything else stays. What the solution
said when a profile ran the lesson is added, folded away: a learner sees whether the own answer is
right.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from megalib.book import environment, parameters
from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file
from megalib.models import computer

DATASETS = ("DemoLeopard", "DemoWhaleShark")
YOUR_TURN = "# your turn\n..."
YOUR_WORDS = "*Your turn: write here.*"
EXPECTED = """<details>
<summary>What you should see</summary>

On this computer, a solution said:

```text
{said}
```

</details>"""
COMFORTABLE = 3.5  # GB of memory, for several notebooks at a time


def check_computer(run: Run) -> None:
    """Print cores, memory and free disk, and say so where memory is scarce; import the packages.

    Raises:
        UserError: there is not enough of one of them, or a package is missing.
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
    environment.check()


def for_learners(lesson: NotebookNode, said: Mapping[str, str]) -> NotebookNode:
    """A copy without solutions and outputs.

    Args:
        lesson: the notebook with the solutions.
        said: what solutions print, by the id of their cell; see `said_by`.
    """
    copy = nbformat.from_dict(lesson)
    cells, copy.cells = copy.cells, []
    for cell in cells:
        copy.cells.append(cell)
        is_code = cell.cell_type == "code"
        if is_code:
            cell.outputs, cell.execution_count = [], None
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = YOUR_TURN if is_code else YOUR_WORDS
        if cell.id in said:
            text = EXPECTED.format(said=said[cell.id])
            copy.cells.append(nbformat.v4.new_markdown_cell(text, id=f"{cell.id}-expected"))
    return copy


def said_by(executed: NotebookNode) -> dict[str, str]:
    """What the solutions of a lesson printed and returned when it was run, by the id of the cell.

    Args:
        executed: the lesson with its outputs.
    """
    texts = {}
    for cell in executed.cells:
        if cell.cell_type == "code" and "exercise" in cell.metadata.get("tags", []):
            parts = [
                output.text if output.output_type == "stream" else output.data.get("text/plain", "")
                for output in cell.outputs
                if output.get("name") == "stdout" or output.output_type == "execute_result"
            ]
            texts[cell.id] = "\n".join(part.strip("\n") for part in parts)
    return {name: text for name, text in texts.items() if text.strip()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the learners' notebooks of the workshop.")
    parser.add_argument("profile", help="that has run the lessons: what their solutions said")
    parser.add_argument("folder", type=Path, help="where they go; what a learner wrote there stays")
    options = parser.parse_args()
    lessons = parameters.lessons()
    executed = {path: Run(options.profile).notebook(path.stem, "lesson") for path in lessons}
    for file in executed.values():
        if not file.is_file():
            sys.exit(f"error: {shown(file)} is missing: make workshop runs the lessons first")
    for path in lessons:
        target = options.folder / path.name
        if target.exists():
            print(f"{shown(target)} is there already and stays as it is")
            continue
        lesson, run = (nbformat.read(file, as_version=4) for file in (path, executed[path]))
        with whole_file(target) as temporary:
            nbformat.write(for_learners(lesson, said_by(run)), temporary)
        print(shown(target))


if __name__ == "__main__":
    main()
