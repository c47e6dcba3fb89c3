"""What was noted of images beside who they show: `noted.csv` beside the metadata.

The published metadata have no such columns, so these stay in a file of their own.
"""

import pandas as pd

from megalib.data.metadata import AGAIN
from megalib.data.wildlife import WildlifeDataset
from megalib.errors import UserError
from megalib.files.places import DATA, Run, shown
from megalib.files.writing import whole_file

# Columns of the file, and under which names raw datasets have them. The pictures of a video are one
# encounter.
NOTED = {
    "date": ("date",),
    "moment": ("moment",),
    "orientation": ("orientation",),
    "encounter": ("encounter", "video"),
    "station": ("station",),
}


def write(run: Run, dataset: str, source: WildlifeDataset, image_ids: pd.Series) -> None:
    """Write what a raw dataset says of prepared images, in their order; no file where nothing.

    Raises:
        UserError: the file cannot be written.
    """
    raw = source.df.set_index(source.df["image_id"].astype(str)).loc[list(image_ids.astype(str))]
    found = pd.DataFrame(index=raw.index.rename("image_id"))
    for name, columns in NOTED.items():
        there = [column for column in columns if column in raw and raw[column].notna().any()]
        if there:
            found[name] = raw[there[0]]
    if not len(found.columns):
        run.noted(dataset).unlink(missing_ok=True)
        return
    with whole_file(run.noted(dataset)) as temporary:
        found.to_csv(temporary)


def with_noted(run: Run, dataset: str, metadata: pd.DataFrame) -> pd.DataFrame:
    """Metadata with what was noted of the same images.

    Args:
        run: that prepared them.
        dataset: its name.
        metadata: of `read_metadata`; what it has itself is kept.

    Returns:
        A copy with those of the columns of `NOTED` that the dataset has, as text; missing where
        nothing was noted.

    Raises:
        UserError: the file cannot be read.
    """
    file = run.noted(dataset)
    if not file.is_file():
        return metadata.copy()
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
        rows = rows.set_index("image_id")
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(file)} ({reason}): {AGAIN}") from error
    ours = [name for name in NOTED if name in rows and name not in metadata]
    return metadata.join(rows[ours], on="image_id")


def of_published() -> pd.DataFrame:
    """Which of the published datasets note what, as their loaders read them.

    Returns:
        One row per dataset and one column for each of `NOTED`, bool. Whether it is noted of every
        image, and which sides, is seen when the dataset is prepared.
    """
    return pd.read_csv(DATA / "noted.csv", index_col="dataset") == "yes"
