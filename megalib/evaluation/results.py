"""The tables of a run: all flavours, and the published figures beside them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from megalib import flavours
from megalib.data import published
from megalib.errors import UserError
from megalib.evaluation import metrics
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file
from megalib.retrieval.matching import Found

PAIRED = ["first", "second", "test images", "only first right", "only second right", "p"]
PAIRED += ["added, points", "low", "high"]
# Short names of the shares that `write` puts beside top-1.
MEASURES = {
    "top_5": "top-5",
    "top_10": "top-10",
    "mean_average_precision": "mAP",
    "balanced_accuracy": "balanced",
    "normalised_gain": "gain",
    "untrained_accuracy": "untrained",
}
NEEDED = ("dataset", "flavour", "scale", "n_query", "n_correct", "accuracy", "low", "high")
SHOWN = ("identity", "path", "predicted", "match_path", "similarity", "correct")
PAIR = ("image_id", "correct")
INFER_AGAIN = "run 3_infer.ipynb again, or 3_sift.ipynb"
TEXT = dict.fromkeys(("image_id", "identity", "predicted", "match_id"), str)
MISSING = {column: [""] for column in ("similarity", "rank", "twin")}  # if empty; no other can be


def write(run: Run, found: Mapping[str, Found]) -> pd.DataFrame:
    """Count what one method found, and write its results.

    Args:
        run: that receives them.
        found: by dataset, what `inference.infer` or `sift.infer` returned.

    Returns:
        The results, one row per dataset: `dataset, flavour, scale`, of a network also `weights,
        precision, votes`; the columns of `counts`; of SIFT its `ratio`; `images_per_second`; and
        `untrained_accuracy` in [0, 1] if it was asked for.

    Raises:
        UserError: the file cannot be written.
    """
    rows = []
    for dataset, one in found.items():
        row = {"dataset": dataset, **one.method, **counts(one), **one.details}
        if one.untrained is not None:
            row["untrained_accuracy"] = one.untrained["correct"].mean()
        rows.append(row)
    table = pd.DataFrame(rows)
    with whole_file(run.results(table["flavour"].iloc[0])) as temporary:
        table.to_csv(temporary, index=False)
    return table


def counts(found: Found) -> dict[str, float]:
    """What a method reaches on a dataset; definitions stand in `metrics`.

    Returns:
        `n_database, n_query, n_correct`, and in [0, 1] `accuracy`, `low` and `high` of its Wilson
        95 % interval, `top_5`, `top_10`, `mean_average_precision`, `balanced_accuracy` and
        `normalised_gain`.
    """
    matches, ranks = found.matches, found.ranks
    correct, total = int(matches["correct"].sum()), len(matches)
    low, high = metrics.wilson_interval(correct, total)
    database = found.metadata.loc[found.metadata["split"] == "train", "identity"].to_numpy()
    chance = metrics.chance_of_top_1(matches["identity"].to_numpy(), database)
    return {
        "n_database": len(database),
        "n_query": total,
        "n_correct": correct,
        "accuracy": correct / total,
        "low": low,
        "high": high,
        "top_5": metrics.top_k(ranks, 5),
        "top_10": metrics.top_k(ranks, 10),
        "mean_average_precision": metrics.mean_average_precision(ranks),
        "balanced_accuracy": metrics.balanced_accuracy(
            matches["identity"].to_numpy(), matches["predicted"].to_numpy()
        ),
        "normalised_gain": metrics.normalised_gain(correct / total, chance),
    }


def read(run: Run, names: Sequence[str]) -> pd.DataFrame:
    """The result rows of those flavours that the run has finished, in the order given.

    Returns:
        The columns of `write`.

    Raises:
        UserError: none of them has been run, or a file of results is damaged.
    """
    done = [run.results(name) for name in names if run.results(name).is_file()]
    if not done:
        raise UserError(
            f"no results in {shown(run.folder)}: run 3_infer.ipynb first, or `make book`"
        )
    return pd.concat([_read_csv(path, NEEDED) for path in done], ignore_index=True)


def _read_csv(path: Path, needed: Sequence[str], **how: Any) -> pd.DataFrame:
    """Read a table that an inference wrote.

    Raises:
        UserError: it is missing, no such table, or lacks a column or all rows.
    """
    try:
        table = pd.read_csv(path, **how)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(path)} ({reason}): {INFER_AGAIN}") from error
    missing = [name for name in needed if name not in table]
    if missing or table.empty:
        what = f"the columns {', '.join(missing)}" if missing else "all rows"
        raise UserError(f"{shown(path)} lacks {what}: {INFER_AGAIN}")
    return table


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
    return folders, {name: _predictions(run, flavour, name, SHOWN) for name in names}


def _predictions(run: Run, flavour: str, dataset: str, needed: Sequence[str]) -> pd.DataFrame:
    """The predictions of one flavour; an animal may be called "007", "NA" or "None"."""
    file = run.predictions(flavour, dataset)
    return _read_csv(file, needed, dtype=TEXT, keep_default_na=False, na_values=MISSING)


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
        **MEASURES,
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
    """Means over the datasets of each method; accuracies in per cent.

    Returns:
        By flavour: the number of `datasets`, since not every method runs on all; the `mean` top-1
        with `low` and `high` of its bootstrap 95 % interval, see `metrics.bootstrap_interval`; the
        means of the other columns of `for_reading`; and where the same networks were run with
        random weights, the mean `untrained`, and `added`, the difference to it.
    """
    rows = {}
    for name, own in results.groupby("flavour", sort=False):
        low, high = metrics.bootstrap_interval(own["n_correct"], own["n_query"])
        row = {"mean": own["accuracy"].mean(), "low": low, "high": high}
        row |= {told: own[column].mean() for column, told in MEASURES.items() if column in own}
        rows[name] = {"datasets": len(own)} | {key: 100 * value for key, value in row.items()}
        if "untrained" in row:
            rows[name]["added"] = rows[name]["mean"] - rows[name]["untrained"]
        if "images_per_second" in own:
            rows[name]["images/s"] = own["images_per_second"].mean()
    return pd.DataFrame.from_dict(rows, orient="index")


def paired(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Compare each flavour with the next on the test images that both have judged.

    Args:
        run: whose predictions are read.
        results: of `read`.

    Returns:
        One row per pair: `first`, `second`, the number of shared `test images`, on how many of
        them `only first right` and `only second right`, and the `p` value of their being equally
        good, see `metrics.mcnemar`; then `added, points`: how much greater the second's mean
        accuracy over the datasets is, with `low` and `high` of its 95 % interval, see
        `metrics.bootstrap_difference`. No rows for a single flavour.

    Raises:
        UserError: two flavours share no test image.
    """
    judged = {}
    for name, rows in results.groupby("flavour", sort=False):
        tables = [
            _predictions(run, name, dataset, PAIR).assign(dataset=dataset)
            for dataset in rows["dataset"]
        ]
        judged[name] = pd.concat(tables)[["dataset", "image_id", "correct"]]
    return pd.DataFrame([_pair(*names, judged) for names in pairwise(judged)], columns=PAIRED)


def _pair(first: str, second: str, judged: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    """How one flavour compares with another."""
    both = judged[first].merge(judged[second], on=["dataset", "image_id"], validate="one_to_one")
    if both.empty:
        raise UserError(
            f"{first} and {second} have judged no test image both: run them on the same"
        )
    one, other = both["correct_x"].to_numpy(dtype=bool), both["correct_y"].to_numpy(dtype=bool)
    counts = pd.DataFrame({"first": one & ~other, "second": ~one & other, "total": 1})
    counts = counts.groupby(both["dataset"]).sum()
    columns = [counts[name].to_numpy() for name in ("first", "second", "total")]
    low, high = metrics.bootstrap_difference(*columns)
    added = ((counts["second"] - counts["first"]) / counts["total"]).mean()
    return {
        "first": first,
        "second": second,
        "test images": len(both),
        "only first right": int(counts["first"].sum()),
        "only second right": int(counts["second"].sum()),
        "p": metrics.mcnemar(one, other),
        "added, points": 100 * added,
        "low": 100 * low,
        "high": 100 * high,
    }


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
