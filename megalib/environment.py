"""Check, before a long run, that this machine has what the compendium needs."""

import importlib
import sys

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


def main() -> None:
    """Import everything; stop with one line per module that does not import."""
    problems = [found for module in MODULES if (found := problem(module))]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
