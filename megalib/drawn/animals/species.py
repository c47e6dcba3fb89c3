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

    coat: Callable[[Generator, Generator, Traits], Sheets]  # of an animal, its family, its traits
    pose: Callable[[Generator], list[Piece]]  # the animal faces right
    extension: str = ".jpg"  # or ".png" for animals segmented on black
    pairs: bool = False  # whether some pictures hold two animals
    cut: bool = False  # whether pictures have been cut to the animal and a little around it
    trunk: bool = False  # whether boxes and cuts leave out legs, fins and tail
    flanks: bool = True  # whether pictures show a flank, rather than the animal from above


FAMILY = 3  # animals of a family, numbered one after another
# Words that tell the generators of coats from those of all else.
_COAT, _FAMILY = 1, 12
SPECIES = {
    "zebra": Species(zebra.coat, zebra.pose, pairs=True),
    "leopard": Species(leopard.coat, leopard.pose, cut=True, trunk=True),
    "turtle": Species(turtle.coat, turtle.pose, extension=".png", flanks=False),
    "whale_shark": Species(whale_shark.coat, whale_shark.pose, trunk=True),
}


def number_of(species: str) -> int:
    """The place of a species among all, of which the seeds of its pictures are made."""
    return list(SPECIES).index(species)


def family_of(individual: int) -> int:
    """The number of an animal's family."""
    return individual // FAMILY


@lru_cache(maxsize=64)
def painted(seed: int, species: str, individual: int, side: int) -> Sheets:
    """The coat of one side (0 right, 1 left) of an individual; relatives have similar ones."""
    number, family = number_of(species), family_of(individual)
    own = np.random.default_rng([seed, _COAT, number, individual, side])
    kin = np.random.default_rng([seed, _FAMILY, number, family, side])
    looks = traits(seed, number, family, individual, side)
    return SPECIES[species].coat(own, kin, looks)
