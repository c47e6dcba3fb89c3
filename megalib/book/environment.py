"""Check, before a long run, that this machine has what the compendium needs."""

import contextlib
import importlib
import sys

from megalib.errors import UserError
from megalib.flavours import POCKET

MODULES = ("cv2", "torch", "torchvision", "timm", "wildlife_datasets", "papermill", "snakemake")
SYSTEM_LIBRARIES = {
    "libGL.so": "libgl1 (Debian, Ubuntu), mesa-libGL (Fedora) or libgl (conda-forge)",
    "libgthread": "libglib2.0-0 (Debian, Ubuntu), glib2 (Fedora) or glib (conda-forge)",
    "libgomp": "libgomp1 (Debian, Ubuntu), libgomp (Fedora) or libgomp (conda-forge)",
}


def problem(module: str) -> str | None:
    """Import a module; say in one line what is missing, or None where nothing is."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        for library, package in SYSTEM_LIBRARIES.items():
            if library in str(error):
                return f"{module} needs the system library {library}: install {package}"
        return f"{module} does not import ({error}): remove .venv and run `make env` again"
    return None


def check() -> None:
    """Import everything, and look for the ImageNet weights of the pocket networks.

    Raises:
        UserError: something is missing; it is named with what to install.
    """
    problems = [found for module in MODULES if (found := problem(module))]
    if problems:
        raise UserError("; ".join(problems))
    packaged = importlib.import_module("megalib.models.packaged")  # which imports some of these
    for flavour in POCKET.values():
        packaged.weights_file(flavour)
    print(f"all of {', '.join(MODULES)} can be imported, and the weights of ImageNet are there")


def main() -> None:
    """The command line; says nothing where nothing is missing."""
    try:
        with contextlib.redirect_stdout(None):
            check()
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
