"""Questions to the features of a run: new animals, honest thresholds, sure answers."""

import numpy as np
import pandas as pd
import pytest

from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import resampling
from megalib.evaluation.judging import calibration, new_animals, open_set
from megalib.retrieval import features
from tests.figures import line

NAME = "MegaDescriptor-T-224"
PLACES = ["DemoLeopard", "DemoWhaleShark"]


def write(run, dataset: str, individuals: int, images: int, dated: bool, seed: int = 0) -> None:
    """Metadata and features of a dataset whose individuals lie in noisy directions of their own."""
    rng = np.random.default_rng(seed)
    rows, vectors = [], []
    for number in range(individuals):
        centre = rng.standard_normal(8)
        for image in range(images):
            split = "test" if image % 3 == 2 else "train"
            name = f"{number}_{image}"
            rows.append((name, f"a{number}", f"{name}.png", split, f"2020-01-{1 + image // 2:02d}"))
            vectors.append(centre + 0.7 * rng.standard_normal(8))
    columns = ["image_id", "identity", "path", "split", "date"]
    metadata = pd.DataFrame(rows, columns=columns)
    run.metadata(dataset).parent.mkdir(parents=True)
    (metadata if dated else metadata.drop(columns="date")).to_csv(run.metadata(dataset))
    features.save(run.features(NAME, dataset), np.array(vectors, dtype=np.float32), {})


@pytest.fixture
def dated(run):
    """Two datasets, the second with dates."""
    write(run, PLACES[0], 8, 12, dated=False)
    write(run, PLACES[1], 10, 9, dated=True, seed=1)
    return run


def test_hidden_individuals_are_new_and_never_found(dated):
    matches = new_animals.hide_and_match(dated, NAME, PLACES, 0.25, 0)
    assert len(matches) == 8 * 4 + 10 * 3
    is_new = matches["is_new"]
    assert not set(matches.loc[is_new, "identity"]) & set(matches["predicted"])
    assert matches.loc[is_new, "identity"].nunique() == 2 + 2
    assert not matches.loc[is_new, "correct"].any()
    assert matches["identity"].str.startswith(tuple(PLACES)).all()
    same = matches["identity"] == matches["predicted"]
    assert (same == matches["correct"]).all()


def test_a_threshold_is_judged_on_other_individuals_than_it_was_chosen_on(dated):
    matches = new_animals.hide_and_match(dated, NAME, PLACES, 0.5, 0)
    table = new_animals.chosen_and_judged(matches, 0)
    assert table["individuals"].sum() == matches["identity"].nunique()
    assert table["threshold"].nunique() == 1
    threshold = table["threshold"].iloc[0]
    # The first row is the best of its half, found again by trying all thresholds.
    rng = np.random.default_rng(0)
    half = set()
    for is_new in (False, True):
        names = sorted(set(matches.loc[matches["is_new"] == is_new, "identity"]))
        half |= {names[place] for place in rng.permutation(len(names))[::2]}
    part = matches[matches["identity"].isin(half)]
    assert part["identity"].nunique() == table.loc["chosen on", "individuals"]
    assert open_set.sweep(part)["geometric_mean"].max() == pytest.approx(
        table.loc["chosen on", "geometric mean"]
    )
    rest = matches[~matches["identity"].isin(half)]
    shares = []
    for _, rows in rest[~rest["is_new"]].groupby("identity"):
        shares.append((rows["correct"] & (rows["similarity"] >= threshold)).mean())
    assert table.loc["judged on", "BAKS"] == pytest.approx(np.mean(shares))


def halves(matches, seed):
    """Individuals in random order, every other one on either side."""
    names = sorted(set(matches["identity"]))
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    return matches[matches["identity"].isin(order[::2])], matches[
        matches["identity"].isin(order[1::2])
    ]


