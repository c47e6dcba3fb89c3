"""Stations: the places in which the cameras of a survey are, each with its own background."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Size
from megalib.drawn.animals.species import number_of
from megalib.drawn.places import country, daylight, water
from megalib.drawn.places.scenes import Base, Scene

# Words that tell the generators of stations and of their weather from those of all else.
_STATION, _WEATHER = 21, 22


def scene(
    seed: int, species: str, station: int, light: str, day: int, size: Size, rng: Generator
) -> Scene:
    """Look at a camera station as it is on a day.

    Pictures of one station share horizon, hills, trees and floor; those of one day and light also
    sky, haze, water and exposure. The place of a turtle is black.

    Args:
        seed: Of the whole data set.
        species: A key of `SPECIES`.
        station: Number of the station within the species.
        light: "sun", "shade", "overcast" or "infrared".
        day: Of the survey; decides the season, and with the station the weather.
        size: Width and height of the picture in pixels.
        rng: Source of what varies from picture to picture.
    """
    number = number_of(species)
    if species == "turtle":
        return daylight.on_black(light, size, rng)
    weather = np.random.default_rng([seed, _WEATHER, number, station, day])
    lit = daylight.on_land if species in country.LANDS else daylight.in_water
    return lit(_base(seed, species, station), light, day, weather, size, rng)


@lru_cache(maxsize=16)
def _base(seed: int, species: str, station: int) -> Base:
    """What is fixed about a station."""
    rng = np.random.default_rng([seed, _STATION, number_of(species), station])
    if species not in country.LANDS:
        return water.dive_site(rng)
    lands = country.LANDS[species]
    return country.landscape(rng, country.LANDSCAPES[lands[(seed + station) % len(lands)]])
