"""Training one flavour, in one visible loop."""

import math
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice

import pandas as pd
import torch
from accelerate import Accelerator

from megalib.files.places import Run
from megalib.files.writing import sweep
from megalib.flavours import Flavour, Recipe
from megalib.models import devices, export, networks
from megalib.training import batches, beginning, checkpoints, finished, history, losses
from megalib.training.guard import Guard
from megalib.training.memory import memory_told
from megalib.training.progress import LOOK_EVERY, Progress
from megalib.training.settings import Settings, every

BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


class Trainee(torch.nn.Module):
    """Backbone and loss as one module, so that several processes keep both in step.

    Where the backbone normalises over the batch, it is given the images that count alone: the
    others would change what becomes of these. Elsewhere it is given all, so that the size of the
    batch stays the same.
    """

    def __init__(self, backbone: torch.nn.Module, loss: torch.nn.Module) -> None:
        """Take the two parts."""
        super().__init__()
        self.backbone, self.loss = backbone, loss
        self.mixes = any(isinstance(part, BATCH_NORMS) for part in backbone.modules())

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor
    ) -> torch.Tensor:
        """The sum of the losses of those images that count; the loss itself is in float32.

        Args:
            pixels: (n, 3, size, size).
            labels: int64 (n,).
            kept: int64 (k,), which of the n count.
        """
        if not len(kept):
            return self._nothing(pixels)
        labels = labels[kept]
        if self.mixes and len(kept) < len(pixels):
            pixels, kept = pixels[kept], torch.arange(len(kept), device=kept.device)
        # Convolutions are up to twice as fast on a CPU if the channels lie innermost.
        embeddings = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        with torch.autocast(pixels.device.type, enabled=False):
            return self.loss(embeddings.float()[kept], labels) * len(kept)

    def _nothing(self, pixels: torch.Tensor) -> torch.Tensor:
        """Zero, with gradients for which the exchange between processes waits.

        In evaluation mode, in which these images leave no trace in the statistics of batches.
        """
        self.backbone.eval()
        embeddings = self.backbone(pixels)
        self.backbone.train()
        return 0 * (embeddings.float().sum() + sum(part.sum() for part in self.loss.parameters()))


