r"""Execute one notebook with papermill, as the Snakefile does for each of its jobs.

On the command line::

    python -m megalib.book.pipeline 2_train runs/demo/notebooks/2_train/MegaDescriptor-T-224.ipynb \
        --parameters '{"flavour": "MegaDescriptor-T-224"}'
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from megalib import stamp
from megalib.book import parameters, profiles
from megalib.data import catalogue, drawn_by
from megalib.errors import UserError
from megalib.files import processes, texts
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file

CLOCKS_DIFFER = 60  # seconds between this machine and a disk on the network


def execute(notebook: str, output: Path, values: Mapping[str, Any], quiet: bool = False) -> None:
    """Execute a notebook; its copy appears at `output` only if every cell ran.

    A notebook that failed is kept beside, as `<name>.failed.ipynb`, with the error in it.

    Args:
        notebook: its name, such as "2_train".
        output: path of the executed copy.
        values: parameters that differ from the notebook's defaults.
        quiet: whether what the cells print is kept in the copy alone.

    Raises:
        UserError: a parameter is unknown, a cell failed (the message is the cell's own), or the
            process that ran the cells was killed.
    """
    values = parameters.for_notebook(notebook, values)
    source = parameters.notebooks()[notebook]
    failed = failed_copy(output)
    with whole_file(output) as temporary:
        failed.unlink(missing_ok=True)
        try:
            papermill.execute_notebook(
                shown(source),
                shown(temporary),
                parameters=values,
                progress_bar={"desc": f"{notebook} {output.stem}", "unit": "cell"},
                stdout_file=None if quiet else sys.stdout,
                stderr_file=sys.stderr,  # progress bars of long cells
                kernel_name="python3",
                extra_arguments=["--log-level=40"],  # the kernel's own warnings concern no reader
            )
        except PapermillExecutionError as error:
            temporary.replace(failed)
            raise UserError(_one_line(error, failed)) from error
        except DeadKernelError as error:
            temporary.replace(failed)
            raise UserError(
                f"the process that ran {notebook} was killed in cell {_last_begun(failed)}, as "
                "happens when memory runs out: take a smaller batch_size, fewer workers, or one "
                f"job at a time (make book CORES=1) [{shown(failed)}]"
            ) from error


def prepare_missing(run: Run, datasets: Sequence[str]) -> None:
    """Draw and prepare the drawn datasets that a run lacks, by the notebook 1_prepare.

    Those that were drawn by other code than today's count as missing. A line is printed for each.

    Args:
        run: whose datasets they are.
        datasets: names; those of photographs are left out.

    Raises:
        UserError: see `execute`.
    """
    for dataset in (entry for entry in catalogue.DRAWN if entry.name in datasets):
        name, is_there = dataset.name, run.metadata(dataset.name).is_file()
        if is_there and not drawn_by.is_outdated(dataset, run.raw()):
            continue
        why = "was drawn by other code" if is_there else "is not there yet"
        print(f"{name} {why}: it is drawn and prepared", flush=True)
        values = {"profile": run.profile, "dataset": name}
        execute("1_prepare", run.notebook("1_prepare", name), values, quiet=True)


def failed_copy(output: Path) -> Path:
    """Where a notebook is kept that did not run to its end."""
    return output.with_suffix(".failed.ipynb")


def _one_line(error: PapermillExecutionError, failed: Path) -> str:
    reason = " ".join(str(error.evalue).split())
    known = reason if error.ename == "UserError" else f"{error.ename}: {reason}"
    return f"{known} [{shown(failed)}]"


def _last_begun(failed: Path) -> int:
    """The number of the last cell that was begun, counted as `pages.read_executed` counts."""
    cells = nbformat.read(failed, as_version=4).cells
    begun = [
        number
        for number, cell in enumerate(cells, start=1)
        if cell.metadata.get("papermill", {}).get("start_time")
    ]
    return max(begun, default=1)


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that snakemake is given: those of the profile, and those that change them.

    Args:
        config: what stands behind `--config`; `profile` names a profile or its file.

    Raises:
        UserError: see `profiles.read` and `parameters.check`.
    """
    changed = {name: value for name, value in config.items() if name != "profile"}
    return parameters.check(profiles.read(config.get("profile", "demo")) | changed)


def outdate_from_ahead(run: Run) -> int:
    """Let what is dated ahead of the clock count as outdated; return how many files that were.

    A file that seems to be of tomorrow would hide each change of today. Images, features and
    weights have records of their own, so what is right of them is kept.

    Args:
        run: whose files they are.
    """
    ahead = time.time() + CLOCKS_DIFFER
    made = [run.combined, run.book / "_build" / "html" / "index.html"]
    for folder in ("notebooks", "metadata", "weights", "logs", "results", "figures", "tables"):
        made += (run.folder / folder).rglob("*.*")
    dated = [path for path in made if path.is_file() and path.stat().st_mtime > ahead]
    for path in dated:
        os.utime(path, (1, 1))
    return len(dated)


def code_of(notebook: str) -> list[Path]:
    """The files of megalib behind a notebook; when one changes, the notebook runs again."""
    cells = nbformat.read(parameters.notebooks()[notebook], as_version=4).cells
    return stamp.files_of("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Execute one notebook of the compendium.")
    parser.add_argument("notebook", help="its name, such as 2_train")
    parser.add_argument("output", type=Path, help="path of the executed copy")
    parser.add_argument("--parameters", default="{}", help="a JSON object")
    processes.add_argument(parser)
    arguments = parser.parse_args()
    processes.obey(arguments)
    try:
        values = texts.from_json(arguments.parameters, "--parameters")
        execute(arguments.notebook, arguments.output, values)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
