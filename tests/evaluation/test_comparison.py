"""Methods beside each other, and beside what was published."""

import numpy as np
import pandas as pd
import pytest

from megalib.data import published
from megalib.errors import UserError
from megalib.evaluation import comparison
from tests.conftest import SHARED, needs_shared

NAME, OTHER = "MegaDescriptor-T-224", "MegaDescriptor-S-224"


NAME, OTHER = "MegaDescriptor-T-224", "MegaDescriptor-S-224"


@pytest.fixture
def regenerated():
    """Results as if T-224 had been run on three datasets, and a pocket network on a fourth."""
    theirs = published.accuracies_long().set_index(["dataset", "flavour"])
    lion, tiger = (theirs.loc[(name, NAME)] for name in ("LionData", "ATRW"))
    rows = [
        ("LionData", "published", 155, lion["n_correct"] + 1),
        ("ATRW", "published", 1075, tiger["n_correct"] - 3),
        ("StripeSpotter", "published", 164, 3),
        ("CZoo", "pocket", 423, 400),
        ("DemoZebra", "pocket", 10, 9),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "scale", "n_query", "n_correct"])
    table = table.assign(flavour=NAME, accuracy=table["n_correct"] / table["n_query"])
    return table.assign(weights="hub", precision="fp32", votes=1)


def test_the_ledger_has_a_verdict_for_each_published_cell(regenerated):
    ledger = comparison.ledger(regenerated).set_index(["dataset", "flavour"])
    assert len(ledger) == 145 + 21
    verdicts = ledger["verdict"].xs(NAME, level="flavour")
    assert verdicts["LionData"] == "reproduced"
    assert verdicts["ATRW"] == "within the interval"
    assert verdicts["StripeSpotter"] == "differs"
    assert verdicts["CZoo"] == "not run"
    assert (ledger["verdict"] == "not run").sum() == 142 + 21
    assert ledger.loc[("LionData", NAME), "difference, images"] == 1
    assert ledger.loc[("ATRW", NAME), "difference, images"] == -3
    assert np.isnan(ledger.loc[("CZoo", NAME), "regenerated, %"])
    made = ["weights", "precision", "votes"]
    assert ledger.loc[("LionData", NAME), made].tolist() == ["hub", "fp32", 1]
    assert ledger.loc[("CZoo", NAME), made].isna().all()


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({"weights": "trained"}, "no regeneration: own training"),
        ({"votes": 5}, "no regeneration: 5 votes"),
        ({"weights": np.nan}, "no regeneration: made by unknown weights"),
        ({"weights": "downloads/T-224"}, "reproduced"),
        ({"precision": "bf16"}, "reproduced"),
    ],
)
def test_the_ledger_judges_only_what_released_weights_made(regenerated, made, verdict):
    ledger = comparison.ledger(regenerated.assign(**made)).set_index(["dataset", "flavour"])
    row = ledger.loc[("LionData", NAME)]
    assert row["verdict"] == verdict
    assert row["difference, images"] == 1
    for column, value in made.items():
        assert row[column] == value or pd.isna(value)


def test_results_of_an_older_version_are_no_regeneration(regenerated):
    old = regenerated.drop(columns=["weights", "precision", "votes"])
    ledger = comparison.ledger(old).set_index(["dataset", "flavour"])
    assert ledger.loc[("LionData", NAME), "verdict"] == "no regeneration: made by unknown weights"


def test_another_test_set_is_no_reproduction(regenerated):
    regenerated.loc[0, "n_query"] = 150
    ledger = comparison.ledger(regenerated).set_index(["dataset", "flavour"])
    assert (
        ledger.loc[("LionData", NAME), "verdict"] == "another test set: 150 instead of 155 images"
    )


def judged(run, name, dataset, images, right, identity=None):
    """Write predictions that say which images were judged rightly; each shows its own animal."""
    who = images if identity is None else identity
    table = pd.DataFrame({"image_id": images, "identity": who, "correct": np.array(right, bool)})
    target = run.predictions(name, dataset)
    target.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(target, index=False)


