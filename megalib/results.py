"""The tables of a run: all flavours, and the published figures beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from megalib import flavours, published
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


def learning(results: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over the datasets of each flavour, untrained and trained, in per cent."""
    columns = ["untrained_accuracy", "accuracy"]
    means = 100 * results.groupby("flavour", sort=False)[columns].mean().rename_axis(None)
    means.columns = ["untrained, %", "trained, %"]
    means["gain, points"] = means["trained, %"] - means["untrained, %"]
    return means


def beside_published(results: pd.DataFrame) -> pd.DataFrame:
    """Each accuracy of the run beside the published one, for datasets that have one.

    Returns:
        One row per dataset and flavour: `this run, %`, its `scale`, `published, %`, and
        `difference, images`, how many more test images the run got right, in images of its own
        test set. Empty for drawn datasets.
    """
    table = published.accuracies()
    rows = results[results["dataset"].isin(table.index)]
    theirs = [table.loc[row.dataset, row.flavour] for row in rows.itertuples()]
    return pd.DataFrame(
        {
            "dataset": rows["dataset"],
            "flavour": rows["flavour"],
            "scale of this run": rows["scale"],
            "this run, %": 100 * rows["accuracy"],
            "published, %": theirs,
            "difference, images": (
                rows["n_correct"] - rows["n_query"] * pd.Series(theirs, rows.index, float) / 100
            ).round(),
        }
    ).reset_index(drop=True)
