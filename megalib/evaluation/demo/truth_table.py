"""The truth table for a page: what was expected and measured, in words and tables."""

from collections.abc import Iterable, Mapping, Sequence
from math import nan

import pandas as pd
from matplotlib.figure import Figure

from megalib.data import catalogue
from megalib.evaluation import results
from megalib.evaluation.demo import dots, expectations, record
from megalib.evaluation.demo.expectations import EXPECTED, NAMES, Row
from megalib.files.places import Run
from megalib.flavours import SIFT

# Columns of a run's results, and the weights that they are of.
OWN = {"untrained_accuracy": "random", "frozen_accuracy": "imagenet", "accuracy": "trained"}
WORDS = {"random": "random", "imagenet": "ImageNet, frozen", "trained": "trained", "": "none"}
WORLD = "world {}"  # how a page calls that of a seed
YES, NO = "✓\N{NO-BREAK SPACE}yes", "✗\N{NO-BREAK SPACE}no"


def read() -> pd.DataFrame:
    """The recorded figures, see `record.read`; no rows where none have been recorded."""
    return record.read()


def conditions() -> pd.DataFrame:
    """What is asked: by the name of each condition, what it is."""
    return pd.DataFrame({"what it is": record.CONDITIONS})


def of_run(run: Run, names: Iterable[str]) -> dict[Row, float]:
    """What a run has measured itself of all drawn species: mean top-1 in per cent, by row.

    Args:
        run: whose results are read.
        names: methods of the run; those that the truth table does not know are left out.

    Returns:
        The rows that the run holds; none where it has not run them on just the drawn species.

    Raises:
        UserError: a file of results is damaged.
    """
    drawn, found = {entry.name for entry in catalogue.DRAWN}, {}
    for name in names:
        if name not in [SIFT, *NAMES] or not run.results(name).is_file():
            continue
        table = results.read(run, [name])
        for column, weights in OWN.items() if set(table["dataset"]) == drawn else ():
            if column in table and table[column].notna().all():
                row = Row(name, weights if name in NAMES else "", expectations.RANDOM)
                found[row] = 100 * float(table[column].mean())
    return found


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Each expectation, what was measured of it in each world, and whether it is met.

    Args:
        table: of `read`.

    Returns:
        One row per expectation, all of it text: the `expectation`; a column for each world with the
        value of its row, or the range of its rows; `in`, their unit; and `met`: `YES` if it is in
        all worlds, else `NO`, or "not measured".
    """
    judged, rows = expectations.judged(expectations.worlds(table)), []
    for number, expectation in enumerate(EXPECTED):
        own = judged[judged["number"] == number]
        row = {"expectation": str(expectation)}
        for seed in _seeds(table):
            values = own.loc[own["world_seed"] == seed, "value"]
            row[WORLD.format(seed)] = _range(values)
        row["in"] = expectation.unit
        met = YES if own["is_met"].all() else NO
        rows.append(row | {"met": met if len(own) else "not measured"})
    return pd.DataFrame(rows)


def _seeds(table: pd.DataFrame) -> list[int]:
    return sorted(set(table["world_seed"]))


def _range(values: Sequence[float]) -> str:
    """One value, or the smallest and the greatest of several."""
    if not len(values):
        return ""
    return " to ".join(dict.fromkeys(map(_told, (min(values), max(values)))))


def _told(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def in_words(table: pd.DataFrame) -> str:
    """How many expectations are met, and what it means where one is not, as Markdown.

    Args:
        table: of `read`.
    """
    if table.empty:
        return (
            "**Nothing has been recorded yet.** What is expected is listed below. It is measured "
            f"and recorded by `{record.command(record.SEEDS)}`, which goes on where it was stopped."
        )
    judged, seeds = expectations.judged(expectations.worlds(table)), _seeds(table)
    asked, missed = set(judged["number"]), sorted(set(judged.loc[~judged["is_met"], "number"]))
    where = f"in each of the {len(seeds)} worlds" if len(seeds) > 1 else "in one world"
    if not missed:
        return f"**All {len(asked)} expectations are met {where}.**"
    met = len(asked) - len(missed)
    told = [_why(number, judged[judged["number"] == number]) for number in missed]
    return "\n".join([f"**{met} of {len(asked)} expectations are met {where}.**", "", *told])


def _why(number: int, judged: pd.DataFrame) -> str:
    """An expectation that is not met: by whom, by how much, and what that means."""
    expectation = EXPECTED[number]
    told = "; ".join(
        f"{row.row.method} in {WORLD.format(row.world_seed)}: {_told(row.value)} {expectation.unit}"
        for row in judged[~judged["is_met"]].itertuples()
    )
    return f"* Not met: *{expectation}* ({told}). It means that {expectation.otherwise}."


def figures(table: pd.DataFrame, own: Mapping[Row, float]) -> pd.DataFrame:
    """All figures for reading, in per cent: means over the species.

    Args:
        table: of `read`.
        own: of `of_run`.

    Returns:
        One row per method, weights and condition, in the order of the picture: those, `this run`,
        `lowest` and `highest` training of all worlds, `chance`, and the mean over the trainings of
        each world; NaN where something was not measured.
    """
    found, means = expectations.worlds(table), record.means(table)
    columns = ["this run", "lowest", "highest", "chance", *map(WORLD.format, found)]
    rows = {}
    for row in dots.rows():
        recorded = means[dots.are(means, row)]
        if len(recorded) or row in own:
            ends = [recorded["top_1"].min(), recorded["top_1"].max(), recorded["chance"].mean()]
            values = [world.at(row) for world in found.values()]
            rows[row._replace(weights=WORDS[row.weights])] = [own.get(row, nan), *ends, *values]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float)
    table.index = pd.MultiIndex.from_tuples(rows, names=Row._fields)
    return table.reset_index()


def beside(figures: pd.DataFrame) -> str:
    """How the figures of a run lie beside the recorded ones, in a sentence or two.

    Args:
        figures: of `figures`.
    """
    own = figures.dropna(subset="this run")
    if own.empty:
        return "This run has no results on just the species that the demo draws: none stand here."
    both = own.dropna(subset="lowest")
    if both.empty:
        return "Nothing is recorded that the figures of this run could be set beside."
    beyond = (both["this run"] - both["highest"]).clip(lower=0)
    beyond -= (both["lowest"] - both["this run"]).clip(lower=0)
    text = f"{(beyond == 0).sum()} of {len(both)} figures of this run lie in the recorded range."
    if (beyond == 0).all():
        return text
    row = both.loc[beyond.abs().idxmax()]
    which = row["method"] if row["weights"] == "none" else f"{row['method']} ({row['weights']})"
    points = beyond[row.name]
    side = "above" if points > 0 else "below"
    return f"{text} Farthest from it is {which}, {abs(points):.1f} points {side}."


def made_by(table: pd.DataFrame) -> str:
    """Where the recorded figures come from, as Markdown; and whether they are of today's code.

    Args:
        table: of `read`.
    """
    changed, seeds = record.outdated(), _seeds(table)
    rows = {
        "Worlds": f"of the seeds {_listed(seeds)}",
        "Trainings": f"with the seeds {_listed(sorted(set(table['training_seed'].dropna())))}",
        "Chosen on": f"worlds of the seeds {_listed(record.TUNING_SEEDS)}",
        "Commit": _listed(sorted(set(table["commit"]))),
        "Since then": f"changed: {changed}" if changed else "nothing has changed that decides them",
    }
    rows = rows if seeds else {"Worlds": "none yet"}
    rows["Command"] = f"`{record.command(seeds or record.SEEDS)}`"
    lines = [f"| {key} | {value} |" for key, value in rows.items()]
    return "\n".join(["| Recorded | |", "|---|---|", *lines])


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(str, things))


def as_text(table: pd.DataFrame) -> str:
    """The verdicts as lines for a terminal.

    Args:
        table: of `read`, or measured just now.
    """
    lines = []
    for row in verdicts(table).to_dict("records"):
        expectation, met, unit = (row.pop(name) for name in ("expectation", "met", "in"))
        lines.append(f"{met:>12}  {expectation}")
        lines += [f"{name:>24}: {text} {unit}" for name, text in row.items()]
    return "\n".join(lines)


def plot(table: pd.DataFrame, own: Mapping[Row, float]) -> Figure:
    """The picture of the truth table, see `dots.plot`."""
    return dots.plot(table, own)
