"""What is known of one's own photographs, whatever order they come in."""

import numpy as np
import pytest
import torch

from megalib.identify import photographs
from megalib.models import networks
from tests.conftest import write_image

LINES = [
    'b.png,Bo,"0, 0, 20, 32",2024-05-01,left,E1,N',
    'a.png,Ada,"20, 0, 20, 32",2024-05-02,right,E2,N',
    'a.png,Bo,"0, 0, 20, 32",,,,',
    "c.png,Ada,,2024-05-03,left,E3,",
]


@pytest.fixture
def embed(run, flavour, tmp_path):
    model = networks.untrained_network(flavour, 0)
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        write_image(tmp_path / "own" / name, (40, 32), number)

    def embedded(lines, name="Mine"):
        table = tmp_path / "own" / "known.csv"
        header = "path,identity,bbox,date,orientation,encounter,station"
        table.write_text("\n".join([header, *lines]) + "\n")
        return photographs.embed_photographs(
            name, table, True, model, flavour, run, torch.device("cpu")
        )

    return embedded


def test_two_animals_on_one_photograph_are_numbered_from_the_left(embed):
    found = embed(LINES)
    table = found.metadata
    assert table["photograph"].tolist() == ["a.png", "a.png", "b.png", "c.png"]
    assert table["animal"].tolist() == [1, 2, 1, 1]
    assert table["identity"].tolist() == ["Bo", "Ada", "Bo", "Ada"]
    assert table["date"].tolist()[1:] == ["2024-05-02", "2024-05-01", "2024-05-03"]
    assert table["orientation"].tolist()[1:] == ["right", "left", "left"]
    assert table["encounter"].tolist()[1:] == ["E2", "E1", "E3"]
    assert table["station"].tolist()[1:3] == ["N", "N"]
    assert table[["date", "orientation", "encounter", "station"]].iloc[0].isna().all()
    assert len(found.rows) == 4 and (found.source / "a.png").is_file()
    assert all((found.folder / path).is_file() for path in table["path"])


def test_the_order_of_lines_decides_nothing(embed):
    one, other = embed(LINES), embed(LINES[::-1])
    assert one.metadata.drop(columns="split").equals(other.metadata.drop(columns="split"))
    np.testing.assert_allclose(one.rows, other.rows, atol=1e-6)
