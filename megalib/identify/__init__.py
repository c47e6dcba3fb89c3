"""One's own photographs: a folder of known animals, a folder of new ones, and who is who.

::

    photographs (prepared and embedded) → learning (what the known ones teach)
      → judging, encounters (who it is) → answers (gallery)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["judging", "plots"],
    submod_attrs={
        "photographs": ["folders", "embed_photographs"],
        "learning.learned": ["learn"],
        "answers": ["write_answers"],
    },
)
