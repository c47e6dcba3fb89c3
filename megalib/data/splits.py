"""Splits: closed-set as published, in time, and with hidden individuals."""

import numpy as np
import pandas as pd

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError


def add_closed_set_split(metadata: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Assign each image of a known individual to "train" or "test".

    Closed set: every individual of the test part is in the training part too. Images of unknown
    individuals get no split (NaN).

    Args:
        metadata: one row per image with a column `identity`, indexed 0 … n-1.
        share: part of the images that goes to training, between 0 and 1.
        seed: of the generator of wildlife-datasets; 666 gives the published split.

    Returns:
        A copy with the column `split`.

    Raises:
        UserError: no image shows a known individual, or the share is no share.
    """
    if not 0 < share < 1:
        raise UserError(f"train_share must lie between 0 and 1, not {share}")
    if not (metadata["identity"] != UNKNOWN).any():
        raise UserError("no image of a known individual: there is nothing to split")
    from megalib.data.wildlife import splits  # takes seconds to import

    splitter = splits.ClosedSetSplit(share, identity_skip=UNKNOWN, seed=seed)
    train, test = splitter.split(metadata.assign(identity=_sortable(metadata["identity"])))[0]
    result = metadata.copy()
    result["split"] = pd.Series(dtype=object)
    result.loc[train, "split"] = "train"
    result.loc[test, "split"] = "test"
    return result


def _sortable(identity: pd.Series) -> pd.Series:
    """Identities as numbers where all are different numbers, otherwise as they are.

    The published split was made of a file in which numbers were read as such, and goes through
    the individuals in sorted order; numbers sort in another way than their texts. Where two names
    are one number, as "7" and "007", they stay names: nobody becomes someone else.
    """
    numbers = pd.to_numeric(identity, errors="coerce")
    if numbers.isna().any() or numbers.nunique() != identity.nunique():
        return identity
    return numbers


def hide_individuals(metadata: pd.DataFrame, share: float = 0.2, seed: int = 0) -> pd.DataFrame:
    """Make an open-set task of a closed-set split, by taking animals out of the training part.

    The test images of a hidden individual then show an animal that the database does not hold.

    Args:
        metadata: one row per image with `identity` and the `split` of `add_closed_set_split`.
        share: part of the individuals with test images that is hidden, between 0 and 1; at least
            one is hidden and at least one stays.
        seed: of the choice, which does not depend on the order of the rows.

    Returns:
        A copy in which the training rows of the hidden individuals have no split (NaN), with a
        bool column `is_new`, true in every row of a hidden individual.

    Raises:
        UserError: the share is no share, the split is not closed-set, or fewer than two
            individuals have test images.
    """
    _require_share(share)
    identity, split = metadata["identity"], metadata["split"]
    tested = sorted(set(identity[split == "test"]) - {UNKNOWN})
    absent = sorted(set(tested) - set(identity[split == "train"]))
    if absent:
        raise UserError(
            f"{len(absent)} individuals, such as {absent[0]!r}, have test but no training images: "
            "hide individuals of a closed-set split only"
        )
    if len(tested) < 2:
        needed = "hiding individuals needs two with test images or more"
        raise UserError(f"{needed}, the metadata hold {len(tested)}")
    number = min(max(round(share * len(tested)), 1), len(tested) - 1)
    chosen = np.random.default_rng(seed).choice(len(tested), number, replace=False)
    is_new = identity.isin([tested[place] for place in chosen])
    return metadata.assign(split=split.mask(is_new & (split == "train")), is_new=is_new)


def time_aware_split(metadata: pd.DataFrame, share: float = 0.8) -> pd.DataFrame:
    """Assign the earlier days of each individual to "train" and its later days to "test".

    Images of one encounter look alike; a split by image lets them stand on both sides. The split
    is `TimeProportionSplit` of wildlife-datasets, after Adam et al. (2024), "SeaTurtleID2022",
    with one addition: where it would leave an individual no training day, the first day becomes
    one. So the split is closed-set. Nothing in it is random.

    Args:
        metadata: one row per image with `identity` and `date`, as text that pandas can read. A
            date without a day, such as "2014", counts as the first day of that time.
        share: part of the days of each individual that goes to training, between 0 and 1.
            Individuals seen on a single day go to training.

    Returns:
        A copy with the column `split`, NaN where the identity or the date is unknown.

    Raises:
        UserError: the share is no share, there is no column `date`, a date cannot be read, or no
            individual was seen on two days.
    """
    _require_share(share)
    if "date" not in metadata:
        raise UserError("a time-aware split needs a column `date`, the metadata have none")
    rows = pd.DataFrame(
        {"identity": metadata["identity"].to_numpy(), "date": day_of(metadata["date"]).to_numpy()}
    )
    rows = rows[rows["identity"].ne(UNKNOWN) & rows["identity"].notna() & rows["date"].notna()]
    days = rows.groupby("identity")["date"]
    if not (days.nunique() > 1).any():
        raise UserError("no known individual was seen on two days: no time-aware split is possible")
    from megalib.data.wildlife import splits as wildlife_splits  # takes seconds to import

    splitter = wildlife_splits.TimeProportionSplit(share, identity_skip=UNKNOWN)
    train, test = splitter.split(rows)[0]
    split = pd.Series(np.nan, index=range(len(metadata)), dtype=object)
    split[train] = "train"
    split[test] = "test"
    split[rows.index[rows["date"] == days.transform("min")]] = "train"
    result = metadata.copy()
    result["split"] = split.to_numpy()
    return result


def day_of(date: pd.Series) -> pd.Series:
    """The day of each date, without time and zone; NaT where there is none.

    Args:
        date: text that pandas can read; one without a day, such as "2014", counts as the first day
            of that time.

    Raises:
        UserError: a date cannot be read, or the dates mix time zones.
    """
    # As text, since pandas takes a number such as 2014 for nanoseconds since 1970.
    text = date.map(str, na_action="ignore").astype(object)
    try:
        return pd.to_datetime(text, format="mixed").dt.tz_localize(None).dt.normalize()
    except ValueError as error:
        raise UserError(
            "a date cannot be read, or the dates mix time zones; write them as 2014-05-31 "
            f"({str(error).splitlines()[0]})"
        ) from error


def _require_share(share: float) -> None:
    if not 0 < share < 1:
        raise UserError(f"share must lie between 0 and 1, not {share}")
