"""What others published: accuracies, baselines, counts and digests, as data frames."""

import pandas as pd

from megalib.files import PUBLISHED


def accuracies() -> pd.DataFrame:
    """The 145 published top-1 accuracies as percentages.

    Returns:
        One row per dataset (29), one column per flavour (5), values in per cent, ordered from
        the hardest dataset to the easiest by the mean of the row.
    """
    long = pd.read_csv(PUBLISHED / "accuracies.csv")
    wide = long.pivot(index="dataset", columns="flavour", values="accuracy") * 100
    wide = wide[long["flavour"].unique()].rename_axis(index=None, columns=None)
    return wide.loc[wide.mean(axis=1).sort_values().index]


def test_sizes() -> pd.Series:
    """Number of test images behind each published accuracy, by dataset."""
    return pd.read_csv(PUBLISHED / "accuracies.csv").groupby("dataset")["n_test"].first()


def baselines() -> pd.DataFrame:
    """Seven rows of the paper's Table 4: per cent by dataset (rows) and model (columns)."""
    return pd.read_csv(PUBLISHED / "paper_table4.csv", index_col="dataset").rename_axis(None)


def datasets() -> pd.DataFrame:
    """Loader, crop rule, counts and digests of the 29 datasets, indexed by name.

    Counts are NaN and digests empty where the published metadata could not be read.
    """
    return pd.read_csv(PUBLISHED / "datasets.csv", index_col="dataset")
