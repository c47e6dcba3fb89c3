"""How far an answer can be trusted: animals that are new, sure matches, and other days.

::

    matches → open_set, calibration → new_animals (thresholds)
    metadata → days (other days), in_time (trained on the earlier days)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["days", "in_time", "new_animals", "open_set"],
)
