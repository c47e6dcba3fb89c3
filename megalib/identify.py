"""New photographs against known individuals: ranked candidates, how likely, and whether new."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib import (
    catalogue,
    features,
    inference,
    locks,
    open_set,
    prepare,
    raw_data,
    retrieval,
    splits,
)
from megalib.errors import UserError
from megalib.files import Run, inside, resolve, shown, told_if_unwritable
from megalib.flavours import Flavour

REPEATS = 5  # ways in which the known photographs are divided to learn from them


@dataclass(frozen=True)
class Photographs:
    """Prepared photographs and their embeddings.

    `metadata` has `image_id, identity, path` and `photograph`, the path below the user's own
    folder; `rows` are float32 (len(metadata), d); `folder` holds the prepared images.
    """

    metadata: pd.DataFrame
    rows: np.ndarray
    folder: Path


@dataclass(frozen=True)
class Judgement:
    """What was learned from the known individuals alone; None where they are too few.

    `threshold` is the similarity below which an animal is called new. `probability_of` turns the
    similarities of candidates into probabilities that they are right, if the animal is a known one.
    """

    threshold: float | None
    probability_of: Callable[[np.ndarray], np.ndarray] | None


def embed(
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
        precision: see `features.extract`.

    Raises:
        UserError: there is no such folder, or no image in it that can be read.
    """
    dataset = catalogue.own_pictures(name, source, named)
    folder = raw_data.fetch(dataset, run.folder, download=False)
    metadata = prepare.prepare(dataset, folder, run, [flavour.stored_size])
    raw = raw_data.read(dataset, folder).df
    names = dict(zip(raw["image_id"].astype(str), raw["path"], strict=True))
    metadata = metadata.assign(photograph=metadata["image_id"].astype(str).map(names))
    images = inference.images_of(flavour, metadata, run, name)
    file = run.features(flavour.name, name)
    rows = features.cached(file, model, flavour, images, device, workers, precision, name)
    return Photographs(metadata, rows, run.images(flavour.stored_size, name))


def learn(
    known: Photographs,
    candidates: int,
    seed: int = 0,
    device: str | torch.device = "cpu",
    report: Callable[[str], None] = print,
) -> Judgement:
    """Learn from the known individuals when an animal is new, and how likely matches are right.

    Several times, half of the photographs of each individual play the new ones and the other half
    the known ones; for the threshold, a third of the individuals is taken out of the known ones.
    The threshold is the one of greatest geometric mean of BAKS and BAUS, see `open_set.sweep`; the
    probabilities are a logistic calibration over all candidates, see `open_set.calibrate`. No
    individual is taken out for these: they hold if the animal is among the known ones. How often
    it is not, nobody can learn from the known ones.

    Args:
        known: photographs of known individuals.
        candidates: how many are ranked for each photograph.
        seed: of the divisions.
        device: where to compare.
        report: takes a line where something cannot be learned.
    """
    parts = [
        splits.add_closed_set_split(known.metadata, 0.5, seed + number) for number in range(REPEATS)
    ]
    threshold, probability_of = None, None
    try:
        threshold = _threshold(parts, known.rows, seed, device)
    except UserError as error:
        report(f"no animal can be called new: {error}")
    try:
        probability_of = _calibration(parts, known.rows, candidates, device)
    except UserError as error:
        report(f"no probabilities: {error}")
    return Judgement(threshold, probability_of)


def _threshold(
    parts: list[pd.DataFrame], rows: np.ndarray, seed: int, device: str | torch.device
) -> float:
    tables = []
    for number, part in enumerate(parts):
        hidden = open_set.hide_individuals(part, 1 / 3, seed + number)
        is_new = hidden.loc[hidden["split"] == "test", "is_new"].to_numpy()
        tables.append(inference.match(hidden, rows, device=device).assign(is_new=is_new))
    table = open_set.sweep(pd.concat(tables, ignore_index=True))
    return float(table.loc[table["geometric_mean"].idxmax(), "threshold"])


