"""An encounter gets one answer: that which all its photographs together are nearest to."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.errors import UserError
from megalib.evaluation.field import encounters
from tests.evaluation.field.making import cosine, photographs
from tests.figures import drawn


@st.composite
def surveys(draw):
    """Photographs of three animals in encounters that may lie on both sides of the split."""
    count = draw(st.integers(6, 24))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    table = pd.DataFrame(
        {
            "identity": rng.choice(["A", "B", "C", "unknown"], count),
            "split": rng.choice(["train", "test"], count),
            "encounter": rng.choice(np.array(["1", "2", "3", None], dtype=object), count),
        }
    )
    table.loc[table["identity"] == "unknown", "split"] = np.nan
    return photographs(table, rng.normal(size=(count, 4)))


def expected(one):
    """The rows, one cosine at a time."""
    table, rows, found = one.table, one.descriptors["network"], []
    for (met, name), group in table.groupby(["encounter", "identity"]):
        queries = group.index[group["split"] == "test"]
        others = (table["encounter"] != met) | (table["identity"] != name)
        database = table.index[(table["split"] == "train") & others]
        if name == "unknown" or len(queries) < 2 or name not in set(table["identity"][database]):
            continue
        animals = sorted(set(table["identity"][database]))
        best = [
            {
                animal: max(
                    cosine(rows[query], rows[number])
                    for number in database
                    if table["identity"][number] == animal
                )
                for animal in animals
            }
            for query in queries
        ]
        alone = [max(animals, key=each.get) == name for each in best]
        surest = alone[max(range(len(best)), key=lambda place: max(best[place].values()))]
        mean = {animal: np.mean([each[animal] for each in best]) for animal in animals}
        together = max(animals, key=mean.get) == name
        found.append((name, len(queries), np.mean(alone), float(surest), float(together)))
    return sorted(found)


@settings(max_examples=80, deadline=None)
@given(surveys())
def test_answers_are_those_of_one_cosine_at_a_time(one):
    lines = []
    table = encounters.ask([one], lines.append)
    assert sorted(table.drop(columns="dataset").itertuples(index=False, name=None)) == expected(one)
    assert len(lines) == (1 if table.empty else 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 1000))
def test_each_animal_counts_with_its_most_similar_image(queries, entries, seed):
    rng = np.random.default_rng(seed)
    query, database = rng.normal(size=(queries, 3)), rng.normal(size=(entries, 3))
    animal = rng.choice(["b", "a", "zz"], entries)
    names, found = encounters.similarity_to_each(
        query.astype(np.float32), database.astype(np.float32), animal
    )
    assert names.tolist() == sorted(set(animal))
    for row in range(queries):
        for column, name in enumerate(names):
            those = [cosine(query[row], each) for each in database[animal == name]]
            assert found[row, column] == pytest.approx(max(those), abs=1e-5)


def test_a_day_of_an_animal_is_an_encounter_where_none_is_noted():
    table = pd.DataFrame(
        {
            "identity": ["A", "A", "B", "unknown", "A"],
            "date": ["2021-05-01 08:00", "2021-05-01 19:00", "2021-05-01", "2021-05-01", None],
        }
    )
    met = encounters.meetings(table)
    assert met[0] == met[1] != met[2] and met[3:].isna().all()
    table["encounter"] = ["7", "8", "7", "7", "9"]
    met = encounters.meetings(table)
    assert met[0] != met[1] and met[0] != met[2], "two animals of an encounter are two meetings"
    assert pd.isna(met[3]) and met.nunique() == 4
    with pytest.raises(UserError, match="neither encounters nor days are noted"):
        encounters.meetings(table[["identity"]])


def bursts(together: bool):
    """Ten bursts of three: one photograph is misled on its own, the sum is right or not."""
    rows, table = [], []
    for number in range(10):
        for kind in range(2):  # each animal and a double of it in the database
            rows.append(np.eye(20)[2 * number + kind])
            table.append((f"{'ab'[kind]}{number}", "train", f"old{number}{kind}"))
        own, double = np.eye(20)[2 * number : 2 * number + 2]
        clear = 1.0 if together else 0.2
        for picture in (clear * own + 0.1 * double, own + 0.9 * double, 0.4 * own + 0.6 * double):
            rows.append(picture)
            table.append((f"a{number}", "test", f"new{number}"))
    columns = ["identity", "split", "encounter"]
    return photographs(pd.DataFrame(table, columns=columns), rows)


def test_the_sentence_and_the_table_are_those_of_the_numbers():
    found = encounters.ask([bursts(True)], pytest.fail)
    assert (found["photographs"] == 3).all() and len(found) == 10
    assert found["one photograph"].tolist() == pytest.approx([2 / 3] * 10)
    assert (found["together"] == 1).all() and (found["the most similar"] == 1).all()
    told = encounters.in_words(found)
    assert told.startswith("10 encounters have two or more test images, 30 in all.")
    assert "is right in 67 % of the cases, all photographs together in 100 %." in told
    assert "as one finds more animals (+33 points, 95 % interval +33 to +33)" in told
    worse = found.assign(together=0.0)
    assert "as one finds fewer animals (-67 points" in encounters.in_words(worse)
    mixed = found.assign(together=[1.0, 0.0] * 5)
    assert "These encounters do not show whether" in encounters.in_words(mixed)
    sized = found.assign(photographs=[2] * 3 + [4] * 3 + [7] * 4)
    table = encounters.by_size(sized)
    assert table["size"].unique().tolist() == ["2 photographs", "4 or more", "all"]
    assert table.groupby("size", sort=False)["encounters"].first().tolist() == [3, 7, 10]
    assert table.groupby("size", sort=False)["photographs"].first().tolist() == [6, 40, 46]
    assert table["way"].tolist() == list(encounters.WAYS) * 3
    assert table.loc[table["way"] == "together", "right"].tolist() == [1, 1, 1]


def test_reasons_are_told():
    table = pd.DataFrame({"identity": ["A", "A"], "split": ["train", "test"]})
    bare = photographs(table, np.eye(2))
    single = photographs(table.assign(encounter=["1", "2"]), np.eye(2), "Single")
    lines = []
    assert encounters.ask([bare, single], lines.append).empty
    assert lines == [
        "Made: left out, neither encounters nor days are noted",
        "Single: left out, no encounter has several test images",
    ]


def test_the_figure_shows_the_table():
    found = encounters.ask([bursts(True)], pytest.fail)
    figure = encounters.plot(found.assign(photographs=[2] * 5 + [3] * 5))
    drawn(figure)
    axis = figure.axes[0]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == [
        "2 photographs\n5 encounters",
        "3 photographs\n5 encounters",
        "all\n10 encounters",
    ]
    for container, value in zip(axis.containers, (200 / 3, 100, 100), strict=True):
        np.testing.assert_allclose(container.lines[0].get_xdata(), value)
