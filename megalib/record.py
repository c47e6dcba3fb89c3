"""What each prepared image was made of, so that none that is outdated counts as finished."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from megalib.files import Run, whole_file

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset

# The column of the raw dataset that decides what a rule cuts out.
DECIDES = {"bbox": "bbox", "mask_then_crop_black": "segmentation"}


def digests(source: "WildlifeDataset", crop: str) -> list[str]:
    """For each row of a raw dataset, a digest of what decides the pixels of its image.

    That is the picture's path below the dataset's folder, its size and time of change, and what
    the rule cuts by: the box, or the mask's path, size and time of change.

    Args:
        source: the raw dataset.
        crop: a rule of `prepare.crop`.
    """
    cuts = source.df[DECIDES[crop]] if DECIDES.get(crop) in source.df else [None] * len(source.df)
    result = []
    for path, cut in zip(source.df["path"], cuts, strict=True):
        facts = [path, _state(source, path), str(cut)]
        if crop == "mask_then_crop_black":
            facts.append(_state(source, str(cut)))
        result.append(hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16])
    return result


def _state(source: "WildlifeDataset", path: str) -> list[int] | None:
    """Size and time of change in nanoseconds; None where there is no such file."""
    try:
        facts = Path(source.get_absolute_path(path)).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return [facts.st_size, facts.st_mtime_ns]


def remove_outdated(
    run: Run, dataset: str, rule: Mapping[str, Any], now: Mapping[str, str]
) -> None:
    """Remove prepared images that would not be made the same way today; then record the way.

    In this order, a run that is killed at any moment leaves no image that the record, old or new,
    describes wrongly. An image that exists afterwards is finished.

    Args:
        run: whose images they are.
        dataset: name of the dataset.
        rule: what decides the pixels of all images: crop rule, code, versions.
        now: digest of each image that shall be there, by its path below the dataset's folder.

    Raises:
        UserError: a file cannot be written.
    """
    file = run.prepared_by(dataset)
    before = _read(file, rule)
    right = {path for path, digest in now.items() if before.get(path) == digest}
    outdated = []
    for folder in run.images_root.glob(f"size-*/{dataset}"):
        for parent, _, names in os.walk(folder):
            paths = [Path(parent, name) for name in names]
            outdated += [path for path in paths if path.relative_to(folder).as_posix() not in right]
    if outdated or len(right) < len(now):
        run.metadata(dataset).unlink(missing_ok=True)  # it says that the images are complete
    for path in [*outdated, *file.parent.glob(".*.part*")]:  # parts of files: of a killed run
        path.unlink(missing_ok=True)
    if not file.is_file() or before != now:
        with whole_file(file) as temporary:
            temporary.write_text(json.dumps({"rule": rule, "images": now}, indent=1) + "\n")


def _read(file: Path, rule: Mapping[str, Any]) -> dict[str, str]:
    """The recorded digests; none where the rule was another, or the record cannot be read."""
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(record, dict) or record.get("rule") != rule:
        return {}
    images = record.get("images")
    if not isinstance(images, dict) or not all(isinstance(text, str) for text in images.values()):
        return {}
    return images
