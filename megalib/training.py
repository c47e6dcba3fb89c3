"""Training one flavour: ArcFace over a timm backbone, in one visible loop."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch.utils.data import DataLoader
from tqdm import tqdm

from megalib import code, networks
from megalib.errors import UserError
from megalib.files import Run, inside, resolve, shown, whole_file
from megalib.flavours import Flavour
from megalib.images import SeededImageFiles, training_transform

FACTS = "training.json"  # beside the weights: what made them


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an accelerator where there is one.

    Raises:
        UserError: torch does not know the device, or this machine lacks it.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"no device {name!r} here: {reason} Use auto, cpu, cuda or mps") from error


def starting_network(flavour: Flavour, source: str, seed: int) -> torch.nn.Module:
    """The backbone with which training starts.

    Args:
        flavour: which network.
        source: "none" for random weights, "imagenet" as published, "hub" for the published
            MegaDescriptor, or a folder that holds a network.
        seed: of the random weights.

    Raises:
        UserError: the weights are not to be had.
    """
    if source == "none":
        return networks.untrained(flavour, seed)
    if source == "imagenet":
        return networks.pretrained(flavour)
    if source == "hub":
        return networks.from_hub(flavour)
    return networks.from_folder(resolve(source))


def train(
    flavour: Flavour,
    metadata: pd.DataFrame,
    run: Run,
    seed: int = 0,
    start: str = "none",
    device: str = "auto",
    workers: int = 0,
    keep_in_memory: bool = False,
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train a flavour and write its weights and its history.

    After each epoch the state is kept; a training that was stopped goes on from there when it
    is called again with the same recipe, data and seed, and ends with the same weights.

    Args:
        flavour: network and recipe.
        metadata: the training set, with `path` below the image folder and `identity`.
        run: where images lie and weights go.
        seed: of weights, order and augmentation.
        start: see `starting_network`.
        device: see `pick_device`.
        workers: processes that load images; 0 loads in this one.
        keep_in_memory: keep decoded images, for sets of a few thousand.

    Returns:
        The trained backbone, on the CPU, and one row per epoch: `epoch`, `learning_rate` at its
        end, mean `loss`, `images_per_second`, `seconds`.

    Raises:
        UserError: the training set is unfit, or a file cannot be read or written.
    """
    labels, identities = pd.factorize(metadata["identity"], sort=True)
    _check_training_set(flavour, metadata, identities)
    images = SeededImageFiles(
        run.images(flavour.stored_size),
        metadata["path"],
        training_transform(flavour),
        labels,
        keep_in_memory,
    )
    checkpoint, recipe = run.checkpoint(flavour.name), _fingerprint(flavour, images, seed, start)
    if finished(flavour, run, recipe):
        print(
            f"{shown(run.weights(flavour.name))} was trained by this recipe on these images: kept"
        )
        return networks.from_folder(run.weights(flavour.name)), read_history(flavour, run)
    target = pick_device(device)
    backbone = starting_network(flavour, start, seed).to(target)
    head = _arcface(flavour, len(identities), backbone.num_features, seed).to(target)
    steps = -(-len(images) // (flavour.batch_size * flavour.accumulation_steps))
    optimizer, schedule = _optimizer(flavour, [*backbone.parameters(), *head.parameters()], steps)
    state = {"backbone": backbone, "head": head, "optimizer": optimizer, "schedule": schedule}
    history = _resume(checkpoint, recipe, state)

    backbone.train()
    for epoch in range(len(history), flavour.epochs):
        began, total = time.perf_counter(), 0.0
        torch.manual_seed(_mix(seed, epoch, -1))  # stochastic depth draws from the global stream
        batches = _batches(images, flavour.batch_size, seed, epoch, workers)
        progress = tqdm(batches, f"epoch {epoch + 1}", leave=False, mininterval=2, unit="batch")
        for group in _grouped(progress, flavour.accumulation_steps):
            optimizer.zero_grad()
            for pixels, classes in group:
                loss = head(backbone(pixels.to(target)), classes.to(target))
                (loss / len(group)).backward()  # the mean over the group, not its sum
                total += loss.item() * len(classes)
            optimizer.step()
            if flavour.schedule == "one-cycle":
                schedule.step()
        if flavour.schedule == "cosine":
            schedule.step()
        history.append(_summarise(epoch, optimizer, total, len(images), began))
        _say(history[-1], flavour.epochs)
        _keep(checkpoint, recipe, state, history)
        _write_history(run.history(flavour.name), history)

    backbone.cpu().eval()
    networks.save(backbone, flavour, run.weights(flavour.name))
    _write_facts(run.weights(flavour.name), recipe, flavour, seed, start, images)
    checkpoint.unlink()
    return backbone, pd.DataFrame(history)


def _check_training_set(flavour: Flavour, metadata: pd.DataFrame, identities: pd.Index) -> None:
    if len(identities) < 2:
        raise UserError(
            f"training needs two individuals or more, the training set holds {len(identities)}"
        )
    if flavour.batch_size > len(metadata):
        raise UserError(
            f"batch_size {flavour.batch_size} is larger than the training set of "
            f"{len(metadata)} images: use {len(metadata)} or less"
        )


def _arcface(flavour: Flavour, classes: int, dimensions: int, seed: int) -> ArcFaceLoss:
    """The head of ArcFace (Deng et al., CVPR 2019); the library takes the margin in degrees."""
    with torch.random.fork_rng():
        torch.manual_seed(_mix(seed, 0, -2))
        return ArcFaceLoss(
            classes, dimensions, margin=np.degrees(flavour.margin), scale=flavour.loss_scale
        )


def _optimizer(
    flavour: Flavour, parameters: list[torch.nn.Parameter], steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """SGD with a cosine per epoch as published, or AdamW with one cycle over all steps."""
    if flavour.optimizer == "SGD":
        optimizer = torch.optim.SGD(parameters, flavour.learning_rate, flavour.momentum)
    else:
        optimizer = torch.optim.AdamW(
            parameters, flavour.learning_rate, weight_decay=flavour.weight_decay
        )
    if flavour.schedule == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, flavour.epochs, flavour.minimum_learning_rate
        )
    else:
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, flavour.learning_rate, total_steps=flavour.epochs * steps
        )
    return optimizer, schedule


