"""Matches become numbers, and numbers are set beside the published ones.

::

    metrics, resampling → results of each method → comparison of methods → charts
    mistakes, similarity_maps, sensitivity and the package `judging` look closer
    the package `demo`: what drawn worlds are expected to show, and what they do
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "benchmarks",
        "charts",
        "comparison",
        "metrics",
        "mistakes",
        "results",
        "sensitivity",
        "similarity_maps",
    ],
)
