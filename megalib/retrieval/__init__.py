"""Networks and images become features, and features the nearest image of each query.

::

    features → search → matching (predictions of a run) ← sift, without a network
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["sift"],
    submod_attrs={
        "inference": ["embed", "embedded", "infer", "mean_accuracy"],
        "search": ["neighbours"],
        "matching": ["match"],
        "plots": ["match_gallery"],
    },
)
