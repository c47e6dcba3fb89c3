"""Matches become numbers, and numbers are set beside the published ones.

::

    metrics → results of a run; mistakes, days, new animals and sensitivity look closer
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "days",
        "measured",
        "metrics",
        "mistakes",
        "new_animals",
        "open_set",
        "plots",
        "results",
        "sensitivity",
    ],
)
