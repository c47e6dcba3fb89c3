"""Matches become numbers, and numbers are set beside the published ones.

::

    metrics → results of each method → comparison of methods → charts
    mistakes, new_animals (open_set, calibration), days and sensitivity look closer
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "benchmarks",
        "charts",
        "comparison",
        "days",
        "metrics",
        "mistakes",
        "new_animals",
        "open_set",
        "results",
        "sensitivity",
    ],
)
