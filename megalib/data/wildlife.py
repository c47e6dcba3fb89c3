"""wildlife-datasets, imported without a side effect of one of its dependencies.

pyinaturalist lets rich take over the display of the whole notebook when it is imported; tables
and figures of every later cell would be shown differently.
"""

import rich.pretty

_install = rich.pretty.install
rich.pretty.install = lambda *_, **__: None
try:
    from wildlife_datasets import datasets, splits
    from wildlife_datasets.datasets import WildlifeDataset
finally:
    rich.pretty.install = _install

__all__ = ["WildlifeDataset", "datasets", "splits"]
