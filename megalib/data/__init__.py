"""Raw pictures become prepared images, and metadata that say who is on them and in which part.

::

    catalogue → raw_data → preparation → metadata → splits → images (as tensors)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["plots", "published", "splits"],
    submod_attrs={
        "catalogue": ["find"],
        "raw_data": ["fetch", "open_raw"],
        "preparation": ["prepare", "read_problems", "draw_missing", "aggregate"],
        "metadata": ["read_metadata"],
        "proof": ["compare_with_published", "datasets_of"],
    },
)
