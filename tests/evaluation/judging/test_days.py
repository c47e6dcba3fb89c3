"""What the day of a photograph gives away, against a search written out."""

import numpy as np
import pytest

from megalib.data.metadata import read_metadata
from megalib.evaluation.judging import days
from megalib.retrieval import features
from tests.conftest import write_image
from tests.evaluation.judging.test_new_animals import NAME, PLACES, write


@pytest.fixture
def dated(run):
    """Features of two datasets, the second with dates and images."""
    write(run, PLACES[0], 8, 12, dated=False)
    write(run, PLACES[1], 10, 9, dated=True, seed=1)
    paths = read_metadata(run.metadata(PLACES[1]))["path"]
    for number, path in enumerate(paths):
        write_image(run.images(256, PLACES[1]) / path, (40, 32), number % 7)
    return run


def test_other_days_leave_out_the_day_of_the_query(dated):
    metadata, rows = features.embedded(dated, NAME, "DemoWhaleShark")
    table = days.other_days(dated, NAME, PLACES)
    assert set(table["dataset"]) == {"DemoWhaleShark"}
    thumbnails = days.thumbnails(dated, "DemoWhaleShark")
    assert thumbnails.shape == (len(metadata), 192) and thumbnails.dtype == np.float32
    assert np.allclose(thumbnails.mean(axis=0), 0, atol=1e-3)
    split, day, identity = (metadata[name].to_numpy() for name in ("split", "date", "identity"))
    for descriptor, vectors in (("network", rows), ("thumbnails", thumbnails)):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for database in ("all days", "other days"):
            right = []
            for query in np.flatnonzero(split == "test"):
                is_other = (split == "train") & (day != day[query])
                if identity[query] not in identity[is_other]:
                    continue
                allowed = np.flatnonzero(is_other if database == "other days" else split == "train")
                nearest = allowed[(unit[allowed] @ unit[query]).argmax()]
                right.append(identity[nearest] == identity[query])
            found = table[(table["descriptor"] == descriptor) & (table["database"] == database)]
            assert found["test images"].item() == len(right)
            assert found["top-1"].item() == pytest.approx(np.mean(right))
            assert found["low"].item() <= found["top-1"].item() <= found["high"].item()


def test_a_query_whose_animal_has_no_other_day_is_not_asked(dated):
    path = dated.metadata("DemoWhaleShark")
    metadata = read_metadata(path)
    metadata.loc[metadata["identity"] == "a0", "date"] = "2020-01-01"
    metadata.to_csv(path)
    table = days.other_days(dated, NAME, PLACES)
    assert (table["test images"] == (metadata["split"] == "test").sum() - 3).all()


@pytest.mark.parametrize(
    ("dates", "told"), [("2020-01-01", "seen on two days"), ("yesterday", "a date cannot be read")]
)
def test_dates_that_allow_no_search_are_told(dated, dates, told):
    path = dated.metadata("DemoWhaleShark")
    read_metadata(path).assign(date=dates).to_csv(path)
    lines = []
    assert days.other_days(dated, NAME, PLACES, lines.append).empty
    (line,) = lines
    assert line.startswith("DemoWhaleShark: left out") and told in line
