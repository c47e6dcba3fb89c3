"""Photographs of known individuals and new ones: prepared, described, embedded."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib.data import catalogue, images, loaders, noted, preparation
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import Run, inside
from megalib.files.writing import told_if_unwritable, whole_file
from megalib.flavours import SIFT, Flavour
from megalib.own import looks
from megalib.own.options import Options
from megalib.retrieval import caching, extraction


@dataclass(frozen=True)
class Photographs:
    """Prepared photographs and their embeddings.

    `metadata` has `image_id, identity, path`; `photograph`, the path below the user's own folder;
    `animal`, its number within the photograph; `box`, where it is there, x, y, width and height in
    pixels of the upright picture, () for all of it; and those of `noted.NOTED` that are known.
    `rows` are float32 (len(metadata), d); `folder` holds the prepared images; `weights` is the
    SHA-256 of the network's weights, see `caching.digest_of`. `source` is the user's own folder,
    and `kept` the one where their key points are kept, see `key_points`; without them, copies of a
    photograph are not noticed, and nothing is kept. `understood` is what reading them understood,
    in lines.
    """

    metadata: pd.DataFrame
    rows: np.ndarray
    folder: Path
    weights: str = ""
    source: Path | None = None
    kept: Path | None = None
    understood: str = ""

    def some(self, chosen: np.ndarray) -> "Photographs":
        """Some of them: by numbers, in their order, or by bool (n,)."""
        metadata = self.metadata.iloc[chosen].reset_index(drop=True)
        return replace(self, metadata=metadata, rows=self.rows[chosen])


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
    options: Options | None = None,
) -> Photographs:
    """Prepare a folder of photographs and embed them; nothing that is finished is done again.

    Args:
        name: under which the prepared images are kept in the run.
        source: the folder, or a list that describes its photographs, see `own.listing`.
        named: whether it says who is in them.
        model: the network.
        flavour: which network it is.
        run: where prepared images and features go.
        device: where to compute.
        workers: processes that load images.
        precision: see `extraction.extract`.
        options: how the folder or list is read.

    Returns:
        The photographs, sorted by their paths and by the numbers of the animals on them, so that
        the order of files and of lines decides nothing.

    Raises:
        UserError: there is no such folder, or no image in it that can be read.
    """
    dataset = catalogue.own_pictures(name, source, named, options)
    raw = loaders.open_raw(dataset, dataset.folder(run.folder))
    metadata = preparation.prepare(dataset, raw, run, [flavour.stored_size])
    metadata = noted.with_noted(run, name, _placed(metadata, raw.df))
    files = extraction.images_of(flavour, metadata, run, name)
    file = run.features(flavour.name, name)
    rows = caching.cached(file, model, flavour, files, device, workers, precision, name)
    weights = caching.digest_of(model)
    kept = run.features(SIFT, name).with_suffix("")
    folder = run.images(flavour.stored_size, name)
    understood = loaders.understood(dataset, raw)
    shown = [inside(folder, path) for path in metadata["path"]]
    for sentence in looks.in_words(shown, metadata["photograph"].tolist()):
        print(f"  look: {sentence}")
        understood += f"\n  look: {sentence}"
    return Photographs(metadata, rows, folder, weights, Path(raw.root), kept, understood)


def _placed(metadata: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Prepared images with the photograph of each, and which animal on it, sorted by both.

    Animals on one photograph are numbered by their boxes, from the left, also those that could not
    be prepared.
    """
    places = pd.DataFrame({"photograph": raw["path"].str.replace(os.sep, "/")})
    places["box"] = raw["bbox"].map(_as_tuple) if "bbox" in raw else [()] * len(raw)
    places = places.set_index(raw["image_id"].astype(str).rename("image_id"))
    places = places.sort_values(["photograph", "box", "image_id"])
    places["animal"] = places.groupby("photograph").cumcount() + 1
    table = metadata.assign(image_id=metadata["image_id"].astype(str))
    table = table.join(places[["photograph", "animal", "box"]], on="image_id")
    return table.sort_values(["photograph", "animal"], ignore_index=True)


def _as_tuple(box: object) -> tuple[float, ...]:
    """Four numbers, or none where the whole picture is meant."""
    return tuple(box) if isinstance(box, list | tuple | np.ndarray) else ()


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
