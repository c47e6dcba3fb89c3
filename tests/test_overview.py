"""The tables of datasets: facts as published, and what a run holds."""

import pandas as pd
import pytest

from megalib import overview, prepare, published
from megalib.files import Run

from .conftest import write_image


@pytest.fixture(scope="module")
def table():
    return overview.published_datasets()


def test_all_published_datasets_are_listed_with_their_counts(table):
    facts = published.datasets()
    assert set(table.index) == set(facts.index)
    known = table.dropna(subset="images")
    assert len(known) == 27
    assert known["images"].is_monotonic_decreasing
    parts = known["train"] + known["test"] + known["left out"]
    pd.testing.assert_series_equal(parts, known["images"], check_names=False)
    lions = table.loc["LionData"]
    assert (lions["species"], lions["images"], lions["individuals"]) == ("lions", 740, 94)
    assert lions["images each"] == pytest.approx(740 / 94)


def test_a_page_says_what_is_not_known_and_links_to_the_sources(table):
    assert (
        overview.counts(table).to_html().count("not known") == 2 * 5
    )  # their test sizes are known
    html = overview.sources(table).to_html()
    assert '<a href="https://github.com/tvanzyl/wildlife_reidentification">open</a>' in html
    assert "CC BY" in html
    assert "a Kaggle account and the competition" in html
    assert "nan" not in html


def test_the_status_tells_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "runs"))
    run, pets = Run("test"), tmp_path / "pets"
    for number in range(4):
        write_image(pets / "Ada" / f"{number}.png", (40, 30), number)
    (pets / "Ada" / "broken.png").write_text("no image")
    own, names = {"Pets": str(pets)}, ["Pets", "LionData"]
    before = overview.status(run, tmp_path / "raw", names, own)
    assert before["downloaded"].tolist() == [True, False]
    assert before["prepared"].tolist() == [False, False]
    prepare.prepare(overview.catalogue.find("Pets", own), pets, run, sizes=[16, 20])
    after = overview.status(run, tmp_path / "raw", names, own).loc["Pets"]
    assert (after["access"], after["images"], after["problems"]) == ("your own", 4, 1)
    files = list(run.images_root.rglob("*.png"))
    assert len(files) == 8
    assert after["megabytes"] == pytest.approx(sum(f.stat().st_size for f in files) / 1e6)
    assert after["split"] == "There is no published split of these pictures."
