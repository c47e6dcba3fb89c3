"""The closed-set split, the aggregated training set, and the comparison with the published.

On the command line, the published metadata are fetched, divided again, and compared::

    python -m megalib.splits            all datasets whose digests are known
    python -m megalib.splits LionData
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from megalib import published
from megalib.errors import UserError, choose, told
from megalib.files import shown

UNKNOWN = "unknown"
PARTS = ("train", "test")
AGAIN = "run 1_prepare.ipynb again"  # what to do about metadata that no preparation wrote
TEXT_COLUMNS = {"image_id": str, "identity": str, "path": str, "date": str, "split": str}


def read(path: Path) -> pd.DataFrame:
    """Read a metadata file; ids and identities stay text, whatever they look like.

    An animal may be called "007", "NA" or "None". Only an empty split or date is a missing one.

    Raises:
        UserError: the file is missing, is no such file, or says what no preparation says: twice
            the same image, an image of nobody, a part that is neither "train" nor "test".
    """
    if not path.is_file():
        raise UserError(
            f"no prepared data at {shown(path)}: run 1_prepare.ipynb first, or `make book`"
        )
    try:
        metadata = pd.read_csv(
            path,
            index_col=0,
            dtype=TEXT_COLUMNS,
            keep_default_na=False,
            na_values={"split": [""], "date": [""]},
        )
    except (OSError, ValueError) as error:  # not to be read; empty, not UTF-8, ragged
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(path)} ({reason}): {AGAIN}") from error
    missing = {"image_id", "identity", "path", "split"} - set(metadata)
    if missing:
        columns = ", ".join(sorted(missing))
        raise UserError(f"{shown(path)} lacks the columns {columns}: {AGAIN}")
    fault = _fault(metadata)
    if fault:
        raise UserError(f"{shown(path)} {fault}: {AGAIN}")
    return metadata


def _fault(metadata: pd.DataFrame) -> str:
    """What is wrong with metadata that have all columns, in words; "" if nothing is."""
    if metadata.empty:
        return "holds no image"
    for column in ("image_id", "identity", "path"):
        empty = metadata[column].isna() | (metadata[column] == "")
        if empty.any():
            return f"has no {column} in row {empty.argmax() + 1}"
    # In the training set of several datasets, each has its own ids.
    within = ["dataset"] if "dataset" in metadata else []
    for column in ("image_id", "path"):
        twice = metadata.duplicated([column, *within])
        if twice.any():
            return f"names the {column} {told(metadata[column].iloc[twice.argmax()])} twice"
    wrong = metadata["split"].notna() & ~metadata["split"].isin(PARTS)
    if wrong.any():
        part = told(metadata["split"].iloc[wrong.argmax()])
        return f"has the split {part}, which is neither train nor test"
    return ""


def add_closed_set_split(metadata: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Assign each image of a known individual to "train" or "test".

    Closed set: every individual of the test part is in the training part too. Images of unknown
    individuals get no split (NaN).

    Args:
        metadata: one row per image with a column `identity`, indexed 0 … n-1.
        share: part of the images that goes to training, between 0 and 1.
        seed: of the generator of wildlife-datasets; 666 gives the published split.

    Returns:
        A copy with the column `split`.

    Raises:
        UserError: no image shows a known individual, or the share is no share.
    """
    if not 0 < share < 1:
        raise UserError(f"train_share must lie between 0 and 1, not {share}")
    if not (metadata["identity"] != UNKNOWN).any():
        raise UserError("no image of a known individual: there is nothing to split")
    from megalib.wildlife import splits  # takes seconds to import

    splitter = splits.ClosedSetSplit(share, identity_skip=UNKNOWN, seed=seed)
    train, test = splitter.split(metadata.assign(identity=_sortable(metadata["identity"])))[0]
    result = metadata.copy()
    result["split"] = pd.Series(dtype=object)
    result.loc[train, "split"] = "train"
    result.loc[test, "split"] = "test"
    return result


def _sortable(identity: pd.Series) -> pd.Series:
    """Identities as numbers where all are different numbers, otherwise as they are.

    The published split was made of a file in which numbers were read as such, and goes through
    the individuals in sorted order; numbers sort in another way than their texts. Where two names
    are one number, as "7" and "007", they stay names: nobody becomes someone else.
    """
    numbers = pd.to_numeric(identity, errors="coerce")
    if numbers.isna().any() or numbers.nunique() != identity.nunique():
        return identity
    return numbers