def test_calibration_is_judged_on_other_individuals(dated):
    known = new_animals.hide_and_match(dated, NAME, PLACES, 0.25, 0).query("not is_new")
    table = new_animals.calibrated(known, 0)
    assert set(table["method"]) == set(calibration.CALIBRATIONS)
    learn, judge = halves(known, 0)
    assert not set(learn["identity"]) & set(judge["identity"])
    assert 0 < len(judge) < len(known)
    for method, rows in table.groupby("method"):
        probability = calibration.calibrate(
            learn["similarity"].to_numpy(), learn["correct"].to_numpy(), method
        )(judge["similarity"].to_numpy())
        assert rows["count"].sum() == len(judge)
        # The topmost bin that is not empty, by hand.
        edge = np.ceil(10 * probability.max()) / 10 - 0.1
        inside = probability > edge
        last = rows.iloc[-1]
        assert last["count"] == inside.sum()
        assert last["share_right"] == pytest.approx(judge["correct"].to_numpy()[inside].mean())
        assert last["probability"] == pytest.approx(probability[inside].mean())
        gaps = rows["count"] * (rows["share_right"] - rows["probability"]).abs()
        assert rows["error"].iloc[0] == pytest.approx(gaps.sum() / len(judge))


def test_what_cannot_be_judged_or_calibrated_is_told(dated):
    matches = new_animals.hide_and_match(dated, NAME, PLACES, 0.25, 0)
    lines = []
    right = matches.assign(correct=True)
    assert new_animals.calibrated(right, 0, lines.append).empty
    one = matches[matches["identity"] == matches["identity"].iloc[0]]
    assert new_animals.calibrated(one, 0, lines.append).empty
    table = new_animals.chosen_and_judged(matches[~matches["is_new"]], 0, lines.append)
    assert table.empty and list(table) == new_animals.JUDGED
    assert [line.split(":")[0] for line in lines] == [
        *["no calibration"] * 2,
        "no threshold can be judged",
    ]


def test_a_dataset_without_enough_individuals_is_left_out(dated):
    write(dated, "Few", 1, 6, dated=False)
    lines = []
    matches = new_animals.hide_and_match(dated, NAME, ["Few", *PLACES], 0.25, 0, lines.append)
    assert set(matches["dataset"]) == set(PLACES)
    assert lines[0].startswith("Few: left out, ")
    with pytest.raises(UserError, match="no dataset has individuals enough"):
        new_animals.hide_and_match(dated, NAME, ["Few"], 0.25, 0, lines.append)


def test_features_that_are_missing_or_of_fewer_images_are_asked_for(dated):
    with pytest.raises(UserError, match=r"run 3_infer\.ipynb first"):
        new_animals.hide_and_match(dated, "MegaDescriptor-S-224", PLACES, 0.25, 0)
    rows = read_metadata(dated.metadata(PLACES[0]))
    features.save(dated.features(NAME, PLACES[0]), np.ones((len(rows) - 1, 3), np.float32), {})
    with pytest.raises(UserError, match="no features of all images"):
        new_animals.hide_and_match(dated, NAME, PLACES, 0.25, 0)


def test_known_and_new_animals_have_a_histogram_each():
    table = pd.DataFrame({"similarity": [0.9, 0.2, 0.1], "is_new": [False, True, True]})
    axis = new_animals.plot_similarities(table).axes[0]
    known, new = axis.containers
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["known animals", "new animals"]
    assert [sum(bar.get_height() > 0 for bar in bars) for bars in (known, new)] == [1, 2]


def test_thresholds_are_drawn_in_per_cent():
    roc = pd.DataFrame({"false_alarms": [0, 0.5], "found": [0.1, 0.9]})
    sweep = pd.DataFrame(
        {"threshold": [0.1, 0.2], "baks": [1, 0.5], "baus": [0, 0.5], "geometric_mean": [0, 0.5]}
    )
    left, right = open_set.plot_thresholds(roc, sweep).axes
    assert line(left) == ([0, 50], [10, 90])
    assert [line(right, number)[1] for number in range(3)] == [[100, 50], [0, 50], [0, 50]]


