"""A backbone, from nothing, from ImageNet, from the hub or from a folder, and where it computes.

::

    networks (weights in; packaged) → devices (where, in which precision; computer) → export (out)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "networks": ["before_training", "load_network", "parameter_count"],
        "devices": ["pick_device", "pick_precision"],
    },
)
