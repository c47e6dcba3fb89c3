"""The tables of a run: all flavours, and the published figures beside them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from megalib import flavours, metrics, published
from megalib.errors import UserError
from megalib.files import Run, shown

TEXT = dict.fromkeys(("image_id", "identity", "predicted", "match_id"), str)


def read(run: Run, names: Sequence[str]) -> pd.DataFrame:
    """The result rows of those flavours that the run has finished, in the order given.

    Returns:
        The columns that `inference.infer` writes.

    Raises:
        UserError: none of them has been run.
    """
    done = [run.results(name) for name in names if run.results(name).is_file()]
    if not done:
        raise UserError(
            f"no results in {shown(run.folder)}: run 3_infer.ipynb first, or `make book`"
        )
    return pd.concat([pd.read_csv(path) for path in done], ignore_index=True)


def missing(run: Run, names: Sequence[str]) -> list[str]:
    """The flavours that the run has not finished."""
    return [name for name in names if not run.results(name).is_file()]


def matches(
    run: Run, flavour: str, results: pd.DataFrame, scale: str
) -> tuple[dict[str, Path], dict[str, pd.DataFrame]]:
    """Image folders and predictions of one flavour by dataset, as `plots.match_gallery` takes."""
    size = flavours.get(flavour, scale).stored_size
    names = results.loc[results["flavour"] == flavour, "dataset"]
    folders = {name: run.images(size, name) for name in names}
    tables = {name: pd.read_csv(run.predictions(flavour, name), dtype=TEXT) for name in names}
    return folders, tables


def wide(results: pd.DataFrame, column: str = "accuracy") -> pd.DataFrame:
    """Per cent by dataset (rows) and flavour (columns), both in the order of the results."""
    table = results.pivot(index="dataset", columns="flavour", values=column) * 100
    table = table.loc[results["dataset"].unique(), results["flavour"].unique()]
    return table.rename_axis(index=None, columns=None)


def for_reading(results: pd.DataFrame) -> pd.DataFrame:
    """The results of one flavour with short names, one row per dataset."""
    names = {
        "n_query": "test images",
        "accuracy": "top-1",
        "low": "low",
        "high": "high",
        "top_5": "top-5",
        "top_10": "top-10",
        "mean_average_precision": "mAP",
        "balanced_accuracy": "balanced",
        "normalised_gain": "gain",
        "untrained_accuracy": "untrained",
        "images_per_second": "images/s",
    }
    kept = {column: name for column, name in names.items() if column in results}
    table = results.set_index("dataset").rename_axis(None)
    return table[list(kept)].rename(columns=kept)


def match_curves(predictions: Mapping[str, pd.DataFrame], up_to: int = 20) -> pd.DataFrame:
    """Cumulative match characteristic of each dataset, in per cent.

    Args:
        predictions: with the `rank` of the first right image, from 0, by dataset.
        up_to: the longest list looked at.

    Returns:
        One row per length of the list, 1 to `up_to`, one column per dataset.
    """
    lengths = range(1, up_to + 1)
    shares = {
        name: [100 * (table["rank"] < length).mean() for length in lengths]
        for name, table in predictions.items()
    }
    return pd.DataFrame(shares, index=pd.Index(lengths, name="nearest images looked at"))


def means(results: pd.DataFrame) -> pd.DataFrame:
    """Mean top-1 accuracy over the datasets of each method, in per cent.

    Returns:
        By flavour: `mean`, `low` and `high` of its bootstrap 95 % interval, and where the same
        networks were run with random weights, the mean `untrained`, and the `gain` over it.
    """
    rows = {}
    for name, own in results.groupby("flavour", sort=False):
        low, high = metrics.bootstrap_interval(own["n_correct"], own["n_query"])
        rows[name] = {"mean": own["accuracy"].mean(), "low": low, "high": high}
        if "untrained_accuracy" in own:
            rows[name]["untrained"] = own["untrained_accuracy"].mean()
            rows[name]["gain"] = rows[name]["mean"] - rows[name]["untrained"]
    return 100 * pd.DataFrame.from_dict(rows, orient="index")


def paired(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Compare each flavour with the next on the same test images, see `metrics.mcnemar`.

    Args:
        run: whose predictions are read.
        results: of `read`.

    Returns:
        One row per pair: `first`, `second`, on how many test images `only first right` and
        `only second right`, and the `p` value of their being equally good.
    """
    right = {}
    for name, rows in results.groupby("flavour", sort=False):
        tables = [pd.read_csv(run.predictions(name, dataset)) for dataset in rows["dataset"]]
        right[name] = pd.concat(tables)["correct"].to_numpy()
    rows = []
    for first, second in pairwise(right):
        one, other = right[first], right[second]
        row = {"first": first, "second": second, "only first right": int((one & ~other).sum())}
        row |= {"only second right": int((~one & other).sum()), "p": metrics.mcnemar(one, other)}
        rows.append(row)
    return pd.DataFrame(rows)


def published_intervals() -> pd.DataFrame:
    """The published accuracies with their Wilson 95 % intervals, in per cent, hardest first.

    Returns:
        `dataset, flavour, accuracy, low, high`, 145 rows.
    """
    long = published.accuracies_long()
    bounds = [metrics.wilson_interval(row.n_correct, row.n_test) for row in long.itertuples()]
    long["low"], long["high"] = zip(*bounds, strict=True)
    long[["accuracy", "low", "high"]] *= 100
    order = {name: place for place, name in enumerate(published.accuracies().index)}
    long = long.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return long[["dataset", "flavour", "accuracy", "low", "high"]].reset_index(drop=True)


def ledger(results: pd.DataFrame) -> pd.DataFrame:
    """All published accuracies, each with what the run measured at published scale, if it did.

    These are the 145 of the MegaDescriptors and the 21 of the paper's baselines. A cell is
    "reproduced" where the number of right test images differs by one at most, which is what
    rounding and another order of addition may change; "within the interval" where the published
    accuracy lies in the Wilson 95 % interval of the regenerated one; else it "differs".

    Args:
        results: of `read`.

    Returns:
        One row per dataset and flavour: `published, %`, `regenerated, %`, `low, %` and `high, %` of
        its interval, `difference, images` (more right than published), and `verdict`.
    """
    ours = results[results["scale"] == "published"].set_index(["dataset", "flavour"])
    rows = []
    cells = pd.concat([published.accuracies_long(), published.baselines_long()])
    for cell in cells.itertuples():
        key = (cell.dataset, cell.flavour)
        row = {"dataset": cell.dataset, "flavour": cell.flavour}
        row |= {"published, %": 100 * cell.accuracy, "verdict": "not run"}
        rows.append(row | (_verdict(cell, ours.loc[key]) if key in ours.index else {}))
    columns = ["regenerated, %", "low, %", "high, %", "difference, images", "verdict"]
    return pd.DataFrame(rows, columns=["dataset", "flavour", "published, %", *columns])


def _verdict(cell: tuple, ours: pd.Series) -> dict[str, object]:
    """How one regenerated accuracy relates to the published one."""
    correct, total = int(ours["n_correct"]), int(ours["n_query"])
    low, high = metrics.wilson_interval(correct, total)
    if total != cell.n_test:
        verdict = f"another test set: {total} instead of {cell.n_test} images"
    elif abs(correct - cell.n_correct) <= 1:
        verdict = "reproduced"
    else:
        verdict = "within the interval" if low <= cell.accuracy <= high else "differs"
    return {
        "regenerated, %": 100 * correct / total,
        "low, %": 100 * low,
        "high, %": 100 * high,
        "difference, images": correct - cell.n_correct,
        "verdict": verdict,
    }
