"""What the page says of the truth table is what the table holds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from megalib.data import catalogue
from megalib.evaluation.demo import dots, record, truth_table
from megalib.evaluation.demo.expectations import EXPECTED, Row
from megalib.look import RIGHT, WRONG
from tests.evaluation.demo.conftest import NETWORKS, SPECIES, shifted, world_table
from tests.evaluation.demo.test_expectations import naive
from tests.evaluation.demo.test_record import needs_record
from tests.figures import drawn, points, row_names

WORSE = ("pocket-S", "trained", "random split", -5.0)  # below the smaller one, by a point


def tidy(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def agrees(table: pd.DataFrame, seeds: list[int]) -> None:
    """Each line of the page holds the values of the plain table, and whether they are met."""
    verdicts = truth_table.verdicts(table).map(tidy)
    for number, (expectation, row) in enumerate(
        zip(EXPECTED, verdicts.to_dict("records"), strict=True)
    ):
        assert row["expectation"] == str(expectation) and row["in"] == expectation.unit
        met = []
        for seed in seeds:
            values = naive(table, seed)[number]
            ends = sorted({f"{min(values):.1f}", f"{max(values):.1f}"}, key=float)
            assert row[f"world {seed}"] == " to ".join(ends)
            met += [expectation.low <= value <= expectation.high for value in values]
        assert row["met"] == ("✓ yes" if all(met) else "✗ no")


def test_each_line_of_the_page_is_that_of_the_table(table):
    agrees(table, [1, 2])
    agrees(shifted(table, *WORSE), [1, 2])


@needs_record
def test_each_line_of_the_page_is_that_of_the_record():
    table = truth_table.read()
    agrees(table, sorted(set(table["world_seed"])))


def test_where_all_is_met_one_sentence_says_so(table):
    assert truth_table.in_words(table) == "**All 14 expectations are met in each of the 2 worlds.**"
    one = world_table(5)
    assert truth_table.in_words(one) == "**All 14 expectations are met in one world.**"


def test_what_is_not_met_is_said_with_who_and_what_it_means(table):
    text = tidy(truth_table.in_words(shifted(table, *WORSE)))
    first, empty, rising, later, *more = text.split("\n")
    assert first == "**12 of 14 expectations are met in each of the 2 worlds.**"
    assert empty == "" and more == []
    assert (
        f"Not met: *{EXPECTED[7]}* (pocket-S in world 2: -1.0 points above the one before)"
        in rising
    )
    assert rising.endswith(f"It means that {EXPECTED[7].otherwise}.")
    assert f"Not met: *{EXPECTED[10]}* (pocket-S in world 2: 7.0 points lower)" in later


def test_without_a_record_the_page_says_how_to_make_one(folder):
    table = truth_table.read()
    command = ".venv/bin/python benchmarks/truth_table.py --seed 1 --seed 2 --record"
    assert f"`{command}`" in truth_table.in_words(table)
    assert f"`{command}`" in truth_table.made_by(table)
    verdicts = truth_table.verdicts(table)
    assert list(verdicts) == ["expectation", "in", "met"]
    assert set(verdicts["met"]) == {"not measured"} and len(verdicts) == len(EXPECTED)
    assert truth_table.figures(table, {}).empty
    own = truth_table.figures(table, {Row("SIFT", "", "random split"): 40.0})
    assert own["this run"].tolist() == [40.0] and own["lowest"].isna().all()


def test_the_page_says_where_the_figures_come_from(folder, table):
    record.keep(table.assign(commit=np.where(table["world_seed"] == 1, "abc1234", "def5678")))
    text = truth_table.made_by(truth_table.read())
    chosen = ", ".join(map(str, record.TUNING_SEEDS))
    for told in ("seeds 1, 2 |", "seeds 0, 1, 2 |", f"seeds {chosen} |", "abc1234, def5678 |"):
        assert told in text
    assert "nothing has changed" in text and "--seed 1 --seed 2 --record" in text
    stamp = record.stamp_file()
    stamp.write_text(stamp.read_text().replace(record.today()["pocket networks"], "0" * 16))
    assert "changed: pocket networks |" in truth_table.made_by(truth_table.read())


def test_figures_are_means_over_the_species(table):
    own = {Row("pocket-T", "trained", "random split"): 63.25}
    figures = truth_table.figures(table, own)
    assert len(figures) == len(table.groupby(["method", "weights", "condition"])) == 6 + 7 * 5
    row = figures[(figures["method"] == "pocket-T") & (figures["weights"] == "trained")].iloc[0]
    assert row["condition"] == "random split"
    expected = [63.25, 59, 62, 4, 60, 61]  # each world's trainings: a point around the mean
    columns = ["this run", "lowest", "highest", "chance", "world 1", "world 2"]
    assert row[columns].astype(float).tolist() == pytest.approx(expected)
    assert figures["this run"].notna().sum() == 1
    assert set(figures["weights"]) == {"none", "random", "ImageNet, frozen", "trained"}


def test_a_sentence_says_how_far_a_run_is_from_the_recorded_worlds(table):
    def told(**own: float) -> str:
        rows = {Row(f"pocket-{name}", "trained", "random split"): x for name, x in own.items()}
        return truth_table.beside(truth_table.figures(table, rows))

    # Of pocket-T 59 to 62 are recorded, of pocket-S 63 to 66.
    assert told(T=59.1, S=65.9) == "2 of 2 figures of this run lie in the recorded range."
    assert told(T=57.5, S=65) == (
        "1 of 2 figures of this run lie in the recorded range. Farthest from it is pocket-T "
        "(trained), 1.5 points below."
    )
    assert told(T=58.5, S=68.3).endswith("is pocket-S (trained), 2.3 points above.")
    assert "no results" in told()
    alone = truth_table.figures(table.iloc[:0], {Row("SIFT", "", "random split"): 40.0})
    assert truth_table.beside(alone).startswith("Nothing is recorded")


def results(run, name: str, datasets: list[str], **columns: list[float]) -> None:
    table = pd.DataFrame({"dataset": datasets, "flavour": name, "scale": "pocket", **columns})
    table = table.assign(n_query=50, n_correct=20, low=0.3, high=0.5)
    run.results(name).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(run.results(name), index=False)


DRAWN = [entry.name for entry in catalogue.DRAWN]


def test_a_run_has_figures_of_its_own_if_it_ran_on_all_drawn_species(run):
    accuracy, before = [0.5, 0.6, 0.7, 0.8], [0.1, 0.1, 0.2, 0.2]
    results(run, "pocket-S", DRAWN, accuracy=accuracy, untrained_accuracy=before)
    results(run, "SIFT", DRAWN, accuracy=[0.2, 0.4, 0.4, 0.4])
    results(run, "pocket-T", DRAWN[:3], accuracy=accuracy[:3])
    results(run, "pocket-B", [*DRAWN[:3], "LionData"], accuracy=accuracy)
    results(run, "MegaDescriptor-T-224", DRAWN, accuracy=accuracy)
    own = truth_table.of_run(run, [*NETWORKS, "MegaDescriptor-T-224", "SIFT"])
    assert own == {
        Row("pocket-S", "trained", "random split"): pytest.approx(65),
        Row("pocket-S", "random", "random split"): pytest.approx(15),
        Row("SIFT", "", "random split"): pytest.approx(35),
    }


def test_what_was_asked_is_told_with_its_bounds():
    told = truth_table.conditions()["what it is"]
    assert list(told.index) == list(record.CONDITIONS)
    for bound in (record.NEAR, *record.FLAT.values(), 100 * record.SEEN):
        assert f"{bound:g}" in told["near and flat"]


def test_a_terminal_gets_the_same_lines(table):
    text = tidy(truth_table.as_text(table))
    for row in truth_table.verdicts(table).map(tidy).to_dict("records"):
        assert f"{row['met']}  {row['expectation']}" in text
        assert f"world 2: {row['world 2']} {row['in']}" in text


def spots_of(part) -> np.ndarray:
    """The dots of a collection; none of bars."""
    return np.asarray(part.get_facecolor())


def test_the_picture_has_a_dot_for_each_training_in_the_colour_of_its_world(table):
    table = shifted(table, *WORSE)
    own = {Row("pocket-B", "trained", "random split"): 66.0}
    figure = truth_table.plot(table, own)
    axes = figure.axes
    assert [axis.get_title(loc="left") for axis in axes[:7]] == [panel[2] for panel in dots.PANELS]
    assert row_names(axes[0]) == ["thumbnails", "SIFT", *NETWORKS]
    trained = axes[3]
    dotted = [points(trained, place) for place in range(0, len(trained.collections))]
    # A collection of dots is followed by that of the bar for their mean.
    at = [spots for spots in dotted if len(spots) == 3]
    assert [round(x) for x, _ in at[0]] == [59, 60, 61]  # pocket-T in the first world
    assert [round(x) for x, _ in at[3]] == [59, 60, 61]  # pocket-S in the second, 5 points lower
    assert all(abs(y - 3) < 0.5 for _, y in at[3])
    colours = [part.get_facecolor()[0, :3] for part in trained.collections if len(spots_of(part))]
    for colour in (RIGHT, WRONG):  # the second world is lighter
        light = (1 + np.array(to_rgb(colour))) / 2
        assert any(np.allclose(found, light, atol=0.01) for found in colours), colour
    assert any(np.allclose(found, to_rgb(RIGHT), atol=0.01) for found in colours)
    assert not any(np.allclose(found, to_rgb(WRONG), atol=0.01) for found in colours)
    assert (66.0, 4.0) in [spot for spots in dotted for spot in spots]
    assert "world 2: trainings, and their mean" in drawn(figure)
    assert "this run, another world" in drawn(figure)
    assert "this run, another world" not in drawn(truth_table.plot(table, {}))


def test_the_bands_of_the_picture_are_what_is_expected(table):
    axis = truth_table.plot(table, {}).axes[3]
    bands = {
        round(bar.get_y() + bar.get_height() / 2): (bar.get_x(), bar.get_x() + bar.get_width())
        for bar in axis.patches
        if bar.get_width()
    }
    assert bands[0] == pytest.approx((0, 25)) and bands[2] == pytest.approx((55, 80))
    assert bands[6] == pytest.approx((72.5, 95))


def test_species_of_the_fixture_are_those_that_are_drawn():
    assert set(SPECIES) == {entry.species.replace("_", " ") for entry in catalogue.DRAWN}
    assert plt.get_fignums() == []
