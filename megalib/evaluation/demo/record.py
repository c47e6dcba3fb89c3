"""What was measured on drawn worlds: `data/demo/truth_table.csv`, and the code it is true of.

A world is all that one seed draws. `benchmarks/truth_table.py` measures and records it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from megalib import stamp
from megalib.errors import UserError
from megalib.files.places import DATA, shown
from megalib.files.writing import whole_file
from megalib.flavours import POCKET, RECIPES

FOLDER = DATA / "demo"
# Of the worlds on which world and recipe were chosen.
TUNING_SEEDS = (7, 8, 21, 22, 23, 26, 27, 31, 32, 33, 34, 35)
SEEDS = (1, 2)  # of those that are measured, if nothing else is said
# What one figure is of: a world, a training, who answers, with which weights, what is asked.
KEYS = ["world_seed", "training_seed", "method", "weights", "condition"]
COLUMNS = [*KEYS, "species", "n", "top_1", "chance", "commit"]
TEXT = dict.fromkeys(("method", "weights", "condition", "species", "commit"), str)
TYPES = TEXT | {"training_seed": "Int64"}
MISSING = {"training_seed": [""]}  # where nothing is drawn at random; no other text is

# The truth of a picture that is near and flat: the longer side of the animal in pixels at least,
# degrees away from a plain side view at most, and the share of it that is hidden at most.
NEAR = 180
FLAT = {"yaw": 20.0, "pitch": 15.0, "bend": 20.0}
SEEN = 0.05
# Each way to ask, and what it is.
CONDITIONS = {
    "random split": "Photographs are divided at random into database and queries, as the demo "
    "divides them. Networks are trained on the database.",
    "near and flat": f"Photographs on which the animal is {NEAR} pixels long or longer, turned by "
    f"{FLAT['yaw']:g}°, tilted by {FLAT['pitch']:g}° and bent by {FLAT['bend']:g}° at most, and "
    f"hidden to {100 * SEEN:.0f} % at most, are searched among each other, without those of the "
    "same meeting. Each has another one of the same flank among them.",
    "later days": "Networks are trained on the earlier days of each animal, which are the "
    "database, and asked about its later days.",
    "other flank": "Networks are trained on the right flanks of all animals, which are the "
    "database, and asked about the left flanks. Turtles, seen from above, are trained on and not "
    "asked about.",
    "other background": "Database and networks are those of the random split. Each query is set "
    "in front of the background of another animal's photograph. Turtles, which are cut out, are "
    "not asked about.",
}


def file() -> Path:
    """The path of the table."""
    return FOLDER / "truth_table.csv"


def stamp_file() -> Path:
    """The path of what says of which code the table is true."""
    return FOLDER / "truth_table.json"


def today() -> dict[str, str]:
    """What decides the figures, as code and facts are now: the drawn animals, and the networks.

    How a drawing describes itself changes no pixel, and does not count.
    """
    networks = [repr(asdict(known[name])) for name in POCKET for known in (POCKET, RECIPES)]
    return {
        "drawn animals": stamp.of_code("drawn.drawing", "drawn", without=["drawn.croissant"]),
        "pocket networks": stamp.digest(networks),
    }


def outdated() -> str:
    """What has changed since the table was recorded, in words; "" if nothing has."""
    return stamp.differences(today(), stamp.read(stamp_file()))


def command(seeds: Sequence[int]) -> str:
    """What to type to measure these worlds and to record them."""
    told = " ".join(f"--seed {seed}" for seed in seeds)
    return f".venv/bin/python benchmarks/truth_table.py {told} --record"


def read() -> pd.DataFrame:
    """The recorded figures; no rows where none have been recorded.

    Returns:
        One row per world, training, method, weights, condition and species, with the `COLUMNS`:
        `n` queries, `top_1` and `chance` in [0, 1], see `metrics.chance_of_top_1`, and the commit
        that measured it. Methods are "thumbnails", "SIFT" and pocket networks; the weights of these
        are "random", "imagenet" or "trained". Conditions are those of `CONDITIONS`.

    Raises:
        UserError: the file is no such table.
    """
    if not file().is_file():
        return pd.DataFrame(columns=COLUMNS).astype({"training_seed": "Int64"})
    try:
        table = pd.read_csv(file(), dtype=TYPES, keep_default_na=False, na_values=MISSING)
        return table[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        told = f"cannot read {shown(file())} ({reason})"
        raise UserError(f"{told}: measure again, by {command(SEEDS)}") from error


def check_seeds(seeds: Iterable[int]) -> None:
    """Refuse to record a world on which world and recipe were chosen.

    Raises:
        UserError: one of the seeds is among the `TUNING_SEEDS`.
    """
    if chosen := sorted(set(seeds) & set(TUNING_SEEDS)):
        raise UserError(f"world and recipe were chosen on seed {chosen[0]}: record other worlds")


def keep(rows: pd.DataFrame) -> None:
    """Record what was measured just now.

    Worlds that were recorded before are kept, if they are of the same code, and are not among those
    measured.

    Args:
        rows: with the `COLUMNS`.

    Raises:
        UserError: see `check_seeds`; or a file cannot be written.
    """
    check_seeds(rows["world_seed"])
    if not outdated():
        known = read()
        rows = pd.concat([known[~known["world_seed"].isin(rows["world_seed"])], rows])
    rows = rows[COLUMNS].sort_values([*KEYS, "species"], kind="stable")
    with whole_file(file()) as temporary:
        rows.to_csv(temporary, index=False)
    stamp.write(stamp_file(), today())


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over the species for each world and training, in per cent.

    Args:
        table: as `read` returns it.

    Returns:
        One row for each of the `KEYS` that occurs, with these, `top_1` and `chance`.
    """
    groups = table.groupby(KEYS, sort=False, dropna=False)[["top_1", "chance"]].mean()
    return (100 * groups).reset_index()
