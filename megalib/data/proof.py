"""The splits of a run beside the published ones.

On the command line, the published metadata are fetched, divided again, and compared::

    python -m megalib.data.proof            all datasets whose digests are known
    python -m megalib.data.proof LionData
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from megalib.data import published
from megalib.data.metadata import PARTS, read_metadata
from megalib.data.splits import add_closed_set_split
from megalib.errors import UserError, choose


def digest(image_ids: Iterable[object]) -> str:
    """SHA-256 of the sorted image ids, as text, joined by a newline."""
    text = "\n".join(sorted(str(image_id) for image_id in image_ids))
    return hashlib.sha256(text.encode()).hexdigest()


def is_published(dataset: str, metadata: pd.DataFrame) -> bool | None:
    """Whether the `split` of metadata is the published one, by digests; None if not known."""
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
        return f"Differs from the published split: {_differences(metadata, read_metadata(kept))}."
    counts = ", ".join(
        f"{found.get(part, 0)} instead of {fact[f'n_{part}']:.0f} {part} images" for part in PARTS
    )
    return (
        f"Differs from the published split: {counts}. Likely reasons: labels that were corrected "
        "since, missing images, or another seed or share."
    )


def _differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """How many images differ, by likely reason."""
    ours, theirs = (part.set_index(part["image_id"].astype(str)) for part in (ours, theirs))
    both = ours.index.intersection(theirs.index)
    left, right = ours.loc[both], theirs.loc[both]
    renamed = left["identity"].astype(str) != right["identity"]
    moved = left["split"].fillna("") != right["split"].fillna("")
    missing = theirs.index.difference(ours.index)
    counts = {
        "missing here (not in the raw dataset, or unreadable)": len(missing),
        "not in it (the dataset has grown since)": len(ours.index.difference(theirs.index)),
        "of another identity (labels corrected since)": int(renamed.sum()),
        "in another part (another seed or share, or a consequence of the above)": int(moved.sum()),
    }
    return "; ".join(f"{count} {what}" for what, count in counts.items() if count)


def prove(dataset: str, address: str = published.METADATA_URL) -> str:
    """Fetch the published metadata of a dataset, divide them again, and say how they compare.

    Raises:
        UserError: the metadata cannot be fetched, or are not the published ones.
    """
    theirs = read_metadata(published.fetch_metadata(dataset, address))
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


def datasets_of(metadata: pd.DataFrame) -> pd.DataFrame:
    """Of each dataset in a training set: `images`, `individuals`, and the `digest` of image ids."""
    return metadata.groupby("dataset", sort=False).agg(
        images=("image_id", "size"),
        individuals=("identity", "nunique"),
        digest=("image_id", digest),
    )


if __name__ == "__main__":
    main()
