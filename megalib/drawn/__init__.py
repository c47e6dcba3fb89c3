"""Drawn animals for the demo: photographs cannot ship with the compendium, drawings can.

Four species with twelve individuals each; the coat is the identity::

    coats → zebra, leopard, turtle, whale_shark → species
    land, sea → placing → pictures → drawing: a folder of pictures and their annotations
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"drawing": ["draw"]})