def train(
    flavour: Flavour,
    recipe: Recipe,
    metadata: pd.DataFrame,
    run: Run,
    seed: int = 0,
    start: str = "none",
    settings: Settings | None = None,
    validate: Callable[[torch.nn.Module], float] | None = None,
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train a flavour and write its weights and its history.

    A training that was stopped goes on from its last checkpoint when it is called again with the
    same recipe, data and seed. On a CPU, with the same number of threads, it ends with the same
    weights, bit for bit, whatever the number of loader processes; on a GPU this is not promised.
    One that is finished is not done again.

    Args:
        flavour: which network.
        recipe: how it is trained.
        metadata: the training set, with `dataset`, `image_id`, `identity`, and `path` below the
            image folder.
        run: where images lie and weights go.
        seed: of weights, order and augmentation.
        start: see `beginning.starting_network`.
        settings: how it runs.
        validate: gives the accuracy in [0, 1] of a network; called in evaluation mode.

    Returns:
        The trained backbone, on the CPU, and one row per epoch, see `history.COLUMNS`.

    Raises:
        UserError: the training set is unfit, the loss or the weights are no numbers any more,
            memory ran out, a checkpoint belongs to another training, or a file cannot be read or
            written.
    """
    settings = settings or Settings()
    with devices.first_alone(run.weights(flavour.name), f"training of {flavour.name}"):
        return _train(flavour, recipe, metadata, run, seed, start, settings, validate)


def _train(
    flavour: Flavour,
    recipe: Recipe,
    metadata: pd.DataFrame,
    run: Run,
    seed: int,
    start: str,
    settings: Settings,
    validate: Callable[[torch.nn.Module], float] | None,
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """The same, in the one process, or group of processes, that does it."""
    keep = settings.keep_in_memory
    images, identities = beginning.training_set(flavour, recipe, metadata, run, keep)
    precision = devices.pick_precision(settings.precision, devices.pick_device(settings.device))
    facts = finished.facts_of(flavour, recipe, images, seed, start, precision)
    if settings.resume != "never" and finished.is_finished(flavour, run, facts):
        return _read(flavour, run)

    accelerator = devices.accelerator(settings.device, precision, settings.tracker, run.logs)
    accelerator.init_trackers(flavour.name)
    rank, processes = accelerator.process_index, accelerator.num_processes
    device, speaks = accelerator.device, accelerator.is_main_process
    batches.check_processes(recipe, processes)
    backbone = beginning.starting_network(flavour, start, seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(batches.mix(seed, 0, 0))
        loss = losses.build(recipe, identities, backbone.num_features)
    with memory_told(recipe):
        trainee = Trainee(backbone, loss).to(device)
    optimizer, schedule = beginning.optimizer(recipe, trainee.parameters(), len(images))

    folder, table = run.checkpoints(flavour.name), run.history(flavour.name)
    guard, epochs = Guard(recipe, optimizer, folder), history.Epochs(table)
    parts = {"schedule": schedule, "guard": guard, "epochs": epochs}
    if accelerator.scaler:  # of float16
        parts["scaler"] = accelerator.scaler
    if settings.resume == "never" and speaks:
        shutil.rmtree(folder, ignore_errors=True)
    with memory_told(recipe):
        first = checkpoints.resume(folder, facts, trainee, optimizer, parts, accelerator)
    model, stepper = accelerator.prepare(trainee, optimizer)
    if settings.compile:
        backbone.compile()

    shares = (rank, processes, settings.compile)
    keys = batches.MicroBatches(len(images), recipe, seed, first, *shares)
    stream = iter(batches.loader(images, keys, settings.workers, device))
    progress = Progress(flavour.name, len(keys), device, speaks)
    epochs.go_on()
    model.train()
    for step in islice(batches.steps(len(images), recipe), first, None):
        torch.manual_seed(batches.mix(seed, step.number, rank))  # stochastic depth draws from it
        beginning.advance(schedule, step.epoch if recipe.schedule == "cosine" else step.number)
        group = len(step.micro_batches)
        for place in range(group):
            with memory_told(recipe):
                pixels, labels, counts, unreadable = next(stream)
            batches.check_readable(images, unreadable, settings.on_bad_image)
            # Which images count is told on the CPU: asking the device would wait for it.
            told = (pixels, labels, counts.nonzero().flatten(), counts.sum())
            pixels, labels, kept, count = (part.to(device, non_blocking=True) for part in told)
            everywhere = _over_all(count, accelerator)
            # Several processes exchange gradients once per step, with the last batch of its group.
            lone = accelerator.no_sync(model) if place < group - 1 else nullcontext()
            with lone, memory_told(recipe):
                total = model(pixels, labels, kept)
                mean = total * processes / everywhere.clamp(min=1)
                accelerator.backward(mean / step.divisor)
            progress.note(step.number, _over_all(total.detach(), accelerator), everywhere)
        with memory_told(recipe):
            stepper.step()
        stepper.zero_grad()

        keeps = step.ends_epoch or every(settings.checkpoint_every, step.number)
        if keeps or len(progress.waiting) >= LOOK_EVERY:
            seen = progress.look()
            guard.watch(seen)
            epochs.add(seen)
        if step.ends_epoch:
            epochs.pause()
            memory, accuracy = devices.peak_memory(device), math.nan
            if validate and every(settings.validate_every, step.epoch):
                accuracy = validate(backbone.eval())
                backbone.train()
            row = epochs.close(optimizer.param_groups[0]["lr"], memory, accuracy)
            accelerator.log({k: v for k, v in row.items() if not math.isnan(v)}, row["epoch"])
            if speaks:
                epochs.write()
                print(history.in_words(row, recipe.epochs), flush=True)
        if keeps:
            guard.check_weights(step.number, trainee)
            if speaks:
                state = {name: part.state_dict() for name, part in parts.items()}
                state["facts"] = facts
                with memory_told(recipe):
                    checkpoints.write(folder, step.number + 1, trainee, optimizer, state)
    progress.bar.close()
    backbone.cpu().eval()
    if speaks:
        export.write(backbone, flavour, recipe, run, facts, epochs.rows, metadata)
        shutil.rmtree(folder, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return backbone, pd.DataFrame(epochs.rows)


def _read(flavour: Flavour, run: Run) -> tuple[torch.nn.Module, pd.DataFrame]:
    """What a finished training made; removes what a kill at its very end has left."""
    folder, table = run.weights(flavour.name), run.history(flavour.name)
    backbone = networks.from_folder(folder, flavour)
    rows = history.read_history(flavour, run)
    for written in (folder, table):
        sweep(written)
    shutil.rmtree(run.checkpoints(flavour.name), ignore_errors=True)
    return backbone, rows


def _over_all(value: torch.Tensor, accelerator: Accelerator) -> torch.Tensor:
    """The sum of a number over all processes."""
    return value if accelerator.num_processes == 1 else accelerator.reduce(value)
