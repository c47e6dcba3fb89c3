"""New photographs: candidates, probabilities, new animals, and the page that shows them."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from megalib.data.metadata import UNKNOWN, read_metadata
from megalib.errors import UserError
from megalib.identify import albums, answers, judging, photographs, plots
from megalib.identify.learning import learned
from megalib.models import networks
from tests.conftest import write_image

CPU = torch.device("cpu")


@pytest.fixture
def album(tmp_path):
    """Five individuals with six photographs each, which differ in colour; three new photographs."""
    for number in range(5):
        for image in range(6):
            file = tmp_path / f"known/cat{number}/{image}.png"
            write_image(file, (40, 32), number)
            picture = Image.open(file)
            picture.putpixel((image, 0), (0, 0, 0))  # another photograph, and no copy
            picture.save(file)
    for number in (0, 3):
        write_image(tmp_path / f"new/of{number}.png", (40, 32), number)
    write_image(tmp_path / "new/later/stranger.png", (40, 32), 77)
    return tmp_path


@pytest.fixture
def colours(run, album, flavour):
    """The photographs with the mean colour of each in place of an embedding."""
    model = networks.untrained_network(flavour, 0)

    def embedded(name, named):
        shots = photographs.embed_photographs(
            name, album / name.lower(), named, model, flavour, run, CPU
        )
        paths = [shots.folder / path for path in shots.metadata["path"]]
        from megalib.data.images import load

        rows = np.array([np.asarray(load(path)).mean(axis=(0, 1)) - 120 for path in paths])
        rows = rows.astype(np.float32)
        return replace(shots, rows=rows)

    return embedded("Known", True), embedded("New", False)


def test_each_photograph_gets_ranked_candidates(colours):
    known, new = colours
    assert new.metadata["identity"].unique().tolist() == [UNKNOWN]
    assert sorted(new.metadata["photograph"]) == ["later/stranger.png", "of0.png", "of3.png"]
    lines = []
    judgement = judging.learn(known, 3, report=lines.append)
    table = judging.rank(new, known, judgement, 3)
    assert table["rank"].tolist() == [1, 2, 3] * 3
    first = table[table["rank"] == 1].set_index("photograph")
    assert first.loc["of0.png", "candidate"] == "cat0"
    assert first.loc["of3.png", "candidate"] == "cat3"
    assert first.loc["of3.png", "known_photograph"].startswith("cat3/")
    assert first.loc["of3.png", "unlike_all_known"] == "no"
    assert first["probability"].between(0, 1).all()
    for _, rows in table.groupby("photograph"):
        assert rows["similarity"].is_monotonic_decreasing
        assert rows["candidate"].is_unique
        assert rows["unlike_all_known"].nunique() == 1


def test_too_few_individuals_are_told_and_still_ranked(colours):
    known, new = colours
    one = (known.metadata["identity"] == "cat0").to_numpy()
    known = photographs.Photographs(known.metadata[one], known.rows[one], known.folder)
    lines = []
    judgement = judging.learn(known, 3, report=lines.append)
    assert judgement.threshold is None and judgement.probability_of is None
    assert lines[0].startswith("How well this works on these animals cannot be said")
    table = judging.rank(new, known, judgement, 3)
    assert table["candidate"].tolist() == ["cat0"] * 3
    assert table["probability"].isna().all()
    assert (table["unlike_all_known"] == "").all()


def test_the_page_says_what_the_flag_is_worth(colours, tmp_path):
    known, new = colours
    judgement = judging.learn(known, 2)
    assert judgement.in_words.startswith("Expected, from 30 photographs of 5 known individuals")
    table = judging.rank(new, known, judgement, 2)
    written = answers.write_answers(tmp_path, table, judgement, new, known)
    page = " ".join(written.page.read_text().split())
    assert " ".join(judgement.in_words.split()) in page


def test_answers_for_encounters_are_written_and_removed(colours, tmp_path):
    known, new = colours
    new.metadata["encounter"] = ["E1", "E1", "=E2"]
    judgement = judging.Judgement(0.5, None)
    table, together = judging.answer(new, known, judgement, 2)
    answers.write_answers(tmp_path, table, judgement, new, known, together)
    read = pd.read_csv(tmp_path / "encounters.csv")
    assert read["encounter"].tolist() == ["'=E2"] * 2 + ["E1"] * 2
    assert list(read) == list(together) and read["photographs"].tolist() == [1, 1, 2, 2]
    answers.write_answers(tmp_path, table, judgement, new, known)
    assert not (tmp_path / "encounters.csv").exists()


def test_a_page_shows_an_animal_without_candidates(colours, tmp_path):
    known, new = colours
    known.metadata["orientation"], new.metadata["orientation"] = "left", ["left", "right", "left"]
    judgement = judging.Judgement(0.5, None)
    table = judging.rank(new, known, judgement, 2)
    written = answers.write_answers(tmp_path, table, judgement, new, known)
    assert written.page.read_text().count("<section") == 3
    assert plots.candidates(new.folder, known.folder, table) is not None


def test_an_example_is_made_of_a_prepared_dataset(prepared, tmp_path):
    known, new, truth = photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    assert sorted(folder.name for folder in known.iterdir()) == ["cat0", "cat1", "cat2"]
    assert sorted(path.name for path in new.iterdir()) == sorted(truth.index)
    assert set(truth) == {"cat0", "cat1", "cat2", "cat3"}
    # Names are numbers in the order of the image ids; a table says who is on them.
    assert all(re.fullmatch(r"photo_\d{3}\.png", name) for name in truth.index)
    written = pd.read_csv(tmp_path / "own" / "truth.csv", index_col="photograph")["identity"]
    assert written.equals(truth)
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    paths = dict(zip(metadata["path"], metadata["identity"], strict=True))
    folder = prepared.images(518, "DemoLeopard")
    pixels = {(folder / path).read_bytes(): who for path, who in paths.items()}
    assert all(pixels[(new / name).read_bytes()] == who for name, who in truth.items())
    with pytest.raises(UserError, match="too few for an example"):
        photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=3)


def test_an_example_of_images_that_are_gone_asks_for_them(prepared, tmp_path):
    (prepared.images(518, "DemoLeopard") / "images/2_2.png").unlink()
    with pytest.raises(UserError, match=r"image .*2_2\.png is missing: run 1_prepare"):
        photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)


def test_an_example_that_is_there_stays_as_it_is(prepared, tmp_path):
    known, new, _ = photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    made = {path: path.stat() for path in (tmp_path / "own").rglob("*.png")}
    (known / "cat0" / "other.png").touch()
    half = next(new.iterdir())
    half.write_bytes(half.read_bytes()[:100])
    photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    again = {path: path.stat() for path in (tmp_path / "own").rglob("*.png")}
    assert {path: (state.st_size, state.st_mtime_ns) for path, state in made.items()} == {
        path: (state.st_size, state.st_mtime_ns) for path, state in again.items()
    }
    assert all(again[path].st_ino == state.st_ino for path, state in made.items())


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside"])
def test_a_name_that_leaves_the_example_is_refused(prepared, tmp_path, name):
    metadata = read_metadata(prepared.metadata("DemoLeopard")).replace({"identity": {"cat0": name}})
    metadata.to_csv(prepared.metadata("DemoLeopard"))
    with pytest.raises(UserError, match="outside"):
        photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    assert not (tmp_path / "outside").exists()


def test_a_name_with_a_slash_is_a_folder_of_its_own(prepared, tmp_path):
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    metadata.replace({"identity": {"cat0": "Ada/Bo"}}).to_csv(prepared.metadata("DemoLeopard"))
    known, *_ = photographs.example(prepared, "DemoLeopard", tmp_path / "own", strangers=1)
    assert len(list((known / "Ada" / "Bo").iterdir())) == 4


def test_one_folder_alone_is_refused(prepared):
    with pytest.raises(UserError, match="name both folders"):
        albums.open_album("a", "", prepared, "DemoLeopard")


def test_an_album_of_two_folders_is_opened_learned_from_and_answered(prepared, tmp_path, capsys):
    """The whole way of own photographs, twice: the second time with a decision of the first."""
    rng = np.random.default_rng(0)
    coats = {name: rng.integers(0, 256, (8, 8, 3)) for name in ("Ada", "Bo", "Cy")}
    for name, coat in coats.items():
        for number in range(5):
            noisy = np.clip(coat + rng.normal(0, 12, coat.shape), 0, 255).astype(np.uint8)
            folder = tmp_path / "known" / name if number < 4 else tmp_path / "new"
            folder.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(noisy).resize((96, 96), Image.Resampling.NEAREST)
            image.save(folder / f"{name if number < 4 else name[0]}{number}.png")
    where = (str(tmp_path / "known"), str(tmp_path / "new"), prepared, "")
    album = albums.open_album(*where, weights="imagenet")
    assert "3 individuals: Ada 4, Bo 4, Cy 4" in capsys.readouterr().out
    assert album.understood.count("photographs") == 2 and album.truth is None
    judgement = learned.learn(album.known, 2)
    answered = answers.answer(album, judgement, tmp_path / "out", 2)
    first = answered.table[answered.table["rank"] == 1]
    assert [name[0] for name in first["candidate"]] == [name[0] for name in first["photograph"]]
    assert "What was understood of your photographs" in answered.page.read_text()
    decided = tmp_path / "decisions.csv"
    decided.write_text("photograph,decision,identity\nA4.png,confirmed,Ada\n")
    album = albums.open_album(*where, weights="imagenet", decided=str(decided))
    assert "1 animals are confirmed" in album.in_words
    assert (album.known.metadata["identity"] == "Ada").sum() == 5
    assert album.new.metadata["photograph"].tolist() == ["B4.png", "C4.png"]
    answered = answers.answer(album, learned.learn(album.known, 2), tmp_path / "out", 2)
    assert set(answered.table["photograph"]) == {"B4.png", "C4.png"}
