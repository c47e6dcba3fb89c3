"""What others published: accuracies, baselines, counts and digests, as data frames."""

from pathlib import Path

import pandas as pd
import pooch

from megalib.errors import UserError
from megalib.files.places import PUBLISHED, runs_root, shown

# The last commit of wildlife-tools with which the digests of data/published were compared.
METADATA_URL = (
    "https://raw.githubusercontent.com/WildlifeDatasets/wildlife-tools/54449df/"
    "baselines/data/metadata/datasets"
)

# Per cent of the largest flavour, from which a dataset no longer tells flavours apart.
SATURATED = 99
# Signs of datasets whose row says less than it seems to.
MARKS = {"labels": "†", "split": "‡", "saturated": "*"}
LEGEND = (
    "† labels corrected since; ‡ crops of one photograph on both sides of the split; "
    f"* the largest flavour is right on {SATURATED} % or more"
)


def accuracies() -> pd.DataFrame:
    """The published top-1 accuracies in per cent: one row per dataset, one column per flavour.

    The hardest dataset comes first, by the mean of the row.
    """
    long = accuracies_long()
    wide = long.pivot(index="dataset", columns="flavour", values="accuracy") * 100
    wide = wide[long["flavour"].unique()].rename_axis(index=None, columns=None)
    return wide.loc[wide.mean(axis=1).sort_values().index]


def accuracies_long() -> pd.DataFrame:
    """The same numbers, one per row: `dataset, flavour, n_test, n_correct, accuracy` in [0, 1]."""
    return pd.read_csv(PUBLISHED / "accuracies.csv")


def baselines() -> pd.DataFrame:
    """Seven rows of the paper's Table 4: per cent by dataset (rows) and model (columns)."""
    return pd.read_csv(PUBLISHED / "paper_table4.csv", index_col="dataset").rename_axis(None)


def gains() -> pd.Series:
    """Points that the largest flavour has above the smallest, by dataset, greatest first."""
    table = accuracies()
    return (table.iloc[:, -1] - table.iloc[:, 0]).sort_values(ascending=False)


def remarks() -> pd.DataFrame:
    """What a reader of single rows should know, one row per remark: `dataset, kind, remark`.

    Kinds are "labels" (corrected since), "lead" (within the interval), "split" (crops of one
    photograph) and "saturated" (solved by the largest flavour).
    """
    table, known = accuracies(), pd.read_csv(PUBLISHED / "remarks.csv")
    largest = table.iloc[:, -1]
    solved = largest[largest >= SATURATED]
    told = [f"{largest.name} is right on {share:.1f} %." for share in solved]
    rows = pd.DataFrame({"dataset": solved.index, "kind": "saturated", "remark": told})
    return pd.concat([known, rows], ignore_index=True)


def marks() -> dict[str, str]:
    """The sign of each dataset with wrong labels, an odd split or no errors; `LEGEND` explains."""
    marked = remarks().query("kind in @MARKS")
    signs = marked["kind"].map(MARKS).groupby(marked["dataset"]).agg("".join)
    return signs.to_dict()


def inference() -> pd.DataFrame:
    """What the authors' inference over all datasets took: `hours` and `images_per_second`.

    One row per flavour; that of B-224 was not told, nor was the hardware.
    """
    return pd.read_csv(PUBLISHED / "inference.csv", index_col="flavour").rename_axis(None)


def ablation() -> pd.DataFrame:
    """The best setting of ArcFace in the paper's ablation; accuracies are per cent, top-1."""
    return pd.read_csv(PUBLISHED / "ablation.csv")


def baselines_long() -> pd.DataFrame:
    """The baselines' cells of Table 4 as `accuracies_long` has the others, by our short names."""
    names = pd.read_csv(PUBLISHED / "baselines.csv").dropna().set_index("paper_name")["flavour"]
    table = baselines().loc[:, names.index].rename(columns=names).rename_axis("dataset")
    long = table.reset_index().melt("dataset", var_name="flavour", value_name="accuracy")
    sizes = accuracies_long().groupby("dataset")["n_test"].first()
    long["n_test"] = long["dataset"].map(sizes)
    # The paper rounds to hundredths of a per cent, which is less than one image.
    long["n_correct"] = (long["accuracy"] / 100 * long["n_test"]).round().astype(int)
    return long.assign(accuracy=long["n_correct"] / long["n_test"])


def datasets() -> pd.DataFrame:
    """Loader, crop rule, counts and digests of the 29 datasets, indexed by name.

    Counts are NaN and digests empty where the published metadata could not be read.
    """
    return pd.read_csv(PUBLISHED / "datasets.csv", index_col="dataset")


def metadata_file(dataset: str) -> Path:
    """Where a published metadata file is kept once it was fetched; all profiles share it."""
    return runs_root() / "published" / f"{dataset}.csv"


def fetch_metadata(dataset: str, address: str = METADATA_URL) -> Path:
    """Fetch the metadata with which MegaDescriptor was trained and evaluated, and check its digest.

    Args:
        dataset: one of the 29.
        address: of the folder that holds `<dataset>/metadata.csv`.

    Returns:
        The file, to be read by `read_metadata`.

    Raises:
        UserError: the dataset has none, the file cannot be fetched, or it has another digest.
    """
    if dataset not in datasets().index:
        raise UserError(f"nothing has been published about {dataset}: use metadata_source raw")
    digest = datasets().loc[dataset, "metadata_sha256"]
    known = None if pd.isna(digest) else f"sha256:{digest}"
    file = metadata_file(dataset)
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(f"{address}/{dataset}/metadata.csv", known, file.name, file.parent)
    except (OSError, ValueError) as error:  # a network that fails, or another digest
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot fetch the published metadata of {dataset}: {reason}; put the file at "
            f"{shown(file)}, or use metadata_source raw"
        ) from error
    if known is None:
        print(f"{dataset}: no digest of its published metadata is known, so it was not checked")
    return file
