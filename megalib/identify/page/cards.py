"""What the page of candidates says of each new animal: its pictures, its candidates, theirs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from megalib.files.places import inside
from megalib.identify.page.thumbnails import Wanted
from megalib.identify.photographs import Photographs

SEVERAL = 4  # photographs of a candidate, at most
CROP, KNOWN, WHOLE = 360, 256, 480  # pixels of the longer side of a copy
LINES = 60  # matched points that are drawn, at most
FACTS = ("date", "orientation")  # of a photograph, told beside it where they are known

Points = Callable[[tuple[Path, Path]], Sequence[tuple[float, float, float, float]]]


@dataclass(frozen=True)
class Whole:
    """The picture from which an animal was cut.

    `box` is where it is there: x, y, width, height in pixels of the upright picture.
    """

    file: Path
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Extras:
    """What may be known besides, and then is on the page.

    `points` gives the matched points of a pair of prepared images, a new and a known one: x and y
    in the one, x and y in the other, in pixels, the firmest first. `wholes` are the pictures of new
    animals, by image id. `encounters` says in words what all photographs of an encounter say
    together, by the encounter's name. `understood` is what reading the photographs understood, a
    line each.
    """

    points: Points | None = None
    wholes: Mapping[str, Whole] = field(default_factory=dict)
    encounters: Mapping[str, str] = field(default_factory=dict)
    understood: str = ""


@dataclass(frozen=True)
class Photo:
    """A photograph of a known individual; `points` in thousandths of the width and the height."""

    name: str
    facts: str
    copy: Wanted
    points: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Candidate:
    """A known individual that may be the new animal."""

    name: str
    figures: str
    photos: list[Photo]


@dataclass(frozen=True)
class Card:
    """A new animal."""

    image_id: str
    photograph: str
    animal: int
    animals: int  # on the same photograph
    facts: str
    encounter: str
    together: str  # what its encounter says
    is_flagged: bool
    copy: Wanted
    whole: Wanted | None
    candidates: list[Candidate]


def make(
    table: pd.DataFrame, new: Photographs, known: Photographs, extras: Extras
) -> Iterator[Card]:
    """The card of each new animal, in the order of the table.

    Args:
        table: of `judging.rank`.
        new: the new photographs.
        known: those of known individuals.
        extras: what else is known.
    """
    by_animal = defaultdict(list)
    for row in table.itertuples():
        by_animal[row.photograph, row.animal].append(row)
    animals = Counter(photograph for photograph, _ in by_animal)
    place = {image_id: number for number, image_id in enumerate(new.metadata["image_id"])}
    facts = _facts(new.metadata)
    album = _album(known)
    for (photograph, animal), rows in by_animal.items():
        first = rows[0]
        query = place[first.image_id]
        file = inside(new.folder, first.path)
        encounter = "" if pd.isna(first.encounter) else str(first.encounter)
        yield Card(
            image_id=first.image_id,
            photograph=photograph,
            animal=int(animal),
            animals=animals[photograph],
            facts=facts[query],
            encounter=encounter,
            together=extras.encounters.get(encounter, ""),
            is_flagged=first.unlike_all_known == "yes",
            copy=Wanted(file, CROP, needs_look=True),
            whole=_whole(extras.wholes.get(first.image_id)),
            candidates=[
                Candidate(
                    name=row.candidate,
                    figures=figures(row),
                    photos=_photos(album, row, new.rows[query], file, extras.points),
                )
                for row in rows
                if not pd.isna(row.candidate)  # where only the other flank is known
            ],
        )


def figures(row: tuple) -> str:
    """The figures of a candidate in words."""
    similarity = f"similarity {row.similarity:.2f}"
    return similarity if pd.isna(row.probability) else f"{row.probability:.0%}, {similarity}"


@dataclass(frozen=True)
class Album:
    """The known photographs: `own` says where those of each individual are among them."""

    own: dict[str, np.ndarray]
    paths: np.ndarray
    photo: Callable[[int], Photo]
    rows: np.ndarray


def _album(known: Photographs) -> Album:
    metadata = known.metadata.reset_index(drop=True)
    paths = metadata["path"].to_numpy(dtype=object)
    names, facts = metadata["photograph"].tolist(), _facts(metadata)

    @cache
    def photo(place: int) -> Photo:
        copy = Wanted(inside(known.folder, paths[place]), KNOWN)
        return Photo(names[place], facts[place], copy)

    return Album(metadata.groupby("identity").indices, paths, photo, known.rows)


def _photos(
    album: Album, row: tuple, query: np.ndarray, file: Path, points: Points | None
) -> list[Photo]:
    """The photographs of a candidate: that of the table, with its points, then the most similar."""
    own = album.own[row.candidate]
    rows = album.rows[own].astype(np.float32)
    cosines = rows @ query / np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    order = own[np.argsort(-cosines, kind="stable")]
    is_nearest = album.paths[order] == row.known_path
    order = [*order[is_nearest], *order[~is_nearest]]
    first, *others = map(album.photo, order[:SEVERAL])
    if points is not None:
        found = points((file, first.copy.file))[:LINES]
        first = replace(first, points=_in_thousandths(found, file, first.copy.file))
    return [first, *others]


def _in_thousandths(
    points: Sequence[tuple[float, float, float, float]], new: Path, known: Path
) -> list[tuple[int, int, int, int]]:
    """Points as parts of the width and the height of their images, whatever size a copy has."""
    if not len(points):
        return []
    with Image.open(new) as one, Image.open(known) as other:
        sizes = np.array([*one.size, *other.size])
    return [tuple(line) for line in (np.array(points) * 1000 / sizes).round().astype(int).tolist()]


def _whole(whole: Whole | None) -> Wanted | None:
    return None if whole is None else Wanted(whole.file, WHOLE, True, whole.box)


def _facts(metadata: pd.DataFrame) -> list[str]:
    """What is told of each photograph, "2024-05-31, left"."""
    known = [metadata[name] for name in FACTS if name in metadata]
    if not known:
        return [""] * len(metadata)
    return [
        ", ".join(str(value) for value in values if not pd.isna(value))
        for values in zip(*known, strict=True)
    ]
