"""Pictures: an animal in a scene, with pose, light, lens and sensor of its own.

Every picture is a pure function of (seed, species, individual, picture, day), so that neither the
order of drawing nor the number of processes can change a pixel.
"""

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Light, Size
from megalib.drawn.animals.species import number_of
from megalib.drawn.photographs import camera, placing
from megalib.drawn.photographs.placing import Sighting
from megalib.drawn.pixels import mix
from megalib.drawn.places import land, sea
from megalib.drawn.places.scenes import Scene

VEIL = 0.5  # the background pales, so that the animal stands out as on a plate of a field guide
# Width and height; the shorter side is above 518, the larger of the two prepared sizes.
SIZES = (
    *((720, 540), (768, 576), (800, 560), (840, 560), (880, 550), (960, 540)),
    *((600, 600), (640, 540), (660, 600), (540, 720), (560, 700), (576, 720)),
)
PAIR_SIZE = (960, 560)
LANDS = {
    "zebra": ("noon", "rains", "evening", "sand"),
    "leopard": ("forest", "dawn", "evening", "sand", "rains"),
}
# Words that tell the generators of pictures and days apart; 1 is that of coats, 3 that of dates.
_PICTURE, _DAY = 2, 4


def draw_picture(
    seed: int,
    species: str,
    individual: int,
    picture: int,
    companion: int | None = None,
    day: int | None = None,
) -> tuple[np.ndarray, list[Sighting]]:
    """Draw one picture.

    Args:
        seed: Seed of the whole data set.
        species: A key of `SPECIES`.
        individual: Number of the animal.
        picture: Number of the picture of this animal.
        companion: Number of a second animal in the picture, if any.
        day: Number of the day. Pictures of one day share the light and the water, those of one
            animal on one day also the side and the angle, as a series of photographs does. None
            for a picture that shares nothing.

    Returns:
        The picture, uint8 (height, width, 3), RGB, and who is where in it.
    """
    number = number_of(species)
    rng = np.random.default_rng([seed, _PICTURE, number, individual, picture])
    of_day = of_encounter = rng
    if day is not None:
        of_day = np.random.default_rng([seed, _DAY, number, day])
        of_encounter = np.random.default_rng([seed, _DAY, number, day, individual])
    sizes = [s for s in SIZES if 1.2 < s[0] / s[1] < 1.51] if species == "leopard" else SIZES
    size = sizes[int(rng.integers(len(sizes)))] if companion is None else PAIR_SIZE
    scene = _scene(rng, of_day, species, size)
    canvas = scene.picture * np.float32(1 / 255)
    if species != "turtle":
        canvas = mix(canvas, scene.haze, VEIL)
    present = [individual] if companion is None else [individual, companion]
    order = [int(i) for i in rng.permutation(present)]
    sightings = []
    for place, animal in enumerate(order):
        where, who = placing.room(rng, scene, place, len(order)), (seed, species, animal)
        sightings.append(placing.put(canvas, rng, of_encounter, scene, where, who))
    land.foreground(canvas, rng, scene)
    if species == "turtle":
        return camera.segmented(canvas, rng, sightings[0].mask), sightings
    return camera.photograph(canvas, rng), sightings


def _scene(rng: Generator, of_day: Generator, species: str, size: Size) -> Scene:
    if species in LANDS:
        names = LANDS[species]
        return land.landscape(rng, size, land.LANDSCAPES[names[int(rng.integers(len(names)))]])
    if species == "turtle":
        black = np.zeros((size[1], size[0], 3), np.uint8)
        azimuth, warmth = rng.uniform(0, 2 * np.pi), rng.uniform(-0.02, 0.02)
        direction = (float(0.55 * np.cos(azimuth)), float(0.55 * np.sin(azimuth)), 0.63)
        sun, sky = (0.95 + warmth, 0.95, 0.95 - warmth), (0.58 - warmth, 0.62, 0.66 + warmth)
        return Scene(black, Light(direction, sun, sky), (0.0, 0.0, 0.0), None)
    return sea.sea(rng, of_day, size)
