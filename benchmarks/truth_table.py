"""What the demo shows: the truth table of drawn worlds, measured, and beside it what is expected.

    python benchmarks/truth_table.py --seed 1 --seed 2 --record
    python benchmarks/truth_table.py --seed 5 --individuals 6 --training-seeds 0 --flavours pocket-T

For each world seed all species are drawn and prepared as the demo does it, and asked about by
thumbnails, SIFT, and the pocket networks with random weights, with those of ImageNet, and trained:
on the random split, on the earlier days, and on one flank of each animal. Each of these parts is
kept in the folder, so that an interrupted run goes on; the table is printed at the end. `--record`
keeps it for the page of the book, in `data/demo/`.

Each part runs on one core, so that the number of cores changes no figure.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from megalib import flavours, stamp
from megalib.book import notebook
from megalib.data import catalogue, drawn_by, loaders, preparation, splits, training_set, truth
from megalib.data.images import load
from megalib.data.metadata import UNKNOWN, read_metadata
from megalib.drawn import drawing
from megalib.errors import UserError, choose
from megalib.evaluation import masks, metrics
from megalib.evaluation.demo import record, truth_table
from megalib.evaluation.demo.expectations import BACKGROUND, FLANK, LATER, NEAR_AND_FLAT, RANDOM
from megalib.evaluation.judging import days
from megalib.files import processes
from megalib.files.places import Run, inside, runs_root
from megalib.files.writing import whole_file, write_whole
from megalib.flavours import POCKET, SIFT, Flavour
from megalib.models import networks
from megalib.retrieval import extraction, matching, sift
from megalib.training import loop
from megalib.training.settings import Settings

CPU = torch.device("cpu")
DATASETS = [entry.name for entry in catalogue.DRAWN]
SIZE = 256  # of the prepared images that all methods read
KEYPOINTS = 150  # of SIFT, as in the demo
FOLDS = 5  # in which near, flat photographs are divided, so that each is asked once


@dataclass(frozen=True)
class Part:
    """What one process measures: who answers, with which weights, and the seed of these."""

    method: str
    weights: str = ""
    seed: int | None = None
    division: str = RANDOM  # by which the network is trained

    def __str__(self) -> str:
        """As a line of the report, and as the name of a file."""
        told = [self.method, self.weights, self.division, "" if self.seed is None else self.seed]
        return " ".join(str(word) for word in told if word != "")


# The world


def make_world(seed: int, individuals: int, pictures: int) -> Run:
    """Draw all species of a world and prepare them, unless that has been done."""
    run = Run(f"world-{seed}-{individuals}x{pictures}")
    for entry in catalogue.DRAWN:
        folder, today = entry.folder(run.raw()), drawn_by.today()
        if stamp.read(drawn_by.file(folder)) != today:
            how = {"individuals": individuals, "pictures": pictures, "version": today["code"]}
            drawing.draw(entry.species, folder, seed, **how)
            stamp.write(drawn_by.file(folder), today)
        preparation.prepare(entry, loaders.open_raw(entry, folder), run, [SIZE])
    swap_backgrounds(run, seed)
    return run


def swapped(run: Run) -> Run:
    """The same world, whose test images have other backgrounds."""
    return Run(f"{run.profile}/swapped")


def swap_backgrounds(run: Run, seed: int) -> None:
    """Copy the prepared images, each test image with the background of another animal's image.

    Species that are cut out of their pictures have none, and are left out.
    """
    mark, today = swapped(run).folder / "swapped-by.json", drawn_by.today()
    if stamp.read(mark) == today:
        return
    for entry in catalogue.DRAWN:
        name, rng = entry.name, np.random.default_rng(seed)
        if entry.crop == "crop_black":
            continue
        metadata = read_metadata(run.metadata(name))
        folder, target = (one.images(SIZE, name) for one in (run, swapped(run)))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        tested = metadata[metadata["split"] == "test"]
        for row in tested.itertuples():
            others = tested[tested["identity"] != row.identity]
            other = others.iloc[rng.integers(len(others))]
            pair = [
                (load(inside(folder, one.path)), truth.mask(run, name, one.image_id, SIZE))
                for one in (row, other)
            ]
            picture = io.BytesIO()
            # Without loss, whatever the name says: JPEG would change the animal once more.
            masks.swap_background(*pair[0], *pair[1]).save(picture, "PNG")
            write_whole(inside(target, row.path), picture.getvalue())
        with whole_file(swapped(run).metadata(name)) as temporary:
            metadata.to_csv(temporary)
    stamp.write(mark, today)


# How the photographs are divided into a database ("train") and queries ("test")


def divided(run: Run, dataset: str, division: str) -> list[pd.DataFrame]:
    """The metadata of a species with the split of a division; of some, one after another."""
    metadata, known = read_metadata(run.metadata(dataset)), truth.read_truth(run, dataset)
    known = known.loc[metadata["image_id"]].set_index(metadata.index)
    if division == LATER:
        return [splits.time_aware_split(metadata)]
    if division == FLANK:
        return [one_flank(metadata, known)]
    return near_and_flat(metadata, known) if division == NEAR_AND_FLAT else [metadata]


def one_flank(metadata: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Right flanks in the database, and the left ones of the same animals as queries.

    A species that has no flanks keeps its training part, so that networks learn from as many
    animals, and has no queries.
    """
    is_named = metadata["identity"] != UNKNOWN
    right, left = (is_named & (known["flank"] == side) for side in ("right", "left"))
    if not (right | left).any():
        return metadata.assign(split=metadata["split"].where(metadata["split"] == "train"))
    left &= metadata["identity"].isin(metadata.loc[right, "identity"])
    return metadata.assign(split=np.select([right, left], ["train", "test"], None))


