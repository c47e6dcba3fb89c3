"""New photographs against known individuals: ranked candidates, how likely, and whether new."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.data import catalogue, images, loaders, preparation
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import Run, inside, resolve
from megalib.files.writing import told_if_unwritable, whole_file
from megalib.flavours import Flavour
from megalib.retrieval import caching, extraction


@dataclass(frozen=True)
class Photographs:
    """Prepared photographs and their embeddings.

    `metadata` has `image_id, identity, path` and `photograph`, the path below the user's own
    folder; `rows` are float32 (len(metadata), d); `folder` holds the prepared images; `weights` is
    the SHA-256 of the network's weights, see `caching.digest_of`.
    """

    metadata: pd.DataFrame
    rows: np.ndarray
    folder: Path
    weights: str = ""


def embed_photographs(
    name: str,
    source: str | Path,
    named: bool,
    model: torch.nn.Module,
    flavour: Flavour,
    run: Run,
    device: torch.device,
    workers: int = 0,
    precision: str = "fp32",
) -> Photographs:
    """Prepare a folder of photographs and embed them; nothing that is finished is done again.

    Args:
        name: under which the prepared images are kept in the run.
        source: the folder, or a CSV file that describes its photographs, see `own`.
        named: whether it says who is in them.
        model: the network.
        flavour: which network it is.
        run: where prepared images and features go.
        device: where to compute.
        workers: processes that load images.
        precision: see `extraction.extract`.

    Raises:
        UserError: there is no such folder, or no image in it that can be read.
    """
    dataset = catalogue.own_pictures(name, source, named)
    raw = loaders.open_raw(dataset, dataset.folder(run.folder))
    metadata = preparation.prepare(dataset, raw, run, [flavour.stored_size])
    names = dict(zip(raw.df["image_id"].astype(str), raw.df["path"], strict=True))
    metadata = metadata.assign(photograph=metadata["image_id"].astype(str).map(names))
    files = extraction.images_of(flavour, metadata, run, name)
    file = run.features(flavour.name, name)
    rows = caching.cached(file, model, flavour, files, device, workers, precision, name)
    weights = caching.digest_of(model)
    return Photographs(metadata, rows, run.images(flavour.stored_size, name), weights)


def example(run: Run, dataset: str, into: Path, strangers: int = 3) -> tuple[Path, Path, pd.Series]:
    """Make an example of the two folders out of a prepared dataset.

    Training images become photographs of known individuals, test images the new photographs. The
    last few individuals, by name, are left out of the known ones. New photographs are numbered, so
    that their names do not say who is on them; that is written into `truth.csv`.

    Args:
        run: that holds the dataset.
        dataset: its name.
        into: where the folders `known/` and `new/` are made.
        strangers: how many individuals are left out.

    Returns:
        The folder of known individuals, that of new photographs, and who is in these: identities
        by file name.

    Raises:
        UserError: the dataset has not been prepared, has too few individuals, or names one or a
            path that leaves its folder.
    """
    metadata = read_metadata(run.metadata(dataset))
    metadata = metadata[metadata["split"].notna()]
    names = sorted(metadata["identity"].unique())
    if len(names) <= strangers + 1:
        raise UserError(f"{dataset} has {len(names)} individuals, too few for an example")
    copies, truth = {}, {}
    # In the order of the image ids, which are digests: neighbours show no animal in common.
    for row in metadata.sort_values("image_id").itertuples():
        image = inside(run.images(518, dataset), row.path)
        if row.split == "test":
            name = f"photo_{len(truth) + 1:03d}{image.suffix}"
            copies[into / "new" / name] = image
            truth[name] = row.identity
        elif row.identity not in names[-strangers:]:
            copies[inside(into / "known", row.identity) / image.name] = image
    answers = pd.Series(truth, name="identity").rename_axis("photograph")
    with locks.held(into, f"example of {dataset}"):
        _copy_all(copies, into)
        with whole_file(into / "truth.csv") as temporary:
            answers.to_csv(temporary)
    return into / "known", into / "new", answers


def _copy_all(copies: dict[Path, Path], into: Path) -> None:
    """Copy images that are not there yet, by target, and remove others.

    Copies keep the time of change: what was prepared of them is still of today.
    """
    with told_if_unwritable(into, *copies):
        for folder in (into / "known", into / "new"):
            folder.mkdir(parents=True, exist_ok=True)
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                if path not in copies:
                    path.unlink()
        for target, image in copies.items():
            images.check_is_there(image)
            if not _is_copy(target, image):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(image, target)


def _is_copy(target: Path, image: Path) -> bool:
    """Whether a file is a finished copy: `copy2` sets its time of change last."""
    if not target.is_file():
        return False
    ours, theirs = target.stat(), image.stat()
    return (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)


def folders(known: str, new: str, run: Run, example_of: str) -> tuple[Path, Path, pd.Series | None]:
    """The two folders that parameters name, or those of an example where they name none.

    Args:
        known: folder or CSV file of known individuals, or "".
        new: folder or CSV file of new photographs, or "".
        run: that holds the dataset of the example.
        example_of: the dataset of which the example is made.

    Returns:
        As `example`; the identities are None for one's own photographs.

    Raises:
        UserError: only one of the two is named.
    """
    if bool(known) != bool(new):
        raise UserError(
            "name both folders, that of known individuals (-p known FOLDER) and that of new "
            "photographs (-p new FOLDER), or neither for an example"
        )
    if known:
        return resolve(known), resolve(new), None
    return example(run, example_of, run.folder / "own" / "example")
