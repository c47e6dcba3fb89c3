"""One's own photographs: a folder of known animals, a folder of new ones, and who is who.

::

    photographs (prepared and embedded), decisions (of before) → albums
      → learning (what the known ones teach) → judging, encounters (who it is)
      → answers: page (to decide), camtrap, history (for other programs)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["judging", "plots"],
    submod_attrs={
        "albums": ["open_album"],
        "learning.learned": ["learn"],
        "answers": ["answer"],
    },
)