def near_and_flat(metadata: pd.DataFrame, known: pd.DataFrame) -> list[pd.DataFrame]:
    """The near, flat photographs among each other, see `record.FLAT`.

    They are divided by encounters, in turn, so that each is a query once. It is asked only if the
    database then shows this flank of the animal.
    """
    near = (known["pixels"] >= record.NEAR) & (known["hidden"] <= record.SEEN)
    for angle, most in record.FLAT.items():
        near &= known[angle].abs() <= most
    near &= metadata["identity"] != UNKNOWN
    side = metadata["identity"] + " " + known["flank"]
    parts = []
    for fold in range(FOLDS):
        query = near & (known["encounter"] % FOLDS == fold)
        database = near & ~query
        query &= side.isin(side[database])
        if query.any():
            parts.append(
                metadata.assign(split=np.select([database, query], ["train", "test"], None))
            )
    return parts


# What each method answers


def counted(part: Part, condition: str, dataset: str, found: Iterable[tuple]) -> dict:
    """A row of the table.

    Args:
        part: who answers.
        condition: what was asked.
        dataset: about which species.
        found: pairs of the metadata with their split, and of the matches.
    """
    answers, chances = [], []
    for metadata, matches in found:
        database = metadata.loc[metadata["split"] == "train", "identity"].to_numpy()
        asked = matches["identity"].to_numpy()
        chances += [metrics.chance_of_top_1(asked, database)] * len(asked)
        answers += matches["correct"].tolist()
    species = catalogue.find(dataset).species.replace("_", " ")
    row = {"training_seed": part.seed, "method": part.method, "weights": part.weights}
    row |= {"condition": condition, "species": species, "n": len(answers)}
    return row | {"top_1": np.mean(answers).round(6), "chance": np.mean(chances).round(6)}


def asked(
    part: Part,
    run: Run,
    dataset: str,
    condition: str,
    match: Callable[[pd.DataFrame], pd.DataFrame],
) -> list[dict]:
    """Ask about one species under one condition; no row where that allows no query."""
    parts = [one for one in divided(run, dataset, condition) if (one["split"] == "test").any()]
    return (
        [counted(part, condition, dataset, [(one, match(one)) for one in parts])] if parts else []
    )


def by_thumbnails(part: Part, run: Run) -> list[dict]:
    """Thumbnails, which learn nothing: all conditions."""
    rows = []
    for dataset in DATASETS:
        match = partial(matching.match, rows=days.thumbnails(run, dataset))
        for condition in (RANDOM, LATER, FLANK):
            rows += asked(part, run, dataset, condition, match)
        if swapped(run).metadata(dataset).is_file():
            other = days.thumbnails(swapped(run), dataset)
            found = [(one, matching.match(one, other)) for one in divided(run, dataset, RANDOM)]
            rows.append(counted(part, BACKGROUND, dataset, found))
    return rows


