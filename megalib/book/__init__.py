"""Notebooks run with parameters, and what they show becomes a book.

::

    profiles → parameters → pipeline (papermill) → notebook (what every page says of itself) → pages
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "colophon",
        "from_parameters",
        "notebook",
        "pipeline",
        "workshop",
    ],
)
