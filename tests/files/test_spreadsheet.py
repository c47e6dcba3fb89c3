"""What a spreadsheet opens holds no formula, and loses nothing."""

import ast
import csv

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from megalib.book import notebook
from megalib.data import catalogue
from megalib.data.metadata import read_metadata
from megalib.data.problems import read_problems
from megalib.files import spreadsheet
from megalib.files.places import NOTEBOOKS, ROOT
from tests.conftest import prepare, write_image

SIGNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
# Much of what matters, and anything else.
TEXT = st.text(st.sampled_from("=+-@;,'\"\t\r\n1.5ea \uff1d\uff20")) | st.text(
    st.characters(exclude_categories=["Cs"])
)


def is_formula(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field.startswith(SIGNS)
    return False


@settings(max_examples=500, deadline=None)
@example("'=1", "")
@example("\t=1", "\n\n=")
@given(TEXT, TEXT)
def test_the_apostrophe_comes_off_again(text, other):
    guarded = spreadsheet.guarded(text)
    assert spreadsheet.unguarded(guarded) == text
    assert not is_formula(guarded)
    assert (guarded == spreadsheet.guarded(other)) == (text == other)


@pytest.mark.parametrize("text", ["-5", "+7", "-1.5e-3", "Ada", "a-b", "", "'s-Hertogenbosch", "é"])
def test_names_and_numbers_stay_as_they_are(text):
    assert spreadsheet.guarded(text) == text


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_gets_one_apostrophe(sign):
    assert spreadsheet.guarded(f"{sign}1+1") == f"'{sign}1+1"
    assert spreadsheet.guarded(f"'{sign}1+1") == f"''{sign}1+1"


@settings(max_examples=100, deadline=None)
@given(
    columns=st.lists(TEXT, min_size=2, max_size=2),
    rows=st.lists(st.tuples(TEXT, TEXT), max_size=3),
)
def test_a_file_can_be_read_back_and_holds_no_formula(tmp_path_factory, columns, rows):
    file = tmp_path_factory.mktemp("csv") / "a.csv"
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    for index in (False, True):
        spreadsheet.write(file, table, index)
        back = spreadsheet.read(file)
        assert list(back) == [""] * index + columns
        assert [tuple(row)[index:] for row in back.to_numpy()] == rows
        for separator in ",;\t":  # spreadsheets of other countries divide the lines otherwise
            with file.open(newline="", encoding="utf-8") as opened:
                fields = [field for row in csv.reader(opened, delimiter=separator) for field in row]
            if separator != ",":
                # A sign behind blanks would have its own apostrophe, and a number that opens a line
                # is no formula with what stands behind its comma.
                fields = [field.lstrip("\t\r\n").partition(",")[0] for field in fields]
            assert not any(map(is_formula, fields)), (separator, fields)


def test_a_text_cannot_be_divided_into_a_formula(tmp_path):
    table = pd.DataFrame({"rank": [1], "name": ["a;=1+1;"], "more": ['b;"=1+1;']})
    spreadsheet.write(tmp_path / "a.csv", table, index=False)
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == '1,"a;\'=1+1;","b;\'""=1+1;"'


def test_numbers_stay_numbers(tmp_path):
    table = pd.DataFrame(
        {
            "n": [1, -2],
            "share": [-0.5, np.nan],
            "count": pd.array([-3, None], dtype="Int64"),
            "right": [True, False],
            "mixed": [-1.5, "=x"],
            "=name": ["-5", None],
        },
        index=pd.Index(["=a", "b"], name="@row"),
    )
    spreadsheet.write(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_text() == (
        '"\'@row","n","share","count","right","mixed","\'=name"\n'
        '"\'=a",1,-0.5,-3,True,-1.5,"-5"\n'
        '"b",-2,"","",False,"\'=x",""\n'
    )


def test_rows_may_have_several_names_or_only_numbers(tmp_path):
    file = tmp_path / "a.csv"
    levels = pd.MultiIndex.from_tuples([("=x", "y")], names=["hardware", None])
    spreadsheet.write(file, pd.DataFrame({"T": [1.5]}, index=levels))
    assert file.read_text() == '"hardware","","T"\n"\'=x","y",1.5\n'
    spreadsheet.write(file, pd.DataFrame({"T": [1.5]}, index=pd.Index([3], name="looked at")))
    assert file.read_text() == '"looked at","T"\n3,1.5\n'
    spreadsheet.write(file, pd.DataFrame(columns=["a", "b"]), index=False)
    assert spreadsheet.read(file).empty and list(spreadsheet.read(file)) == ["a", "b"]


def test_downloads_of_pages_hold_no_formula(run):
    link = notebook.download(run, "a-T-224.csv", pd.DataFrame({"x": ["=1+1"]}), index=False)
    assert run.table("a-T-224.csv").read_text() == '"x"\n"\'=1+1"\n'
    assert link.data.endswith("](../tables/a-T-224.csv)")


def test_no_notebook_writes_a_csv_file_by_itself():
    for path in sorted(NOTEBOOKS.rglob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)]
        assert "to_csv" not in {node.attr for node in nodes}, path.relative_to(ROOT)


def test_problems_of_the_preparation_hold_no_formula_and_are_read_back(run, tmp_path):
    folder = tmp_path / "pets" / "=1+1"
    for number in range(2):
        write_image(folder / f"{number}.png", (40, 30), number)
    (folder / "@broken.png").write_text("no image")
    pets = catalogue.own_pictures("Pets", tmp_path / "pets")
    prepare(pets, tmp_path / "pets", run, sizes=[16])
    assert '"\'=1+1/@broken.png"' in run.problems("Pets").read_text()
    assert read_problems(run, "Pets")["raw_path"].tolist() == ["=1+1/@broken.png"]
    assert set(read_metadata(run.metadata("Pets"))["identity"]) == {"=1+1"}  # for programs
    assert ",=1+1," in run.metadata("Pets").read_text()