def by_sift(part: Part, run: Run) -> list[dict]:
    """SIFT: the random split, and near, flat photographs; its ratio is chosen on each database."""
    rows = []
    for dataset in DATASETS:
        paths = read_metadata(run.metadata(dataset))["path"]
        files = [inside(run.images(SIZE, dataset), path) for path in paths]
        match = partial(matched_by_sift, described=sift.describe_all(files, KEYPOINTS, dataset))
        for condition in (RANDOM, NEAR_AND_FLAT):
            rows += asked(part, run, dataset, condition, match)
    return rows


def matched_by_sift(metadata: pd.DataFrame, described: Sequence[torch.Tensor]) -> pd.DataFrame:
    """The matches of SIFT, with the ratio that suits the database."""
    database = np.flatnonzero(metadata["split"] == "train")
    names = metadata["identity"].to_numpy()[database]
    ratio = sift.choose_ratio(names, [described[place] for place in database])
    return sift.match(metadata, described, ratio)[0]


def by_network(
    part: Part, run: Run, network: torch.nn.Module, flavour: Flavour, conditions: Sequence[str]
) -> list[dict]:
    """A network under some conditions: each image is embedded once, as inference does it."""
    rows = []
    for dataset in DATASETS:
        metadata = read_metadata(run.metadata(dataset))
        usual = extraction.embed(network, flavour, metadata, run, dataset, CPU)
        for condition in conditions:
            rows += asked(part, run, dataset, condition, partial(matching.match, rows=usual))
        if part.weights == "trained" and part.division == RANDOM:
            rows += before_another_background(part, run, network, flavour, dataset, usual)
    return rows


def before_another_background(
    part: Part,
    run: Run,
    network: torch.nn.Module,
    flavour: Flavour,
    dataset: str,
    usual: np.ndarray,
) -> list[dict]:
    """The test images with other backgrounds, asked among the same database."""
    if not swapped(run).metadata(dataset).is_file():
        return []
    metadata, other = read_metadata(run.metadata(dataset)), usual.copy()
    is_test = (metadata["split"] == "test").to_numpy()
    how = (network, flavour, metadata[is_test], swapped(run), dataset, CPU)
    other[is_test] = extraction.embed(*how)
    return [counted(part, BACKGROUND, dataset, [(metadata, matching.match(metadata, other))])]


def train(part: Part, run: Run) -> torch.nn.Module:
    """Train a network as the demo does, on the database of a division."""
    own = Run(f"{run.profile}/{part.division.replace(' ', '-')}-{part.seed}", run.profile)
    parts = {dataset: divided(run, dataset, part.division)[0] for dataset in DATASETS}
    flavour, recipe = flavours.get(part.method), flavours.recipe(part.method)
    settings = Settings(device="cpu", keep_in_memory=True)
    combined = training_set.joined(parts)
    network, _ = loop.train(flavour, recipe, combined, own, part.seed, "imagenet", settings)
    shutil.rmtree(own.weights(part.method))  # what was measured is kept, which is less
    return network


def measured(part: Part, run: Run) -> list[dict]:
    """The rows of one part."""
    if part.method == "thumbnails":
        return by_thumbnails(part, run)
    if part.method == SIFT:
        return by_sift(part, run)
    flavour = flavours.get(part.method)
    if part.weights == "random":
        network = networks.untrained_network(flavour, part.seed)
        return by_network(part, run, network, flavour, [RANDOM])
    if part.weights == "imagenet":
        conditions = [RANDOM, NEAR_AND_FLAT]
        return by_network(part, run, networks.pretrained(flavour), flavour, conditions)
    return by_network(part, run, train(part, run), flavour, [part.division])


# All parts of a world


