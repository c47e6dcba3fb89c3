"""How fast images are prepared, beside the reference way, on the same pictures in one run.

    python benchmarks/prepare.py --folder FOLDER_WITH_PHOTOGRAPHS
    python benchmarks/prepare.py --mosaics ../shared/data/LionData --record

The reference way is that of the public `prepare_data.py`: one process reads, resizes and writes
every picture once for each size, and copies a row of the table for each. All ways start with a
warm disk cache, each in a process of its own. One limit is what the cores can decode, with nothing
done to the pixels. The other is decoding and `Resize` of torchvision, that is of Pillow: other code
would make other pixels. `--record` keeps the numbers for the book.
"""

import argparse
import multiprocessing
import os
import resource
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.transforms import Resize

from megalib.data import catalogue, loaders, preparation
from megalib.data.catalogue import Dataset
from megalib.evaluation import benchmarks
from megalib.files.places import Run, shown
from megalib.models import computer

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset

SIZES = (256, 518)


def pictures(folder: Path) -> Dataset:
    """The photographs of a folder as a dataset."""
    return catalogue.find("Benchmark", {"Benchmark": str(folder)})


def reference(folder: Path, output: Path) -> None:
    """Read, resize, write: one size after the other, in one process."""
    for size in SIZES:
        write_one_size(loaders.open_raw(pictures(folder), folder), size, output / f"size-{size}")


def write_one_size(source: "WildlifeDataset", size: int, output: Path) -> None:
    """The loop of the public code, with its calls."""
    source.transform = Resize(size)
    for number in range(len(source)):
        image = source[number]
        row = source.df.iloc[number].copy()
        name = Path(row["path"])
        row["path"] = str(name.with_name(f"{name.stem}_{row['image_id']}{name.suffix}"))
        target = output / "Benchmark" / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target)
        source.df.iloc[number] = row


def megalib(folder: Path, output: Path) -> None:
    """What this library does."""
    os.environ["MEGALIB_RUNS"] = str(output.parent)
    dataset = pictures(folder)
    source = loaders.open_raw(dataset, folder)
    preparation.prepare(dataset, source, Run(output.name), SIZES)


def decode_alone(folder: Path, output: Path) -> None:
    """Read every picture once on all cores, and do nothing with it."""
    paths = loaders.open_raw(pictures(folder), folder).df["path"]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(lambda path: cv2.imread(str(folder / path)) is not None, paths))


def decode_and_resize(folder: Path, output: Path) -> None:
    """Read every picture once on all cores and resize it; write nothing."""
    source = loaders.open_raw(pictures(folder), folder)

    def work(number: int) -> None:
        picture = source.get_image(number)
        for size in SIZES:
            Resize(size)(picture)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, range(len(source))))


WAYS = {
    "decode alone": decode_alone,
    "decode and resize": decode_and_resize,
    "reference": reference,
    "megalib": megalib,
}


def alone(way: Callable[[Path, Path], None], folder: Path, output: Path) -> tuple[float, float]:
    """Seconds that a way takes, and GiB of memory that its process has at most."""
    loaders.open_raw(
        pictures(folder), folder
    )  # imports what takes seconds, before the clock starts
    began = time.perf_counter()
    way(folder, output)
    return time.perf_counter() - began, peak_memory()


def peak_memory() -> float:
    """The most memory that this process has had, in GiB."""
    facts = Path("/proc/self/status")
    if facts.is_file():  # Linux counts the parent process into `ru_maxrss`
        line = next(line for line in facts.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


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
    parser.add_argument("--record", action="store_true", help="keep the numbers for the book")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="megalib-benchmark-"))
    try:
        folder = options.folder or scratch / "mosaics"
        if options.mosaics:
            mosaics(options.mosaics, folder, options.images)
        table = measure(folder, scratch, options.rounds)
    finally:
        shutil.rmtree(scratch)
    print(table.to_string(index=False))
    if options.record:
        benchmarks.keep("preparation", table, ["hardware", "way"])


def measure(folder: Path, scratch: Path, rounds: int) -> pd.DataFrame:
    """Run all ways on one folder in turn; the best of each, and its ratio to the reference."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            shutil.rmtree(scratch / name, ignore_errors=True)
            with ProcessPoolExecutor(1, context) as pool:
                found[name].append(pool.submit(alone, way, folder, scratch / name).result())
    if not same_files(scratch / "reference", scratch / "megalib" / "images"):
        raise SystemExit("the two ways made different files")
    paths = [folder / path for path in loaders.open_raw(pictures(folder), folder).df["path"]]
    width, height = np.median([Image.open(path).size for path in paths], axis=0)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"\n{len(paths)} pictures in {shown(folder)}, median {width:.0f} x {height:.0f} pixels,")
    print(f"{megabytes / len(paths):.2f} MB each; best of {rounds}; both ways wrote the same bytes")
    seconds = {name: min(taken for taken, _ in values) for name, values in found.items()}
    return pd.DataFrame(
        {
            "hardware": computer.hardware(),
            "way": list(WAYS),
            "images_per_second": [round(len(paths) / taken, 1) for taken in seconds.values()],
            "ratio": [round(seconds["reference"] / taken, 2) for taken in seconds.values()],
            "memory_gib": [round(max(m for _, m in values), 2) for values in found.values()],
            "command": shlex.join(["python", *sys.argv]),
        }
    )


if __name__ == "__main__":
    main()
