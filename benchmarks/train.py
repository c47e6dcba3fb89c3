"""How fast a flavour trains, beside the reference loop, on the same images in one run.

    python benchmarks/train.py --flavour pocket-T
    python benchmarks/train.py --flavour MegaDescriptor-T-224 --batch-size 8
    python benchmarks/train.py --flavour all --record    all MegaDescriptors, on a GPU
    python benchmarks/train.py --batch-size 8 --profile

The reference is the loop of the public trainer (wildlife-tools 0.0.9): the network as timm makes
it, one loader process, float32, and a wait for the loss after each batch. It is written out here,
since that version does not run with the pandas of this compendium, and since everything around
the loop has to be the same: images are drawn in both, and network, batch, accumulation,
augmentation and loss are those of the flavour. The limit is the same step on a batch that already
lies on the device, so that nothing waits for images.

Each way runs in a process of its own, in turn. Memory is that of tensors on a GPU, else that of the
process and of its loader processes; pages that these share with it count for each. Model FLOP
utilisation is the arithmetic of the network, three times that of a forward pass, in parts of what
a large product of matrices reaches in the same precision and the same run.
"""

import argparse
import gc
import multiprocessing
import os
import shlex
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader

from megalib import flavours
from megalib.errors import UserError
from megalib.evaluation import benchmarks
from megalib.files.places import Run
from megalib.flavours import Flavour, Recipe
from megalib.models import computer, devices, networks, tensors
from megalib.training import beginning, cost, loop, losses
from megalib.training.settings import Settings

