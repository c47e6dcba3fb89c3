"""Methods beside each other: by dataset, on average, image by image; and what was published."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from megalib.data import published
from megalib.errors import UserError
from megalib.evaluation import metrics, resampling
from megalib.evaluation.results import MEASURES
from megalib.files.places import Run
from megalib.retrieval import predictions

PAIRED = ["first", "second", "test images", "only first right", "only second right", "p"]
PAIRED += ["added, points", "low", "high"]
JUDGED = ("image_id", "identity", "correct")


def wide(results: pd.DataFrame, column: str = "accuracy") -> pd.DataFrame:
    """Per cent by dataset (rows) and flavour (columns), both in the order of the results."""
    table = results.pivot(index="dataset", columns="flavour", values=column) * 100
    table = table.loc[results["dataset"].unique(), results["flavour"].unique()]
    return table.rename_axis(index=None, columns=None)


def means(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Means over the datasets of each method; accuracies in per cent.

    Args:
        run: whose predictions are read.
        results: of `results.read`.

    Returns:
        By flavour: the number of `datasets`, since not every method runs on all; the `mean` top-1
        with `low` and `high` of its 95 % interval, for which the individuals of each dataset are
        drawn anew, see `resampling.cluster_interval`; the means of the other columns of
        `results.for_reading`; and where the same networks were run before training, `added`, the
        difference to the better of `untrained` and `frozen ImageNet`.

    Raises:
        UserError: predictions are missing.
    """
    rows = {}
    for name, own in results.groupby("flavour", sort=False):
        judged = _judged(run, name, own)
        low, high = resampling.cluster_interval(
            judged["correct"], judged["identity"], judged["dataset"]
        )
        row = {"mean": own["accuracy"].mean(), "low": low, "high": high}
        row |= {told: own[column].mean() for column, told in MEASURES.items() if column in own}
        rows[name] = {"datasets": len(own)} | {key: 100 * value for key, value in row.items()}
        before = [rows[name][told] for told in ("untrained", "frozen ImageNet") if told in row]
        if before:
            best = max((value for value in before if not np.isnan(value)), default=np.nan)
            rows[name]["added"] = rows[name]["mean"] - best
        if "images_per_second" in own:
            rows[name]["images/s"] = own["images_per_second"].mean()
    return pd.DataFrame.from_dict(rows, orient="index")


def _judged(run: Run, name: str, results: pd.DataFrame) -> pd.DataFrame:
    """What one method answered on all its datasets: `dataset` and the columns of `JUDGED`."""
    tables = [
        predictions.read(run, name, dataset, JUDGED).assign(dataset=dataset)
        for dataset in results["dataset"]
    ]
    return pd.concat(tables)[["dataset", *JUDGED]]


def paired(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Compare each flavour with the next on the test images that both have judged.

    Args:
        run: whose predictions are read.
        results: of `results.read`.

    Returns:
        One row per pair: `first`, `second`, the number of shared `test images`, on how many of
        them `only first right` and `only second right`, and the `p` value of their being equally
        good, see `metrics.mcnemar`; then `added, points`: how much greater the second's mean
        accuracy over the datasets is, with `low` and `high` of its 95 % interval, for which
        individuals are drawn anew, see `resampling.cluster_interval`. No rows for a single flavour.

    Raises:
        UserError: two flavours share no test image.
    """
    judged = {
        name: _judged(run, name, rows) for name, rows in results.groupby("flavour", sort=False)
    }
    return pd.DataFrame([_pair(*names, judged) for names in pairwise(judged)], columns=PAIRED)


def _pair(first: str, second: str, judged: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    """How one flavour compares with another."""
    keys = ["dataset", "image_id"]
    both = judged[first].merge(judged[second][[*keys, "correct"]], on=keys, validate="one_to_one")
    if both.empty:
        raise UserError(
            f"{first} and {second} have judged no test image both: run them on the same"
        )
    one, other = both["correct_x"].to_numpy(dtype=bool), both["correct_y"].to_numpy(dtype=bool)
    added = other.astype(int) - one
    low, high = resampling.cluster_interval(added, both["identity"], both["dataset"])
    return {
        "first": first,
        "second": second,
        "test images": len(both),
        "only first right": int((one & ~other).sum()),
        "only second right": int((~one & other).sum()),
        "p": metrics.mcnemar(one, other),
        "added, points": 100 * pd.Series(added).groupby(both["dataset"]).mean().mean(),
        "low": 100 * low,
        "high": 100 * high,
    }


def ledger(results: pd.DataFrame) -> pd.DataFrame:
    """All published accuracies, each with what the run measured at published scale, if it did.

    These are the 145 of the MegaDescriptors and the 21 of the paper's baselines. A cell is
    "reproduced" where the number of right test images differs by one at most, which is what
    rounding and another order of addition may change; "within the interval" where the published
    accuracy lies in the Wilson 95 % interval of the regenerated one; else it "differs". Only
    released weights, from the hub or a folder, and a single nearest image make such a verdict; a
    result made otherwise says what is other about it.

    Args:
        results: of `read`.

    Returns:
        One row per dataset and flavour: `published, %`, `regenerated, %`, `low, %` and `high, %` of
        its interval, `difference, images` (more right than published), `verdict`, and the
        `weights`, `precision` and `votes` with which it was made.
    """
    ours = results[results["scale"] == "published"].set_index(["dataset", "flavour"])
    rows = []
    cells = pd.concat([published.accuracies_long(), published.baselines_long()])
    for cell in cells.itertuples():
        key = (cell.dataset, cell.flavour)
        row = {"dataset": cell.dataset, "flavour": cell.flavour}
        row |= {"published, %": 100 * cell.accuracy, "verdict": "not run"}
        rows.append(row | (_compared(cell, ours.loc[key]) if key in ours.index else {}))
    columns = ["regenerated, %", "low, %", "high, %", "difference, images", "verdict"]
    columns += ["weights", "precision", "votes"]
    return pd.DataFrame(rows, columns=["dataset", "flavour", "published, %", *columns])


def _compared(cell: tuple, ours: pd.Series) -> dict[str, object]:
    """How one accuracy of the run relates to the published one."""
    correct, total = int(ours["n_correct"]), int(ours["n_query"])
    low, high = metrics.wilson_interval(correct, total)
    return {
        "regenerated, %": 100 * correct / total,
        "low, %": 100 * low,
        "high, %": 100 * high,
        "difference, images": correct - cell.n_correct,
        "verdict": _verdict(cell, ours, low, high),
        **{name: ours.get(name) for name in ("weights", "precision", "votes")},
    }


def _verdict(cell: tuple, ours: pd.Series, low: float, high: float) -> str:
    weights, votes = ours.get("weights"), ours.get("votes")
    if pd.isna(weights) or pd.isna(votes):
        return "no regeneration: made by unknown weights"
    if weights == "trained":
        return "no regeneration: own training"
    if votes != 1:
        return f"no regeneration: {int(votes)} votes"
    if ours["n_query"] != cell.n_test:
        return f"another test set: {int(ours['n_query'])} instead of {cell.n_test} images"
    if abs(ours["n_correct"] - cell.n_correct) <= 1:
        return "reproduced"
    return "within the interval" if low <= cell.accuracy <= high else "differs"
