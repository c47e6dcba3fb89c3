"""Is this still current? What decided a thing is written beside it, and compared with today.

A stamp is a mapping of facts, as JSON: in a file of its own beside what it describes, or in the
header of a file that has room for one. Whoever finds a thing asks `differences` between what
decides it today and what its stamp says; where that is empty, the thing is as good as new.
"""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from megalib.files.places import ROOT
from megalib.files.writing import whole_file


def as_read(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as they come back from JSON: tuples become lists, keys text."""
    return json.loads(json.dumps(facts))


def write(file: Path, facts: Mapping[str, Any]) -> None:
    """Write a stamp.

    Args:
        file: the stamp's own, beside what it describes.
        facts: all that decided the thing; must be JSON.

    Raises:
        UserError: the file cannot be written.
    """
    with whole_file(file) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> dict[str, Any]:
    """The facts of a stamp; none where it is missing, damaged, or no JSON object."""
    try:
        return from_text(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def from_text(text: str) -> dict[str, Any]:
    """The facts of a stamp that a header holds; none where it is no JSON object."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What differs between two stamps, in words: "epochs 24 instead of 100"; "" if nothing does.

    Values that are digests or whole lists would say nothing to a reader: they are only named.

    Args:
        ours: what decides the thing today.
        theirs: what decided the one that is there.
    """
    names = sorted(set(ours) | set(theirs))
    return ", ".join(
        _difference(name, ours.get(name), theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    )


def _difference(name: str, ours: object, theirs: object) -> str:
    if _is_digest(ours) or _is_digest(theirs):
        return name
    return f"{name} {ours} instead of {theirs}"


def _is_digest(value: object) -> bool:
    is_hex = isinstance(value, str) and len(value) >= 16 and set(value) <= set("0123456789abcdef")
    return is_hex


def digest(lines: Iterable[str]) -> str:
    """A digest of lines of text, in their order: 16 hexadecimal digits of SHA-256."""
    total = hashlib.sha256()
    for line in lines:
        total.update(f"{line}\n".encode(errors="surrogateescape"))
    return total.hexdigest()[:16]


def of_code(module: str, package: str = "", without: Sequence[str] = ()) -> str:
    """A digest of the source of a megalib module and all it imports, without what is told in it.

    Comments and docstrings decide nothing: whoever words them better makes nothing anew.

    Args:
        module: its name below megalib, such as "training.loop".
        package: counts the files of this package alone, such as "drawn"; "" counts all.
        without: names of modules that do not count, such as "drawn.croissant".
    """
    files = files_of(f"import megalib.{module}")
    home = ROOT / "megalib" / package
    left_out = {(ROOT / "megalib" / name.replace(".", "/")).with_suffix(".py") for name in without}
    counted = [path for path in files if path.is_relative_to(home) and path not in left_out]
    texts = [(path, path.read_text()) for path in counted]
    return digest(_untold(text) if path.suffix == ".py" else text for path, text in texts)


@lru_cache(maxsize=512)
def _untold(text: str) -> str:
    """Python source without comments, docstrings and empty lines.

    What is left is the text as it is written, so that all versions of Python agree on it.
    """
    lines, within = text.splitlines(), set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        (row, column), (last, _) = token.start, token.end
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
        within.update(range(row, last + 1) if last > row else ())  # of a text of several lines
    for node in ast.walk(ast.parse(text)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            rows = range(node.body[0].lineno, node.body[0].end_lineno + 1)
            lines[rows[0] - 1 : rows[-1]] = [""] * len(rows)
            within.difference_update(rows)
    return "\n".join(line for row, line in enumerate(lines, 1) if line or row in within)


def files_of(code: str) -> list[Path]:
    """The files of megalib behind some code: what it imports, and what these import, sorted.

    A name that a package exports leads to the module that defines it, and to no other: so a change
    reaches only what uses it. The `__init__` files, which say no more than that, are left out. A
    template lies beside the module that fills it, under the same name, and counts with it.
    """
    waiting, found = _imports(code), set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= _imports(path.read_text())
    templates = {path.with_suffix(".html") for path in found}
    return sorted(found | {path for path in templates if path.is_file()})


def _imports(code: str) -> set[Path]:
    """Files of the megalib modules that a piece of code names in its imports."""
    modules = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            exported = _exports(node.module)
            modules |= {node.module} | {
                f"{node.module}.{exported.get(alias.name, alias.name)}" for alias in node.names
            }
    names = [name.replace(".", "/") for name in modules if name.split(".")[0] == "megalib"]
    return {path for name in names if (path := (ROOT / name).with_suffix(".py")).is_file()}


def _exports(package: str) -> dict[str, str]:
    """Of a megalib package, the module that defines each function it exports, by its name."""
    file = ROOT / package.replace(".", "/") / "__init__.py"
    if package.split(".")[0] != "megalib" or not file.is_file():
        return {}
    attached = [node for node in ast.walk(ast.parse(file.read_text())) if _attaches(node)]
    return {
        name: module
        for node in attached
        for keyword in node.keywords
        if keyword.arg == "submod_attrs"
        for module, names in ast.literal_eval(keyword.value).items()
        for name in names
    }


def _attaches(node: ast.AST) -> bool:
    """Whether a piece of code is the call by which a package says what it exports."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_loader.attach"
