"""How fast a flavour trains, beside the reference loop, on the same images in one run.

    python benchmarks/train.py --flavour MegaDescriptor-T-224 --scale published --batch-size 8
    python benchmarks/train.py --scale published            on a GPU: the published batch

The reference loop is that of the public trainer (wildlife-tools 0.0.9): the network as timm makes
it, one loader process, float32, and a wait for the loss after each batch. Images are drawn animals
in both, the network, batch, augmentation and loss are the same. The limit is the same step on a
batch that already lies on the device, so that nothing waits for images.
"""

import argparse
import multiprocessing
import shlex
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader

SEED = 0


def draw_images(folder: Path, number: int) -> pd.DataFrame:
    """Noisy pictures with 256 pixels on the shorter side; their content does not matter here."""
    rows = []
    for index in range(number):
        rng = np.random.default_rng(index)
        small = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((341, 256)).save(folder / f"{index}.jpg")
        rows.append((str(index), f"animal{index % 16}", f"{index}.jpg", "train"))
    return pd.DataFrame(rows, columns=["image_id", "identity", "path", "split"])


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reference(options: argparse.Namespace, metadata: pd.DataFrame, folder: Path) -> float:
    """Images per second of the public trainer's loop."""
    import timm
    from timm.layers import set_fused_attn

    from megalib import devices, images, losses, recipe

    flavour = recipe_of(options)
    set_fused_attn(False)
    device = devices.pick_device(options.device)
    model = timm.create_model(flavour.architecture, num_classes=0, **flavour.network).to(device)
    labels = pd.factorize(metadata["identity"])[0]
    objective = losses.build(flavour, labels.max() + 1, model.num_features).to(device)
    optimizer = recipe.optimizer(
        flavour, [*model.parameters(), *objective.parameters()], len(metadata)
    )[0]
    data = images.ImageFiles(folder, metadata["path"], images.training_transform(flavour), labels)
    loader = DataLoader(data, flavour.batch_size, shuffle=True, num_workers=1)
    seen, began, told = 0, 0.0, []
    model.train()
    for number, (pixels, classes) in enumerate(loader):
        if number == options.warm_up:
            settle(device)
            began, seen = time.perf_counter(), 0
        loss = objective(model(pixels.to(device)), classes.to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        told.append(loss.detach().cpu())
        seen += len(classes)
    settle(device)
    return seen / (time.perf_counter() - began)


def ours(options: argparse.Namespace, metadata: pd.DataFrame, folder: Path) -> float:
    """Images per second of `training.train`, after its first epoch."""
    from dataclasses import replace

    from megalib import training
    from megalib.files import Run
    from megalib.recipe import Settings

    run = Run(str(folder.parents[1]))
    settings = Settings(
        device=options.device,
        precision=options.precision,
        workers=options.workers,
        compile=options.compile,
    )
    flavour = replace(recipe_of(options), epochs=2)
    _, history = training.train(flavour, metadata, run, SEED, "none", settings)
    return float(history["images_per_second"].iloc[-1])


def without_loading(options: argparse.Namespace, metadata: pd.DataFrame, folder: Path) -> float:
    """Images per second of one batch trained again and again."""
    from megalib import devices, losses, networks, recipe

    flavour = recipe_of(options)
    device = devices.pick_device(options.device)
    precision = devices.pick_precision(options.precision, device)
    model = networks.untrained(flavour, SEED).to(device).train()
    objective = losses.build(flavour, 16, model.num_features).to(device)
    optimizer = recipe.optimizer(flavour, model.parameters(), len(metadata))[0]
    pixels = torch.randn(flavour.batch_size, 3, flavour.image_size, flavour.image_size).to(device)
    labels = (torch.arange(flavour.batch_size) % 16).to(device)
    rounds = max(2, len(metadata) // flavour.batch_size - options.warm_up)
    if options.compile:
        model.compile()
    for number in range(options.warm_up + rounds):
        if number == options.warm_up:
            settle(device)
            began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            embeddings = model(pixels)
        objective(embeddings.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    settle(device)
    return rounds * flavour.batch_size / (time.perf_counter() - began)


def recipe_of(options: argparse.Namespace):
    """The flavour with the batch that was asked for."""
    from megalib import flavours

    return flavours.get(options.flavour, options.scale, batch_size=options.batch_size)


def alone(
    name: str, options: argparse.Namespace, metadata: pd.DataFrame, folder: Path
) -> tuple[float, float]:
    """One way in a process of its own, so that its peak memory is its own."""
    from megalib import devices

    rate = globals()[name](options, metadata, folder)
    return rate, devices.peak_memory(devices.pick_device(options.device))


def main() -> None:
    """Measure each way in turn; print the best of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--flavour", default="MegaDescriptor-T-224")
    parser.add_argument("--scale", default="demo")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=2, help="batches that are not measured")
    parser.add_argument("--record", metavar="HARDWARE", help="keep the rate of ours for the book")
    options = parser.parse_args()
    context, results = multiprocessing.get_context("spawn"), {}
    with tempfile.TemporaryDirectory(prefix="megalib-benchmark-") as scratch:
        for _ in range(options.rounds):
            for name in ("reference", "ours", "without_loading"):
                folder = Path(scratch) / name / str(time.time_ns()) / "images" / "size-256"
                metadata = draw_images(folder, options.images)
                with ProcessPoolExecutor(1, context) as pool:
                    done = pool.submit(alone, name, options, metadata, folder).result()
                results.setdefault(name, []).append(done)
    best = {name: max(found) for name, found in results.items()}
    print(
        f"\n{options.flavour}, {options.scale} scale, batch {recipe_of(options).batch_size}, ",
        end="",
    )
    print(
        f"{options.precision}, {options.images} images, {torch.get_num_threads()} threads, ", end=""
    )
    print(f"torch {torch.__version__}; best of {options.rounds}")
    for name, (rate, memory) in best.items():
        ratio = rate / best["reference"][0]
        print(
            f"{name:>16}  {rate:7.1f} images/s  {ratio:5.2f} x reference  {memory:5.2f} GiB at most"
        )
    if options.record:
        record(options, best["ours"][0])


def record(options: argparse.Namespace, rate: float) -> None:
    """Add a rate to the measurements that the book shows, in place of an older one of its kind."""
    from megalib import cost

    row = {
        "hardware": options.record,
        "torch": torch.__version__,
        "flavour": options.flavour,
        "precision": options.precision,
        "batch_size": recipe_of(options).batch_size,
        "images_per_second": round(rate, 1),
        "command": shlex.join(["python", *sys.argv]),
    }
    table = pd.concat([cost.measured(), pd.DataFrame([row])])
    kind = ["hardware", "flavour", "precision", "batch_size"]
    table.drop_duplicates(kind, keep="last").to_csv(cost.MEASURED, index=False)


if __name__ == "__main__":
    main()