SEED, INDIVIDUALS = 0, 16
# Of a measurement; the command, since each run measures the reference anew.
KIND = ["hardware", "flavour", "scale", "precision", "batch_size", "way", "command"]
WAYS = ("reference", "megalib", "without loading")
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def draw_images(folder: Path, number: int, side: int) -> pd.DataFrame:
    """Noisy pictures with `side` pixels on the shorter side; their content does not matter here."""
    rows = []
    folder.mkdir(parents=True)
    for index in range(number):
        rng = np.random.default_rng(index)
        small = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(small).resize((side * 4 // 3, side)).save(folder / f"{index}.jpg")
        rows.append((str(index), f"animal{index % INDIVIDUALS}", f"{index}.jpg", "drawn"))
    return pd.DataFrame(rows, columns=["image_id", "identity", "path", "dataset"])


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reference(
    flavour: Flavour,
    recipe: Recipe,
    options: argparse.Namespace,
    metadata: pd.DataFrame,
    folder: Path,
) -> float:
    """Images per second of the public trainer's loop."""
    import timm
    from timm.layers import set_fused_attn

    set_fused_attn(False)
    device, group = devices.pick_device(options.device), recipe.accumulation_steps
    model = timm.create_model(flavour.architecture, num_classes=0, **flavour.network).to(device)
    labels = pd.factorize(metadata["identity"])[0]
    objective = losses.build(recipe, INDIVIDUALS, model.num_features).to(device)
    weights = [*model.parameters(), *objective.parameters()]
    optimizer = beginning.optimizer(recipe, weights, len(metadata))[0]
    transform = tensors.training_transform(flavour, recipe)
    data = tensors.ImageFiles(folder, metadata["path"], transform, labels)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, num_workers=1)
    seen, began, told = 0, 0.0, []
    model.train()
    for number, (pixels, classes) in enumerate(loader):
        if number == options.warm_up:
            settle(device)
            began, seen = time.perf_counter(), 0
        loss = objective(model(pixels.to(device)), classes.to(device))
        (loss / group).backward()
        if (number + 1) % group == 0:
            optimizer.step()
            optimizer.zero_grad()
        told.append(loss.detach().cpu())
        seen += len(classes)
    settle(device)
    return seen / (time.perf_counter() - began)


def by_megalib(
    flavour: Flavour,
    recipe: Recipe,
    options: argparse.Namespace,
    metadata: pd.DataFrame,
    folder: Path,
) -> float:
    """Images per second of `loop.train`, after its first epoch."""
    run = Run("benchmark")
    settings = Settings(
        device=options.device,
        precision=options.precision,
        workers=options.workers,
        compile=options.compile,
    )
    twice = replace(recipe, epochs=2)
    _, history = loop.train(flavour, twice, metadata, run, SEED, "none", settings)
    return float(history["images_per_second"].iloc[-1])


def without_loading(
    flavour: Flavour,
    recipe: Recipe,
    options: argparse.Namespace,
    metadata: pd.DataFrame,
    folder: Path,
) -> float:
    """Images per second of one batch trained again and again; prints a profile if asked to."""
    device = devices.pick_device(options.device)
    half = TYPES[options.precision] if options.precision != "fp32" else None
    model = networks.untrained_network(flavour, SEED).to(device).train()
    objective = losses.build(recipe, INDIVIDUALS, model.num_features).to(device)
    weights = [*model.parameters(), *objective.parameters()]
    optimizer = beginning.optimizer(recipe, weights, len(metadata))[0]
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)
    side, group = flavour.image_size, recipe.accumulation_steps
    pixels = torch.randn(recipe.batch_size, 3, side, side).to(device)
    labels = (torch.arange(recipe.batch_size) % INDIVIDUALS).to(device)
    if options.compile:
        model.compile()

    def step(number: int) -> None:
        with torch.autocast(device.type, half, enabled=half is not None):
            embeddings = model(pixels)
        scaler.scale(objective(embeddings.float(), labels) / group).backward()
        if (number + 1) % group == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

    for number in range(options.warm_up * group):
        step(number)
    if options.profile:
        with torch.profiler.profile() as seen:
            for number in range(group):
                step(number)
            settle(device)
        order = f"self_{'cuda' if device.type == 'cuda' else 'cpu'}_time_total"
        print(seen.key_averages().table(sort_by=order, row_limit=20, max_name_column_width=40))
    settle(device)
    began = time.perf_counter()
    rounds = max(2, len(metadata) // recipe.batch_size - options.warm_up)
    for number in range(rounds):
        step(number)
    settle(device)
    return rounds * recipe.batch_size / (time.perf_counter() - began)


def peak(precision: str, options: argparse.Namespace) -> float:
    """Operations per second of a large product of matrices: the best of ten."""
    device = devices.pick_device(options.device)
    side = 8192 if device.type == "cuda" else 2048
    left, right = torch.randn(2, side, side, dtype=TYPES[precision], device=device)
    best = 0.0
    for _ in range(10):
        settle(device)
        began = time.perf_counter()
        left @ right
        settle(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


def memory(options: argparse.Namespace, loaders: int) -> float:
    """The most memory so far in GiB, see above."""
    device = devices.pick_device(options.device)
    gc.collect()  # ends the loader processes; only those that have ended are counted
    own = devices.peak_memory(device)
    if device.type == "cuda":
        return own
    import resource  # which Windows lacks

    unit = 1 if sys.platform == "darwin" else 1024
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 2**30
    return own + loaders * largest


def alone(
    way: str, flavour: Flavour, recipe: Recipe, options: argparse.Namespace
) -> tuple[float, float]:
    """One way in a process of its own: images per second and memory."""
    work = {"reference": reference, "megalib": by_megalib, "without loading": without_loading}[way]
    loaders = {"reference": 1, "megalib": options.workers, "without loading": 0}[way]
    with tempfile.TemporaryDirectory(prefix="megalib-benchmark-") as scratch:
        os.environ["MEGALIB_RUNS"] = scratch
        folder = Run("benchmark").images(flavour.stored_size)
        count = options.images or max(256, (options.warm_up + 6) * recipe.batch_size)
        metadata = draw_images(folder, count, flavour.stored_size)
        rate = work(flavour, recipe, options, metadata, folder)
    return rate, memory(options, loaders)


def measure(flavour: Flavour, recipe: Recipe, options: argparse.Namespace) -> pd.DataFrame:
    """Each way in turn, the best of its rounds; one row each, with the columns of the record."""
    context, found, peaks = multiprocessing.get_context("spawn"), {}, {}

    def apart(task, *arguments):
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(task, *arguments, options).result()

    for _ in range(options.rounds):
        for way in WAYS:
            found.setdefault(way, []).append(apart(alone, way, flavour, recipe))
    precisions = dict.fromkeys(WAYS, options.precision) | {"reference": "fp32"}
    for precision in set(precisions.values()):
        peaks[precision] = apart(peak, precision)
    best = {way: max(results) for way, results in found.items()}
    device = devices.pick_device(options.device)
    rows = [
        {
            "hardware": computer.hardware(device),
            "torch": torch.__version__,
            "timm": version("timm"),
            "cuda": torch.version.cuda if device.type == "cuda" else None,
            "flavour": flavour.name,
            "scale": flavour.scale,
            "precision": precisions[way],
            "batch_size": recipe.batch_size,
            "way": way,
            "images_per_second": round(rate, 1),
            "ratio": round(rate / best["reference"][0], 2),
            "memory_gib": round(used, 2),
            "mfu": round(cost.BACKWARD * cost.flops(flavour) * rate / peaks[precisions[way]], 3),
            "command": shlex.join(["python", *sys.argv]),
        }
        for way, (rate, used) in best.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    """Measure one flavour or all, print, and keep what was measured if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--flavour", default="MegaDescriptor-T-224", help="or all of these")
    parser.add_argument("--batch-size", type=int, help="default: that of the recipe")
    parser.add_argument("--images", type=int, help="default: a few batches, 256 at least")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=2, help="batches that are not measured")
    parser.add_argument("--record", action="store_true", help="keep the rows for the book")
    parser.add_argument(
        "--profile", action="store_true", help="print where the time of a step goes"
    )
    options = parser.parse_args()
    try:
        device = devices.pick_device(options.device)
        options.precision = devices.pick_precision(options.precision, device)
        names = list(flavours.MEGADESCRIPTORS) if options.flavour == "all" else [options.flavour]
        size = options.batch_size
        chosen = [(flavours.get(name), flavours.recipe(name, batch_size=size)) for name in names]
        pocket = any(flavour.scale == "pocket" for flavour, _ in chosen)
        if options.record and (pocket or options.compile):
            raise UserError("--record is for networks at published scale, not compiled")
    except UserError as error:
        parser.error(str(error))
    columns = ["precision", "way", "images_per_second", "ratio", "memory_gib", "mfu"]
    for flavour, recipe in chosen:
        rows = measure(flavour, recipe, options)
        first = rows.iloc[0]
        print(
            f"\n{flavour.name}, batch {recipe.batch_size}, on {first['hardware']}; "
            f"torch {first['torch']}, timm {first['timm']}; best of {options.rounds}"
        )
        print(rows[columns].to_string(index=False), flush=True)
        if options.record:
            benchmarks.keep("training", rows, KIND)


if __name__ == "__main__":
    main()
