"""The four species: how each is painted and posed, and what a dataset of it is like."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from megalib.drawn.animals import leopard, turtle, whale_shark, zebra
from megalib.drawn.animals.coats import Traits, traits
from megalib.drawn.animals.shapes import Piece
from megalib.drawn.animals.sheets import Sheets


@dataclass(frozen=True)
class Species:
    """How one species is drawn, and what its pictures are like."""

    coat: Callable[[Generator, Traits], Sheets]  # paints an individual by its traits
    pose: Callable[[Generator], list[Piece]]  # the animal faces right
    extension: str = ".jpg"  # or ".png" for animals segmented on black
    pairs: bool = False  # whether some pictures hold two animals
    strangers: bool = False  # whether some animals could not be identified
    dated: bool = False  # whether pictures of one day resemble each other
    flanks: bool = True  # whether pictures show a flank, rather than the animal from above


_COAT = 1  # a word that tells the generator of coats from those of pictures and days
SPECIES = {
    "zebra": Species(zebra.coat, zebra.pose, pairs=True),
    "leopard": Species(leopard.coat, leopard.pose, strangers=True),
    "turtle": Species(turtle.coat, turtle.pose, extension=".png", flanks=False),
    "whale_shark": Species(whale_shark.coat, whale_shark.pose, dated=True),
}


def number_of(species: str) -> int:
    """The place of a species among all, of which the seeds of its pictures are made."""
    return list(SPECIES).index(species)


@lru_cache(maxsize=64)
def painted(seed: int, species: str, individual: int, side: int) -> Sheets:
    """The coat of one side (0 right, 1 left) of an individual."""
    number = number_of(species)
    rng = np.random.default_rng([seed, _COAT, number, individual, side])
    return SPECIES[species].coat(rng, traits(seed, number, individual))
