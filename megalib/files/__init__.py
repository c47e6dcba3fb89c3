"""Where things lie, how they are written whole, and how text of strangers stays text."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"places": ["Run", "shown"]}
)
