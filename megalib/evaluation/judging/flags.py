"""The flag of a photograph that is unlike all known ones: what it says, and what it is worth.

It says that the nearest image is less similar than a threshold, and no more. How often that means a
new animal depends on the network, and on how many of the animals are new at all.
"""

import numpy as np
import pandas as pd

FLAG = "unlike all known"  # as short as a caption; in full "unlike all known ones: look here first"
MEASURES = ["recall", "false alarms", "precision", "base rate"]


def two_by_two(flagged: np.ndarray, is_new: np.ndarray) -> pd.DataFrame:
    """Count photographs by what the flag says and by what is true.

    Args:
        flagged: whether each photograph is unlike all known ones, bool (n,).
        is_new: whether it shows an animal that the database does not hold, bool (n,).

    Returns:
        Rows `FLAG`, "not flagged" and "all"; columns "new animal", "known animal" and "all"; int.
    """
    flagged, is_new = np.asarray(flagged, dtype=bool), np.asarray(is_new, dtype=bool)
    rows = {FLAG: flagged, "not flagged": ~flagged, "all": np.ones_like(flagged)}
    columns = {"new animal": is_new, "known animal": ~is_new, "all": np.ones_like(is_new)}
    counts = {
        name: [int((row & column).sum()) for row in rows.values()]
        for name, column in columns.items()
    }
    return pd.DataFrame(counts, index=list(rows))


def measures(counts: pd.DataFrame) -> dict[str, float]:
    """What a flag is worth, in four numbers.

    Args:
        counts: of `two_by_two`.

    Returns:
        By the names of `MEASURES`, in [0, 1]: `recall`, the share of photographs of new animals
        that are flagged; `false alarms`, the same of known animals; `precision`, the share of
        flagged photographs that show a new animal; and `base rate`, the share of all photographs
        that do, which is the precision of a flag set by chance. NaN where there is nothing to
        count.
    """
    new, known, everybody = (counts[name] for name in ("new animal", "known animal", "all"))
    return {
        "recall": _share(new[FLAG], new["all"]),
        "false alarms": _share(known[FLAG], known["all"]),
        "precision": _share(new[FLAG], everybody[FLAG]),
        "base rate": _share(new["all"], everybody["all"]),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def counted_in_words(counts: pd.DataFrame) -> str:
    """The numbers of a table in one sentence, beside what a flag set by chance would find.

    Args:
        counts: of `two_by_two`.
    """
    found, flagged = measures(counts), counts.loc[FLAG, "all"]
    base = f"{found['base rate']:.0%} of all photographs"
    if not flagged:
        return f"No photograph is {FLAG}; {base} show a new animal."
    return (
        f"Of {flagged} photographs that are {FLAG}, {counts.loc[FLAG, 'new animal']} show a new "
        f"animal ({found['precision']:.0%}). Of as many picked at random it would be "
        f"{flagged * found['base rate']:.1f}, since {base} show one."
    )
