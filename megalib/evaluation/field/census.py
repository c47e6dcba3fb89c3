"""What an error costs a census: the population estimated from two occasions and their matches.

Where n₁ animals are seen on a first occasion, n₂ on a second, and m of these were seen before, the
population is about n₁ n₂ / m. An animal that is not found again makes it larger, one that is taken
for another makes it smaller.
"""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from megalib.evaluation import resampling
from megalib.evaluation.field import occasions
from megalib.evaluation.field.occasions import Occasions
from megalib.evaluation.field.photographs import Photographs
from megalib.files.plain import in_figure
from megalib.look import INK

LOOKS = (1, 2, 3, 5, 10)  # numbers of candidates that a person looks at


def chapman(first: float, second: float, both: float) -> float:
    """The population by Lincoln and Petersen, in the form of Chapman (1951), which has less bias.

    N = (n₁ + 1) (n₂ + 1) / (m + 1) - 1; finite also where no animal was seen twice.

    Args:
        first: animals of the first occasion, n₁.
        second: animals of the second, n₂.
        both: animals of the second that were seen on the first, m.
    """
    return (first + 1) * (second + 1) / (both + 1) - 1


def ask(
    photographs: Sequence[Photographs], share: float, report: Callable[[str], None] = print
) -> list[Occasions]:
    """Take the first and the last days of each dataset for two occasions, see `occasions.take`."""
    return occasions.take(photographs, share, report)


def counts(second: pd.DataFrame, threshold: float) -> dict[str, int]:
    """What becomes of the animals of the second occasion if similar candidates are believed.

    Args:
        second: of `Occasions`.
        threshold: the least similarity at which the candidate is taken for the animal.

    Returns:
        `matched`, all that are taken for one of the first occasion; `recaptured`, those that were
        seen before; `missed`, those of them that are not matched; `new`, those not seen before;
        `false`, those of them that are matched; and `wrong`, recaptured ones that are matched with
        another animal, which leaves the count of two occasions as it is.
    """
    is_matched, is_known = second["similarity"] >= threshold, second["recaptured"].astype(bool)
    wrong = is_matched & is_known & (second["candidate"] != second["animal"])
    return {
        "matched": int(is_matched.sum()),
        "recaptured": int(is_known.sum()),
        "missed": int((is_known & ~is_matched).sum()),
        "new": int((~is_known).sum()),
        "false": int((~is_known & is_matched).sum()),
        "wrong": int(wrong.sum()),
    }


def thresholds(second: pd.DataFrame) -> np.ndarray:
    """One threshold below all similarities, one between any two neighbours, one above all."""
    distinct = np.unique(second["similarity"])
    between = (distinct[:-1] + distinct[1:]) / 2
    return np.concatenate([[distinct[0] - 0.01], between, [distinct[-1] + 0.01]])


