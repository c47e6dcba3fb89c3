"""Raw pictures become prepared images, and metadata that say who is on them and in which part.

::

    catalogue → raw_data → loaders → preparation → metadata → splits → training_set
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["overview", "plots", "proof", "published", "splits"],
    submod_attrs={
        "catalogue": ["find"],
        "raw_data": ["opened"],
        "preparation": ["prepare"],
        "problems": ["read_problems"],
        "metadata": ["read_metadata"],
        "training_set": ["aggregate"],
    },
)
