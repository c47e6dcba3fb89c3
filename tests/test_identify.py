"""New photographs: candidates, probabilities, new animals, and the page that shows them."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from megalib import gallery, identify, networks, splits
from megalib.errors import UserError
from tests.conftest import write_image

CPU = torch.device("cpu")


@pytest.fixture
def album(tmp_path):
    """Five individuals with six photographs each, which differ in colour; three new photographs."""
    for number in range(5):
        for image in range(6):
            write_image(tmp_path / f"known/cat{number}/{image}.png", (40, 32), number)
    for number in (0, 3):
        write_image(tmp_path / f"new/of{number}.png", (40, 32), number)
    write_image(tmp_path / "new/later/stranger.png", (40, 32), 77)
    return tmp_path


@pytest.fixture
def colours(run, album, flavour):
    """The photographs with the mean colour of each in place of an embedding."""
    model = networks.untrained(flavour, 0)

    def embedded(name, named):
        shots = identify.embed(name, album / name.lower(), named, model, flavour, run, CPU)
        paths = [shots.folder / path for path in shots.metadata["path"]]
        from megalib.images import load

        rows = np.array([np.asarray(load(path)).mean(axis=(0, 1)) - 120 for path in paths])
        return identify.Photographs(shots.metadata, rows.astype(np.float32), shots.folder)

    return embedded("Known", True), embedded("New", False)


def test_each_photograph_gets_ranked_candidates(colours):
    known, new = colours
    assert new.metadata["identity"].unique().tolist() == [splits.UNKNOWN]
    assert sorted(new.metadata["photograph"]) == ["later/stranger.png", "of0.png", "of3.png"]
    lines = []
    judgement = identify.learn(known, 3, report=lines.append)
    table = identify.rank(new, known, judgement, 3)
    assert table["rank"].tolist() == [1, 2, 3] * 3
    first = table[table["rank"] == 1].set_index("photograph")
    assert first.loc["of0.png", "candidate"] == "cat0"
    assert first.loc["of3.png", "candidate"] == "cat3"
    assert first.loc["of3.png", "known_photograph"].startswith("cat3/")
    assert first.loc["of3.png", "new_individual"] == "no"
    assert first["probability"].between(0, 1).all()
    for _, rows in table.groupby("photograph"):
        assert rows["similarity"].is_monotonic_decreasing
        assert rows["candidate"].is_unique
        assert rows["new_individual"].nunique() == 1


def test_a_threshold_parts_known_from_new_animals(colours):
    known, new = colours
    judgement = identify.learn(known, 3)
    table = identify.rank(new, known, judgement, 1).set_index("photograph")
    is_new = table["similarity"] < judgement.threshold
    assert (table["new_individual"] == np.where(is_new, "yes", "no")).all()
    always = identify.Judgement(2.0, None)
    assert (identify.rank(new, known, always, 1)["new_individual"] == "yes").all()


def test_too_few_individuals_are_told_and_still_ranked(colours):
    known, new = colours
    one = (known.metadata["identity"] == "cat0").to_numpy()
    known = identify.Photographs(known.metadata[one], known.rows[one], known.folder)
    lines = []
    judgement = identify.learn(known, 3, report=lines.append)
    assert judgement == identify.Judgement(None, None)
    assert [line.split(":")[0] for line in lines] == [
        "no animal can be called new",
        "no probabilities",
    ]
    table = identify.rank(new, known, judgement, 3)
    assert table["candidate"].tolist() == ["cat0"] * 3
    assert table["probability"].isna().all()
    assert (table["new_individual"] == "").all()


def test_the_page_holds_its_images_and_marks_new_animals(colours, tmp_path):
    known, new = colours
    table = identify.rank(new, known, identify.Judgement(2.0, lambda values: values * 0 + 0.5), 2)
    table.loc[0, "candidate"] = "<b>Tom & Co</b>"
    file = tmp_path / "page.html"
    gallery.write(file, "Cats", table, new.folder, known.folder)
    page = file.read_text()
    assert page.count("data:image/jpeg;base64,") == 9
    assert page.count("probably a new animal<") + page.count("probably a new animal\n") == 3
    assert "&lt;b&gt;Tom &amp; Co&lt;/b&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("50%") >= 1 and "Known photograph" not in page


def test_an_example_is_made_of_a_prepared_dataset(prepared, tmp_path):
    known, new, truth = identify.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    assert sorted(folder.name for folder in known.iterdir()) == ["cat0", "cat1", "cat2"]
    assert sorted(path.name for path in new.iterdir()) == sorted(truth.index)
    assert set(truth) == {"cat0", "cat1", "cat2", "cat3"}
    with pytest.raises(UserError, match="too few for an example"):
        identify.example(prepared, "DemoLeopard", tmp_path / "own", strangers=3)


def test_one_folder_alone_is_refused(prepared):
    with pytest.raises(UserError, match="name both folders"):
        identify.folders("a", "", prepared, "DemoLeopard")


def test_folders_of_ones_own_have_no_truth(prepared, tmp_path):
    known, new, truth = identify.folders(str(tmp_path), str(tmp_path), prepared, "DemoLeopard")
    assert (known, new, truth) == (tmp_path, tmp_path, None)


def test_what_was_found_is_told_in_one_sentence(tmp_path):
    table = pd.DataFrame({"rank": [1, 2, 1], "new_individual": ["yes", "yes", "no"]})
    text = identify.told(table, 0.5, tmp_path / "candidates.csv")
    assert text.startswith("2 new photographs")
    assert "1 are probably new animals (similarity below 0.50)" in text
    assert "probably" not in identify.told(table, None, tmp_path / "candidates.csv")


def test_the_example_is_marked():
    columns = ["photograph", "rank", "candidate", "new_individual"]
    rows = [
        ("1.jpg", 1, "Ada", "no"),
        ("1.jpg", 2, "Bo", "no"),
        ("2.jpg", 1, "Ada", "yes"),
        ("2.jpg", 2, "Bo", "yes"),
        ("3.jpg", 1, "Bo", "yes"),
        ("3.jpg", 2, "Ada", "yes"),
    ]
    truth = pd.Series({"1.jpg": "Ada", "2.jpg": "Bo", "3.jpg": "Cleo"})
    known = identify.Photographs(pd.DataFrame({"identity": ["Ada", "Bo"]}), np.empty((2, 0)), None)
    text = identify.marked(pd.DataFrame(rows, columns=columns), truth, known)
    assert text == (
        "of 2 photographs of known animals, 1 have the right one as first candidate and 2 among "
        "all candidates, and 1 are called new; of 1 photographs of new animals, 1 are called new"
    )
