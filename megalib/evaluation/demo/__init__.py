"""What the demo shows, and why it can be believed: measured on worlds that nothing was chosen on.

::

    record (what `benchmarks/truth_table.py` measured) → expectations → truth_table (the page)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["truth_table"])
