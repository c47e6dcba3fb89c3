"""The library keeps its shape: few doors, small rooms, and notebooks that depend on little."""

import ast
import subprocess
import sys

import nbformat
import pytest

from megalib.book import parameters, pipeline
from megalib.files.places import ROOT
from tests import structure

# What everybody knows stands outside the packages.
TOP = {"errors", "flavours", "look", "stamp"}
ROOMS = {"drawn", "data", "models", "training", "retrieval", "evaluation", "identify", "book"}

# The packages behind each notebook, besides `book` and what everybody knows: a change in one of
# these makes it run again, and a change elsewhere does not. `models` is behind all of them, since
# each page says on which device it was made.
BEHIND = {
    "0_datasets": "data models",
    "0_try": "drawn data models retrieval",
    "1_prepare": "drawn data models",
    "2_flavours": "data models training evaluation",
    "2_train": "data models training retrieval",
    "3_infer": "data models retrieval evaluation",
    "3_sift": "data models retrieval evaluation",
    "4_days": "data models training retrieval evaluation",
    "4_errors": "data models retrieval evaluation",
    "4_field": "data models retrieval evaluation",
    "4_new_animals": "data models retrieval evaluation",
    "4_published": "data models training retrieval evaluation",
    "4_results": "data models retrieval evaluation",
    "4_sensitivity": "data models retrieval evaluation",
    "4_truth": "data models retrieval evaluation",
    "5_own_data": "data models retrieval evaluation identify",
    "6_colophon": "data models",
    "w0_setup": "data models",
    "w1_data": "data models retrieval evaluation",
    "w2_train": "data models training retrieval evaluation",
    "w3_match": "data models retrieval evaluation",
    "w4_identify": "data models retrieval evaluation identify",
}


def notebook_imports(name: str) -> set[str]:
    """What a notebook imports of megalib, such as "megalib.data.prepare"."""
    cells = nbformat.read(parameters.notebooks()[name], as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "megalib"
        for alias in node.names
    }


def test_the_packages_have_few_doors():
    doors = structure.exports()
    assert sum(map(len, doors.values())) <= 60
    for package, names in doors.items():
        files = {file.stem for file in structure.LIBRARY.joinpath(*package.split(".")).glob("*.py")}
        module = __import__(f"megalib.{package}", fromlist=names)
        for name in names:
            kind = type(getattr(module, name)).__name__
            assert (kind == "module") == (name in files), f"{package}.{name} hides a module"


@pytest.mark.parametrize("name", parameters.notebooks())
def test_notebooks_come_in_by_the_doors(name):
    doors = {
        f"megalib.{room}.{door}" for room, names in structure.exports().items() for door in names
    }
    doors |= {f"megalib.{module}" for module in TOP}
    # Names of the four modules at the top are imported from these.
    strangers = {path for path in notebook_imports(name) if path.rsplit(".", 1)[0] not in doors}
    assert strangers <= doors


def test_rooms_and_modules_are_small():
    assert structure.sizes().max() <= 1800
    for file in structure.modules():
        assert structure.lines(file) <= 300, file.relative_to(ROOT)


def test_the_top_holds_what_everybody_knows():
    top = {file.stem for file in structure.LIBRARY.glob("*.py")}
    assert top == TOP | {"__init__"}


def test_the_path_of_the_data_stands_in_each_package():
    for name in structure.exports():
        assert len(__import__(f"megalib.{name}", fromlist="_").__doc__) > 60, name


def test_no_package_takes_long_to_open():
    """What a package exports is imported when it is first used."""
    packages = ", ".join(f"megalib.{name}" for name in structure.exports())
    heavy = "{'torch', 'timm', 'matplotlib', 'wildlife_datasets', 'pandas'}"
    code = f"import sys, {packages}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_each_notebook_depends_on_the_packages_that_it_shows():
    rooms = structure.dependencies()["rooms"]
    found = {
        name: {room.split("/")[0] for room in part} & ROOMS - {"book"}
        for name, part in rooms.items()
    }
    assert found == {name: set(packages.split()) for name, packages in BEHIND.items()}


def test_notebooks_depend_on_little():
    share = structure.dependencies()["share"]
    assert share[["0_try", "1_prepare"]].max() <= 0.6  # these two draw
    assert share[["5_own_data", "w4_identify"]].max() <= 0.6  # the whole way, in one notebook
    share = share.drop(["0_try", "1_prepare", "5_own_data", "w4_identify"])
    assert share.max() <= 0.45
    assert share.mean() < 0.30


def test_a_changed_figure_reruns_its_page_and_prepares_and_trains_nothing():
    """Drawing code makes raw pictures anew, and no page of facts; a figure reruns what shows it."""
    behind = {
        name: {file.relative_to(structure.LIBRARY).as_posix() for file in pipeline.code_of(name)}
        for name in parameters.notebooks()
    }
    for file, pages in {
        "drawn/animals/coats.py": {"0_try", "1_prepare"},
        "evaluation/sensitivity.py": {"4_sensitivity"},
        "evaluation/mistakes.py": {"4_errors"},
        "evaluation/field/counting.py": {"4_field"},
        "evaluation/demo/dots.py": {"4_truth"},
        "evaluation/similarity_maps.py": {"4_errors"},
        "evaluation/charts.py": {"4_published", "4_results"},
        "data/preparing/making.py": {"0_try", "1_prepare", "5_own_data", "w4_identify"},
        "training/loop.py": {"2_train", "4_days", "w2_train"},
    }.items():
        assert {name for name, files in behind.items() if file in files} == pages, file
