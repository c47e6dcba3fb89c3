"""Two occasions on which animals were photographed, and the second matched with the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from megalib.data import splits
from megalib.errors import UserError
from megalib.evaluation.field.encounters import similarity_to_each
from megalib.evaluation.field.photographs import Photographs


@dataclass(frozen=True)
class Occasions:
    """Two occasions of one dataset.

    `first` names the animals of the first occasion, text. `second` has a row for each animal of the
    second one: `animal`; whether it was seen on the first one (`recaptured`); the animal of the
    first occasion that is most similar (`candidate`) and how much (`similarity`, a cosine); and the
    `rank` of the right one among all candidates, from 0, NaN where there is none. `days` is the
    length of an occasion, `population` how many animals there are, None where nobody knows.
    """

    dataset: str
    first: np.ndarray
    second: pd.DataFrame
    days: int
    population: int | None


def take(
    photographs: Sequence[Photographs], share: float, report: Callable[[str], None] = print
) -> list[Occasions]:
    """Take two occasions out of each dataset, its first and its last days.

    Within an occasion, who is who is taken as known: the photographs of an animal are matched as
    one, as in `encounters.ask`. Images of the second occasion that the network was trained on are
    left out, and so are images of animals that nobody knows.

    Args:
        photographs: of each dataset; the network's descriptors are taken.
        share: of the time from the first day to the last that each occasion takes, in (0, 0.5).
        report: takes a line for a dataset that is left out, with the reason.

    Raises:
        UserError: the share is out of range.
    """
    if not 0 < share < 0.5:
        raise UserError(f"occasion_share must lie between 0 and 0.5, not {share}")
    found = []
    for one in photographs:
        try:
            found.append(_of_dataset(one, share))
        except UserError as error:
            report(f"{one.dataset}: left out, {error}")
    return found


def _of_dataset(one: Photographs, share: float) -> Occasions:
    if "date" not in one.table:
        raise UserError("no days are noted")
    day, animal = splits.day_of(one.table["date"]), one.table["animal"]
    length = (day.max() - day.min()) * share
    is_first = (animal.notna() & (day <= day.min() + length)).to_numpy()
    is_second = animal.notna() & (day >= day.max() - length) & (one.table["split"] != "train")
    is_second = is_second.to_numpy()
    if not is_first.any() or not is_second.any():
        raise UserError("an occasion has no animals whose names are known")
    rows, names = one.descriptors["network"], animal.to_numpy()
    seen = []
    for name in np.unique(names[is_second].astype(str)):
        query = is_second & (names == name)
        known, similarity = similarity_to_each(rows[query], rows[is_first], names[is_first])
        together = similarity.mean(axis=0)
        order = list(known[np.argsort(-together, kind="stable")])
        rank = order.index(name) if name in order else np.nan
        seen.append((name, name in order, order[0], float(together.max()), rank))
    second = pd.DataFrame(seen, columns=["animal", "recaptured", "candidate", "similarity", "rank"])
    population = animal.nunique() if one.has_truth else None
    return Occasions(one.dataset, known, second, length.days, population)
