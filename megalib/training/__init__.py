"""Prepared images and a recipe become weights.

::

    recipe → batches → loop (losses, history, checkpoints) → a folder of weights
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cost", "plots"],
    submod_attrs={
        "loop": ["train"],
        "recipe": ["Settings"],
    },
)