def _batches(
    images: SeededImageFiles, batch_size: int, seed: int, epoch: int, workers: int
) -> DataLoader:
    """The batches of one epoch: their order and augmentation depend on seed and epoch alone."""
    order = np.random.default_rng([seed, epoch]).permutation(len(images))
    keys = [(_mix(seed, epoch, int(index)), int(index)) for index in order]
    return DataLoader(
        images,
        batch_size,
        sampler=keys,
        num_workers=workers,
        generator=torch.Generator().manual_seed(seed),
    )


def _mix(seed: int, epoch: int, index: int) -> int:
    """One seed out of three numbers; `index` may be negative."""
    return int(np.random.SeedSequence([seed, epoch, index + 2]).generate_state(1)[0])


def _grouped(batches: tqdm, size: int) -> Iterator[list]:
    """Join every `size` batches; the last group of an epoch may be smaller."""
    group = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _summarise(
    epoch: int, optimizer: torch.optim.Optimizer, total: float, images: int, began: float
) -> dict[str, float]:
    seconds = time.perf_counter() - began
    return {
        "epoch": epoch + 1,
        "learning_rate": optimizer.param_groups[0]["lr"],
        "loss": total / images,
        "images_per_second": images / seconds,
        "seconds": seconds,
    }


def _say(row: dict[str, float], epochs: int) -> None:
    left = (epochs - row["epoch"]) * row["seconds"]
    print(
        f"epoch {row['epoch']:3d}/{epochs}  loss {row['loss']:7.3f}  "
        f"learning rate {row['learning_rate']:.2e}  "
        f"{row['images_per_second']:6.1f} images/s  {left:5.0f} s left",
        flush=True,
    )


def _fingerprint(flavour: Flavour, images: SeededImageFiles, seed: int, start: str) -> str:
    """A digest of all that decides the weights: recipe, images, labels, seed and code.

    Of the images it takes names and sizes in bytes, since reading all of them takes minutes.
    """
    facts = [asdict(flavour), seed, start, code.digest("training")]
    total = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path, label in zip(images.paths, images.labels, strict=True):
        file = inside(images.folder, path)
        if not file.is_file():
            raise UserError(f"image {shown(file)} is missing: prepare its dataset again")
        total.update(f"{path} {label} {file.stat().st_size}\n".encode())
    return total.hexdigest()


def finished(flavour: Flavour, run: Run, recipe: str) -> bool:
    """Whether the run holds weights that exactly this recipe made of exactly these images."""
    facts = run.weights(flavour.name) / FACTS
    return facts.is_file() and json.loads(facts.read_text())["recipe"] == recipe


def read_history(flavour: Flavour, run: Run) -> pd.DataFrame:
    """The history that `train` wrote."""
    return pd.read_csv(run.history(flavour.name))


def _write_facts(
    folder: Path, recipe: str, flavour: Flavour, seed: int, start: str, images: SeededImageFiles
) -> None:
    facts = {
        "recipe": recipe,
        "seed": seed,
        "start": start,
        "images": len(images),
        "individuals": int(images.labels.max()) + 1,
        "flavour": asdict(flavour),
    }
    with whole_file(folder / FACTS) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n")


def _resume(checkpoint: Path, recipe: str, state: dict) -> list[dict[str, float]]:
    """Load the state of an unfinished training of this recipe; return its history so far."""
    if not checkpoint.is_file():
        return []
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if saved["recipe"] != recipe:
        print(f"{shown(checkpoint)} belongs to another recipe or dataset: starting anew")
        return []
    for name, part in state.items():
        part.load_state_dict(saved[name])
    print(f"continuing after epoch {len(saved['history'])} from {shown(checkpoint)}")
    return saved["history"]


def _keep(checkpoint: Path, recipe: str, state: dict, history: list[dict[str, float]]) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    with whole_file(checkpoint) as temporary:
        torch.save({"recipe": recipe, "history": history, **parts}, temporary)


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    with whole_file(path) as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)
