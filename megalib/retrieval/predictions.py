"""The file of predictions: one row per test image, with the twin that it has in training."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from megalib.errors import UserError
from megalib.files.places import Run, inside, shown
from megalib.files.writing import whole_file

INFER_AGAIN = "run 3_infer.ipynb again, or 3_sift.ipynb"
TEXT = dict.fromkeys(("image_id", "identity", "predicted", "match_id"), str)
MISSING = {column: [""] for column in ("similarity", "rank", "twin")}  # if empty; no other can be
TWIN = 1e-6  # embeddings whose cosine lies this close to 1 are those of the same picture


def read_table(path: Path, needed: Sequence[str], **how: Any) -> pd.DataFrame:
    """Read a table that an inference wrote, predictions or results.

    Args:
        path: of the CSV file.
        needed: columns that it must have.
        **how: options of `pandas.read_csv`.

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


def read(run: Run, flavour: str, dataset: str, needed: Sequence[str]) -> pd.DataFrame:
    """Read the predictions of one flavour; an animal may be called "007", "NA" or "None".

    Args:
        run: that holds them.
        flavour: name of the network, or of another method.
        dataset: its name.
        needed: columns that are wanted.

    Raises:
        UserError: see `read_table`.
    """
    file = run.predictions(flavour, dataset)
    return read_table(file, needed, dtype=TEXT, keep_default_na=False, na_values=MISSING)


def twins(folder: Path, metadata: pd.DataFrame) -> dict[str, str]:
    """Test images that lie in the training part as well, as the very same file.

    Args:
        folder: of the prepared images.
        metadata: with `path` and `split`.

    Returns:
        The path of the first such training image, by the path of the test image.

    Raises:
        UserError: a path leaves the folder.
    """
    paths = {part: metadata.loc[metadata["split"] == part, "path"] for part in ("train", "test")}
    files = {part: [(path, inside(folder, path)) for path in own] for part, own in paths.items()}
    sizes = [{file.stat().st_size for _, file in own} for own in files.values()]
    shared = set.intersection(*sizes)  # files of different sizes need not be read
    digests = {
        part: [(path, _digest(file)) for path, file in own if file.stat().st_size in shared]
        for part, own in files.items()
    }
    first = {digest: path for path, digest in reversed(digests["train"])}
    return {path: first[digest] for path, digest in digests["test"] if digest in first}


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def write(
    dataset: str,
    matches: pd.DataFrame,
    same: dict[str, str],
    file: Path,
    report: Callable[[str], None],
) -> None:
    """Write the predictions, and name test images that have a `twin` in the training part.

    Such images tell nothing about a network. All of them stand in the column `twin`.

    Args:
        dataset: its name.
        matches: of `matching.match`; the column is added to it.
        same: twins by the path of the test image, see `twins`.
        file: to be written.
        report: takes a line if there are any.
    """
    matches["twin"] = matches["path"].map(same).astype(object)
    with whole_file(file) as temporary:
        matches.to_csv(temporary, index=False)
    found = matches[matches["twin"].notna()]
    if len(found):
        pairs = ", ".join(f"{row.path} = {row.twin}" for row in found.head(5).itertuples())
        more = f" and others in the column twin of {shown(file)}" if len(found) > 5 else ""
        report(
            f"{dataset}: warning, {len(found)} test images have a twin in training: {pairs}{more}"
        )
