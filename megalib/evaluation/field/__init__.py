"""Questions of the field, asked with features that a run has already made.

::

    metadata, noted, truth, features → photographs → flanks, encounters
                                                     counting (how many animals are there)
                                                     occasions → census (what errors cost)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["census", "counting", "encounters", "flanks", "photographs"],
)