def parts_of(names: Sequence[str], seeds: Sequence[int]) -> list[Part]:
    """All that is measured of a world, what takes longest first."""
    divisions = (RANDOM, LATER, FLANK)
    largest_first = list(reversed(names))
    return [
        *(Part(n, "trained", s, how) for n in largest_first for s in seeds for how in divisions),
        Part(SIFT),
        *(Part(name, "random", seed) for name in largest_first for seed in seeds),
        *(Part(name, "imagenet") for name in largest_first),
        Part("thumbnails"),
    ]


def kept(run: Run, part: Part) -> Path:
    """Where the rows of a part are kept; their stamp is beside them."""
    return run.folder / "parts" / f"{part}.csv"


def read_kept(file: Path) -> pd.DataFrame | None:
    """The rows of a part; None if there are none, or of other code."""
    if stamp.read(file.with_suffix(".json")) != record.today() or not file.is_file():
        return None
    return pd.read_csv(file, dtype=record.TYPES, keep_default_na=False, na_values=record.MISSING)


def measure_and_keep(part: Part, run: Run) -> Path:
    """Measure a part, quietly, and keep its rows: the work of one process."""
    file, today = kept(run, part), record.today()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        rows = pd.DataFrame(measured(part, run)).assign(commit=notebook.commit())
    with whole_file(file) as temporary:
        rows.to_csv(temporary, index=False)
    stamp.write(file.with_suffix(".json"), today)
    return file


def begin_worker() -> None:
    """One thread for each process, which ends with the one that started it."""
    processes.end_with_parent()
    torch.set_num_threads(1)


def measure_world(run: Run, parts: Sequence[Part], workers: int) -> pd.DataFrame:
    """All parts of a world, those that are not kept side by side, each on one core."""
    waiting = [part for part in parts if read_kept(kept(run, part)) is None]
    done = len(parts) - len(waiting)
    print(f"{run.profile}: {done} of {len(parts)} parts are there", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, begin_worker) as pool:
        jobs = {pool.submit(measure_and_keep, part, run): part for part in waiting}
        try:
            for number, job in enumerate(as_completed(jobs), done + 1):
                found = read_kept(job.result()).groupby("condition", sort=False)["top_1"].mean()
                told = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.items())
                print(f"{number} of {len(parts)}: {jobs[job]}: {told}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pd.concat([read_kept(kept(run, part)) for part in parts], ignore_index=True)


def measure(
    seeds: Sequence[int],
    names: Sequence[str] = tuple(POCKET),
    training_seeds: Sequence[int] = (0, 1, 2),
    individuals: int = drawing.INDIVIDUALS,
    pictures: int = drawing.PICTURES,
    workers: int | None = None,
) -> pd.DataFrame:
    """Measure some worlds below the folder of all runs; the columns are those of the record."""
    tables = []
    for seed in seeds:
        run = make_world(seed, individuals, pictures)
        table = measure_world(run, parts_of(names, training_seeds), workers or os.cpu_count())
        tables.append(table.assign(world_seed=seed))
    return pd.concat(tables, ignore_index=True)[record.COLUMNS]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, action="append", required=True, help="of a world")
    parser.add_argument("--training-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--flavours", nargs="+", default=list(POCKET))
    parser.add_argument("--individuals", type=int, default=drawing.INDIVIDUALS)
    parser.add_argument("--pictures", type=int, default=drawing.PICTURES)
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    parser.add_argument("--folder", type=Path, help="default: truth-table among the runs")
    parser.add_argument("--record", action="store_true", help="keep the table for the book")
    options = parser.parse_args()
    whole = {"training_seeds": [0, 1, 2], "flavours": list(POCKET)}
    whole |= {"individuals": drawing.INDIVIDUALS, "pictures": drawing.PICTURES}
    try:
        for name in options.flavours:
            choose("pocket network", name, POCKET)
        if options.record and any(getattr(options, key) != value for key, value in whole.items()):
            raise UserError("--record is for whole worlds, all pocket networks and three trainings")
        if options.record:
            record.check_seeds(options.seed)
        os.environ["MEGALIB_RUNS"] = str(options.folder or runs_root() / "truth-table")
        table = measure(
            options.seed,
            options.flavours,
            options.training_seeds,
            options.individuals,
            options.pictures,
            options.workers,
        )
        print(truth_table.as_text(table))
        if options.record:
            record.keep(table)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
