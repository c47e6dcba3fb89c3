"""What a search found: the answers of any method, as `evaluation` counts them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Ranks:
    """Where each query finds its individual when the database is sorted by nearness.

    `first_match`: int64 (n,), rank from 0 of the first image of the right individual, and the
    number of database images where there is none. `average_precision`: float64 (n,), NaN there.
    """

    first_match: np.ndarray
    average_precision: np.ndarray


@dataclass(frozen=True)
class Found:
    """What a method found on one dataset, for `results.write` to count.

    `metadata` are those of the dataset, `matches` the table of `matching.match`, `ranks` those of
    the same queries. `method` names the method, `details` what else is known of the search: both
    become columns of the results, before and after the counts. `untrained` are the matches of the
    same network with random weights, where they were asked for.
    """

    metadata: pd.DataFrame
    matches: pd.DataFrame
    ranks: Ranks
    method: Mapping[str, object]
    details: Mapping[str, object]
    untrained: pd.DataFrame | None = None
