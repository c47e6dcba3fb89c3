"""Answers about new photographs: candidates, probabilities, flags, encounters, copies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError
from megalib.evaluation.judging import flags
from megalib.identify import encounters, judging, learn
from megalib.identify.learning import expected
from megalib.identify.photographs import Photographs
from tests.identify.animals import NAMES, cosines, directions
from tests.identify.learning.test_key_points import album

NOBODY = judging.Judgement(None, None)


def newcomers(known_names, seed=1, **noted):
    """A photograph of each, as nobody knows them."""
    new = directions(known_names, 1, seed, **noted)
    return Photographs(new.metadata.assign(identity=UNKNOWN), new.rows, new.folder)


def test_each_animal_gets_ranked_candidates():
    new, known = newcomers(["Eve", "Stranger", "Bo"]), directions()
    judgement = learn(known, 3, report=pytest.fail)
    table = judging.rank(new, known, judgement, 3)
    assert list(table) == [
        *("photograph", "animal", "image_id", "rank", "candidate", "known_photograph"),
        *("known_animal", "similarity", "probability", "unlike_all_known", "encounter"),
        *("path", "known_path"),
    ]
    assert table["rank"].tolist() == [1, 2, 3] * 3
    first = table[table["rank"] == 1]
    assert first["candidate"].tolist()[::2] == ["Eve", "Bo"]
    assert first["unlike_all_known"].tolist() == ["no", "yes", "no"]
    plain = cosines(new, known)
    assert first["similarity"].tolist() == pytest.approx(plain.max(axis=1).tolist(), abs=1e-6)
    nearest = known.metadata["photograph"][plain.argmax(axis=1)]
    assert first["known_photograph"].tolist() == nearest.tolist()
    for _, rows in table.groupby("image_id"):
        assert rows["similarity"].is_monotonic_decreasing
        assert rows["probability"].is_monotonic_decreasing
        assert rows["candidate"].is_unique and rows["unlike_all_known"].nunique() == 1
    assert table["encounter"].isna().all()


def test_two_animals_on_one_photograph_are_two():
    new = newcomers(["Ada", "Bo", "Eve"])
    new.metadata[["photograph", "animal"]] = [("two.jpg", 1), ("two.jpg", 2), ("one.jpg", 1)]
    table = judging.rank(new, directions(), NOBODY, 2)
    assert table.groupby(["photograph", "animal"])["rank"].apply(list).tolist() == [[1, 2]] * 3
    first = table[table["rank"] == 1].set_index(["photograph", "animal"])["candidate"]
    assert first["two.jpg", 1] == "Ada" and first["two.jpg", 2] == "Bo"
    text = judging.in_words(table, NOBODY, Path("candidates.csv"))
    assert text.startswith("2 new photographs of 3 animals, their candidates")


def test_flanks_are_kept_apart():
    new = newcomers(["Ada", "Bo", "Eve"], orientation=["right", "right", np.nan])
    left = directions(orientation="left")
    lines = []
    table = judging.rank(new, left, NOBODY, 2, report=lines.append)
    assert lines == [
        "2 animals have no candidate, since the known photographs show only their other side: "
        "'Ada/0.png', 'Bo/0.png'"
    ]
    assert table["photograph"].tolist() == ["Ada/0.png", "Bo/0.png", "Eve/0.png", "Eve/0.png"]
    assert table["rank"].tolist() == [1, 1, 1, 2]
    lacking = ["candidate", "known_photograph", "known_path", "similarity", "probability"]
    assert table.loc[:1, lacking].isna().all(axis=None)
    assert table["candidate"][2] == "Eve"
    both = directions(orientation=["left", "right"] * 18)
    found = judging.rank(new, both, NOBODY, 1, report=pytest.fail)
    sides = both.metadata.set_index("photograph")["orientation"]
    assert sides[found["known_photograph"]].tolist()[:2] == ["right", "right"]
    assert found["candidate"].tolist() == ["Ada", "Bo", "Eve"]


def test_a_flag_waits_for_a_threshold_and_a_candidate():
    new = newcomers(["Ada", "Bo"], orientation=["right", "left"])
    judgement = judging.Judgement(2.0, None)
    table = judging.rank(new, directions(orientation="left"), judgement, 1, report=lambda _: None)
    assert table["unlike_all_known"].tolist() == ["", "yes"]


def test_unknown_ones_are_no_candidates():
    known = directions()
    known.metadata.loc[known.metadata["identity"] == "Ada", "identity"] = UNKNOWN
    assert "Ada" not in set(judging.rank(newcomers(["Ada"]), known, NOBODY, 5)["candidate"])
    known.metadata["identity"] = UNKNOWN
    with pytest.raises(UserError, match="nobody can be a candidate"):
        judging.rank(newcomers(["Ada"]), known, NOBODY, 5)


def test_an_encounter_has_one_answer():
    names = ["Ada", "Bo", "Cleo"]
    rng = np.random.default_rng(0)
    new = directions(names, 4, 5, 0.8, encounter=np.repeat(["E1", "E2", np.nan], 4))
    new.metadata["encounter"] = new.metadata["encounter"].replace("nan", np.nan)
    order = rng.permutation(12)
    new, known = new.some(order), directions(spread=0.3)
    judgement = learn(known, 3, report=pytest.fail)
    table, together = judging.answer(new, known, judgement, 2)
    assert together["encounter"].tolist() == ["E1", "E1", "E2", "E2"]
    assert together["rank"].tolist() == [1, 2, 1, 2]
    assert together["candidate"].tolist()[::2] == ["Ada", "Bo"]
    assert (together["photographs"] == 4).all()
    assert together["probability"].between(0, 1).all()
    plain = cosines(new, known)
    met, who = new.metadata["encounter"], known.metadata["identity"]
    best = {
        name: plain[np.ix_(met == "E1", who == name)].max(axis=1).mean() for name in who.unique()
    }
    assert together["similarity"][0] == pytest.approx(max(best.values()), abs=1e-6)
    assert table["encounter"].nunique() == 2
    said = encounters.in_words(together)
    assert set(said) == {"E1", "E2"} and said["E1"].startswith("4 photographs together: Ada, ")


def test_an_encounter_of_several_animals_has_none():
    new = newcomers(["Ada", "Bo", "Eve"], encounter="E1")
    new.metadata[["photograph", "animal"]] = [("two.jpg", 1), ("two.jpg", 2), ("one.jpg", 1)]
    assert judging.answer(new, directions(), NOBODY, 2)[1].empty


def test_an_encounter_is_flagged_where_its_photographs_are_on_average():
    new = newcomers(["Ada", "Stranger"], encounter="E1")
    known = directions()
    best = judging.rank(new, known, NOBODY, 1)["similarity"].mean()
    for threshold, flag in ((best - 0.01, "no"), (best + 0.01, "yes"), (None, "")):
        judgement = judging.Judgement(threshold, None)
        assert judging.answer(new, known, judgement, 1)[1]["unlike_all_known"].tolist() == [flag]


def test_a_copy_of_a_known_photograph_is_mentioned(tmp_path):
    known, new = directions(), newcomers(["Ada", "Bo"])
    for name in known.metadata["photograph"]:
        (tmp_path / "known" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "known" / name).write_text(f"picture of {name}")
    for name in new.metadata["photograph"]:
        (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "new/Ada/0.png").write_text("picture of Fay/3.png")
    (tmp_path / "new/Bo/0.png").write_text("picture of no one 3.png")
    known = Photographs(known.metadata, known.rows, Path(), source=tmp_path / "known")
    new = Photographs(new.metadata, new.rows, Path(), source=tmp_path / "new")
    lines = []
    judging.rank(new, known, NOBODY, 1, report=lines.append)
    assert lines == [
        "1 new photographs are, byte for byte, among the known ones: 'Ada/0.png is Fay/3.png of "
        "Fay'"
    ]


def test_copies_among_the_known_ones_do_not_find_each_other(tmp_path):
    """The last photograph of each is a copy of the first, and all others show nothing."""
    known = directions([*NAMES, "Gus", "Hal"], 3, 0, 50.0)
    for place, name in enumerate(known.metadata["photograph"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"picture {place - 2 if place % 3 == 2 else place:04d}")
    known.rows[2::3] = known.rows[::3]
    promised = [
        learn(Photographs(known.metadata, known.rows, Path(), source=source), 3).expected.table
        for source in (None, tmp_path)
    ]
    flattered, honest = (table.loc[expected.FIRST, "expected"] for table in promised)
    assert flattered > 60 > 40 > honest


def test_key_points_find_animals_that_the_network_does_not(tmp_path):
    names = ["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay"]
    known, new = album(tmp_path / "Known", names), album(tmp_path / "New", names, first=3)
    judgement = learn(known, 3, report=lambda _: None, local_features=True)
    table, _ = judging.answer(new, known, judgement, 3)
    first = table[table["rank"] == 1]
    assert (first["candidate"].to_numpy() == new.metadata["identity"]).mean() > 0.9
    assert (first["similarity"] > 0.4).all() and (first["shared_points"] > 0).all()
    assert table["cosine"].between(-1, 1).all()
    best = first["known_photograph"].str.split("_").str[0]
    assert (best == first["candidate"]).all()
    alone = judging.rank(new, known, learn(known, 3, report=lambda _: None), 3)
    right = alone[alone["rank"] == 1]["candidate"].to_numpy() == new.metadata["identity"]
    assert right.mean() < 0.6 and "cosine" not in alone


def test_what_was_found_is_told_in_words():
    table = judging.rank(newcomers(["Ada", "Bo"]), directions(), judging.Judgement(2.0, None), 1)
    table.loc[0, "unlike_all_known"] = "no"
    judgement = judging.Judgement(0.5, None)
    text = judging.in_words(table, judgement, Path("candidates.csv"))
    assert text == (
        "2 new photographs, their candidates in candidates.csv; 1 are unlike all known ones "
        "(similarity below 0.50): look at these first"
    )
    assert "unlike" not in judging.in_words(table, NOBODY, Path("candidates.csv"))


def test_the_example_is_marked():
    columns = ["photograph", "image_id", "rank", "candidate", "unlike_all_known"]
    rows = [
        ("1.jpg", "1", 1, "Ada", "no"),
        ("1.jpg", "1", 2, "Bo", "no"),
        ("2.jpg", "2", 1, "Ada", "yes"),
        ("2.jpg", "2", 2, "Bo", "yes"),
        ("3.jpg", "3", 1, "Bo", "yes"),
        ("3.jpg", "3", 2, "Ada", "yes"),
    ]
    truth = pd.Series({"1.jpg": "Ada", "2.jpg": "Bo", "3.jpg": "Cleo"})
    known = Photographs(pd.DataFrame({"identity": ["Ada", "Bo"]}), np.empty((2, 0)), Path())
    answered = pd.DataFrame(rows, columns=columns)
    marks = judging.marked(answered, truth, known, judging.Judgement(0.5, None))
    assert marks.in_words == (
        "Of 2 photographs of known animals, 1 have the right one as first candidate and 2 among "
        "all candidates. Of 2 photographs that are unlike all known, 1 show a new animal (50%). "
        "Of as many picked at random it would be 0.7, since 33% of all photographs show one."
    )
    assert marks.counts["new animal"].tolist() == [1, 0, 1]
    assert marks.counts["known animal"].tolist() == [1, 1, 2]
    judgement = learn(directions(spread=1.5), 2, report=lambda _: None)
    marks = judging.marked(answered, truth, known, judgement)
    low_to_high = expected.yours(judgement.expected, expected.FIRST)
    assert f"first candidate is right: {low_to_high} % expected, 50 % found" in marks.in_words
    assert f"that are {flags.FLAG}" in marks.in_words
