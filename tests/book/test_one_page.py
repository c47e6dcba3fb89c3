"""A notebook as one page, and the first one that a newcomer sees: `make try`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from megalib.book import one_page, parameters
from megalib.data import catalogue, truth
from megalib.errors import UserError
from megalib.files.places import ROOT, Run
from megalib.flavours import SIFT


def executed(path: Path) -> Path:
    """A notebook that says, prints and warns, as papermill leaves it."""

    def stream(name):
        return nbformat.v4.new_output("stream", name=name, text=f"a {name} <of> {{{{ 1 + 1 }}}}")

    quiet = {"tags": ["remove-stderr", "hide-input"]}
    shown = nbformat.v4.new_output(
        "execute_result", {"text/markdown": "**Of 2**"}, execution_count=1
    )
    cells = [
        nbformat.v4.new_markdown_cell("# Who & what?\n\nA *lead*."),
        nbformat.v4.new_code_cell(
            "x < 1  # {{ x }}", execution_count=1, outputs=[stream("stdout")], metadata=quiet
        ),
        nbformat.v4.new_code_cell("y", execution_count=2, outputs=[stream("stderr"), shown]),
        nbformat.v4.new_code_cell(
            "z", execution_count=3, outputs=[stream("stderr")], metadata=quiet
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def loaded(page: BeautifulSoup) -> list[str]:
    """What a browser would fetch for a page beside the page itself."""
    tags = page.select("[src], link[href], object[data], iframe")
    found = [tag.get("src") or tag.get("href") or tag.get("data") or "" for tag in tags]
    found += re.findall(r"url\(([^)]*)\)|@import ([^;]*)", "".join(map(str, page.select("style"))))
    return [address for address in found if not str(address).startswith("data:")]


def test_a_page_shows_what_cells_show_and_their_code_last(tmp_path):
    one_page.write(executed(tmp_path / "a.ipynb"), tmp_path / "a.html")
    page = BeautifulSoup((tmp_path / "a.html").read_text(), "lxml")
    assert page.title.get_text() == page.h1.get_text() == "Who & what?"
    assert page.em.get_text() == "lead" and page.strong.get_text() == "Of 2"
    code = page.main.find_all(recursive=False)[-1]
    assert code.name == "details" and not code.has_attr("open")
    assert [pre.get_text() for pre in code.select("pre")] == ["x < 1  # {{ x }}", "y", "z"]
    code.extract()
    told = page.main.get_text()
    assert told.count("a stdout <of> {{ 1 + 1 }}") == 1
    assert told.count("a stderr <of> {{ 1 + 1 }}") == 1  # of the cell without the tag
    assert "x < 1" not in told
    assert loaded(page) == [] and not page.select("script")


def test_a_page_of_a_notebook_that_failed_is_not_written(tmp_path, monkeypatch):
    notebook = nbformat.read(executed(tmp_path / "a.ipynb"), as_version=4)
    notebook.cells[2].execution_count = None
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(UserError, match="cell 3 was never executed"):
        one_page.write(tmp_path / "a.ipynb", tmp_path / "a.html")
    command = ["one_page", str(tmp_path / "none.ipynb"), str(tmp_path / "a.html")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match=r"error: .*none\.ipynb is missing"):
        one_page.main()
    assert not (tmp_path / "a.html").exists()


def make_try(folder: Path) -> subprocess.CompletedProcess[str]:
    """Call `make try` for few animals, in an environment that is there already."""
    folder.mkdir(exist_ok=True)
    stamp = subprocess.run(["cksum", ROOT / "requirements.lock"], capture_output=True, text=True)
    (folder / f".megalib-{stamp.stdout.split()[0]}").touch()
    (folder / ".torch").write_text("\n")
    if not (folder / "bin").exists():
        (folder / "bin").symlink_to(Path(sys.executable).parent)
    left_out = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TORCH")  # of `make test`
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    command = ["make", "try", f"VENV={folder}", "CONFIG=individuals=4 pictures=4"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow(seconds=40)
def test_make_try_names_a_page_whose_answers_are_those_of_the_run(run, tmp_path):
    file = Run("demo").page("try")
    assert make_try(tmp_path / "venv").stdout.splitlines()[-1] == f"Open {file}"
    page = BeautifulSoup(file.read_text(), "lxml")
    assert loaded(page) == [] and file.stat().st_size < 3_000_000

    ours, flavour = Run("demo/try"), parameters.known()["flavour"]
    shown, folded, right, count = [], [], {flavour: 0, SIFT: 0}, 0
    for dataset in (entry.name for entry in catalogue.DRAWN):
        animal = truth.read_truth(ours, dataset)["animal"]
        told = {
            method: pd.read_csv(ours.predictions(method, dataset), dtype=str)
            .set_index("image_id")["predicted"]
            .sort_index()
            for method in (flavour, SIFT)
        }
        queries = told[SIFT].index.tolist()
        count += len(queries)
        for method, names in told.items():
            right[method] += sum(names[image] == animal[image] for image in queries)
        cards = [(animal[image], told[flavour][image], told[SIFT][image]) for image in queries]
        shown, folded = shown + cards[:2], folded + cards[2:]
        assert len(set(animal[queries])) == 4
    assert count >= 16 and page.summary.get_text() == f"The other {len(folded)} new photographs"

    cards = page.select(".query")
    assert len(page.select(".query img")) == len(page.select("img")) == count * (1 + 2 * 3)
    for card, (name, *first) in zip(cards, shown + folded, strict=True):
        assert card.b.get_text() == name
        for answer, told in zip(card.select("ol"), first, strict=True):
            assert "".join(answer.li.get_text().split()) == ("✓" if told == name else "✗") + told
            marked = {"".join(li.get_text().split()) for li in answer.select("li.right")}
            names = {"".join(li.get_text().split()).lstrip("✓✗") for li in answer.select("li")}
            assert marked == ({f"✓{name}"} & {f"✓{one}" for one in names}) and len(names) == 3

    text = " ".join(page.main.get_text(" ").split())
    assert (
        f"Of {count} new photographs, frozen {flavour} names {right[flavour]} correctly, SIFT names"
        in text
    )
    assert (
        f"SIFT names {right[SIFT]} correctly, and guessing would name about {count / 4:.0f}" in text
    )
    assert "Drawn animals; pocket networks." in text and "no MegaDescriptor" in text
    again = make_try(tmp_path / "venv")
    assert "Nothing to be done" in again.stdout + again.stderr
