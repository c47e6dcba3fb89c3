"""One's own photographs: a folder of known animals, a folder of new ones, and who is who.

::

    photographs (prepared and embedded) → judging (what the known ones teach) → answers (gallery)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["plots"],
    submod_attrs={
        "photographs": ["folders", "embed_photographs"],
        "judging": ["learn", "rank", "marked"],
        "answers": ["write_answers"],
    },
)
