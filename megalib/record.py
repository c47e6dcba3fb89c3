"""What each prepared image was made of, so that none that is outdated counts as finished."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from megalib.errors import UserError
from megalib.files import Run, whole_file
from megalib.images import load

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
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns]


def remove_outdated(
    run: Run, dataset: str, rule: Mapping[str, Any], now: Mapping[str, str]
) -> None:
    """Remove prepared images that would not be made the same way today; then record the way.

    Those that cannot be read go, too. In this order, a run that is killed at any moment leaves no
    image that the record, old or new, describes wrongly. An image that exists afterwards is
    finished.

    Args:
        run: whose images they are.
        dataset: name of the dataset.
        rule: what decides the pixels of all images: crop rule, code, versions.
        now: digest of each image that shall be there, by its path below the dataset's folder.

    Raises:
        UserError: a file cannot be written.
    """
    file = run.prepared_by(dataset)
    before, bytes_before = _read(file, rule)
    right = {path for path, digest in now.items() if before.get(path) == digest}
    outdated, unseen = [], []
    seen_until = file.stat().st_mtime_ns if file.is_file() else 0
    for folder in run.images_root.glob(f"size-*/{dataset}"):
        sizes = bytes_before.get(folder.parent.name, {})
        for image in _files_below(folder):
            path, state = image.relative_to(folder).as_posix(), image.stat()
            if path not in right:
                outdated.append(image)
            elif state.st_size != sizes.get(path) or state.st_mtime_ns > seen_until:
                unseen.append(image)
    damaged = [image for image, sound in zip(unseen, _are_sound(unseen), strict=True) if not sound]
    if damaged:
        print(f"{dataset}: {len(damaged)} prepared images cannot be read and are made again")
    if outdated or damaged or len(right) < len(now):
        run.metadata(dataset).unlink(missing_ok=True)  # it says that the images are complete
    for path in [*outdated, *damaged]:
        path.unlink(missing_ok=True)
    if before != now:
        kept = {size: _chosen(paths, right) for size, paths in bytes_before.items()}
        _write(file, rule, now, kept)


def complete(run: Run, dataset: str) -> None:
    """Record how long the files of all prepared images are, now that each was written whole.

    The next preparation then need not read those that have this length and are no younger than
    the record.

    Args:
        run: whose images they are.
        dataset: name of the dataset.

    Raises:
        UserError: the record cannot be written.
    """
    file = run.prepared_by(dataset)
    record = json.loads(file.read_text())
    lengths = {
        folder.parent.name: {
            image.relative_to(folder).as_posix(): image.stat().st_size
            for image in sorted(_files_below(folder))
        }
        for folder in sorted(run.images_root.glob(f"size-*/{dataset}"))
    }
    _write(file, record["rule"], record["images"], lengths)


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


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


def _chosen(paths: Mapping[str, int], names: Collection[str]) -> dict[str, int]:
    return {path: length for path, length in paths.items() if path in names}


def _write(
    file: Path,
    rule: Mapping[str, Any],
    images: Mapping[str, str],
    lengths: Mapping[str, Mapping[str, int]],
) -> None:
    text = json.dumps({"rule": rule, "images": images, "bytes": lengths}, indent=1) + "\n"
    with whole_file(file) as temporary:
        temporary.write_text(text)


def _read(file: Path, rule: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Recorded digests and lengths; none where the rule was another, or it cannot be read."""
    try:
        record = json.loads(file.read_text())
        images, lengths = record["images"], record.get("bytes", {})
        is_record = record["rule"] == rule and all(
            isinstance(part, dict) for part in (images, lengths, *lengths.values())
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
    return (images, lengths) if is_record else ({}, {})
