"""The parts of a training that its loop is given: images, first weights, optimiser, checkpoints."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import torch

from megalib import stamp
from megalib.data.images import load
from megalib.errors import UserError, choose
from megalib.files.places import Run, inside, resolve, shown
from megalib.flavours import Flavour
from megalib.models import devices, networks
from megalib.models.tensors import SeededImageFiles
from megalib.training import batches, checkpoints
from megalib.training.history import Meter

STARTS = ("none", "imagenet", "hub")  # anything else names a folder


@dataclass(frozen=True)
class Settings:
    """How a training runs; but for rounding, none of it changes what is learned.

    `checkpoint_every` counts steps of the optimiser, beside the checkpoint that ends each epoch;
    `validate_every` counts epochs. `on_bad_image` is "stop" or "skip", `tracker` "none" or a name
    that accelerate knows, such as "tensorboard". `resume` is "auto", which goes on from the last
    checkpoint and keeps finished weights, or "never", which trains anew. `keep_in_memory` keeps
    decoded images, for sets of a few thousand. `compile` draws stochastic depth in another order.
    """

    device: str = "auto"
    precision: str = "fp32"
    workers: int = 0
    keep_in_memory: bool = False
    compile: bool = False
    resume: str = "auto"
    checkpoint_every: int | None = None
    validate_every: int | None = None
    on_bad_image: str = "stop"
    tracker: str = "none"

    def __post_init__(self) -> None:
        """Refuse words that mean nothing."""
        choose("resume", self.resume, ("auto", "never"))
        choose("on_bad_image", self.on_bad_image, ("stop", "skip"))


def training_set(
    flavour: Flavour, metadata: pd.DataFrame, run: Run, keep_in_memory: bool
) -> tuple[SeededImageFiles, int]:
    """The images of a training and the number of individuals.

    Raises:
        UserError: fewer than two individuals, or fewer images than one batch takes.
    """
    labels, identities = pd.factorize(metadata["identity"], sort=True)
    if len(identities) < 2:
        raise UserError(
            f"training needs two individuals or more, the training set holds {len(identities)}"
        )
    if flavour.batch_size > len(metadata):
        raise UserError(
            f"batch_size {flavour.batch_size} is larger than the training set of "
            f"{len(metadata)} images: use {len(metadata)} or less"
        )
    folder = run.images(flavour.stored_size)
    images = SeededImageFiles(folder, metadata["path"], flavour, labels, keep_in_memory)
    if next(batches.steps(len(images), flavour), None) is None:
        raise UserError(
            f"accumulation 'sum' never takes a step with {flavour.accumulation_steps} batches of "
            f"{flavour.batch_size} out of {len(metadata)} images: use smaller ones"
        )
    return images, len(identities)


def facts(
    flavour: Flavour, images: SeededImageFiles, seed: int, start: str, precision: str
) -> dict[str, Any]:
    """All that decides the weights: recipe, images, labels, seed, precision, and code.

    Of the images it takes names and sizes in bytes, since reading all of them takes minutes.

    Raises:
        UserError: an image is missing.
    """
    total = hashlib.sha256()
    for path, label in zip(images.paths, images.labels, strict=True):
        file = inside(images.folder, path)
        if not file.is_file():
            raise UserError(
                f"image {shown(file)} is missing: run 1_prepare.ipynb of its dataset again"
            )
        total.update(f"{path} {label} {file.stat().st_size}\n".encode())
    known = {
        **asdict(flavour),
        "seed": seed,
        "start": start_in_words(start),
        "precision": precision,
        "images": len(images),
        "digest of the images": total.hexdigest()[:16],
        "code": stamp.of_code("training.loop"),
    }
    return json.loads(json.dumps(known))  # tuples become lists, as they come back from a file


def start_in_words(source: str) -> str:
    """A starting point in words; of a folder with the digest of its weights, which may change."""
    if source in STARTS:
        return source
    file = networks.weights_file(resolve(source))
    with file.open("rb") as content:
        return f"{source} (SHA-256 {hashlib.file_digest(content, 'sha256').hexdigest()[:16]})"


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
        return networks.untrained_network(flavour, seed)
    if source == "imagenet":
        return networks.pretrained(flavour)
    if source == "hub":
        return networks.from_hub(flavour)
    return networks.from_folder(resolve(source), flavour)


def optimizer(
    flavour: Flavour, parameters: Iterable[torch.nn.Parameter], images: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """SGD with a cosine per epoch as published, or AdamW with one cycle over all steps."""
    if flavour.optimizer == "SGD":
        chosen = torch.optim.SGD(parameters, flavour.learning_rate, flavour.momentum)
    else:
        rate, decay = flavour.learning_rate, flavour.weight_decay
        chosen = torch.optim.AdamW(parameters, rate, weight_decay=decay)
    if flavour.schedule == "cosine":
        lowest = flavour.minimum_learning_rate
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(chosen, flavour.epochs, lowest)
    else:
        steps = sum(1 for _ in batches.steps(images, flavour))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            chosen, flavour.learning_rate, total_steps=steps
        )
    return chosen, schedule


def advance(schedule: torch.optim.lr_scheduler.LRScheduler, to: int) -> None:
    """Bring a schedule to an epoch or a step, whichever it counts."""
    with warnings.catch_warnings():
        # After a checkpoint, torch does not know that the optimiser has stepped before.
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        while schedule.last_epoch < to:
            schedule.step()


def resume(
    flavour: Flavour,
    run: Run,
    facts: dict[str, Any],
    settings: Settings,
    trainee: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    meter: Meter,
) -> int:
    """Load the last sound checkpoint, if there is one; say what is found; return the first step.

    Raises:
        UserError: it belongs to another recipe or dataset, and the message names what differs; or
            it is damaged.
    """
    folder, first = run.checkpoints(flavour.name), meter.accelerator.is_main_process
    if first:
        if settings.resume == "never":
            shutil.rmtree(folder, ignore_errors=True)
        with memory_told(flavour):
            checkpoints.clean(folder)
    meter.accelerator.wait_for_everyone()
    found = checkpoints.found(folder)
    if not found:
        if first:
            print(f"no checkpoint in {shown(folder)}: starting at step 0")
        return 0
    state = checkpoints.read_state(found[-1])
    theirs = state["facts"]
    # Other code may go on with it; a checkpoint that does not name its code is of another format.
    differs = checkpoints.differences(facts | {"code": theirs.get("code", "unknown")}, theirs)
    if differs:
        raise UserError(
            f"{shown(found[-1])} belongs to another training: {differs}; give it those values, or "
            "start anew with -p resume never, which removes it"
        )
    try:
        with memory_told(flavour):
            checkpoints.load(found[-1], trainee, optimizer)
        schedule.load_state_dict(state["schedule"])
        meter.load(state)
    except UserError:  # too little memory, which is no fault of the checkpoint: it stays
        raise
    except OSError as error:
        raise UserError(f"cannot read {shown(found[-1])}: {error.strerror}") from error
    except Exception as error:  # whatever in it is not as it was written
        if first:
            shutil.rmtree(found[-1], ignore_errors=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{shown(found[-1])} is damaged and removed: {reason}; run this again, it goes on from "
            "the checkpoint before"
        ) from error
    if first:
        other = "" if theirs["code"] == facts["code"] else ", which other code wrote"
        print(f"continuing after step {state['step']} from {shown(found[-1])}{other}")
    return state["step"]


def check_processes(flavour: Flavour, processes: int) -> None:
    """Refuse what several processes would learn in another way than one.

    Raises:
        UserError: triplets would be looked for in the share of each process, not in the batch.
    """
    if processes > 1 and flavour.loss == "triplet":
        raise UserError(
            "the triplet loss looks for its triplets in whole batches: train in one process, or "
            "with the loss arcface or softmax"
        )


def check_readable(images: SeededImageFiles, unreadable: torch.Tensor, choice: str) -> None:
    """Name the images of a batch that could not be read, once each; stop if that was chosen.

    Args:
        images: the training set.
        unreadable: int64 (n,): -1, or the index of an image that could not be read.
        choice: "stop" or "skip".

    Raises:
        UserError: there is one, and the choice is to stop.
    """
    for index in unreadable[unreadable >= 0].tolist():
        if index in images.left_out:
            continue
        images.left_out.add(index)
        try:
            load(inside(images.folder, images.paths[index]))
        except UserError as error:
            if choice == "stop":
                raise UserError(f"{error}, or train without it: -p on_bad_image skip") from error
            print(f"left out, {len(images.left_out)} by now: {error}")


def every(period: int | None, number: int) -> bool:
    """Whether something that is done every so often is due after `number` (from 0)."""
    return bool(period) and (number + 1) % period == 0


@contextmanager
def memory_told(flavour: Flavour) -> Iterator[None]:
    """Turn an error of torch about memory into advice.

    Raises:
        UserError: memory ran out in the block.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if devices.is_about_loaders(error):
            raise UserError(devices.LOADER_LOST) from error
        if not devices.is_about_memory(error):
            raise
        told = f"out of memory with batch_size {flavour.batch_size}: {_smaller(flavour)}"
        raise UserError(told) from error


def _smaller(flavour: Flavour) -> str:
    """What to try when memory runs out: less at a time, and the same recipe otherwise."""
    size = flavour.batch_size
    if size == 1:
        return "take a smaller flavour"
    parts = next(part for part in range(2, size + 1) if size % part == 0)
    advice = (
        f"try batch_size {size // parts} with accumulation_steps "
        f"{flavour.accumulation_steps * parts}"
    )
    if flavour.accumulation == "sum" and flavour.optimizer == "SGD":
        # There are so many more gradients to add up; AdamW divides by their size.
        advice += f" and learning_rate {flavour.learning_rate / parts:g}"
    return advice
