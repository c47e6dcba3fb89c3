"""Two occasions are matched, and the population is estimated from what is matched."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.errors import UserError
from megalib.evaluation import resampling
from megalib.evaluation.field import census
from megalib.evaluation.field.occasions import Occasions
from tests.evaluation.field.making import cosine, photographs
from tests.figures import drawn


def test_chapman_has_no_bias_where_every_animal_is_equally_easy_to_see():
    """The mean over all draws of a second occasion is the population, if n₁ + n₂ ≥ N."""
    population, first, second = 12, 7, 6
    mean = sum(
        comb(first, both)
        * comb(population - first, second - both)
        / comb(population, second)
        * census.chapman(first, second, both)
        for both in range(max(0, first + second - population), second + 1)
    )
    assert mean == pytest.approx(population)
    assert census.chapman(20, 25, 0) == 21 * 26 - 1
    assert census.chapman(10, 10, 10) == 10


@st.composite
def surveys(draw):
    """Photographs of five animals on days of a year, and strangers known by nobody."""
    count = draw(st.integers(10, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    first = pd.Timestamp("2021-01-01")
    days = rng.integers(0, 101, count)
    days[:2] = 0, 100
    table = pd.DataFrame(
        {
            "identity": rng.choice(["A", "B", "C", "D", "unknown"], count),
            "split": rng.choice(["train", "test", "test"], count),
            "date": [str((first + pd.Timedelta(days=int(day))).date()) for day in days],
            "day": days,
        }
    )
    return photographs(table, rng.normal(size=(count, 4)))


def expected(one, length):
    """The rows of the second occasion, one cosine at a time."""
    table, rows = one.table, one.descriptors["network"]
    known = table["identity"] != "unknown"
    first = table.index[known & (table["day"] <= length)]
    second = table.index[known & (table["day"] >= 100 - length) & (table["split"] == "test")]
    animals = sorted(set(table["identity"][first]))
    if not animals:
        return [], []
    found = []
    for name in sorted(set(table["identity"][second])):
        queries = [number for number in second if table["identity"][number] == name]
        mean = {
            animal: np.mean(
                [
                    max(
                        cosine(rows[query], rows[number])
                        for number in first
                        if table["identity"][number] == animal
                    )
                    for query in queries
                ]
            )
            for animal in animals
        }
        order = sorted(animals, key=lambda animal: -mean[animal])
        rank = order.index(name) if name in order else None
        found.append((name, name in animals, order[0], mean[order[0]], rank))
    return animals, found


@settings(max_examples=60, deadline=None)
@given(surveys(), st.sampled_from([0.1, 0.25, 0.49]))
def test_the_second_occasion_is_matched_with_the_first(one, share):
    lines = []
    taken = census.ask([one], share, lines.append)
    length = 100 * share
    animals, found = expected(one, length)
    if not animals or not found:
        assert not taken and "left out, an occasion has no animals" in lines[0]
        return
    (ours,) = taken
    assert ours.first.tolist() == animals and ours.days == int(length) and not lines
    assert ours.population is None, "nobody knows how many there are"
    assert len(ours.second) == len(found)
    for row, (name, seen, candidate, similarity, rank) in zip(
        ours.second.itertuples(index=False), found, strict=True
    ):
        assert (row.animal, row.recaptured, row.candidate) == (name, seen, candidate)
        assert row.similarity == pytest.approx(similarity, abs=1e-5)
        assert row.rank == rank if seen else np.isnan(row.rank)


def test_where_the_truth_is_known_strangers_are_part_of_the_population():
    table = pd.DataFrame(
        {
            "identity": ["A", "unknown", "A", "unknown", "B"],
            "animal": ["A", "s", "A", "s", "B"],
            "split": ["train", None, "test", None, "train"],
            "date": ["2021-01-01", "2021-01-01", "2021-12-31", "2021-12-31", "2021-06-01"],
        }
    )
    one = photographs(table, np.eye(5) + 0.1, has_truth=True)
    (ours,) = census.ask([one], 0.1, pytest.fail)
    assert ours.population == 3 and ours.first.tolist() == ["A", "s"]
    assert ours.second["animal"].tolist() == ["A", "s"] and ours.second["recaptured"].all()


def test_reasons_are_told():
    table = pd.DataFrame({"identity": ["A", "A"], "split": ["train", "test"]})
    lines = []
    unreadable = table.assign(date=["2021-01-01", "some day"])
    made = [photographs(table, np.eye(2)), photographs(unreadable, np.eye(2), "May")]
    assert census.ask(made, 0.2, lines.append) == []
    assert lines[0] == "Made: left out, no days are noted"
    assert lines[1].startswith("May: left out, a date cannot be read")
    for share in (0, 0.5, -1):
        with pytest.raises(UserError, match="occasion_share must lie between 0 and 0"):
            census.ask(made, share)


def survey(similarity, recaptured, candidate=None, first=8, name="Made", population=20):
    """Occasions of given matches; animals of the second one are a0, a1, ..."""
    animal = [f"a{number}" for number in range(len(similarity))]
    second = pd.DataFrame(
        {
            "animal": animal,
            "recaptured": recaptured,
            "candidate": candidate or animal,
            "similarity": similarity,
            "rank": [0.0 if seen else np.nan for seen in recaptured],
        }
    )
    names = [each for each, seen in zip(animal, recaptured, strict=True) if seen]
    names += [f"b{number}" for number in range(first - len(names))]
    return Occasions(name, np.array(names), second, 30, population)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=9))
def test_matches_are_counted_as_they_are(drawn_rows):
    similarity, recaptured, right = (list(column) for column in zip(*drawn_rows, strict=True))
    candidate = [f"a{n}" if fits else "other" for n, fits in enumerate(right)]
    one = survey([value / 10 for value in similarity], recaptured, candidate, first=12)
    for threshold in (0.0, 0.45, 2.0):
        rows = list(zip(similarity, recaptured, right, strict=True))
        believed = [row for row in rows if row[0] / 10 >= threshold]
        refused = [row for row in rows if row[0] / 10 < threshold]
        assert census.counts(one.second, threshold) == {
            "matched": len(believed),
            "recaptured": sum(recaptured),
            "missed": sum(seen for _, seen, _ in refused),
            "new": len(rows) - sum(recaptured),
            "false": sum(not seen for _, seen, _ in believed),
            "wrong": sum(seen and not fits for _, seen, fits in believed),
        }
    ours = census.counts(one.second, census.learn_threshold(one.second))
    for threshold in np.linspace(-0.1, 1.1, 49):
        other = census.counts(one.second, threshold)
        assert ours["missed"] + ours["false"] <= other["missed"] + other["false"]


def test_the_middle_of_the_best_thresholds_is_learned():
    second = survey([0.2, 0.4, 0.8, 0.9], [False, False, True, True]).second
    assert census.learn_threshold(second) == pytest.approx(0.6)
    assert census.learn_threshold(survey([0.3, 0.5], [True, True]).second) < 0.3
    assert census.learn_threshold(survey([0.3, 0.5], [False, False]).second) > 0.5


def test_a_missed_match_raises_the_estimate_and_a_false_one_lowers_it():
    one = survey([0.3, 0.9, 0.6, 0.7], [True, True, False, False])
    table = census.sweep(one)
    perfect = 9 * 5 / 3 - 1
    assert (table["perfect"] == perfect).all()
    assert table["matched"].tolist() == [4, 3, 2, 1, 0]
    assert table["estimate"].tolist() == pytest.approx(
        [9 * 5 / (m + 1) - 1 for m in (4, 3, 2, 1, 0)]
    )
    np.testing.assert_allclose(table["ratio"], table["estimate"] / perfect)
    assert table["threshold"].is_monotonic_increasing


def test_looking_at_more_candidates_finds_more():
    one = survey([0.5] * 6, [True] * 5 + [False], first=11)
    one.second["rank"] = [0, 1, 4, 5, 10, np.nan]
    table = census.reviewed(one)
    assert table["looked at"].tolist() == [1, 2, 3, 5, 10, 11]
    assert table["found"].tolist() == [1, 2, 2, 3, 4, 5]
    assert table["estimate"].tolist() == pytest.approx(
        [12 * 7 / (m + 1) - 1 for m in (1, 2, 2, 3, 4, 5)]
    )
    assert table["ratio"].iloc[-1] == 1
    few = survey([0.5], [True], first=3)
    assert census.reviewed(few)["looked at"].tolist() == [1, 2, 3]


def test_the_threshold_is_learned_on_other_animals():
    rng = np.random.default_rng(4)
    one = survey(rng.random(12), [True] * 7 + [False] * 5, first=10)
    table = census.over_divisions([one], seed=3)
    assert len(table) == resampling.DIVISIONS
    names = np.unique([*one.first, *one.second["animal"]])
    for row in table.itertuples():
        learned = resampling.halves(names, np.random.default_rng(3 + row.division))
        half = set(names[learned])
        learn, judge = (
            one.second[one.second["animal"].isin(half) == part] for part in (True, False)
        )
        assert row.threshold == census.learn_threshold(learn)
        found = census.counts(judge, row.threshold)
        assert (row.matched, row.missed, row.false) == tuple(
            found[name] for name in ("matched", "missed", "false")
        )
        first = len(set(one.first) - half)
        assert row.perfect == (first + 1) * (len(judge) + 1) / (found["recaptured"] + 1) - 1
        assert row.estimate == (first + 1) * (len(judge) + 1) / (found["matched"] + 1) - 1
        assert row.ratio == row.estimate / row.perfect


def test_a_half_without_animals_is_no_division():
    assert census.over_divisions([survey([0.5], [True], first=1)]).empty


def divisions(ratios, name="Made"):
    rows = [
        {"dataset": name, "division": n, "threshold": 0.5, "recaptured": 4, "missed": 1, "new": 2}
        | {"false": n % 2, "ratio": ratio}
        for n, ratio in enumerate(ratios)
    ]
    return pd.DataFrame(rows)


def test_the_summary_and_its_sentences_are_chosen_by_the_numbers():
    one = survey([0.5] * 6, [True] * 5 + [False], first=11)
    one.second["rank"] = [0, 1, 4, 5, 10, np.nan]
    table = census.summary([one], divisions([1.5, 1.1])).loc["Made"]
    expected = {"days": 30, "first": 11, "second": 6, "both": 5, "there are": 20, "perfect": 13}
    assert {name: table[name] for name in expected} == expected
    assert (table["missed"], table["false"]) == (0.25, 0.25)
    assert table["bias"] == pytest.approx(0.3)
    assert (table["low"], table["high"]) == pytest.approx((0.11, 0.49))
    told = census.in_words([one], divisions([1.5, 1.1]))
    assert "25 % of the recaptured animals are missed and 25 % of the new ones" in told
    assert "The estimate is then 30 % above that of perfect matching" in told
    assert "Perfect matching itself estimates 13 animals in all, where there are 20." in told
    looked = 100 * ((12 * 7 / 4 - 1) / 13 - 1)
    assert f"finds 3 of 5 recaptured ones, and estimates {looked:.0f} % above perfect" in told
    below = census.in_words([one], divisions([0.9, 0.7]))
    assert "The estimate is then 20 % below that of perfect matching" in below
    same = census.in_words([one], divisions([1.001, 1.0]))
    assert "The estimate is then about as high as that of perfect matching" in same
    unknown = survey([0.5], [True], first=3, population=None)
    told = census.in_words([unknown], divisions([1.0]))
    assert "where there are" not in told and "A person" not in told


def test_the_figure_shows_both_ways():
    one = survey([0.3, 0.9, 0.6, 0.7], [True, True, False, False])
    figure = census.plot([one, survey([0.4, 0.5], [True, False], name="Other")], divisions([1.2]))
    drawn(figure)
    left, right = figure.axes
    swept, looked = census.sweep(one), census.reviewed(one)
    assert left.lines[0].get_xdata().tolist() == swept["threshold"].tolist()
    assert left.lines[0].get_ydata().tolist() == swept["ratio"].tolist()
    assert right.lines[0].get_xdata().tolist() == looked["looked at"].tolist()
    assert right.lines[0].get_ydata().tolist() == looked["ratio"].tolist()
    (dot,) = [line for line in left.lines if line.get_marker() == "o"]
    assert dot.get_xdata().tolist() == [0.5] and dot.get_ydata().tolist() == [1.2]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["Made", "Other"]
