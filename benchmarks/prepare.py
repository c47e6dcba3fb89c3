"""How fast images are prepared, beside the reference way, on the same pictures in one run.

    python benchmarks/prepare.py --folder FOLDER_WITH_PHOTOGRAPHS
    python benchmarks/prepare.py --mosaics ../shared/data/LionData

The reference way is that of the public `prepare_data.py`: one process reads, resizes and writes
every picture once for each size, and copies a row of the table for each. Both ways start with a
warm disk cache. One limit is what the cores can decode, with nothing done to the pixels. The other
is decoding and `Resize` of torchvision, that is of Pillow: other code would make other pixels.
"""

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.transforms import Resize

from megalib import catalogue, prepare, raw_data
from megalib.files import Run, shown

SIZES = (256, 518)


def reference(rows: pd.DataFrame, root: Path, output: Path) -> None:
    """Read, resize, write: one size after the other, in one process."""
    for size in SIZES:
        resize, table = Resize(size), rows.copy()
        for number in range(len(rows)):
            row = rows.iloc[number].copy()
            pixels = cv2.cvtColor(cv2.imread(str(root / row["path"])), cv2.COLOR_BGR2RGB)
            image = resize(Image.fromarray(pixels))
            name = Path(row["path"])
            row["path"] = str(name.with_name(f"{name.stem}_{row['image_id']}{name.suffix}"))
            target = output / f"size-{size}" / row["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target)
            table.iloc[number] = row


def decode_alone(rows: pd.DataFrame, root: Path) -> None:
    """Read every picture once on all cores, and do nothing with it."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(lambda path: cv2.imread(str(root / path)) is not None, rows["path"]))


def decode_and_resize(rows: pd.DataFrame, root: Path) -> None:
    """Read every picture once on all cores and resize it; write nothing."""

    def work(path: str) -> None:
        pixels = cv2.cvtColor(cv2.imread(str(root / path)), cv2.COLOR_BGR2RGB)
        for size in SIZES:
            Resize(size)(Image.fromarray(pixels))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, rows["path"]))


def mosaics(source: Path, output: Path, number: int) -> None:
    """Lay small real photographs side by side until they fill 1400 x 1100 pixels; JPEG."""
    tiles = [Image.open(path).convert("RGB").resize((130, 130)) for path in source.rglob("*.png")]
    for index in range(number):
        order = np.random.default_rng(index).permutation(len(tiles))
        canvas = Image.new("RGB", (1400, 1100))
        for place, tile in enumerate(order[:99]):
            canvas.paste(tiles[tile], ((place % 11) * 130 - 10, (place // 11) * 130 - 10))
        target = output / f"animal{index % 10}" / f"{index}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        canvas.save(target, quality=90)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def same_files(left: Path, right: Path) -> bool:
    """Whether two folders hold the same files."""
    names = [{path.relative_to(root) for path in root.rglob("*.*")} for root in (left, right)]
    return names[0] == names[1] and all(
        (left / name).read_bytes() == (right / name).read_bytes() for name in names[0]
    )


def main() -> None:
    """Measure each way several times in turn; print the best of each, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--folder", type=Path, help="photographs, one sub-folder per individual")
    group.add_argument("--mosaics", type=Path, help="small PNG photographs to make mosaics of")
    parser.add_argument("--images", type=int, default=200, help="number of mosaics")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="megalib-benchmark-"))
    try:
        folder = options.folder or scratch / "mosaics"
        if options.mosaics:
            mosaics(options.mosaics, folder, options.images)
        measure(folder, scratch, options.rounds)
    finally:
        shutil.rmtree(scratch)


def measure(folder: Path, scratch: Path, rounds: int) -> None:
    """Run all ways on one folder and print what they took."""
    dataset = catalogue.find("Benchmark", {"Benchmark": str(folder)})
    rows = raw_data.read(dataset, folder).df
    run = Run(str(scratch / "run"))  # an absolute path takes the place of runs/
    old, new = scratch / "reference", run.images_root
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for path in (old, run.folder):
            shutil.rmtree(path, ignore_errors=True)
        ways = {
            "decode alone": lambda: decode_alone(rows, folder),
            "decode and resize": lambda: decode_and_resize(rows, folder),
            "reference": lambda: reference(rows, folder, old),
            "megalib": lambda: prepare.prepare(dataset, folder, run, SIZES),
        }
        for name, way in ways.items():
            times.setdefault(name, []).append(seconds(way))
    if not all(
        same_files(old / f"size-{size}", new / f"size-{size}" / "Benchmark") for size in SIZES
    ):
        raise SystemExit("the two ways made different files")
    best = {name: len(rows) / min(taken) for name, taken in times.items()}
    sizes = [Image.open(folder / path).size for path in rows["path"]]
    width, height = np.median(sizes, axis=0)
    megabytes = sum((folder / path).stat().st_size for path in rows["path"]) / 1e6
    print(f"\n{len(rows)} pictures in {shown(folder)}, median {width:.0f} x {height:.0f} pixels,")
    print(
        f"{megabytes / len(rows):.2f} MB each; {torch.get_num_threads()} threads; best of {rounds}"
    )
    for name, rate in best.items():
        print(f"{name:>18}  {rate:7.1f} images/s  {rate / best['reference']:5.2f} x reference")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process: {peak:.0f} MiB; both ways wrote the same bytes")


if __name__ == "__main__":
    main()