def aggregate(metadata: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the training parts of several datasets into the training set of a MegaDescriptor.

    Args:
        metadata: prepared metadata by the name of the dataset.

    Returns:
        The training rows of all, with the dataset's name in a column of its own and before
        identity ("LionData_Maskio") and path ("LionData/…"), so that equal names do not meet.
    """
    parts = [
        part[part["split"] == "train"].assign(
            dataset=name,
            identity=lambda rows, name=name: name + "_" + rows["identity"],
            path=lambda rows, name=name: name + "/" + rows["path"],
        )
        for name, part in metadata.items()
    ]
    return pd.concat(parts)


def digest(image_ids: Iterable[object]) -> str:
    """SHA-256 of the sorted image ids, as text, joined by a newline."""
    text = "\n".join(sorted(str(image_id) for image_id in image_ids))
    return hashlib.sha256(text.encode()).hexdigest()


def is_published(dataset: str, metadata: pd.DataFrame) -> bool | None:
    """Whether a split is the published one, by the digests of its parts; None if not known.

    Args:
        dataset: name of the dataset.
        metadata: with `image_id` and `split`.
    """
    facts = published.datasets()
    if dataset not in facts.index or pd.isna(facts.loc[dataset, "train_sha256"]):
        return None
    fact = facts.loc[dataset]
    return all(
        digest(metadata.loc[metadata["split"] == part, "image_id"]) == fact[f"{part}_sha256"]
        for part in PARTS
    )


def compare_with_published(dataset: str, metadata: pd.DataFrame, file: Path | None = None) -> str:
    """Say in one or two sentences how a split relates to the published one.

    The digests of the published split tell whether it is the same. What exactly differs can be
    told only where the published metadata file is on disk, see `published.fetch_metadata`.

    Args:
        dataset: name of the dataset.
        metadata: with `image_id`, `identity` and `split`.
        file: that holds them, if it shall be compared too.
    """
    facts = published.datasets()
    if dataset not in facts.index:
        return "There is no published split of these pictures."
    same = is_published(dataset, metadata)
    if same is None:
        return "The digest of the published split is not known, so it cannot be compared."
    fact, found = facts.loc[dataset], metadata["split"].value_counts()
    if same:
        counts = ", ".join(f"{found[part]} {part}" for part in PARTS)
        text = f"Identical to the published split ({counts} images)."
        if file and hashlib.sha256(file.read_bytes()).hexdigest() == fact["metadata_sha256"]:
            text += " The metadata file is the published one, byte for byte."
        return text
    kept = published.metadata_file(dataset)
    if kept.is_file():
        return f"Differs from the published split: {_differences(metadata, read(kept))}."
    counts = ", ".join(
        f"{found.get(part, 0)} instead of {fact[f'n_{part}']:.0f} {part} images" for part in PARTS
    )
    return (
        f"Differs from the published split: {counts}. Likely reasons: labels that were corrected "
        "since, missing images, or another seed or share."
    )


def _differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """How many images differ, by likely reason."""
    ours, theirs = (
        part.assign(image_id=part["image_id"].astype(str)).set_index("image_id")
        for part in (ours, theirs)
    )
    both = ours.index.intersection(theirs.index)
    left, right = ours.loc[both], theirs.loc[both]
    renamed = left["identity"].astype(str) != right["identity"]
    moved = left["split"].fillna("") != right["split"].fillna("")
    counts = {
        "missing here (not in the raw dataset, or unreadable)": len(
            theirs.index.difference(ours.index)
        ),
        "not in it (the dataset has grown since)": len(ours.index.difference(theirs.index)),
        "of another identity (labels corrected since)": int(renamed.sum()),
        "in another part (another seed or share, or a consequence of the above)": int(moved.sum()),
    }
    return "; ".join(f"{count} {what}" for what, count in counts.items() if count)


def prove(dataset: str, address: str = published.METADATA_URL) -> str:
    """Fetch the published metadata of a dataset, divide them again, and compare.

    Args:
        dataset: one of those whose digests are known.
        address: see `published.fetch_metadata`.

    Returns:
        What `compare_with_published` says.

    Raises:
        UserError: the metadata cannot be fetched, or are not the published ones.
    """
    theirs = read(published.fetch_metadata(dataset, address))
    ours = add_closed_set_split(theirs.drop(columns="split"), 0.8, 666)
    return compare_with_published(dataset, ours)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; one line per dataset, and a failure if one is not identical."""
    known = published.datasets().dropna(subset="metadata_sha256").index
    parser = argparse.ArgumentParser(description=prove.__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=list(known), help="all known by default")
    parser.add_argument("--address", default=published.METADATA_URL, help="of the published files")
    options, proven = parser.parse_args(arguments), 0
    for dataset in options.datasets:
        try:
            told = prove(choose("dataset", dataset, known), options.address)
        except UserError as error:
            told = str(error)
        proven += told.startswith("Identical")
        print(f"{dataset}: {told}")
    print(f"{proven} of {len(options.datasets)} identical")
    if proven < len(options.datasets):
        sys.exit(1)


if __name__ == "__main__":
    main()
