"""What the README tells a reader to type works, and what the map for contributors names exists."""

import re

import pytest

from megalib import stamp
from megalib.data import catalogue, drawn_by
from megalib.drawn import drawing
from megalib.files.places import ROOT, Run
from megalib.models import networks
from tests.conftest import small_swin


def test_the_lines_of_python_run(tmp_path, monkeypatch, capsys):
    """As they stand, on few drawn zebras, with a small network in place of the hub's."""
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path))
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    imports, lines = code.strip().split("\n\n")
    assert imports.startswith("from megalib import ") and len(lines.splitlines()) == 6
    zebras = catalogue.find("DemoZebra")
    folder = zebras.folder(Run("try").raw())
    drawing.draw(zebras.species, folder, individuals=2, pictures=6, workers=1)
    stamp.write(drawn_by.file(folder), drawn_by.today())  # so that not all of them are drawn
    small = small_swin(img_size=224)
    monkeypatch.setattr(networks, "from_hub", lambda _: networks.untrained_network(small, 0))
    exec(code, names := {})
    assert names["features"].shape == (len(names["metadata"]), 16)
    assert names["network"].patch_embed.img_size == (names["flavour"].image_size,) * 2
    told = float(capsys.readouterr().out.splitlines()[-1])
    assert 0 <= told <= 1


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_and_tests_that_are_named_exist(name):
    told = re.findall(r"`([^`\n]+)`", (ROOT / name).read_text())
    named = 0
    for text in told:
        path, _, test = text.partition("::")
        if re.fullmatch(r"[\w.]+(/[\w.]+)+/?|\w+\.(md|yml|toml|cff|lock)", path):
            if path.startswith(("runs/", "folder/", "book/run/")) or "NAME" in path:
                continue
            assert (ROOT / path).exists(), path
            assert not test or f"def {test}(" in (ROOT / path).read_text(), text
            named += 1
    assert named >= 2


def test_modules_of_the_map_exist():
    rows = re.findall(r"`megalib/(\w+)/`: (.*) \|", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(rows) == 4
    for package, modules in rows:
        for module in re.findall(r"`(\w+)`", modules.partition(";")[0]):
            assert (ROOT / "megalib" / package / f"{module}.py").is_file(), (package, module)