def _calibration(
    parts: list[pd.DataFrame], rows: np.ndarray, candidates: int, device: str | torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    similarities, rights = [], []
    for part in parts:
        test, train = ((part["split"] == kind).to_numpy() for kind in ("test", "train"))
        identity = part["identity"].to_numpy()
        most = min(candidates, len(set(identity[train])))
        names, _, similarity = retrieval.nearest_individuals(
            rows[test], rows[train], identity[train], most, device
        )
        similarities.append(similarity.ravel())
        rights.append((names == identity[test, None]).ravel())
    return open_set.calibrate(np.concatenate(similarities), np.concatenate(rights), "logistic")


def rank(
    new: Photographs,
    known: Photographs,
    judgement: Judgement,
    candidates: int,
    device: str | torch.device = "cpu",
) -> pd.DataFrame:
    """Rank the known individuals for each new photograph.

    Args:
        new: photographs of animals to be identified.
        known: photographs of known individuals; those of unknown ones are left out.
        judgement: of `learn`.
        candidates: how many to give, at most as many as there are individuals.
        device: where to compare.

    Returns:
        One row per photograph and candidate, the nearest first: `photograph`, `rank` from 1, the
        `candidate`, its nearest `known_photograph`, their `similarity` in [-1, 1], the
        `probability` in [0, 1] that it is right if the animal is a known one, `new_individual`
        ("yes", "no", or empty where that could not be learned; the same in all rows of a
        photograph), and `path` and `known_path` of the prepared images.

    Raises:
        UserError: no known photograph shows a known individual.
    """
    shows_known = (known.metadata["identity"] != splits.UNKNOWN).to_numpy()
    database = known.metadata[shows_known]
    identity = database["identity"].to_numpy()
    most = min(candidates, len(set(identity)))
    names, index, similarity = retrieval.nearest_individuals(
        new.rows, known.rows[shows_known], identity, most, device
    )
    flat, place = similarity.ravel(), index.ravel()
    query = new.metadata.iloc[np.repeat(np.arange(len(new.rows)), most)]
    table = pd.DataFrame(
        {
            "photograph": query["photograph"].to_numpy(),
            "rank": np.tile(np.arange(1, most + 1), len(new.rows)),
            "candidate": names.ravel(),
            "known_photograph": database["photograph"].to_numpy()[place],
            "similarity": flat,
            "probability": np.nan,
            "new_individual": "",
            "path": query["path"].to_numpy(),
            "known_path": database["path"].to_numpy()[place],
        }
    )
    if judgement.probability_of is not None:
        table["probability"] = judgement.probability_of(flat)
    if judgement.threshold is not None:
        decided = open_set.decide(names[:, 0], similarity[:, 0], judgement.threshold)
        table["new_individual"] = np.repeat(np.where(decided == splits.UNKNOWN, "yes", "no"), most)
    return table


def example(run: Run, dataset: str, into: Path, strangers: int = 3) -> tuple[Path, Path, pd.Series]:
    """Make an example of the two folders out of a prepared dataset.

    Training images become photographs of known individuals, test images the new photographs. The
    last few individuals, by name, are left out of the known ones.

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
    metadata = splits.read(run.metadata(dataset))
    metadata = metadata[metadata["split"].notna()]
    names = sorted(metadata["identity"].unique())
    if len(names) <= strangers + 1:
        raise UserError(f"{dataset} has {len(names)} individuals, too few for an example")
    copies, truth = {}, {}
    for row in metadata.itertuples():
        image = inside(run.images(518, dataset), row.path)
        if row.split == "test":
            copies[into / "new" / image.name] = image
            truth[image.name] = row.identity
        elif row.identity not in names[-strangers:]:
            copies[inside(into / "known", row.identity) / image.name] = image
    with locks.held(into, f"example of {dataset}"):
        _copy_all(copies, into)
    return into / "known", into / "new", pd.Series(truth, name="identity")


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
            if not image.is_file():
                raise UserError(
                    f"image {shown(image)} is missing: run 1_prepare.ipynb of its dataset again"
                )
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


def told(table: pd.DataFrame, threshold: float | None, file: Path) -> str:
    """One sentence about what was found.

    Args:
        table: of `rank`.
        threshold: of the judgement.
        file: into which the table was written.
    """
    first = table[table["rank"] == 1]
    text = f"{len(first)} new photographs, their candidates in {shown(file)}"
    if threshold is None:
        return text
    strange = (first["new_individual"] == "yes").sum()
    return f"{text}; {strange} are probably new animals (similarity below {threshold:.2f})"


def marked(table: pd.DataFrame, truth: pd.Series, known: Photographs) -> str:
    """Compare with the truth of `example`, in one sentence.

    Args:
        table: of `rank`.
        truth: identities by file name.
        known: the photographs of known individuals.
    """
    first = table[table["rank"] == 1]
    identity = first["photograph"].map(truth)
    is_known = identity.isin(known.metadata["identity"]).to_numpy()
    called_new = (first["new_individual"] == "yes").to_numpy()
    right = (first["candidate"] == identity).to_numpy()
    found = table[table["candidate"] == table["photograph"].map(truth)]["photograph"].nunique()
    return (
        f"of {is_known.sum()} photographs of known animals, {right.sum()} have the right one as "
        f"first candidate and {found} among all candidates, and {(called_new & is_known).sum()} "
        f"are called new; of {(~is_known).sum()} photographs of new animals, "
        f"{(called_new & ~is_known).sum()} are called new"
    )
