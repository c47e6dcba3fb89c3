"""Draw all pictures of a species into a folder, with annotations that say who is where.

::

    images/station_3/2020-05-17_0123_1.jpg    of a day and an encounter, the first picture (or .png)
    masks/station_3/2020-05-17_0123_1_zebra_04.png    what is visible of one animal in it
    truth.csv, croissant.json, drawing.json   all that is known; a description; the settings
    annotations.csv                           what people in the field would know

The annotations are written last: a drawing that was stopped is never taken for a finished one.
Until then, `unfinished/` holds what is known of each finished animal.
"""

import csv
import io
import json
import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import cv2
from tqdm import tqdm

from megalib.drawn import croissant
from megalib.drawn.animals.species import SPECIES, family_of
from megalib.drawn.photographs.camera import encoded
from megalib.drawn.photographs.pictures import Sighting, draw_picture
from megalib.drawn.survey import FIRST_DAY, Shot, beside, plan
from megalib.drawn.world import World
from megalib.errors import choose
from megalib.files.processes import end_with_parent
from megalib.files.writing import told_if_unwritable, whole_file

SEED = 2024
INDIVIDUALS = 30
PICTURES = 10

ANNOTATIONS = "annotations.csv"
TRUTH = "truth.csv"
SETTINGS = "drawing.json"
CROISSANT = "croissant.json"
UNFINISHED = "unfinished"
UNKNOWN = "unknown"  # the identity of animals that could not be identified
DIGITS = 4  # of a number with a fraction in the truth

_SEEN = ("path", "identity", "species", "orientation", "date", "encounter", "station")
ANNOTATED = (*_SEEN, "x", "y", "width", "height")
KNOWN = (
    *("path", "identity", "animal", "family", "species", "flank", "yaw", "pitch", "bend"),
    *("day", "date", "encounter", "station", "light", "wet", "mud", "scars", "motion"),
    *("hidden_by", "hidden", "pixels", "mask"),
)


def draw(
    species: str,
    folder: Path,
    seed: int = SEED,
    individuals: int = INDIVIDUALS,
    pictures: int = PICTURES,
    workers: int | None = None,
    version: str = "",
    world: World | None = None,
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
        world: How hard it is; None for the demo's world.

    Raises:
        UserError: There is no such species, or the folder cannot be written.
        BrokenProcessPool: A process was killed, as happens when memory runs out.
    """
    choose("species", species, SPECIES)
    world = world or World()
    settings = {"species": species, "seed": seed, "individuals": individuals, "pictures": pictures}
    settings |= {"world": asdict(world)}
    with told_if_unwritable(folder, folder / "images", folder / "masks"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ANNOTATIONS).unlink(missing_ok=True)
        _begin(folder, json.dumps(settings | {"version": version}))
        shots = plan(seed, species, individuals, pictures, world)
        # Forked workers would inherit the locks of threads that they lack, so they are spawned.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _begin_worker) as pool:
            animals = groupby(shots, lambda shot: shot.individual)
            jobs = [(folder, list(own), seed, individuals) for _, own in animals]
            drawings = [pool.submit(_draw_animal, *job) for job in jobs]
            try:
                rows = [row for drawing in tqdm(drawings, species) for row in drawing.result()]
            except BaseException:
                pool.shutdown(cancel_futures=True)  # else all others would be drawn first
                raise
        _finish(folder, settings, sorted(rows, key=lambda row: (row["path"], row["mask"])))


def _begin(folder: Path, settings: str) -> None:
    """Keep the animals that an unfinished drawing of the same settings has; remove others."""
    mark = folder / UNFINISHED / SETTINGS
    if mark.is_file() and mark.read_text() == settings:
        return
    for name in (UNFINISHED, "images", "masks"):
        shutil.rmtree(folder / name, ignore_errors=True)
    _write(mark, settings)


def _finish(folder: Path, settings: dict, rows: Sequence[dict]) -> None:
    """Write what describes the pictures; the annotations are last."""
    tables = {ANNOTATIONS: _table(rows, ANNOTATED), TRUTH: _table(rows, KNOWN)}
    _write(folder / SETTINGS, json.dumps(settings) + "\n")
    _write(folder / CROISSANT, json.dumps(croissant.described(settings, tables), indent=1) + "\n")
    _write(folder / TRUTH, tables[TRUTH])
    _write(folder / ANNOTATIONS, tables[ANNOTATIONS])
    shutil.rmtree(folder / UNFINISHED)


def _table(rows: Sequence[dict], columns: Sequence[str]) -> str:
    """Some columns of rows, as a CSV file holds them."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _begin_worker() -> None:
    """One thread for each process, which ends with the one that started it."""
    end_with_parent()
    cv2.setNumThreads(1)


def _draw_animal(folder: Path, shots: Sequence[Shot], seed: int, individuals: int) -> list[dict]:
    """Draw all pictures of one animal, unless it is finished: the work of one process.

    Returns:
        A row for every animal in every picture, with all that is known.
    """
    finished = folder / UNFINISHED / f"{name_of(shots[0].species, shots[0].individual)}.json"
    if finished.is_file():
        return json.loads(finished.read_text())
    rows = []
    for shot, place in _places(shots):
        extension = SPECIES[shot.species].extension
        pixels, sightings = draw_picture(seed, shot)
        picture = f"images/{place}{extension}"
        _put(folder / picture, encoded(pixels, extension, shot.quality))
        for seen in sightings:
            mask = f"masks/{place}_{name_of(shot.species, seen.individual)}.png"
            _put(folder / mask, encoded(seen.mask, ".png", shot.quality))
            rows.append(_row(shot, seen, individuals) | {"path": picture, "mask": mask})
    _write(finished, json.dumps(rows))
    return rows


def _places(shots: Sequence[Shot]) -> Iterator[tuple[Shot, str]]:
    """Name the pictures of an animal by station, day, encounter and number, not by the animal."""
    for encounter, burst in groupby(shots, lambda shot: shot.encounter):
        for number, shot in enumerate(burst, 1):
            date = FIRST_DAY + shot.day
            yield shot, f"station_{shot.station}/{date}_{encounter:04d}_{number}"


def _row(shot: Shot, seen: Sighting, individuals: int) -> dict:
    """All that is known of an animal in a picture, but for the files."""
    if seen.individual != shot.individual:
        shot = beside(shot)
    name, facts = name_of(shot.species, seen.individual), asdict(shot)
    known = {column: _rounded(facts[column]) for column in KNOWN if column in facts}
    return known | {
        "species": shot.species.replace("_", " "),
        "identity": name if seen.individual < individuals else UNKNOWN,
        "animal": name,
        "family": family_of(seen.individual),
        "orientation": seen.facing,
        "flank": seen.facing,
        "date": str(FIRST_DAY + shot.day),
        "hidden_by": seen.hidden_by,
        "hidden": _rounded(float(seen.hidden)),
        "pixels": int(seen.pixels),
        **dict(zip(("x", "y", "width", "height"), map(int, seen.bbox), strict=True)),
    }


def _rounded(value: object) -> object:
    return round(value, DIGITS) if isinstance(value, float) else value


def name_of(species: str, individual: int) -> str:
    """The name of an individual, also of one that the annotations call unknown."""
    return f"{species}_{individual:02d}"


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text)
