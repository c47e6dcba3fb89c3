"""The survey: which animal is met when, where, from which side, and under what conditions.

A survey is decided before a pixel is drawn: each picture has its `Shot`, and the shot is the truth
that is kept beside the picture. Nothing in it depends on who the animal is, but the stations that
an animal comes to and the scars that it has.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.species import SPECIES, number_of
from megalib.drawn.world import Range, World

FIRST_DAY = np.datetime64("2019-06-01")
SEASON_DAYS = 91
DAYS_OF_A_YEAR = 365.25
# What may be in the way. Turtles are cut out of their pictures, which no frame cuts off.
HIDING = {
    "zebra": ("grass", "herd", "murk", "frame"),
    "leopard": ("grass", "bush", "frame"),
    "turtle": ("grass", "murk"),
    "whale_shark": ("herd", "murk", "frame"),
}
ON_LAND = ("zebra", "leopard")
PAIR_ACROSS = 400  # pixels of an animal at most where two have to fit into a picture

# Words that tell these generators from each other and from those of coats and pictures.
_SURVEY, _SEASONS, _SCARS = 3, 5, 6


@dataclass(frozen=True)
class Shot:
    """What one picture is to show."""

    species: str
    individual: int  # number within the species
    picture: int  # number among the pictures of this individual
    companion: int | None  # a second animal in the picture
    day: int  # of the survey, counted from its first
    encounter: int  # number of the meeting within the species; pictures of a burst share it
    station: int  # of the camera, which decides the background
    flank: str  # that is seen: "left", "right", or "top"
    yaw: float  # degrees, -70 to 70: 0 is a side view, above 0 the head comes nearer
    pitch: float  # degrees, 0 to 50: how far from above
    bend: float  # degrees, -60 to 60: how far the body bends to the side, head towards the viewer
    across: int  # pixels along the longer side of the animal, as it shall be in the picture
    light: str  # "sun", "shade", "overcast" or "infrared"
    wet: float  # 0 to 1
    mud: float  # share of the coat under mud (algae for turtles and sharks), 0 to 1
    scars: int  # how many the animal has by this day
    companion_scars: int  # how many the second animal has
    tint: tuple[float, float, float]  # of the season: factors of R, G, B
    motion: float  # length of the blur by motion in pixels
    snow: int  # specks in the water before the animal
    soft: float  # spread of the blur out of focus in pixels
    grain: float  # spread of the noise, as a share of white
    quality: int  # of the JPEG, 1 to 95
    hidden_by: str  # "", "grass", "bush", "herd", "murk" or "frame"
    hidden: float  # share of the animal that shall be hidden, 0 to 0.6


def plan(
    seed: int, species: str, individuals: int, pictures: int, world: World | None = None
) -> list[Shot]:
    """Decide all pictures of a species.

    Args:
        seed: Of everything that is drawn.
        species: A key of `SPECIES`.
        individuals: Number of animals that have a name; the strangers come after them.
        pictures: Number of pictures of each of these.
        world: How hard it is; None for the demo's world.

    Returns:
        One shot per picture: animal by animal, of each from its first day to its last. Encounters
        are numbered by their days, over all animals.
    """
    world = world or World()
    strangers = int(np.ceil(world.strangers * individuals))
    counts = [pictures] * individuals + [world.stranger_pictures] * strangers
    shots = []
    for individual, count in enumerate(counts):
        shots += _of_animal(seed, species, individual, count, individuals, world)
    met = sorted({(shot.day, shot.individual) for shot in shots})
    numbers = {meeting: number for number, meeting in enumerate(met)}
    return [replace(shot, encounter=numbers[shot.day, shot.individual]) for shot in shots]


def beside(shot: Shot) -> Shot:
    """The shot of the companion, which stands behind: the first animal hides a part of it."""
    who = {"individual": shot.companion, "companion": shot.individual}
    scars = {"scars": shot.companion_scars, "companion_scars": shot.scars}
    return replace(shot, **who, **scars, yaw=0.6 * shot.yaw, hidden_by="", hidden=0.0)


def _of_animal(
    seed: int, species: str, individual: int, pictures: int, individuals: int, world: World
) -> list[Shot]:
    """Decide the pictures of one animal; its encounters have no number yet."""
    rng = np.random.default_rng([seed, _SURVEY, number_of(species), individual])
    stations = rng.permutation(world.stations)[: world.visited]
    lengths = _bursts(rng, pictures, world)
    days = np.sort(rng.choice(world.days, len(lengths), replace=False)).tolist()
    shots: list[Shot] = []
    for day, length in zip(days, lengths, strict=True):
        elsewhere = rng.choice(stations[1:] if len(stations) > 1 else stations)
        view, companion = _view(rng, species, world), _companion(rng, individual, individuals)
        if not SPECIES[species].pairs or rng.random() >= world.pairs:
            companion = None
        if companion is not None:
            view["across"] = min(view["across"], PAIR_ACROSS)
        first = Shot(
            species=species,
            individual=individual,
            picture=len(shots),
            companion=companion,
            day=day,
            encounter=-1,
            station=int(stations[0] if rng.random() < world.home else elsewhere),
            **view,
            **_conditions(rng, species, world),
            scars=_scars(seed, species, individual, day, world),
            companion_scars=_scars(seed, species, companion, day, world),
            tint=_season(seed, species, day, world),
            motion=0.0,
            snow=0,
            soft=0.0,
            grain=0.0,
            quality=int(rng.integers(world.quality[0], world.quality[1] + 1)),
        )
        shots += [_in_burst(rng, first, number, world) for number in range(length)]
    return shots


def _bursts(rng: Generator, pictures: int, world: World) -> list[int]:
    """Divide the pictures of an animal into encounters: how many pictures each has."""
    lengths, left = [], pictures
    while left:
        burst = rng.random() < world.bursts and world.longest_burst > 1
        length = int(rng.integers(2, world.longest_burst + 1)) if burst else 1
        lengths.append(min(length, left))
        left -= lengths[-1]
    return lengths


def _scars(seed: int, species: str, individual: int | None, day: int, world: World) -> int:
    """Count the scars that an animal has by a day; it comes with those of two years."""
    if individual is None:
        return 0
    rng = np.random.default_rng([seed, _SCARS, number_of(species), individual])
    years = 2 + world.days / DAYS_OF_A_YEAR
    gained = rng.integers(-round(2 * DAYS_OF_A_YEAR), world.days, rng.poisson(world.scars * years))
    return int((gained <= day).sum())


def _companion(rng: Generator, individual: int, individuals: int) -> int | None:
    """Choose who may come along: one that has a name, so that no picture holds two strangers."""
    others = [other for other in range(individuals) if other != individual]
    return int(rng.choice(others)) if others else None


def _view(rng: Generator, species: str, world: World) -> dict:
    """Draw from which side and how far an animal is seen; plain views are the most frequent."""
    side, far_away, share = rng.random(3)
    low, high = world.far if far_away < world.far_away else world.near
    flank = "right" if side < world.right else "left"
    return {
        "flank": flank if SPECIES[species].flanks else "top",
        "yaw": world.yaw * float(rng.triangular(-1, 0, 1)),
        "pitch": world.pitch * float(rng.triangular(0, 0, 1)),
        "bend": world.bend * float(rng.triangular(-1, 0, 1)),
        "across": round(low * (high / low) ** share),
    }


def _conditions(rng: Generator, species: str, world: World) -> dict:
    """Draw the light, the state of the animal, and what is in the way."""
    on_land = species in ON_LAND
    shares = 1 - world.shade - world.overcast, world.shade, world.overcast
    light, cause = rng.choice(("sun", "shade", "overcast"), p=shares), rng.choice(HIDING[species])
    # All are drawn, whatever happens: another share of one effect leaves the others as they are.
    dark, wet, muddy, hides, how_wet, how_muddy, how_hidden = rng.random(7)
    low, high = world.hidden
    return {
        "light": "infrared" if on_land and dark < world.night else str(light),
        "wet": float(0.4 + 0.6 * how_wet) if on_land and wet < world.wet else 0.0,
        "mud": float(world.mud * (0.2 + 0.8 * how_muddy)) if muddy < world.muddy else 0.0,
        "hidden_by": str(cause) if hides < world.obstructed else "",
        "hidden": float(low + (high - low) * how_hidden) if hides < world.obstructed else 0.0,
    }


def _in_burst(rng: Generator, first: Shot, number: int, world: World) -> Shot:
    """Vary a shot as far as the pictures of one encounter differ; the first one is as decided."""
    turn, tilt, curl, nearer, way = rng.uniform(-world.within_burst, world.within_burst, 5)
    moved, length, unsharp, noisy, snowy = rng.random(5)
    if number == 0:
        turn = tilt = curl = nearer = way = 0.0
    across = round(first.across * (1 + nearer))
    return replace(
        first,
        picture=first.picture + number,
        yaw=_clipped(first.yaw + world.yaw * turn, -world.yaw, world.yaw),
        pitch=_clipped(first.pitch + world.pitch * tilt, 0, world.pitch),
        bend=_clipped(first.bend + world.bend * curl, -world.bend, world.bend),
        across=across,
        motion=float(world.motion * across * length) if moved < world.moved else 0.0,
        snow=0 if first.species in ON_LAND else round(world.snow * snowy),
        soft=across * _between(world.soft, unsharp),
        grain=_between(world.grain, noisy),
        hidden=_clipped(first.hidden + way, *world.hidden) if first.hidden_by else 0.0,
    )


def _between(ends: Range, share: float) -> float:
    return float(ends[0] + (ends[1] - ends[0]) * share)


def _clipped(value: float, low: float, high: float) -> float:
    return float(min(max(value, low), high))


def _season(seed: int, species: str, day: int, world: World) -> tuple[float, float, float]:
    """Tint of a day, which drifts from season to season: factors of R, G and B."""
    rng = np.random.default_rng([seed, _SEASONS, number_of(species)])
    turns = np.arange(0, world.days + SEASON_DAYS, SEASON_DAYS)
    factors = rng.uniform(1 - world.season, 1 + world.season, (3, len(turns)))
    red, green, blue = (float(np.interp(day, turns, of_colour)) for of_colour in factors)
    return red, green, blue
