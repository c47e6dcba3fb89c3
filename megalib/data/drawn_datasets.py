"""The drawn animals as `wildlife_datasets` datasets: their download draws.

A raw folder holds `images/<animal>/<animal>_<picture>.jpg` (or `.png`), `annotations.csv`, and the
mark that `wildlife_datasets` leaves when a download is complete. Both are written last, so a
drawing that was stopped is never taken for a finished one.
"""

import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from megalib.data.wildlife import datasets
from megalib.drawn.pictures import PAIR_EVERY, SPECIES, draw_animal
from megalib.files.processes import end_with_parent

SEED = 2024
INDIVIDUALS = 12
PICTURES = 24

ANNOTATIONS = "annotations.csv"
SETTINGS = "drawing.json"
UNFINISHED = "unfinished"  # folder of what is known of a drawing until it is finished
BOX = ["x", "y", "width", "height"]
FIRST_DAY = np.datetime64("2019-06-01")
SURVEY_DAYS = 40  # days on which somebody went out, over about four years
DAYS_PER_INDIVIDUAL = 8

_DATES = 3  # a word that tells the generator of dates from those of coats and pictures


class DemoDataset(datasets.WildlifeDataset):
    """A drawn species; `get_data(root)` draws it, `DemoX(root)` reads it.

    `get_data` also takes `seed`, `workers`, `individuals` and `pictures`, see `draw`.

    Attributes:
        species: Key of the species in `megalib.drawn.pictures.SPECIES`.
        extension: ".jpg", or ".png" for animals segmented on black.
        pairs: Whether some pictures hold two animals.
        boxes: Whether the catalogue has bounding boxes.
        dated: Whether the catalogue has dates, and pictures of one day resemble each other.
        strangers: Whether some animals could not be identified.
        flanks: Whether pictures show a left or right flank, rather than the animal from above.
    """

    species = ""
    extension = ".jpg"
    pairs = False
    boxes = False
    dated = False
    strangers = False
    flanks = True

    @classmethod
    def _download(
        cls,
        seed: int = SEED,
        workers: int | None = None,
        individuals: int = INDIVIDUALS,
        pictures: int = PICTURES,
        drawn_by: str = "",
    ) -> None:
        """Draw into the current folder, where `wildlife_datasets` has gone to.

        A drawing that was stopped goes on where it was, if settings and code are still the same.
        """
        root = Path.cwd()
        settings = {"seed": seed, "individuals": individuals, "pictures": pictures}
        (root / ANNOTATIONS).unlink(missing_ok=True)
        _begin(root, json.dumps(settings | {"drawn_by": drawn_by}))
        # Unidentified animals come after the named ones, with fewer pictures each.
        strangers = -(-individuals // 4) if cls.strangers else 0
        counts = [pictures] * individuals + [-(-pictures // 3)] * strangers
        days = [
            _sighting_days(seed, cls.species, animal, count) for animal, count in enumerate(counts)
        ]
        # Forked workers would inherit the locks of threads that they lack, so they are spawned.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _begin_worker) as pool:
            drawings = [
                pool.submit(
                    _drawn,
                    root / UNFINISHED / f"{_name(cls.species, animal)}.json",
                    seed,
                    cls.species,
                    animal,
                    [cls._companion(animal, k, individuals) for k in range(count)],
                    days[animal] if cls.dated else [None] * count,
                    root / "images" / _name(cls.species, animal),
                    cls.extension,
                )
                for animal, count in enumerate(counts)
            ]
            rows = []
            try:
                for animal, drawing in enumerate(tqdm(drawings, cls.__name__)):
                    rows += cls._annotate(drawing.result(), animal, days[animal], individuals)
            except BaseException:
                pool.shutdown(cancel_futures=True)  # else all others would be drawn first
                raise
        _write(root / SETTINGS, json.dumps(settings) + "\n")
        _write(root / ANNOTATIONS, pd.DataFrame(rows).to_csv(index=False))
        shutil.rmtree(root / UNFINISHED)

    @classmethod
    def _extract(cls, **kwargs) -> None:
        """Nothing is packed."""

    @classmethod
    def _companion(cls, animal: int, picture: int, individuals: int) -> int | None:
        """Choose who else is in a picture; over all pictures everyone is chosen equally often."""
        turn, rest = divmod(picture, PAIR_EVERY)
        if not cls.pairs or rest != PAIR_EVERY - 1 or individuals < 2:
            return None
        return (animal + 1 + turn % (individuals - 1)) % individuals

    @classmethod
    def _annotate(
        cls, rows: list[dict], animal: int, days: list[int], individuals: int
    ) -> list[dict]:
        """Turn what was drawn of one animal into rows of the annotations."""
        annotations = []
        for row in rows:
            stranger = row["individual"] >= individuals
            annotation = {
                "path": f"images/{_name(cls.species, animal)}/{row['file']}",
                "identity": cls.unknown_name if stranger else _name(cls.species, row["individual"]),
                "species": cls.species.replace("_", " "),
                "orientation": row["facing"] if cls.flanks else "top",
                "date": str(FIRST_DAY + days[row["picture"]]),
            }
            annotations.append(annotation | {key: row[key] for key in BOX})
        return annotations

    def create_catalogue(self) -> pd.DataFrame:
        """Read the annotations of a finished drawing.

        Raises:
            FileNotFoundError: The drawing is not finished.
        """
        if not (Path(self.root) / ANNOTATIONS).exists():
            raise FileNotFoundError(f"{self.root} holds no finished drawing; call get_data first.")
        rows = pd.read_csv(Path(self.root) / ANNOTATIONS, dtype={"identity": str, "date": str})
        df = pd.DataFrame(
            {
                "image_id": datasets.utils.create_id(rows["path"] + " " + rows["identity"]),
                "identity": rows["identity"],
                "path": rows["path"].str.replace("/", os.path.sep),
                "orientation": rows["orientation"],
                "species": rows["species"],
            }
        )
        if self.boxes:
            df["bbox"] = rows[BOX].to_numpy().tolist()
        if self.dated:
            df["date"] = rows["date"]
        return self.finalize_catalogue(df)


def _summary(animal: str, plural: str) -> dict:
    size = INDIVIDUALS * PICTURES
    return {
        "licenses": "CC0: drawn by this book's own code",
        "licenses_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "url": None,
        "publication_url": None,
        "cite": None,
        "animals": {animal},
        "animals_simple": plural,
        "real_animals": False,
        "year": None,
        "reported_n_total": size,
        "reported_n_individuals": INDIVIDUALS,
        "wild": False,
        "clear_photos": True,
        "pose": "single" if animal == "turtle" else "double",
        "unique_pattern": True,
        "from_video": False,
        "cropped": False,
        "span": "drawn",
        "size": size,
    }


class DemoZebra(DemoDataset):
    """Drawn zebras with bounding boxes, sometimes two in a picture."""

    summary = _summary("zebra", "zebras")
    species, pairs, boxes = "zebra", True, True


class DemoLeopard(DemoDataset):
    """Drawn leopards in full frames; some could not be identified."""

    summary = _summary("leopard", "leopards")
    species, strangers = "leopard", True


class DemoTurtle(DemoDataset):
    """Drawn sea turtles seen from above, segmented on black."""

    summary = _summary("turtle", "turtles")
    species, extension, flanks = "turtle", ".png", False


class DemoWhaleShark(DemoDataset):
    """Drawn whale sharks with bounding boxes and dates; a day has its own light and water."""

    summary = _summary("whale_shark", "whale sharks")
    species, boxes, dated = "whale_shark", True, True


DEMO_DATASETS: dict[str, type[DemoDataset]] = {
    cls.__name__: cls for cls in (DemoZebra, DemoLeopard, DemoTurtle, DemoWhaleShark)
}


def draw(
    name: str,
    root: str | os.PathLike,
    seed: int = SEED,
    workers: int | None = None,
    individuals: int = INDIVIDUALS,
    pictures: int = PICTURES,
) -> DemoDataset:
    """Draw a demo data set unless it is there already, and open it.

    Args:
        name: A key of `DEMO_DATASETS`.
        root: Folder for the raw data; made if missing.
        seed: Seed of every picture: same seed, same pixels.
        workers: Number of processes; None takes one per core.
        individuals: Number of named animals.
        pictures: Number of pictures of each.

    Returns:
        The data set.

    Raises:
        KeyError: No such data set.
        ValueError: The folder holds a finished drawing made with other settings.
    """
    cls, root = DEMO_DATASETS[name], Path(root)
    wanted = {"seed": seed, "individuals": individuals, "pictures": pictures}
    if not (root / cls.download_mark_name).exists():
        cls.get_data(str(root), workers=workers, **wanted)
    drawn = json.loads((root / SETTINGS).read_text())
    if drawn != wanted:
        raise ValueError(f"{root} was drawn with {drawn}, not with {wanted}.")
    return cls(str(root))


def _begin(root: Path, settings: str) -> None:
    """Keep the animals that an unfinished drawing of the same settings has; remove others."""
    mark = root / UNFINISHED / SETTINGS
    if mark.is_file() and mark.read_text() == settings:
        return
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    shutil.rmtree(root / "images", ignore_errors=True)
    mark.parent.mkdir(parents=True)
    _write(mark, settings)


def _begin_worker() -> None:
    """One thread for each process, which ends with the one that started it."""
    end_with_parent()
    cv2.setNumThreads(1)


def _drawn(rows: Path, *how: Any) -> list[dict]:
    """What `draw_animal` returns, kept in a file: an animal that has one is finished."""
    if not rows.is_file():
        _write(rows, json.dumps(draw_animal(*how)))
    return json.loads(rows.read_text())


def _name(species: str, animal: int) -> str:
    return f"{species}_{animal:02d}"


def _sighting_days(seed: int, species: str, animal: int, pictures: int) -> list[int]:
    """Draw the days of an animal's pictures, in order, counted from the first day."""
    number = SPECIES.index(species)
    survey = np.random.default_rng([seed, _DATES, number]).choice(1460, SURVEY_DAYS, replace=False)
    rng = np.random.default_rng([seed, _DATES, number, animal])
    own = rng.choice(survey, DAYS_PER_INDIVIDUAL, replace=False)
    return np.sort(rng.choice(own, pictures)).tolist()


def _write(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text)
    beside.replace(path)
