"""Prepared images and a recipe become weights.

::

    beginning (first weights) + batches → loop (losses, guard, history, checkpoints) → export
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cost", "plots"],
    submod_attrs={
        "loop": ["train"],
        "settings": ["Settings"],
    },
)
