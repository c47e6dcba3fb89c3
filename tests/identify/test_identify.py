"""New photographs: candidates, probabilities, new animals, and the page that shows them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from megalib.data import splits
from megalib.data.metadata import UNKNOWN, read_metadata
from megalib.errors import UserError
from megalib.evaluation.judging import flags, open_set
from megalib.identify import judging, photographs
from megalib.models import networks
from megalib.retrieval import matching
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
    model = networks.untrained_network(flavour, 0)

    def embedded(name, named):
        shots = photographs.embed_photographs(
            name, album / name.lower(), named, model, flavour, run, CPU
        )
        paths = [shots.folder / path for path in shots.metadata["path"]]
        from megalib.data.images import load

        rows = np.array([np.asarray(load(path)).mean(axis=(0, 1)) - 120 for path in paths])
        rows = rows.astype(np.float32)
        return photographs.Photographs(shots.metadata, rows, shots.folder, shots.weights)

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


def directions(names, images, seed, spread=0.05):
    """Photographs whose embeddings lie close to a direction of their individual's own."""
    rng = np.random.default_rng(seed)
    rows, vectors = [], []
    for name in names:
        centre = np.random.default_rng(sum(map(ord, name))).standard_normal(16)
        for image in range(images):
            path = f"{name}/{image}.png"
            rows.append((path, name, path, path))
            vectors.append(centre + spread * rng.standard_normal(16))
    metadata = pd.DataFrame(rows, columns=["image_id", "identity", "path", "photograph"])
    return photographs.Photographs(metadata, np.array(vectors, dtype=np.float32), Path())


def test_a_stranger_is_called_new_and_a_known_animal_is_not():
    known = directions(["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay"], 6, 0)
    new = directions(["Ada", "Stranger"], 1, 1)
    judgement = judging.learn(known, 3, report=pytest.fail)
    table = judging.rank(new, known, judgement, 3)
    first = table[table["rank"] == 1]
    assert first["unlike_all_known"].tolist() == ["no", "yes"]
    assert first["candidate"].iloc[0] == "Ada"
    assert table.groupby("photograph")["unlike_all_known"].nunique().tolist() == [1, 1]
    always = judging.Judgement(2.0, None)
    assert (judging.rank(new, known, always, 1)["unlike_all_known"] == "yes").all()


def test_the_threshold_is_the_best_of_all_divisions_together():
    """Each division matched one by one; then every threshold tried."""
    known = directions(["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay"], 6, 0, spread=0.9)
    threshold = judging.learn(known, 3, seed=5, report=pytest.fail).threshold
    asked = []
    for number in range(judging.REPEATS):
        part = splits.add_closed_set_split(known.metadata, 0.5, 5 + number)
        part = splits.hide_individuals(part, 1 / 3, 5 + number)
        database = np.flatnonzero(part["split"] == "train")
        for query in np.flatnonzero(part["split"] == "test"):
            one = known.rows[query].astype(np.float64)
            cosines = [
                one @ other / np.linalg.norm(one) / np.linalg.norm(other)
                for other in known.rows[database].astype(np.float64)
            ]
            found = part["identity"].iloc[database[int(np.argmax(cosines))]]
            name, is_new = part["identity"].iloc[query], part["is_new"].iloc[query]
            asked.append((name, found, max(cosines), is_new))

    def score(cut):
        shares = {True: {}, False: {}}
        for name, found, cosine, is_new in asked:
            right = cosine < cut if is_new else cosine >= cut and found == name
            shares[is_new].setdefault(name, []).append(right)
        means = [np.mean([np.mean(own) for own in kind.values()]) for kind in shares.values()]
        return np.sqrt(means[0] * means[1])

    cuts = sorted(cosine for _, _, cosine, _ in asked)
    best = max(map(score, [*(cut + 1e-6 for cut in cuts), *(cut - 1e-6 for cut in cuts)]))
    assert 0.3 < best < 1  # neither hopeless nor perfect
    assert score(threshold) == pytest.approx(best)


