"""wildlife-datasets, imported without a side effect of one of its dependencies.

pyinaturalist lets rich take over the display of the whole notebook when it is imported; tables
and figures of every later cell would be shown differently.
"""

from unittest import mock

with mock.patch("rich.pretty.install"):
    from wildlife_datasets import datasets, splits

__all__ = ["datasets", "splits"]