def learn_threshold(second: pd.DataFrame) -> float:
    """The threshold with the fewest missed and false matches; of several, the middle one.

    Args:
        second: of `Occasions`, one row or more.
    """
    cuts = thresholds(second)
    found = [counts(second, cut) for cut in cuts]
    errors = np.array([one["missed"] + one["false"] for one in found])
    best = np.flatnonzero(errors == errors.min())
    return float(cuts[best[len(best) // 2]])


def sweep(one: Occasions) -> pd.DataFrame:
    """The estimate at every threshold.

    Returns:
        One row per threshold, rising: `threshold`, what `counts` counts, the `estimate`, and its
        `ratio` to that of perfect matching.
    """
    rows = []
    for threshold in thresholds(one.second):
        found = counts(one.second, threshold)
        rows.append({"threshold": threshold, **found, **_estimated(one, found["matched"])})
    return pd.DataFrame(rows)


def reviewed(one: Occasions) -> pd.DataFrame:
    """The estimate if a person looks at the most similar candidates and knows the right one.

    Returns:
        One row per number of candidates (`LOOKS` as far as there are so many, and all): `looked
        at`, recaptured animals that are `found`, the `estimate`, and its `ratio` to that of perfect
        matching.
    """
    rows = []
    for looks in [*(number for number in LOOKS if number < len(one.first)), len(one.first)]:
        found = int((one.second["rank"] < looks).sum())
        rows.append({"looked at": looks, "found": found, **_estimated(one, found)})
    return pd.DataFrame(rows)


def _estimated(one: Occasions, both: int) -> dict[str, float]:
    """The estimate for a number of matches, and its ratio to that of perfect matching."""
    first, second = len(one.first), len(one.second)
    perfect = chapman(first, second, one.second["recaptured"].sum())
    estimate = chapman(first, second, both)
    return {"estimate": estimate, "perfect": perfect, "ratio": estimate / perfect}


def over_divisions(asked: Sequence[Occasions], seed: int = 0) -> pd.DataFrame:
    """Learn the threshold on half of the animals and estimate the number of the others by it.

    Args:
        asked: of `ask`.
        seed: of the divisions of the animals into halves.

    Returns:
        One row per `dataset` and `division` in which both halves have animals on the second
        occasion: the `threshold`; of the other half what `counts` counts, the `estimate`, that of
        `perfect` matching, and their `ratio`.
    """
    rows = []
    for one in asked:
        names = np.union1d(one.first, one.second["animal"].to_numpy(dtype=str))
        for division in range(resampling.DIVISIONS):
            is_learned = resampling.halves(names, np.random.default_rng(seed + division))
            learn, judge = (
                one.second[one.second["animal"].isin(names[part])]
                for part in (is_learned, ~is_learned)
            )
            if len(learn) and len(judge):
                threshold = learn_threshold(learn)
                found = counts(judge, threshold)
                first = np.intersect1d(one.first, names[~is_learned])
                half = Occasions(one.dataset, first, judge, one.days, None)
                told = {"dataset": one.dataset, "division": division, "threshold": threshold}
                rows.append({**told, **found, **_estimated(half, found["matched"])})
    return pd.DataFrame(rows)


def summary(asked: Sequence[Occasions], divisions: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset: what there is, and what the estimate becomes.

    Args:
        asked: of `ask`.
        divisions: of `over_divisions`.

    Returns:
        By dataset: `days` of an occasion; animals on the `first`, on the `second`, on `both`;
        how many there `are`, None where nobody knows; the estimate of `perfect` matching; in [0, 1]
        the shares of recaptures `missed` and of new animals matched (`false`), means over the
        divisions; and what the threshold makes of the estimate, as a share of it: `bias`, its mean,
        and `low` and `high`, the middle 95 % of the divisions.
    """
    rows = {}
    for one in asked:
        own = divisions[divisions["dataset"] == one.dataset]
        low, high = np.quantile(own["ratio"] - 1, [0.025, 0.975]) if len(own) else (np.nan, np.nan)
        rows[one.dataset] = {
            "days": one.days,
            "first": len(one.first),
            "second": len(one.second),
            "both": int(one.second["recaptured"].sum()),
            "there are": one.population,
            "perfect": _estimated(one, 0)["perfect"],
            "missed": own["missed"].sum() / max(own["recaptured"].sum(), 1),
            "false": own["false"].sum() / max(own["new"].sum(), 1),
            "bias": own["ratio"].mean() - 1,
            "low": low,
            "high": high,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def in_words(asked: Sequence[Occasions], divisions: pd.DataFrame) -> str:
    """The answer in a few sentences, which the numbers choose.

    Args:
        asked: of `ask`, one or more.
        divisions: of `over_divisions`, one row or more.
    """
    table = summary(asked, divisions)
    missed, false, bias = (100 * table[name].mean() for name in ("missed", "false", "bias"))
    text = (
        f"By a threshold that was learned on other animals, {missed:.0f} % of the recaptured "
        f"animals are missed and {false:.0f} % of the new ones are taken for known ones. The "
        f"estimate is then {_off(bias)} that of perfect matching"
    )
    text += f" (means over {len(table)} datasets and over the divisions). "
    if table["there are"].notna().all():
        text += (
            f"Perfect matching itself estimates {table['perfect'].sum():.0f} animals in all, where "
            f"there are {table['there are'].sum():.0f}. "
        )
    reviews = pd.concat([reviewed(one) for one in asked])
    five = reviews[reviews["looked at"] == 5]
    if len(five):
        found, both = five["found"].sum(), table["both"].sum()
        text += (
            f"A person who looks at the 5 most similar animals finds {found} of {both} recaptured "
            f"ones, and estimates {_off(100 * (five['ratio'].mean() - 1))} perfect matching."
        )
    return text.strip()


def _off(percent: float) -> str:
    """How far from something an estimate is, in words."""
    if abs(percent) < 0.5:
        return "about as high as"
    return f"{abs(percent):.0f} % {'above' if percent > 0 else 'below'}"


def plot(asked: Sequence[Occasions], divisions: pd.DataFrame) -> Figure:
    """The estimate as a share of that of perfect matching: by threshold, and by looking.

    Args:
        asked: of `ask`, one or more.
        divisions: of `over_divisions`; dots show their means.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
    styles = ("-", "--", "-.", ":")
    for number, one in enumerate(asked):
        style = {"linestyle": styles[number % len(styles)], "color": f"C{number % 10}"}
        found, looked, name = sweep(one), reviewed(one), in_figure(one.dataset)
        left.step(found["threshold"], found["ratio"], where="mid", **style)
        right.plot(
            looked["looked at"], looked["ratio"], marker="o", markersize=4, label=name, **style
        )
        own = divisions[divisions["dataset"] == one.dataset]
        if len(own):
            left.plot([own["threshold"].mean()], [own["ratio"].mean()], "o", color=style["color"])
    for axis in (left, right):
        axis.axhline(1, color=INK, linewidth=0.8)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(plt.FixedLocator([0.5, 1, 2, 5, 10, 20]))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_locator(plt.NullLocator())
    left.set(xlabel="a match is believed from this cosine on", ylabel="estimate / perfect matching")
    right.set(xlabel="candidates that a person looks at", xscale="log")
    right.set_xticks(LOOKS, LOOKS)
    right.xaxis.set_minor_locator(plt.NullLocator())
    right.legend(frameon=False, fontsize=8)
    return figure
