"""What a flag is worth, counted photograph by photograph."""

import numpy as np
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
