"""Which files of megalib a piece of code depends on, and a digest of them."""

import ast
import hashlib
from pathlib import Path

from megalib.files import ROOT


def files_of(code: str) -> list[Path]:
    """The files of megalib that some code imports, directly or by way of others, sorted."""
    waiting, found = _imports(code), set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= _imports(path.read_text())
    return sorted(found)


def digest(module: str) -> str:
    """SHA-256 of the source of a megalib module, such as "training", and all it depends on."""
    total = hashlib.sha256()
    for path in files_of(f"from megalib import {module}"):
        total.update(path.read_bytes())
    return total.hexdigest()


def _imports(code: str) -> set[Path]:
    """Files of the megalib modules that a piece of code names in its imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = [ROOT / name.replace(".", "/") for name in names if name.split(".")[0] == "megalib"]
    files = {path.with_suffix(".py") for path in paths} | {path / "__init__.py" for path in paths}
    return {path for path in files if path.is_file()}
