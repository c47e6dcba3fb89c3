"""Draw all pictures of a species into a folder, with annotations that say who is where.

The folder holds `images/<animal>/<animal>_<picture>.jpg` (or `.png`), `drawing.json` with the
settings, and `annotations.csv`, which is written last: a drawing that was stopped is never taken
for a finished one. Until then, `unfinished/` holds what is known of each finished animal.
"""

import csv
import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from megalib.drawn.animals.species import SPECIES, number_of
from megalib.drawn.photographs.camera import encoded
from megalib.drawn.photographs.pictures import draw_picture
from megalib.errors import choose
from megalib.files.processes import end_with_parent
from megalib.files.writing import told_if_unwritable, whole_file

SEED = 2024
INDIVIDUALS = 12
PICTURES = 24

ANNOTATIONS = "annotations.csv"
SETTINGS = "drawing.json"
UNFINISHED = "unfinished"
UNKNOWN = "unknown"  # the identity of animals that could not be identified
PAIR_EVERY = 6  # in a species that is met in pairs, every sixth picture holds two animals
FIRST_DAY = np.datetime64("2019-06-01")
SURVEY_DAYS = 40  # days on which somebody went out, over about four years
DAYS_PER_INDIVIDUAL = 8

_DATES = 3  # a word that tells the generator of dates from those of coats and pictures


def draw(
    species: str,
    folder: Path,
    seed: int = SEED,
    individuals: int = INDIVIDUALS,
    pictures: int = PICTURES,
    workers: int | None = None,
    version: str = "",
) -> None:
    """Draw all animals of a species; same seed, same pixels, whatever the number of processes.

    A drawing that was stopped goes on where it was, if settings and version are still the same; a
    finished one is drawn anew.

    Args:
        species: A key of `SPECIES`: "zebra", "leopard", "turtle" or "whale_shark".
        folder: Receives the pictures; made if missing.
        seed: Of coats, pictures and days.
        individuals: Number of animals that have a name.
        pictures: Number of pictures of each.
        workers: Number of processes; None takes one per core.
        version: Of the drawing code, where that may change between two calls.

    Raises:
        UserError: There is no such species, or the folder cannot be written.
        BrokenProcessPool: A process was killed, as happens when memory runs out.
    """
    kind = SPECIES[choose("species", species, SPECIES)]
    settings = {"seed": seed, "individuals": individuals, "pictures": pictures}
    with told_if_unwritable(folder, folder / "images"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ANNOTATIONS).unlink(missing_ok=True)
        _begin(folder, json.dumps(settings | {"version": version}))
        # Unidentified animals come after the named ones, with fewer pictures each.
        strangers = -(-individuals // 4) if kind.strangers else 0
        counts = [pictures] * individuals + [-(-pictures // 3)] * strangers
        # Forked workers would inherit the locks of threads that they lack, so they are spawned.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _begin_worker) as pool:
            jobs = [(folder, species, *job, seed, individuals) for job in enumerate(counts)]
            drawings = [pool.submit(_draw_animal, *job) for job in jobs]
            try:
                rows = [row for drawing in tqdm(drawings, species) for row in drawing.result()]
            except BaseException:
                pool.shutdown(cancel_futures=True)  # else all others would be drawn first
                raise
        _write(folder / SETTINGS, json.dumps(settings) + "\n")
        with whole_file(folder / ANNOTATIONS) as temporary, temporary.open("w") as file:
            table = csv.DictWriter(file, rows[0], lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        shutil.rmtree(folder / UNFINISHED)


def _begin(folder: Path, settings: str) -> None:
    """Keep the animals that an unfinished drawing of the same settings has; remove others."""
    mark = folder / UNFINISHED / SETTINGS
    if mark.is_file() and mark.read_text() == settings:
        return
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    shutil.rmtree(folder / "images", ignore_errors=True)
    _write(mark, settings)


def _begin_worker() -> None:
    """One thread for each process, which ends with the one that started it."""
    end_with_parent()
    cv2.setNumThreads(1)


def _draw_animal(
    folder: Path, species: str, animal: int, count: int, seed: int, individuals: int
) -> list[dict]:
    """Draw all pictures of one animal, unless it is finished: the work of one process.

    Returns:
        A row of the annotations for every animal in every picture.
    """
    name, kind = _name(species, animal), SPECIES[species]
    finished = folder / UNFINISHED / f"{name}.json"
    if finished.is_file():
        return json.loads(finished.read_text())
    (folder / "images" / name).mkdir(parents=True, exist_ok=True)
    days, rows = sighting_days(seed, species, animal, count), []
    for picture, day in enumerate(days):
        other = companion(animal, picture, individuals) if kind.pairs else None
        light_of = day if kind.dated else None
        pixels, sightings = draw_picture(seed, species, animal, picture, other, light_of)
        path = f"images/{name}/{name}_{picture:03d}{kind.extension}"
        (folder / path).write_bytes(encoded(pixels, kind.extension))
        for seen in sightings:
            is_named = seen.individual < individuals
            row = {
                "path": path,
                "identity": _name(species, seen.individual) if is_named else UNKNOWN,
                "species": species.replace("_", " "),
                "orientation": seen.facing if kind.flanks else "top",
                "date": str(FIRST_DAY + day),
            }
            rows.append(row | dict(zip(("x", "y", "width", "height"), seen.bbox, strict=True)))
    _write(finished, json.dumps(rows))
    return rows


def companion(animal: int, picture: int, individuals: int) -> int | None:
    """Choose who else is in a picture; over all pictures everyone is chosen equally often."""
    turn, rest = divmod(picture, PAIR_EVERY)
    if rest != PAIR_EVERY - 1 or individuals < 2:
        return None
    return (animal + 1 + turn % (individuals - 1)) % individuals


def sighting_days(seed: int, species: str, animal: int, pictures: int) -> list[int]:
    """Draw the days of an animal's pictures, in order, counted from the first day."""
    number = number_of(species)
    survey = np.random.default_rng([seed, _DATES, number]).choice(1460, SURVEY_DAYS, replace=False)
    rng = np.random.default_rng([seed, _DATES, number, animal])
    own = rng.choice(survey, DAYS_PER_INDIVIDUAL, replace=False)
    return np.sort(rng.choice(own, pictures)).tolist()


def _name(species: str, animal: int) -> str:
    return f"{species}_{animal:02d}"


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text)
