"""A backbone, from nothing, from ImageNet, from the hub or from a folder, and where it computes.

::

    networks (weights in) → devices (where, in which precision; computer) → export (weights out)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "networks": ["load_network", "untrained_network", "parameter_count"],
        "devices": ["pick_device", "pick_precision"],
        "export": ["push"],
    },
)
