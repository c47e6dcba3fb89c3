"""The library reference: pages that name a package get its documentation, as a Sphinx extension.

In the place of a block of kind `{package}`, which holds nothing, come what the package says of
itself, what it exports, and a section for each of its modules, whichever there are.
"""

import importlib
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

from megalib.files.places import ROOT

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ASKED = re.compile(r"^```\{package\} (megalib(?:\.\w+)?)\n```$", re.MULTILINE)


def reference(package: str) -> str:
    """The documentation of a package and of its modules, as Markdown with directives of Sphinx."""
    found, parts = importlib.import_module(package), []
    if exported := getattr(found, "__all__", []):  # megalib itself has no path of the data
        links = ", ".join(_link(found, name) for name in exported)
        parts = [_documented(package), f"Notebooks and scripts import from here: {links}."]
    folder = ROOT.joinpath(*package.split("."))
    # A package within a package is on its page; those of megalib have pages of their own.
    for file in sorted(folder.glob("[!_]*.py" if package == "megalib" else "**/[!_]*.py")):
        module = ".".join(file.relative_to(folder).with_suffix("").parts)
        parts += [f"## {module}", _documented(f"{package}.{module}\n   :members:")]
    return "\n\n".join(parts)


def _documented(module: str) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {module}\n```"


def _link(package: ModuleType, name: str) -> str:
    """A link to what a package exports: a module of its own, or a function or class of one."""
    thing = getattr(package, name)
    is_module = isinstance(thing, ModuleType)
    return f"{{py:obj}}`{name} <{thing.__name__ if is_module else f'{thing.__module__}.{name}'}>`"


def _on_source(app: "Sphinx", docname: str, source: list[str]) -> None:
    source[0] = ASKED.sub(lambda found: reference(found[1]), source[0])


def setup(app: "Sphinx") -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _on_source, priority=600)  # after the minutes have been counted
    return {"parallel_read_safe": True}
