"""Drawn animals for the demo profile: photographs cannot ship with the book, drawings can.

Four species with twelve individuals each; the coat is the identity. Every species is a
`wildlife_datasets` data set of its own, so demo and real data take the same way through the code,
and each exercises another rule of preparation:

* `DemoZebra`, crop rule `bbox`: two animals in one picture;
* `DemoLeopard`, `full`: animals of unknown identity;
* `DemoTurtle`, `crop_black`: segmented animals on black, PNG;
* `DemoWhaleShark`, `bbox`: dates; photographs of one day share light and water.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from megalib.demo.datasets import (
        DEMO_DATASETS,
        SEED,
        DemoDataset,
        DemoLeopard,
        DemoTurtle,
        DemoWhaleShark,
        DemoZebra,
        draw,
    )

__all__ = [
    "DEMO_DATASETS",
    "SEED",
    "DemoDataset",
    "DemoLeopard",
    "DemoTurtle",
    "DemoWhaleShark",
    "DemoZebra",
    "draw",
]


def __getattr__(name: str) -> object:
    """Import the data sets when first asked for; worker processes draw without them, in time."""
    if name in __all__:
        return getattr(import_module("megalib.demo.datasets"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
