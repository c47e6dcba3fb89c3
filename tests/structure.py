"""The structure of the library in numbers: doors, lines, and what each notebook depends on.

On the command line, for closing notes and reviews::

    python -m tests.structure
"""

import ast
import io
import tokenize
from collections import Counter
from importlib import import_module
from pathlib import Path

import pandas as pd

from megalib.book import parameters, pipeline
from megalib.files.places import ROOT

LIBRARY = ROOT / "megalib"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
# What a line may hold besides code.
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def modules() -> list[Path]:
    """All files of the library."""
    return sorted(LIBRARY.rglob("*.py"))


def lines(file: Path) -> int:
    return len(file.read_text().splitlines())


def room_of(file: Path) -> str:
    """The folder that a file of the library lies in, or the module where it is in none."""
    folder = file.relative_to(LIBRARY).parent
    return file.stem if folder == Path() else folder.as_posix()


def exports() -> dict[str, list[str]]:
    """What each package exports, and each folder in a package that has doors of its own."""
    folders = sorted(file.parent.relative_to(LIBRARY) for file in LIBRARY.rglob("*/__init__.py"))
    names = (".".join(folder.parts) for folder in folders)
    packages = {name: import_module(f"megalib.{name}") for name in names}
    return {
        name: sorted(getattr(package, "__all__", ()))
        for name, package in packages.items()
        if "." not in name or hasattr(package, "__all__")
    }


def public_names() -> int:
    """How many functions and classes of all modules have a name for others to use."""
    definitions = [
        node.name
        for file in modules()
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    return sum(not name.startswith("_") for name in definitions)


def sizes() -> pd.Series:
    """Lines of each folder of the library, and of each module that is in none."""
    total = Counter()
    for file in modules():
        total[room_of(file)] += lines(file)
    return pd.Series(total).sort_values(ascending=False)


def dependencies() -> pd.DataFrame:
    """Of each notebook, the `rooms` it depends on, and the `share` of the library's lines."""
    total = sum(map(lines, modules()))
    rows = {}
    for name in parameters.notebooks():
        files = pipeline.code_of(name)
        rows[name] = {
            "share": sum(map(lines, files)) / total,
            "rooms": frozenset(map(room_of, files)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def kinds_of_lines(folder: Path) -> Counter:
    """Lines of code, of docstrings, and others (comments, blank ones) in the files of a folder."""
    kinds = Counter()
    for file in folder.rglob("*.py"):
        text = file.read_text()
        documented = [node for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]
        docstrings = {
            line
            for node in documented
            if ast.get_docstring(node) is not None
            for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
        }
        code = {
            line
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in NO_CODE
            for line in range(token.start[0], token.end[0] + 1)
        } - docstrings
        kinds.update(code=len(code), docstrings=len(docstrings))
        kinds["others"] += lines(file) - len(code) - len(docstrings)
    return kinds


def main() -> None:
    """Print all numbers."""
    doors = exports()
    print(f"{sum(map(len, doors.values()))} exported names in {len(doors)} packages:")
    for name, names in doors.items():
        print(f"  {name:19} {len(names):2}  {', '.join(names)}")
    print(f"{public_names()} public names in {len(modules())} modules\n")
    print("lines of each package and top module:")
    print(sizes().to_string(), end="\n\n")
    longest = sorted((lines(file), str(file.relative_to(ROOT))) for file in modules())[-5:]
    print("longest modules:", ", ".join(f"{file} {count}" for count, file in reversed(longest)))
    for folder in ("megalib", "tests"):
        kinds = kinds_of_lines(ROOT / folder)
        print(f"{folder}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    table = dependencies()
    print("\nshare of the library's lines behind each notebook:")
    print(table["share"].map("{:.1%}".format).to_string())
    print(f"mean {table['share'].mean():.1%}, most {table['share'].max():.1%}")


if __name__ == "__main__":
    main()
