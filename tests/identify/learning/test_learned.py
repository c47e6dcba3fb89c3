"""What known photographs teach, against the plain way, and what it must not depend on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.data.metadata import UNKNOWN
from megalib.identify.learning import expected, learned, rehearsal
from tests.identify.animals import NAMES, cosines, directions

MANY = [*NAMES, "Gus", "Hal", "Ida", "Jo"]


def shuffled(photographs, seed):
    return photographs.some(np.random.default_rng(seed).permutation(len(photographs.metadata)))


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 999))
def test_a_rehearsal_compares_each_photograph_with_all_of_other_occasions(seed):
    rng = np.random.default_rng(seed)
    encounter = [f"E{number}" for number in rng.integers(0, 9, 24)]
    known = directions(NAMES, 4, seed, 1.5, encounter=encounter)
    told = rehearsal.rehearse(shuffled(known, seed), seed)
    plain = cosines(known, known)
    met, identity = np.array(encounter), known.metadata["identity"].to_numpy()
    asked = [
        number
        for number in range(24)
        if ((met != met[number]) & (identity == identity[number])).any()
    ]
    assert told.identity.tolist() == identity[asked].tolist()
    for row, number in enumerate(asked):
        free = met != met[number]
        best = {
            name: plain[number][free & (identity == name)].max()
            for name in NAMES
            if (free & (identity == name)).any()
        }
        order = sorted(best, key=best.get, reverse=True)
        there = told.individual[row] >= 0
        assert told.names[told.individual[row][there]].tolist() == order
        assert told.score[row][there] == pytest.approx(
            sorted(best.values(), reverse=True), abs=1e-6
        )
        assert told.rank[row] == order.index(identity[number])
        others = max(value for name, value in best.items() if name != identity[number])
        assert told.as_newcomer[row] == pytest.approx(others, abs=1e-6)


def test_bursts_are_never_on_both_sides():
    """Photographs of a burst are all but equal, those of other days show nothing of the animal."""
    rng = np.random.default_rng(0)
    days = np.tile(np.repeat(["2024-05-01", "2024-05-02"], 3), len(MANY))
    known = directions(MANY, 6, 0, date=days)
    bursts = rng.standard_normal((2 * len(MANY), 16)).repeat(3, axis=0)
    rows = (bursts + 0.01 * rng.standard_normal(bursts.shape)).astype(np.float32)
    known = type(known)(known.metadata, rows, known.folder)
    by_date = learned.learn(known, 5)
    assert by_date.expected.table.loc[expected.FIRST, "expected"] < 40
    assert by_date.probability_of is None
    assert "No probabilities: similarity does not tell" in by_date.in_words
    undated = type(known)(known.metadata.drop(columns="date"), rows, known.folder)
    assert learned.learn(undated, 5).expected.table.loc[expected.FIRST, "expected"] == 100
    assert "these numbers flatter" in learned.learn(undated, 5).in_words


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 99))
def test_the_order_of_files_decides_nothing(seed):
    known = directions(MANY, 4, 0, 1.2)
    one, other = (learned.learn(each, 3, 5) for each in (known, shuffled(known, seed)))
    assert one.threshold == other.threshold
    assert one.in_words == other.in_words
    asked = np.linspace(-1, 1, 201)
    assert np.array_equal(one.probability_of(asked), other.probability_of(asked))


def test_names_of_files_decide_next_to_nothing():
    """The same album as a folder and as a list: probabilities within two points."""
    known = directions(MANY, 4, 0, 1.2)
    moved = known.metadata.assign(photograph="album/x" + known.metadata["photograph"].str[::-1])
    one = learned.learn(known, 3)
    other = learned.learn(type(known)(moved, known.rows, known.folder), 3)
    assert one.threshold == pytest.approx(other.threshold)
    asked = np.linspace(-1, 1, 201)
    np.testing.assert_allclose(one.probability_of(asked), other.probability_of(asked), atol=0.02)


def score_of_threshold(told, cut):
    """The geometric mean of BAKS and BAUS, photograph by photograph."""
    shares = {True: {}, False: {}}
    for row, name in enumerate(told.identity):
        found = told.rank[row] == 0 and told.score[row, 0] >= cut
        shares[False].setdefault(name, []).append(found)
        shares[True].setdefault(name, []).append(told.as_newcomer[row] < cut)
    means = [np.mean([np.mean(own) for own in kind.values()]) for kind in shares.values()]
    return np.sqrt(means[0] * means[1])


def test_the_threshold_is_the_best_that_there_is():
    known = directions(MANY, 4, 0, 1.2)
    told = rehearsal.rehearse(known)
    threshold = learned.learn(known, 3).threshold
    values = np.concatenate([told.score[:, 0], told.as_newcomer])
    best = max(score_of_threshold(told, cut) for value in values for cut in (value, value + 1e-6))
    assert 0.3 < best < 1  # neither hopeless nor perfect
    assert score_of_threshold(told, threshold) == pytest.approx(best)


def grown(values, with_fewer):
    """What one occasion more adds, photograph by photograph, from all ways of leaving out one."""
    result = []
    for value, others in zip(values, with_fewer, strict=True):
        count = len(others)
        result.append(value + count / (count + 1) * (value - np.mean(others)))
    return np.array(result)


def with_fewer(known, value_of):
    """A value of each photograph with each of the other occasions of its individual left out."""
    met, identity = known.metadata["encounter"], known.metadata["identity"].to_numpy()
    plain = cosines(known, known)
    return [
        [
            value_of(row, plain[row, (identity == identity[row]) & ~met.isin([met[row], one])])
            for one in set(met[identity == identity[row]]) - {met[row]}
        ]
        for row in range(len(identity))
    ]


def test_what_is_expected_is_counted_and_the_flag_by_the_threshold_of_others():
    encounter = [f"{name}{number}" for name in MANY for number in (0, 0, 1, 2, 3)]
    known = directions(MANY, 5, 3, 1.2, encounter=encounter)
    told = rehearsal.rehearse(known, 2)
    assert told.identity.tolist() == known.metadata["identity"].tolist()
    promise = learned.learn(known, 3, 2, newcomers=0.3, new_photographs=20).expected
    values = promise.table["expected"]

    def first(row, own):
        return float(own.max(initial=-2) > told.as_newcomer[row])

    right = grown(told.rank == 0, with_fewer(known, first))
    assert values[expected.FIRST] == pytest.approx(100 * right.mean())
    cuts = np.zeros(len(told.group))
    for group in set(told.group):
        others = told.group != group
        values_of = np.concatenate([told.score[others, 0], told.as_newcomer[others]])
        rest = replace(
            told,
            **{
                name: getattr(told, name)[others]
                for name in ("identity", "occasion", "group", "individual", "score")
            },
        )
        best = max(score_of_threshold(rest, value + 1e-6) for value in values_of)
        cut = learned._threshold(told, others)
        assert score_of_threshold(rest, cut) == pytest.approx(best)
        cuts[~others] = cut

    def alarm(row, own):
        return float(max(own.max(initial=-2), told.as_newcomer[row]) < cuts[row])

    flagged = told.score[:, 0] < cuts
    alarms = grown(flagged, with_fewer(known, alarm)).mean().clip(0, 1)
    recall = (told.as_newcomer < cuts).mean()
    assert values[expected.ALARMS] == pytest.approx(100 * alarms)
    assert values[expected.RECALL] == pytest.approx(100 * recall)
    precision = 0.3 * recall / (0.3 * recall + 0.7 * alarms)
    assert values[expected.PRECISION] == pytest.approx(100 * precision)
    looked_at = int(values[expected.LOOKED_AT])
    found = [
        np.mean(told.grown(told.rank < n, lambda own, n=n: told.rank_if(own) < n))
        for n in (looked_at - 1, looked_at)
    ]
    assert found[0] < 0.95 <= found[1]
    table = promise.table.drop(index=expected.TOGETHER)
    assert (table["low"] <= table["expected"]).all() and (table["expected"] <= table["high"]).all()
    assert (table["low for yours"] <= table["low"] + 1).all()
    assert (table["high for yours"] >= table["high"] - 1).all()


def test_an_occasion_more_is_worth_what_was_found():
    """Each photograph has one twin among the others: each occasion more finds it as often."""
    known = directions(MANY, 4, 0, 30.0)
    rows = known.rows.copy()
    rows[1::2] = rows[::2]
    known = type(known)(known.metadata, rows, known.folder)
    told = rehearsal.rehearse(known)
    value = told.grown(told.rank < 1, lambda own: told.rank_if(own) < 1).mean()
    # All are found among three others; without one of these, two in three or by chance.
    assert (told.rank == 0).all() and 1.1 < value <= 1.25
    assert learned.learn(known, 3).expected.table.loc[expected.FIRST, "expected"] == 100


def test_an_interval_on_many_photographs_is_that_over_individuals():
    """Beside a bootstrap of whole individuals and the two imagined ones, one by one."""
    known = directions(MANY, 5, 3, 1.4)
    told = rehearsal.rehearse(known)
    promise = learned.learn(known, 3).expected
    rng = np.random.default_rng(9)
    right = told.grown(told.rank < 1, lambda own: told.rank_if(own) < 1)
    right = [*pd.Series(right).groupby(told.identity).mean(), 0, 1]
    drawn = [rng.choice(right, len(right)).mean() for _ in range(4000)]
    low, high = promise.table.loc[expected.FIRST, ["low", "high"]]
    assert [low, high] == pytest.approx(100 * np.quantile(drawn, [0.025, 0.975]), abs=2)


def test_a_few_animals_that_are_all_found_promise_no_certainty():
    promise = learned.learn(directions(NAMES, 4), 3, new_photographs=50).expected
    row = promise.table.loc[expected.FIRST]
    assert row["expected"] == row["high"] == 100 and row["low"] < 80
    assert row["low for yours"] <= row["low"] + 1
    row = promise.table.loc[expected.LOOKED_AT]
    assert row["low"] == row["expected"] == 1 and row["high"] == len(NAMES)


def test_encounters_with_several_photographs_are_promised_more():
    met = np.tile(np.repeat(["a", "b", "c"], 4), len(MANY))
    names = np.repeat(MANY, 12)
    met = [f"{name} {one}" for name, one in zip(names, met, strict=True)]
    judgement = learned.learn(directions(MANY, 12, 0, 1.6, encounter=met), 3)
    values = judgement.expected.table["expected"]
    assert values[expected.TOGETHER] > values[expected.FIRST] + 5
    assert judgement.together_of is not None
    assert "and of encounters for" in judgement.in_words
    single = learned.learn(directions(MANY, 4, 0, 1.2), 3)
    assert np.isnan(single.expected.table.loc[expected.TOGETHER, "expected"])
    assert single.together_of is None


def test_flanks_are_kept_apart_when_learning():
    """From its other side an animal looks like nobody: who is known from one side is not asked."""
    known = directions(MANY, 4, 0, 0.1, orientation=["left", "left", "right", "right"] * len(MANY))
    rows = known.rows.copy()
    rows[2::4] *= -1
    rows[3::4] *= -1
    known = type(known)(known.metadata, rows, known.folder)
    assert learned.learn(known, 3).expected.table.loc[expected.FIRST, "expected"] == 100
    one_each = known.some(np.flatnonzero(np.arange(len(rows)) % 2 == 0))
    lines = []
    judgement = learned.learn(one_each, 3, report=lines.append)
    assert judgement.threshold is None and judgement.probability_of is None
    assert "5 individuals or more with photographs of two occasions" in lines[0]
    assert "there are 0" in judgement.in_words


def test_too_few_individuals_teach_nothing_and_it_says_what_is_missing():
    lines = []
    judgement = learned.learn(directions(NAMES[:3]), 3, report=lines.append)
    assert judgement == learned.Judgement(None, None, in_words=judgement.in_words)
    assert judgement.in_words.endswith("can be compared, and there are 3.")
    assert lines == [
        f"{judgement.in_words} No photograph can be called unlike all known, and there are no "
        "probabilities."
    ]
    assert judgement.table.empty
    nobody = directions(NAMES)
    nobody.metadata["identity"] = UNKNOWN
    assert "there are 0" in learned.learn(nobody, 3, report=lines.append).in_words


def test_animals_off_the_list_are_more_than_a_person_looks_at(monkeypatch):
    monkeypatch.setattr(rehearsal.candidates, "MOST", 3)
    known = directions(MANY, 4, 0, 4.0)
    monkeypatch.setattr(rehearsal.candidates.lists, "__defaults__", (3, "cpu"))
    promise = learned.learn(known, 3).expected
    assert np.isinf(promise.table.loc[expected.LOOKED_AT, "expected"])
    assert expected.shown(promise).loc[expected.LOOKED_AT, "expected"] == "more than 3"
