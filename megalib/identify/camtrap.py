"""Observations in the form of Camtrap DP 1.0, in which camera-trap programs exchange them.

Fields and their values: https://camtrap-dp.tdwg.org/data (Bubnicki et al., 2024, Remote Sensing in
Ecology and Conservation 10). Required there are a deployment and two times with a time zone.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from megalib.data.metadata import UNKNOWN
from megalib.errors import UserError, told
from megalib.files.writing import whole_file

FIELDS = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd"),
    *("observationLevel", "observationType", "cameraSetupType", "scientificName", "count"),
    *("lifeStage", "sex", "behavior", "individualID", "individualPositionRadius"),
    *("individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth", "bboxHeight"),
    *("classificationMethod", "classifiedBy", "classificationTimestamp"),
    *("classificationProbability", "observationTags", "observationComments"),
)
_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})"
FLAGGED = "unlike all known individuals"  # a comment
NO_STATION = "unknown"  # a deployment must be named


@dataclass(frozen=True)
class Observations:
    """The `table` with `FIELDS`, empty where nothing is known; `in_words` counts its rows."""

    table: pd.DataFrame
    in_words: str


def observations(
    table: pd.DataFrame,
    new: pd.DataFrame,
    decided: pd.DataFrame | None,
    classified_by: str,
    scientific_name: str = "",
    utc_offset: str = "+00:00",
) -> Observations:
    """One observation per new animal: what a person decided, else the first candidate.

    `individualID` is empty where a person says that the animal is unknown, and where nobody has
    decided about one that is unlike all known ones. A time that is known to the day spans the day.

    Args:
        table: of `judging.rank`, of the animals that nobody has decided about.
        new: metadata of the same animals.
        decided: `decisions.Decided.animals`.
        classified_by: what ranked the candidates: the network.
        scientific_name: of the species.
        utc_offset: of the clock of the cameras, "+02:00" or "Z".

    Returns:
        The observations of all animals whose time, which is required, is known at least to the day.

    Raises:
        UserError: the offset is none.
    """
    if not re.fullmatch(r"Z|[+-]\d{2}:\d{2}", utc_offset):
        raise UserError(f"utc_offset must be like +02:00, or Z, not {told(utc_offset)}")
    by_machine = _by_machine(table, new, classified_by)
    rows = by_machine if decided is None else pd.concat([_by_person(decided), by_machine])
    start, end = _times(rows, utc_offset)
    rows = rows.assign(
        observationID=rows["image_id"],
        deploymentID=_known(rows, "station").replace("", NO_STATION),
        mediaID=rows["photograph"],
        eventID=_known(rows, "encounter"),
        eventStart=start,
        eventEnd=end,
        observationLevel="media",
        observationType="animal",
        scientificName=scientific_name,
        count=1,
    )
    has_time = (start != "").to_numpy()
    written = rows[has_time].reindex(columns=list(FIELDS)).reset_index(drop=True)
    return Observations(written, _in_words(written, int((~has_time).sum())))


def _in_words(written: pd.DataFrame, left_out: int) -> str:
    if written.empty:
        return "no observations for Camtrap DP: no new animal has a day"
    by_person = (written["classificationMethod"] == "human").sum()
    text = f"Camtrap DP: {len(written)} observations, {by_person} of them by a person"
    text += f"; {left_out} animals without a day are left out" if left_out else ""
    no_station = (written["deploymentID"] == NO_STATION).sum()
    return text + (f"; {no_station} name no station as their deployment" if no_station else "")


def _by_machine(table: pd.DataFrame, new: pd.DataFrame, classified_by: str) -> pd.DataFrame:
    first = table[table["rank"] == 1].set_index("image_id")
    rows = new[new["image_id"].isin(first.index)]
    first = first.loc[rows["image_id"]]
    is_flagged = (first["unlike_all_known"] == "yes").to_numpy()
    return rows.assign(
        individualID=first["candidate"].mask(is_flagged, "").to_numpy(),
        classificationMethod="machine",
        classifiedBy=classified_by,
        classificationProbability=first["probability"].mask(is_flagged).to_numpy(),
        observationComments=[FLAGGED if one else "" for one in is_flagged],
    )


def _by_person(decided: pd.DataFrame) -> pd.DataFrame:
    return decided.assign(
        individualID=decided["identity"].replace(UNKNOWN, ""),
        classificationMethod="human",
        classifiedBy=decided["decided_by"],
        # A spreadsheet may have written it in its own way.
        classificationTimestamp=decided["decided_at"].where(
            decided["decided_at"].str.fullmatch(_TIME), ""
        ),
    )


def _times(rows: pd.DataFrame, offset: str) -> tuple[pd.Series, pd.Series]:
    """When each observation starts and ends: its moment, else its day, else ""."""
    moment = _known(rows, "moment")
    day = _known(rows, "date").str[:10]
    day = day.where(day.str.fullmatch(r"\d{4}-\d{2}-\d{2}"), "")
    start = moment.where(moment != "", (day + "T00:00:00").where(day != "", ""))
    end = moment.where(moment != "", (day + "T23:59:59").where(day != "", ""))
    return tuple((one + offset).where(one != "", "") for one in (start, end))


def _known(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column as text, "" where nothing is known."""
    if column not in rows:
        return pd.Series("", index=rows.index)
    return rows[column].astype(object).where(rows[column].notna(), "").astype(str)


def write(folder: Path, observed: Observations) -> list[Path]:
    """Write `observations.csv`, for programs: names are as they are. None is left of an empty one.

    Returns:
        The files that were written.

    Raises:
        UserError: the file cannot be written.
    """
    file = folder / "observations.csv"
    if observed.table.empty:
        file.unlink(missing_ok=True)
        return []
    with whole_file(file) as temporary:
        observed.table.to_csv(temporary, index=False)
    return [file]
