"""Which prepared images are finished: made as today, and lying there as they were written.

A stamp beside the metadata says what decided each image, and what each file held.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from megalib import stamp
from megalib.data.images import load
from megalib.data.wildlife import WildlifeDataset
from megalib.errors import UserError
from megalib.files.places import Run

# The column of the raw dataset that decides what a rule cuts out.
DECIDES = {"bbox": "bbox", "mask_then_crop_black": "segmentation"}


def digests(source: WildlifeDataset, crop: str) -> list[str]:
    """For each row of a raw dataset, a digest of what decides the pixels of its image.

    That is the picture's path below the dataset's folder, its size and time of change, and what
    the rule of `cropping.crop` cuts by: the box, or the mask's path, size and time of change.
    """
    cuts = source.df[DECIDES[crop]] if DECIDES.get(crop) in source.df else [None] * len(source.df)
    result = []
    for path, cut in zip(source.df["path"], cuts, strict=True):
        facts = [path, _state(source, path), str(cut)]
        if crop == "mask_then_crop_black":
            facts.append(_state(source, str(cut)))
        result.append(hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16])
    return result


def _state(source: WildlifeDataset, path: str) -> list[int] | None:
    """Size and time of change in nanoseconds; None where there is no such file."""
    try:
        facts = Path(source.root, path).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return [facts.st_size, facts.st_mtime_ns]


def remove_outdated(
    run: Run, dataset: str, rule: Mapping[str, Any], now: Mapping[str, str]
) -> None:
    """Remove prepared images that would not be made the same way today; then stamp the way.

    Those that are not as they were written go, too. In this order, a run that is killed at any
    moment leaves no image that the stamp, old or new, describes wrongly. An image that exists
    afterwards is finished.

    Args:
        run: whose images they are.
        dataset: name of the dataset.
        rule: what decides the pixels of all images: crop rule, code, versions.
        now: digest of each image that shall be there, by its path below the dataset's folder.

    Raises:
        UserError: a file cannot be written.
    """
    file = run.prepared_by(dataset)
    facts = stamp.read(file)
    if facts.get("rule") != stamp.as_read(rule):
        facts = {}
    before, contents = (facts.get(part) for part in ("images", "contents"))
    if not (isinstance(before, dict) and isinstance(contents, dict)):  # or the stamp is damaged
        before, contents = {}, {}
    right = {path for path, digest in now.items() if before.get(path) == digest}
    stamped_at = file.stat().st_mtime_ns if file.is_file() else 0
    outdated, damaged, unseen, kept = [], [], [], {}
    for image, name in _images(run, dataset):
        path = name.partition("/")[2]
        if path not in right:
            outdated.append(image)
        elif name not in contents:
            unseen.append(image)  # by a run that was stopped
        elif _is_as_written(image, contents[name], stamped_at):
            kept[name] = contents[name]
        else:
            damaged.append(image)
    damaged += _unsound(unseen)
    if damaged:
        print(f"{dataset}: {len(damaged)} prepared images are damaged and are made again")
    if outdated or damaged or len(right) < len(now):
        run.metadata(dataset).unlink(missing_ok=True)  # it says that the images are complete
    for image in [*outdated, *damaged]:
        image.unlink(missing_ok=True)
    if before != now or kept != contents:
        stamp.write(file, {"rule": rule, "images": now, "contents": kept})


def complete(run: Run, dataset: str) -> None:
    """Add to the stamp what all prepared images hold, now that each was written whole.

    The next preparation need not look into those that have this length and are no younger than
    the stamp.

    Raises:
        UserError: the stamp cannot be written.
    """
    facts = stamp.read(run.prepared_by(dataset))
    known = facts["contents"]
    found = {name: known.get(name) or _content(image) for image, name in _images(run, dataset)}
    stamp.write(run.prepared_by(dataset), {**facts, "contents": found})


def _images(run: Run, dataset: str) -> Iterator[tuple[Path, str]]:
    """The prepared images of a dataset in all sizes, and their names: "size-256/one.jpg"."""
    for folder in sorted(run.images_root.glob(f"size-*/{glob.escape(dataset)}")):
        for parent, _, names in os.walk(folder):
            for image in (Path(parent, name) for name in sorted(names)):
                yield image, f"{folder.parent.name}/{image.relative_to(folder).as_posix()}"


def _content(image: Path) -> str:
    """Length of a file, and a digest of what it holds."""
    data = image.read_bytes()
    return f"{len(data)} {hashlib.sha256(data).hexdigest()[:16]}"


def _is_as_written(image: Path, content: object, stamped_at: int) -> bool:
    """Whether a file holds what the stamp says; it is read only if it has changed since then."""
    state = image.stat()
    if not str(content).startswith(f"{state.st_size} "):
        return False
    return state.st_mtime_ns <= stamped_at or _content(image) == content


def _unsound(images: list[Path]) -> list[Path]:
    """Those that cannot be read to their end; looked into on as many threads as torch uses."""

    def is_sound(image: Path) -> bool:
        try:
            load(image)
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        sound = pool.map(is_sound, images)
        return [image for image, is_whole in zip(images, sound, strict=True) if not is_whole]
