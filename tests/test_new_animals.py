"""Questions to the features of a run: new animals, honest thresholds, sure answers."""

import numpy as np
import pandas as pd
import pytest

from megalib import features, new_animals, open_set, splits
from megalib.errors import UserError

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
    features.save(run.features(NAME, dataset), np.array(vectors, dtype=np.float32), "key")


@pytest.fixture
def dated(run):
    """Two datasets, the second with dates."""
    write(run, PLACES[0], 8, 12, dated=False)
    write(run, PLACES[1], 10, 9, dated=True, seed=1)
    return run


def test_hidden_individuals_are_new_and_never_found(dated):
    matches = new_animals.matches(dated, NAME, PLACES, 0.25, 0)
    assert len(matches) == 8 * 4 + 10 * 3
    is_new = matches["is_new"]
    assert not set(matches.loc[is_new, "identity"]) & set(matches["predicted"])
    assert matches.loc[is_new, "identity"].nunique() == 2 + 2
    assert not matches.loc[is_new, "correct"].any()
    assert matches["identity"].str.startswith(tuple(PLACES)).all()
    same = matches["identity"] == matches["predicted"]
    assert (same == matches["correct"]).all()


def test_a_threshold_is_judged_on_other_individuals_than_it_was_chosen_on(dated):
    matches = new_animals.matches(dated, NAME, PLACES, 0.5, 0)
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


def test_calibration_is_judged_on_the_other_half(dated):
    known = new_animals.matches(dated, NAME, PLACES, 0.25, 0).query("not is_new")
    table = new_animals.calibrated(known, 0)
    assert set(table["method"]) == set(open_set.CALIBRATIONS)
    counts = table.groupby("method")["count"].sum()
    assert (counts == len(known) // 2).all()
    assert table["error"].between(0, 1).all()


def test_features_that_are_missing_or_of_fewer_images_are_asked_for(dated):
    with pytest.raises(UserError, match=r"run 3_infer\.ipynb first"):
        new_animals.matches(dated, "MegaDescriptor-S-224", PLACES, 0.25, 0)
    rows = splits.read(dated.metadata(PLACES[0]))
    features.save(dated.features(NAME, PLACES[0]), np.ones((len(rows) - 1, 3), np.float32), "key")
    with pytest.raises(UserError, match="no features of all images"):
        new_animals.matches(dated, NAME, PLACES, 0.25, 0)
