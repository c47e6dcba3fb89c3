"""What a search found: the answers of any method, as `evaluation` counts them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

CANDIDATES = 3  # individuals that are kept of the order of each query


@dataclass(frozen=True)
class Ranks:
    """Where each query finds its individual when the database is sorted by nearness.

    `first_match`: int64 (n,), rank from 0 of the first image of the right individual, and the
    number of database images where there is none. `average_precision`: float64 (n,), NaN there.
    `candidates`: int64 (n, k), the database index of the nearest image of each of the
    k = `CANDIDATES` nearest individuals, or of all where there are fewer.
    """

    first_match: np.ndarray
    average_precision: np.ndarray
    candidates: np.ndarray


@dataclass(frozen=True)
class Found:
    """What a method found on one dataset, for `results.write` to count.

    `metadata` are those of the dataset, `matches` the table of `matching.match`, `ranks` those of
    the same queries. `method` names the method, `details` what else is known of the search: both
    become columns of the results, before and after the counts. `before` are the matches of the same
    network before it was trained, by what it is then, where they were asked for.
    """

    metadata: pd.DataFrame
    matches: pd.DataFrame
    ranks: Ranks
    method: Mapping[str, object]
    details: Mapping[str, object]
    before: Mapping[str, pd.DataFrame] = field(default_factory=dict)
