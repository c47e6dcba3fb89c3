"""Drawn animals for the demo: photographs cannot ship with the compendium, drawings can.

Four species with twelve individuals each; the coat is the identity::

    coats → animals → shapes, scenes → pictures → a folder of pictures and their annotations
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pictures": ["draw_picture"],
    },
)