def test_flavours_are_compared_on_the_same_test_images(prepared):
    """Rows are shuffled, one is missing on either side, and ids are the same in both datasets."""
    judged(prepared, NAME, "DemoLeopard", list("abcdefg"), [1, 1, 0, 0, 1, 1, 1])
    judged(prepared, OTHER, "DemoLeopard", list("hfedcba"), [1, 1, 1, 1, 1, 0, 1])
    judged(prepared, NAME, "DemoZebra", list("ab"), [0, 0])
    judged(prepared, OTHER, "DemoZebra", list("ba"), [1, 0])
    rows = pd.DataFrame({"dataset": ["DemoLeopard", "DemoZebra"] * 2})
    rows["flavour"] = [NAME, NAME, OTHER, OTHER]
    found = comparison.paired(prepared, rows).iloc[0]
    assert (found["first"], found["second"], found["test images"]) == (NAME, OTHER, 8)
    assert (found["only first right"], found["only second right"]) == (1, 3)
    assert found["p"] == pytest.approx(2 * (1 + 4) / 16)  # one of four, or worse, either way
    assert found["added, points"] == pytest.approx(100 * (1 / 6 + 1 / 2) / 2)
    assert found["low"] < found["added, points"] < found["high"]
    # The same answers, but all images of the first dataset show one animal: nothing can be drawn.
    who = ["one"] * 7
    judged(prepared, NAME, "DemoLeopard", list("abcdefg"), [1, 1, 0, 0, 1, 1, 1], who)
    judged(prepared, OTHER, "DemoLeopard", list("hfedcba"), [1, 1, 1, 1, 1, 0, 1], who)
    judged(prepared, NAME, "DemoZebra", list("ab"), [0, 0], who[:2])
    judged(prepared, OTHER, "DemoZebra", list("ba"), [1, 0], who[:2])
    alike = comparison.paired(prepared, rows).iloc[0]
    assert alike["low"] == alike["high"] == pytest.approx(found["added, points"])
    judged(prepared, OTHER, "DemoLeopard", ["x"], [1])
    with pytest.raises(UserError, match="no test image both"):
        comparison.paired(prepared, rows[rows["dataset"] == "DemoLeopard"])
    alone = comparison.paired(prepared, rows[rows["flavour"] == NAME])
    assert alone.empty and list(alone) == comparison.PAIRED


def with_predictions(run, results):
    """Predictions with as many right images as the results say; two images show each individual."""
    for row in results.itertuples():
        images = [f"i{number}" for number in range(row.n_query)]
        right = [number < row.n_correct for number in range(row.n_query)]
        who = [f"a{number // 2}" for number in range(row.n_query)]
        judged(run, row.flavour, row.dataset, images, right, who)
    return results


def test_the_mean_over_datasets_has_an_interval_of_individuals(run, regenerated):
    results = with_predictions(run, regenerated[regenerated["n_query"] > 100])
    row = comparison.means(run, results).loc[NAME]
    assert row["datasets"] == 4
    assert row["mean"] == pytest.approx(100 * results["accuracy"].mean())
    # Pairs of images are right together, so that there are half as many samples. The variance of
    # the mean is the sum of those of the shares, over the number squared.
    share, total = results["accuracy"], results["n_query"] / 2
    deviation = 100 * np.sqrt((share * (1 - share) / total).sum()) / len(total)
    # An interval of single images would be 0.6 deviations nearer.
    assert row["low"] == pytest.approx(row["mean"] - 1.96 * deviation, abs=0.25 * deviation)
    assert row["high"] == pytest.approx(row["mean"] + 1.96 * deviation, abs=0.25 * deviation)
    assert "untrained" not in row and "top-5" not in row


@pytest.mark.filterwarnings("error")  # of a method without a network, nothing is known before
def test_means_are_those_of_the_columns(run, regenerated):
    columns = ["top_5", "top_10", "mean_average_precision", "balanced_accuracy"]
    columns += ["normalised_gain", "untrained_accuracy", "images_per_second"]
    shares = np.linspace(0, 1, 35).reshape(5, 7)
    table = regenerated.assign(**dict(zip(columns, shares.T, strict=True)))
    fewer = table.iloc[:2].assign(flavour="SIFT", untrained_accuracy=np.nan)
    told = comparison.means(run, with_predictions(run, pd.concat([table, fewer])))
    assert told["datasets"].tolist() == [5, 2]
    names = ["top-5", "top-10", "mAP", "balanced", "gain", "untrained"]
    np.testing.assert_allclose(told.loc[NAME, names], 100 * shares.mean(axis=0)[:6])
    np.testing.assert_allclose(told.loc["SIFT", names[:5]], 100 * shares[:2].mean(axis=0)[:5])
    assert told.loc["SIFT", ["untrained", "added"]].isna().all()
    assert told.loc[NAME, "images/s"] == pytest.approx(shares[:, 6].mean())
    assert told.loc[NAME, "added"] == pytest.approx(
        told.loc[NAME, "mean"] - 100 * shares[:, 5].mean()
    )


@needs_shared
def test_the_ledger_carries_the_published_figures():
    theirs = pd.read_csv(SHARED / "published" / "accuracies.csv")
    ledger = comparison.ledger(pd.DataFrame(columns=["dataset", "flavour", "scale"]))
    merged = ledger.merge(theirs, on=["dataset", "flavour"])
    assert len(merged) == 145
    baselines = ledger[~ledger["flavour"].isin(theirs["flavour"])]
    table4 = pd.read_csv(SHARED / "published" / "paper_table4.csv", index_col="dataset")
    told = baselines.pivot(index="dataset", columns="flavour", values="published, %")
    assert told.shape == (7, 3)
    for name, column in (("CLIP", "CLIP ViT-L/14-336"), ("DINOv2", "DINOv2 ViT-L/14-518")):
        ours = told.filter(like=name).iloc[:, 0]
        np.testing.assert_allclose(ours, table4.loc[told.index, column], atol=0.0051)
    np.testing.assert_allclose(merged["published, %"], 100 * merged["accuracy"])
    assert set(ledger["verdict"]) == {"not run"}
