"""Lists that other programs write: MegaDetector, COCO Camera Traps, Camtrap DP, Wildbook.

Each becomes a table as if a person had written it, with a line for each animal.
Formats: https://lila.science/coco-camera-traps, https://camtrap-dp.tdwg.org,
https://github.com/agentmorris/MegaDetector (batch output), https://wildbook.docs.wildme.org (bulk
import).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from megalib.errors import UserError, told
from megalib.files.places import shown
from megalib.own.lists import tables
from megalib.own.lists.tables import Table
from megalib.own.report import Notes, counted

HEADER = ["path", "identity", "bbox", "date", "orientation", "encounter", "station"]
ANIMAL = "animal"
NO_ANIMALS = {"person", "human", "people", "vehicle", "empty", "blank", "nothing", "unclassified"}
CAMTRAP_DP = ("media.csv", "observations.csv")
NAMED_BY = ("individual_id", "individualID", "individual", "individual_ids", "identity", "name")
MEDIA_ASSET = re.compile(r"(?:.*\.)?mediaAsset\d+", re.IGNORECASE)


def from_json(file: Path, threshold: float, notes: Notes) -> Table:
    """The list in a JSON file of MegaDetector or in the form of COCO Camera Traps.

    Args:
        file: the file.
        threshold: the confidence from which a detection of MegaDetector counts.
        notes: takes what is left out.

    Raises:
        UserError: it is no JSON, or of neither form.
    """
    try:
        content = json.loads(tables.decoded(file, notes))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown(file)} is no JSON: {' '.join(str(error).split())}") from error
    images = content.get("images") if isinstance(content, dict) else content
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise UserError(
            f"{shown(file)} has no list of images: it is neither of MegaDetector nor in the form "
            "of COCO Camera Traps"
        )
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        rows = list(_of_coco(content, notes))
        notes.understood.append("read in the form of COCO Camera Traps")
    else:
        words = content.get("detection_categories") if isinstance(content, dict) else None
        rows = list(_of_megadetector(images, words or {"1": ANIMAL}, threshold, notes))
        notes.understood.append(f"detections of MegaDetector, from a confidence of {threshold:g}")
    return Table(file, HEADER, rows)


def _of_megadetector(
    images: list[dict], words: Mapping[str, str], threshold: float, notes: Notes
) -> Iterator[tuple[str, list[str]]]:
    weak, others = 0, Counter()
    for number, image in enumerate(images, 1):
        path, place = str(image.get("file", "")), f"image {number}"
        found = image.get("detections") or []
        if image.get("failure"):
            notes.leave_out(place, path, f"MegaDetector failed: {told(image['failure'])}")
            continue
        count = 0
        for detection in found:
            kind = str(words.get(str(detection.get("category")), ANIMAL)).lower()
            if kind in NO_ANIMALS:
                others[kind] += 1
            elif float(detection.get("conf", 1)) < threshold:
                weak += 1
            else:
                count += 1
                date = str(image.get("datetime") or "")
                yield place, [path, "", json.dumps(detection.get("bbox")), date, "", "", ""]
        if not count:
            notes.leave_out(place, path, f"no animal with a confidence of {threshold:g}")
    if weak:
        notes.understood.append(f"{counted(weak, 'detection')} of less confidence left out")
    for kind, count in others.items():
        notes.understood.append(f"{counted(count, 'detection')} of the kind {told(kind)} left out")


def _of_coco(content: dict[str, Any], notes: Notes) -> Iterator[tuple[str, list[str]]]:
    kinds = {kind.get("id"): str(kind.get("name", "")) for kind in content.get("categories", [])}
    animals = defaultdict(list)
    for annotation in content["annotations"]:
        animals[annotation.get("image_id")].append(annotation)
    for number, image in enumerate(content["images"], 1):
        place, path = f"image {number}", str(image.get("file_name", ""))
        there = [
            one
            for one in animals[image.get("id")]
            if kinds.get(one.get("category_id"), "").lower() not in NO_ANIMALS
        ]
        if not there:
            notes.leave_out(place, path, "no animal is annotated")
        for one in there:
            box = one.get("bbox")
            yield (
                place,
                [
                    path,
                    _name_of(one) or _name_of(image),
                    json.dumps(box) if box else "",
                    str(image.get("datetime") or image.get("date_captured") or ""),
                    str(one.get("viewpoint") or one.get("orientation") or ""),
                    str(image.get("seq_id") or ""),
                    str(image.get("location") if image.get("location") is not None else ""),
                ],
            )


def _name_of(facts: Mapping[str, Any]) -> str:
    for key in NAMED_BY:
        value = facts.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str | int) and str(value).strip():
            return str(value)
    return ""


# Camtrap DP


def is_camtrap_dp(folder: Path) -> bool:
    """Whether a folder holds the tables of a data package of camera traps."""
    return all((folder / name).is_file() for name in CAMTRAP_DP)


def from_camtrap_dp(folder: Path, notes: Notes) -> Table:
    """The animals of a Camtrap DP: those observed on single media, and those of whole events.

    Raises:
        UserError: a table cannot be read, or lacks a column.
    """
    media, observed = (_frame(folder / name, notes) for name in CAMTRAP_DP)
    _require(folder / "media.csv", media, ("mediaID", "filePath"))
    _require(folder / "observations.csv", observed, ("mediaID", "observationType"))
    is_animal = observed["observationType"].isin({ANIMAL, "unknown", ""})
    if (~is_animal).any():
        kinds = ", ".join(sorted(set(observed.loc[~is_animal, "observationType"])))
        notes.understood.append(
            f"{counted(int((~is_animal).sum()), 'observation')} of no animals left out ({kinds})"
        )
    observed = observed[is_animal]
    at_media = observed[observed["mediaID"] != ""].merge(
        media, on="mediaID", how="left", suffixes=("", " of media")
    )
    rows = [_camtrap_row(row) for row in at_media.to_dict("records")]
    for event in observed[observed["mediaID"] == ""].to_dict("records"):
        rows += [_camtrap_row(event | one) for one in _media_of(event, media)]
    notes.understood.append("read as a Camtrap DP")
    return Table(folder / "observations.csv", HEADER, rows)


def _media_of(event: Mapping[str, str], media: pd.DataFrame) -> list[dict[str, str]]:
    """The media of one deployment between the beginning and the end of an event."""
    if not {"deploymentID", "timestamp"} <= set(media):
        return []
    times = pd.to_datetime(media["timestamp"], errors="coerce", utc=True, format="ISO8601")
    start, end = (
        pd.to_datetime(event.get(name, ""), errors="coerce", utc=True)
        for name in ("eventStart", "eventEnd")
    )
    chosen = (media["deploymentID"] == event.get("deploymentID")) & times.between(start, end)
    return media[chosen].to_dict("records")


def _camtrap_row(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    box = [str(facts.get(f"bbox{part}") or "") for part in ("X", "Y", "Width", "Height")]
    cells = [
        facts.get("filePath"),
        facts.get("individualID"),
        json.dumps([float(part) for part in box]) if all(box) else "",
        facts.get("timestamp") or facts.get("eventStart"),
        "",
        facts.get("eventID"),
        facts.get("deploymentID"),
    ]
    texts = ["" if cell is None or pd.isna(cell) else str(cell) for cell in cells]
    return f"observation {facts.get('observationID', '')}".strip(), texts


def _frame(file: Path, notes: Notes) -> pd.DataFrame:
    table = tables.read(file, notes)
    return pd.DataFrame([row for _, row in table.rows], columns=table.header, dtype=object)


def _require(file: Path, frame: pd.DataFrame, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in frame]
    if missing:
        raise UserError(f"{shown(file)} lacks the column {' and '.join(missing)}")


# Wildbook


def with_one_picture_a_line(table: Table, notes: Notes) -> Table:
    """A table whose lines name several pictures, as Wildbook's bulk import does, with one each."""
    assets = [place for place, name in enumerate(table.header) if MEDIA_ASSET.fullmatch(name)]
    if not assets:
        return table
    others = [place for place in range(len(table.header)) if place not in assets]
    rows = [
        (place, [row[asset], *(row[other] for other in others)])
        for place, row in table.rows
        for asset in assets
        if row[asset].strip()
    ]
    notes.understood.append(
        f"read in the form of Wildbook, {counted(len(assets), 'picture')} a line"
    )
    return Table(table.file, ["path", *(table.header[place] for place in others)], rows)
