"""Each test image is searched among images of its own side, and of the other one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.evaluation.field import flanks
from tests.evaluation.field.making import cosine, photographs
from tests.figures import drawn

SIDES = ("left", "right", "top", None)


@st.composite
def surveys(draw):
    """Some photographs of four animals from some sides, and their embeddings."""
    count = draw(st.integers(8, 24))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    table = pd.DataFrame(
        {
            "identity": rng.choice(["A", "B", "C", "unknown"], count),
            "split": rng.choice(["train", "test", "train"], count),
            "orientation": rng.choice(np.array(SIDES, dtype=object), count, p=[0.4, 0.4, 0.1, 0.1]),
        }
    )
    table.loc[table["identity"] == "unknown", "split"] = np.nan
    return photographs(table, rng.normal(size=(count, 5)))


def expected(one, method):
    """The answers, one image and one cosine at a time."""
    table, rows, found = one.table, one.descriptors[method], {}
    train = [number for number in range(len(table)) if table["split"][number] == "train"]
    side = table["orientation"]
    for query in range(len(table)):
        name = table["identity"][query]
        own = {side[number] for number in train if table["identity"][number] == name}
        if table["split"][query] != "test" or side[query] not in flanks.OTHER:
            continue
        if not {"left", "right"} <= own:
            continue
        for database, wanted in (
            ("same side", side[query]),
            ("other side", "left" if side[query] == "right" else "right"),
        ):
            among = [number for number in train if side[number] == wanted]
            best = max(among, key=lambda number: cosine(rows[query], rows[number]))
            shown = [table["identity"][number] == name for number in among]
            answer = table["identity"][best], float(np.mean(shown))
            found[table["image_id"][query], database] = answer
    return found


@settings(max_examples=60, deadline=None)
@given(surveys())
def test_answers_are_those_of_one_cosine_at_a_time(one):
    lines = []
    answers = flanks.ask([one], lines.append)
    wanted = {method: expected(one, method) for method in ("network", "thumbnails")}
    if answers.empty:
        assert not wanted["network"] and len(lines) == 1 and "left out" in lines[0]
        return
    assert not lines
    for method, right in wanted.items():
        own = answers[answers["method"] == method]
        ours = {
            (row.image_id, row.database): (row.predicted, row.chance) for row in own.itertuples()
        }
        assert ours.keys() == right.keys() and len(ours) == len(own)
        for key, (predicted, chance) in right.items():
            assert ours[key][0] == predicted and ours[key][1] == pytest.approx(chance)


def two_sided(animals: int, learned: bool, dataset="Made"):
    """Animals with three images of each side, which are alike; both sides are, if learned."""
    rng, rows, table = np.random.default_rng(1), [], []
    for number in range(animals):
        both = rng.normal(size=16)
        for side in ("left", "right"):
            own = both if learned else rng.normal(size=16)
            for picture in range(3):
                rows.append(own + 0.01 * rng.normal(size=16))
                split = "test" if picture == 2 else "train"
                table.append((f"a{number}", split, side))
    columns = ["identity", "split", "orientation"]
    return photographs(pd.DataFrame(table, columns=columns), rows, dataset)


def test_the_sentence_is_chosen_by_the_numbers():
    learned = flanks.in_words(flanks.ask([two_sided(20, True)], pytest.fail))
    assert (
        "right on 100 % of the test images; where it shows only the other side, on 100 %" in learned
    )
    assert "Guessing would be right on 5 %" in learned
    assert "The network finds the other side more often than guessing does (+95 points" in learned
    apart = flanks.ask([two_sided(20, False), two_sided(20, False, "Other")], pytest.fail)
    told = flanks.in_words(apart)
    assert "mean over 2 datasets" in told and "right on 100 %" in told
    share = apart.query("method == 'network' and database == 'other side'")["correct"].mean()
    assert f"only the other side, on {100 * share:.0f} %" in told
    assert "Thumbnails find the other side about as often as guessing does" in told
    never = apart.assign(correct=apart["correct"] & (apart["database"] == "same side"))
    assert "The network finds the other side less often than guessing" in flanks.in_words(never)


def test_a_dataset_without_sides_is_left_out_with_the_reason():
    bare = photographs(pd.DataFrame({"identity": ["A"] * 2, "split": ["train", "test"]}), np.eye(2))
    above = two_sided(2, True)
    above.table["orientation"] = "top"
    lines = []
    assert flanks.ask([bare, above], lines.append).empty
    assert lines == [
        "Made: left out, no side is noted",
        "Made: left out, no test image shows an animal known from both sides",
    ]


def test_the_table_and_the_figure_show_the_answers():
    answers = flanks.ask([two_sided(6, True, "One"), two_sided(6, False, "Two")], pytest.fail)
    table = flanks.accuracies(answers)
    assert table["database"].tolist() == ["same side", "other side"] * 4
    assert table["method"].tolist() == (["network"] * 2 + ["thumbnails"] * 2) * 2
    chosen = "dataset == 'Two' and method == 'network' and database == 'other side'"
    row, own = table.query(chosen).iloc[0], answers.query(chosen)
    assert row["top-1"] == own["correct"].mean() and row["chance"] == pytest.approx(1 / 6)
    assert row["test images"] == 12 and row["low"] <= row["top-1"] <= row["high"]
    figure = flanks.plot(answers)
    drawn(figure)
    assert [axis.get_title() for axis in figure.axes] == ["One", "Two"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list(flanks.ENDS)
    line = figure.axes[1].containers[0].lines[0]
    network = table.query("dataset == 'Two' and method == 'network'")["top-1"]
    np.testing.assert_allclose(line.get_ydata(), 100 * network)
