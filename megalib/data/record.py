"""What each prepared image was made of, so that none that is outdated counts as finished."""

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from megalib.data.images import load
from megalib.errors import UserError
from megalib.files.places import Run
from megalib.files.writing import whole_file

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
        crop: a rule of `preparation.crop`.
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
        facts = Path(source.root, path).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return [facts.st_size, facts.st_mtime_ns]


def remove_outdated(
    run: Run, dataset: str, rule: Mapping[str, Any], now: Mapping[str, str]
) -> None:
    """Remove prepared images that would not be made the same way today; then record the way.

    Those that are not as they were written go, too. In this order, a run that is killed at any
    moment leaves no image that the record, old or new, describes wrongly. An image that exists
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
    before, contents = _read(file, rule)
    right = {path for path, digest in now.items() if before.get(path) == digest}
    recorded_at = file.stat().st_mtime_ns if file.is_file() else 0
    outdated, damaged, unseen, kept = [], [], [], {}
    for image, name in _images(run, dataset):
        path = name.partition("/")[2]
        if path not in right:
            outdated.append(image)
        elif name not in contents:
            unseen.append(image)  # by a run that was stopped
        elif _is_as_written(image, contents[name], recorded_at):
            kept[name] = contents[name]
        else:
            damaged.append(image)
    damaged += [image for image, sound in zip(unseen, _are_sound(unseen), strict=True) if not sound]
    if damaged:
        print(f"{dataset}: {len(damaged)} prepared images are damaged and are made again")
    if outdated or damaged or len(right) < len(now):
        run.metadata(dataset).unlink(missing_ok=True)  # it says that the images are complete
    for image in [*outdated, *damaged]:
        image.unlink(missing_ok=True)
    if before != now or kept != contents:
        _write(file, rule, now, kept)


def complete(run: Run, dataset: str) -> None:
    """Record the contents of all prepared images, now that each was written whole.

    The next preparation need not look into those that have this length and are no younger than
    the record.

    Args:
        run: whose images they are.
        dataset: name of the dataset.

    Raises:
        UserError: the record cannot be written.
    """
    file = run.prepared_by(dataset)
    record = json.loads(file.read_text())
    contents = record["contents"]
    found = {name: contents.get(name) or _content(image) for image, name in _images(run, dataset)}
    _write(file, record["rule"], record["images"], found)


def _images(run: Run, dataset: str) -> Iterator[tuple[Path, str]]:
    """The prepared images of a dataset in all sizes, and their names: "size-256/one.jpg"."""
    for folder in sorted(run.images_root.glob(f"size-*/{glob.escape(dataset)}")):
        for parent, _, names in os.walk(folder):
            for image in (Path(parent, name) for name in sorted(names)):
                yield image, f"{folder.parent.name}/{image.relative_to(folder).as_posix()}"


def _content(image: Path) -> list[int | str]:
    """Length of a file, and a digest of what it holds."""
    data = image.read_bytes()
    return [len(data), hashlib.sha256(data).hexdigest()[:16]]


def _is_as_written(image: Path, content: list[int | str], recorded_at: int) -> bool:
    """Whether a file holds what was recorded; it is read only if it has changed since then."""
    state = image.stat()
    if state.st_size != content[0]:
        return False
    return state.st_mtime_ns <= recorded_at or _content(image) == content


def _are_sound(images: Sequence[Path]) -> list[bool]:
    """Whether each image can be read to its end, on as many threads as torch uses."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(_is_sound, images))


def _is_sound(image: Path) -> bool:
    try:
        load(image)
    except UserError:
        return False
    return True


def _write(
    file: Path,
    rule: Mapping[str, Any],
    images: Mapping[str, str],
    contents: Mapping[str, list[int | str]],
) -> None:
    text = json.dumps({"rule": rule, "images": images, "contents": contents}, indent=1) + "\n"
    with whole_file(file) as temporary:
        temporary.write_text(text)


def _read(file: Path, rule: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, list[int | str]]]:
    """Recorded digests and contents; none where the rule was another, or it cannot be read."""
    try:
        record = json.loads(file.read_text())
        images, contents = record["images"], record.get("contents", {})
        is_record = record["rule"] == rule and all(
            isinstance(part, dict) for part in (images, contents)
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}, {}
    is_record = is_record and all(isinstance(digest, str) for digest in images.values())
    if is_record and all(map(_is_content, contents.values())):
        return images, contents
    return {}, {}


def _is_content(value: object) -> bool:
    return isinstance(value, list) and [type(part) for part in value] == [int, str]