def test_the_flag_is_tried_on_divisions_that_its_threshold_has_not_seen(monkeypatch):
    monkeypatch.setattr(judging, "REPEATS", 3)
    known = directions(["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay"], 6, 0, spread=1.2)
    tried = judging.learn(known, 3, seed=2, report=pytest.fail).tried
    assert len(tried) == 3 and list(tried) == flags.MEASURES
    tables = []
    for number in range(3):
        part = splits.add_closed_set_split(known.metadata, 0.5, 2 + number)
        part = splits.hide_individuals(part, 1 / 3, 2 + number)
        is_new = part.loc[part["split"] == "test", "is_new"].to_numpy()
        tables.append(matching.match(part, known.rows).assign(is_new=is_new))
    for number, table in enumerate(tables):
        others = [other for place, other in enumerate(tables) if place != number]
        sweep = open_set.sweep(pd.concat(others))
        threshold = sweep.loc[sweep["geometric_mean"].idxmax(), "threshold"]
        flagged = (table["similarity"] < threshold).to_numpy()
        assert tried["recall"][number] == flagged[table["is_new"]].mean()
        assert tried["precision"][number] == table["is_new"][flagged].mean()
        seen = open_set.sweep(pd.concat(tables))
        seen = seen.loc[seen["geometric_mean"].idxmax(), "threshold"]
        assert flagged.sum() != (table["similarity"] < seen).sum()  # it makes a difference


def test_too_few_individuals_are_told_and_still_ranked(colours):
    known, new = colours
    one = (known.metadata["identity"] == "cat0").to_numpy()
    known = photographs.Photographs(known.metadata[one], known.rows[one], known.folder)
    lines = []
    judgement = judging.learn(known, 3, report=lines.append)
    assert judgement == judging.Judgement(None, None)
    assert [line.split(":")[0] for line in lines] == [
        "no photograph can be called unlike all known",
        "no probabilities",
    ]
    table = judging.rank(new, known, judgement, 3)
    assert table["candidate"].tolist() == ["cat0"] * 3
    assert table["probability"].isna().all()
    assert (table["unlike_all_known"] == "").all()


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
        photographs.folders("a", "", prepared, "DemoLeopard")


def test_folders_of_ones_own_have_no_truth(prepared, tmp_path):
    known, new, truth = photographs.folders(str(tmp_path), str(tmp_path), prepared, "DemoLeopard")
    assert (known, new, truth) == (tmp_path, tmp_path, None)


def test_what_was_found_is_told_in_one_sentence(tmp_path):
    table = pd.DataFrame({"rank": [1, 2, 1], "unlike_all_known": ["yes", "yes", "no"]})
    file = tmp_path / "candidates.csv"
    text = judging.in_words(table, judging.Judgement(0.5, None), file)
    assert text.startswith("2 new photographs")
    assert text.endswith(
        "1 are unlike all known ones (similarity below 0.50): look at these first."
    )
    assert "unlike" not in judging.in_words(table, judging.Judgement(None, None), file)


def test_the_example_is_marked():
    columns = ["photograph", "rank", "candidate", "unlike_all_known"]
    rows = [
        ("1.jpg", 1, "Ada", "no"),
        ("1.jpg", 2, "Bo", "no"),
        ("2.jpg", 1, "Ada", "yes"),
        ("2.jpg", 2, "Bo", "yes"),
        ("3.jpg", 1, "Bo", "yes"),
        ("3.jpg", 2, "Ada", "yes"),
    ]
    truth = pd.Series({"1.jpg": "Ada", "2.jpg": "Bo", "3.jpg": "Cleo"})
    known = photographs.Photographs(
        pd.DataFrame({"identity": ["Ada", "Bo"]}), np.empty((2, 0)), None
    )
    answered = pd.DataFrame(rows, columns=columns)
    tried = pd.DataFrame([[0.9, 0.4, 0.5, 0.3], [1, 0.6, 0.5, 0.3]], columns=flags.MEASURES)
    marks = judging.marked(answered, truth, known, judging.Judgement(0.5, None, tried))
    assert "found are 100% and 50%. That is within" in marks.in_words
    marks = judging.marked(answered, truth, known, judging.Judgement(0.5, None))
    assert "Expected" not in marks.in_words
    assert marks.in_words.startswith(
        "Of 2 photographs of known animals, 1 have the right one as first candidate and 2 among "
        "all candidates. Of 2 photographs that are unlike all known, 1 show a new animal (50%). "
        "Of as many picked at random it would be 0.7, since 33% of all photographs show one."
    )
    assert marks.counts["new animal"].tolist() == [1, 0, 1]
    assert marks.counts["known animal"].tolist() == [1, 1, 2]