def test_reliability_is_the_mean_over_divisions_beside_the_diagonal():
    """Two divisions of method a share a bin, whose edge belongs to it."""
    table = pd.DataFrame(
        {
            "method": ["a", "a", "a", "b"],
            "division": [0, 1, 0, 0],
            "probability": [0.41, 0.5, 0.51, 0.7],
            "share_right": [0.4, 0.8, 0.9, 1],
            "count": [3, 1, 5, 2],
        }
    )
    axis = new_animals.plot_reliability(table).axes[0]
    assert line(axis, 0) == ([0, 100], [0, 100])
    marks = [bars.lines[0] for bars in axis.containers]
    drawn = [(mark.get_xdata().tolist(), mark.get_ydata().tolist()) for mark in marks]
    assert drawn[0][0] == pytest.approx([43.25, 51]) and drawn[0][1] == pytest.approx([50, 90])
    assert drawn[1] == ([70], [100])
    (first, second) = axis.containers[0].lines[2][0].get_segments()
    assert first[:, 1].tolist() == pytest.approx([50 - 20, 50 + 20])  # 40 and 80 %, by 20 from 60
    assert second[:, 1].tolist() == pytest.approx([90, 90])


def test_a_flag_is_judged_over_all_divisions(dated, monkeypatch):
    monkeypatch.setattr(resampling, "DIVISIONS", 4)
    matches = new_animals.hide_and_match(dated, NAME, PLACES, 0.5, 0)
    table = new_animals.over_divisions(matches, 3, pytest.fail)
    assert table.index.get_level_values("division").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for number in range(4):
        alone = new_animals.chosen_and_judged(matches, 3 + number)
        pd.testing.assert_frame_equal(table.loc[number], alone, check_names=False)
    told = new_animals.mean_and_spread(table)
    scores = table["BAKS"].to_numpy()[1::2]
    assert told.loc["BAKS"].tolist() == pytest.approx(
        [scores.mean(), np.sqrt(((scores - scores.mean()) ** 2).mean()), min(scores), max(scores)]
    )
    # The table of counts, photograph by photograph, with the halves drawn again by hand.
    counts = np.zeros((2, 2))
    for number in range(4):
        rng, second = np.random.default_rng(3 + number), set()
        for is_new in (False, True):
            names = sorted(set(matches.loc[matches["is_new"] == is_new, "identity"]))
            second |= {names[place] for place in rng.permutation(len(names))[1::2]}
        threshold = table.loc[(number, "judged on"), "threshold"]
        for row in matches[matches["identity"].isin(second)].itertuples():
            counts[int(row.similarity >= threshold), int(not row.is_new)] += 1
    found = new_animals.mean_two_by_two(matches, table, 3)
    assert (found.iloc[:2, :2].to_numpy() == counts / 4).all()
    assert found.loc["all", "all"] == counts.sum() / 4
    better = table["geometric mean"].to_numpy()[::2] > table["geometric mean"].to_numpy()[1::2]
    words = new_animals.flattery_in_words(table)
    assert words.startswith("Over 4 divisions, ")
    assert words.endswith(f"in {better.sum()} of them.")
    assert f"of {100 * table['geometric mean'].to_numpy()[1::2].mean():.1f} % on the other" in words


def test_what_cannot_be_divided_gives_no_rows_and_is_told_once(dated):
    matches = new_animals.hide_and_match(dated, NAME, PLACES, 0.5, 0)
    lines = []
    table = new_animals.over_divisions(matches[~matches["is_new"]], 0, lines.append)
    assert table.empty and list(table) == new_animals.JUDGED and len(lines) == 1


def test_errors_of_calibration_are_means_over_divisions(dated, monkeypatch):
    monkeypatch.setattr(resampling, "DIVISIONS", 3)
    known = new_animals.hide_and_match(dated, NAME, PLACES, 0.25, 0).query("not is_new")
    judged = new_animals.calibrated_over_divisions(known, 5, pytest.fail)
    told = new_animals.errors_of_calibration(judged)
    for method in calibration.CALIBRATIONS:
        errors = []
        for seed in (5, 6, 7):
            alone = new_animals.calibrated(known, seed)
            errors.append(alone.loc[alone["method"] == method, "error"].iloc[0])
        expected = [3, np.mean(errors), np.std(errors), min(errors), max(errors)]
        assert told.loc[method].tolist() == pytest.approx(expected)


def test_rejection_is_drawn_in_per_cent():
    axis = open_set.plot_rejection(pd.DataFrame({"kept": [0.5, 1], "accuracy": [1, 0.75]})).axes[0]
    assert line(axis) == ([50, 100], [100, 75])
