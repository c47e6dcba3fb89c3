"""Networks and images become features, and features the nearest image of each query.

::

    extraction → features → search → matching → predictions ← sift, without a network
                                        candidates (of several methods, side by side)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["candidates", "sift"],
    submod_attrs={
        "extraction": ["embed"],
        "features": ["embedded"],
        "matching": ["match"],
        "inference": ["infer"],
        "validation": ["mean_accuracy"],
        "plots": ["match_gallery"],
    },
)
