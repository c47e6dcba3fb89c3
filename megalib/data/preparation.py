"""Raw dataset to prepared images in several sizes, and metadata with the split."""

from collections.abc import Sequence

import pandas as pd

from megalib.data import loaders, noted, problems, splits, truth
from megalib.data.catalogue import Dataset
from megalib.data.metadata import UNKNOWN
from megalib.data.preparing import making, planning
from megalib.data.problems import Problem
from megalib.data.wildlife import WildlifeDataset
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file


def prepare(
    dataset: Dataset,
    source: WildlifeDataset,
    run: Run,
    sizes: Sequence[int] = (256, 518),
    train_share: float = 0.8,
    seed: int = 666,
    published_metadata: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Crop and resize the images of a dataset and write its metadata with the split.

    Each picture is read once; each animal in it is cropped by the dataset's rule and resized so
    that its shorter side has each of the sizes, on as many threads as torch uses. Images that an
    earlier call finished are kept, unless the picture, its box or mask, the rule or a library has
    changed since; what is no longer of this dataset is removed. Of one's own pictures, what was
    understood is printed. What cannot be read is left out and listed in `problems.csv`; `noted.csv`
    says what else the dataset notes of its images, and `truth.csv` what is known of drawn animals.
    The metadata file is written last: where it is, the images are complete.

    Args:
        dataset: an entry of the catalogue, or one's own pictures.
        source: the raw dataset, as `loaders.open_raw` opened it.
        run: where images, metadata and problems go.
        sizes: lengths of the shorter side in pixels.
        train_share: part of the images that goes to training.
        seed: of the split.
        published_metadata: as `published.fetch_metadata` returns it, to be taken in place of a
            split of one's own.

    Returns:
        The metadata of the prepared images: `image_id, identity, path`, `date` where the dataset
        has one, and `split`.

    Raises:
        UserError: no image can be read, the metadata name a path outside their folder, or a file
            cannot be written.
    """
    if not sizes or any(size <= 0 for size in sizes):
        raise UserError(f"sizes must be one or more numbers of pixels, not {list(sizes)}")
    name, metadata = dataset.name, published_metadata
    if report := loaders.understood(dataset, source):
        print(report)
    if metadata is None:
        rows = planning.rows_of(dataset, source)
        metadata = _split(dataset, source, rows, train_share, seed)
    jobs, left_out = planning.plan(dataset, source, metadata, run, sizes)
    with locks.held(run.metadata(name), f"preparation of {name}"):
        kept, failed = making.make_missing(jobs, source, dataset, run)
        left_out += failed
        lost = {problem.image_id for problem in left_out}
        metadata = metadata[~metadata["image_id"].astype(str).isin(lost)]
        unread = _unread(dataset, source)
        problems.write(run, name, [*left_out, *unread])
        if metadata.empty:
            raise UserError(
                f"none of the {len(left_out)} images of {name} could be prepared: "
                f"see {shown(run.problems(name))}"
            )
        if lost and dataset.own is not None and published_metadata is None:
            # Nothing has been published of these: only what can be read is divided.
            rows = metadata[dataset.columns].reset_index(drop=True)
            metadata = _split(dataset, source, rows, train_share, seed)
        noted.write(run, name, source, metadata["image_id"])
        truth.write(run, dataset, source, metadata["image_id"])
        with whole_file(run.metadata(name)) as temporary:
            metadata.to_csv(temporary)
    print(_summary(name, run, metadata, kept, len(left_out), len(unread)))
    return metadata


def _split(
    dataset: Dataset, source: WildlifeDataset, rows: pd.DataFrame, train_share: float, seed: int
) -> pd.DataFrame:
    if not dataset.named:  # new photographs: nobody knows whom they show
        return rows.assign(split=None)
    if dataset.own is not None and source.df["split"].notna().any():
        by_id = source.df.set_index(source.df["image_id"].astype(str))["split"]
        given = rows["image_id"].astype(str).map(by_id)
        return rows.assign(split=given.where(rows["identity"] != UNKNOWN, None))
    return splits.add_closed_set_split(rows, train_share, seed)


def _unread(dataset: Dataset, source: WildlifeDataset) -> list[Problem]:
    """The lines and files of one's own pictures that were left out when they were read."""
    if dataset.own is None:
        return []
    return [
        Problem("", one.path or one.where, f"{one.where}: {one.reason}".removeprefix(": "))
        for one in source.listing.left_out
        if not one.is_usual
    ]


def _summary(
    name: str, run: Run, metadata: pd.DataFrame, kept: int, left_out: int, unread: int
) -> str:
    text = f"{name}: {len(metadata)} images prepared"
    if kept:
        text += f", {kept} of them by an earlier run"
    if left_out:
        text += f"; {left_out} could not be, see {shown(run.problems(name))}"
    if unread:
        text += f"; {unread} lines or files were left out, see {shown(run.problems(name))}"
    test, train = (metadata[metadata["split"] == part] for part in ("test", "train"))
    alone = (~test["identity"].isin(train["identity"])).sum()
    if alone:
        text += f"; {alone} test images lost all training images of their individual"
    return text
