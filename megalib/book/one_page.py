"""An executed notebook as one page for a browser: a file that needs no other, and no network.

On the command line::

    python -m megalib.book.one_page runs/demo/notebooks/0_try/try.ipynb runs/demo/try.html

What the cells show comes first and the code last.
"""

import argparse
import sys
from pathlib import Path

from nbconvert import HTMLExporter

from megalib.book.pages import read_executed
from megalib.errors import UserError
from megalib.files import processes
from megalib.files.writing import whole_file

TEMPLATE = Path(__file__).with_suffix(".html")


def write(notebook: Path, page: Path) -> None:
    """Write the page of a notebook.

    Args:
        notebook: an executed copy.
        page: the file to be written.

    Raises:
        UserError: the notebook is missing, unfinished or failed, or the page cannot be written.
    """
    executed = read_executed(notebook)
    title = executed.cells[0].source.partition("\n")[0].removeprefix("# ")
    exporter = HTMLExporter(
        template_name="basic",
        raw_template=TEMPLATE.read_text(encoding="utf-8"),
        exclude_anchor_links=True,
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    text, _ = exporter.from_notebook_node(executed, {"metadata": {"name": title}})
    with whole_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write an executed notebook as one page.")
    parser.add_argument("notebook", type=Path, help="an executed copy")
    parser.add_argument("page", type=Path, help="the file to be written")
    processes.add_argument(parser)
    arguments = parser.parse_args()
    processes.obey(arguments)
    try:
        write(arguments.notebook, arguments.page)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
