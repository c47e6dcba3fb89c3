"""What a flag is worth, counted photograph by photograph."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.evaluation.judging import flags


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_the_table_and_its_measures(photographs):
    flagged, is_new = (
        (np.array(part, bool) for part in zip(*photographs, strict=True))
        if (photographs)
        else (np.zeros(0, bool), np.zeros(0, bool))
    )
    table = flags.two_by_two(flagged, is_new)
    for row, said in ((flags.FLAG, [True]), ("not flagged", [False]), ("all", [True, False])):
        for column, true in (
            ("new animal", [True]),
            ("known animal", [False]),
            ("all", [True, False]),
        ):
            own = [pair for pair in photographs if pair[0] in said and pair[1] in true]
            assert table.loc[row, column] == len(own)
    found = flags.measures(table)
    assert list(found) == flags.MEASURES
    pairs = {
        "recall": [said for said, true in photographs if true],
        "false alarms": [said for said, true in photographs if not true],
        "precision": [true for said, true in photographs if said],
        "base rate": [true for _, true in photographs],
    }
    for name, values in pairs.items():
        expected = sum(values) / len(values) if values else float("nan")
        assert found[name] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((6, 13, 12, 41), ("Of 19 photographs", "6 show a new animal (32%).", "4.8, since 25%")),
        ((2, 8, 4, 6), ("Of 10 photographs", "2 show a new animal (20%).", "3.0, since 30%")),
        ((0, 0, 4, 6), ("No photograph is unlike all known; 40% of all", "", "")),
    ],
)
def test_the_sentence_sets_the_flag_beside_chance(counts, told):
    found, alarms, missed, rest = counts
    flagged = np.repeat([True, True, False, False], counts)
    is_new = np.repeat([True, False, True, False], [found, alarms, missed, rest])
    sentence = flags.counted_in_words(flags.two_by_two(flagged, is_new))
    assert sentence.startswith(told[0]) and all(part in sentence for part in told)


def test_what_to_expect_is_the_mean_over_divisions():
    rows = [(0.5, 0.25, 0.5, 0.3), (0.7, 0.15, 0.6, 0.3)]
    sentence = flags.expected_in_words(pd.DataFrame(rows, columns=flags.MEASURES))
    assert "from 2 divisions" in sentence and "Where 30% of the photographs" in sentence
    assert "is on 60% (± 10 points) of the photographs of new animals" in sentence
    assert "on 20% (± 5 points) of those of known" in sentence
    assert "55% (± 5 points) of the flagged ones" in sentence


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        ((11, 3, 9, 17), "within two standard deviations of what was expected, or better."),
        ((20, 0, 0, 20), "within two standard deviations of what was expected, or better."),
        ((22, 10, 18, 30), "more than new ones resemble them."),  # 25 % of false alarms
        ((16, 4, 24, 36), "more than new ones resemble them."),  # a recall of 40 %
        ((22, 9, 18, 31), "or better."),  # 22.5 %: less than 2 √(0.05² + 0.1 · 0.9 / 40) above
        ((17, 4, 23, 36), "or better."),  # 42.5 %: less than 2 √(0.05² + 0.6 · 0.4 / 40) below
        ((3, 0, 7, 4), "or better."),  # 30 % of ten photographs
    ],
)
def test_what_was_found_is_compared_with_what_was_expected(counts, end):
    """Expected are a recall of 60 ± 5 % and false alarms of 10 ± 5 %."""
    rows = [(0.55, 0.05, 0.5, 0.3), (0.65, 0.15, 0.6, 0.3)]
    flagged = np.repeat([True, True, False, False], counts)
    is_new = np.repeat([True, False, True, False], counts)
    table = flags.two_by_two(flagged, is_new)
    sentence = flags.found_in_words(pd.DataFrame(rows, columns=flags.MEASURES), table)
    assert sentence.startswith("Expected were a recall of 60% and false alarms of 10%; found are ")
    assert sentence.endswith(end)
