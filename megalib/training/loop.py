"""Training one flavour, in one visible loop."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice

import pandas as pd
import torch

from megalib.files.places import Run
from megalib.files.writing import sweep
from megalib.flavours import Flavour
from megalib.models import devices, export, networks
from megalib.training import batches, checkpoints, losses, recipe
from megalib.training.history import Meter
from megalib.training.recipe import Settings


class Trainee(torch.nn.Module):
    """Backbone and loss as one module, so that several processes keep both in step."""

    def __init__(self, backbone: torch.nn.Module, loss: torch.nn.Module) -> None:
        """Take the two parts."""
        super().__init__()
        self.backbone, self.loss = backbone, loss

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor
    ) -> torch.Tensor:
        """The sum of the losses of those images that count; the loss itself is in float32.

        Args:
            pixels: (n, 3, size, size).
            labels: int64 (n,).
            kept: int64 (k,), which of the n count.
        """
        embeddings = self.backbone(pixels)
        with torch.autocast(pixels.device.type, enabled=False):
            embeddings = embeddings.float()
            if not len(kept):  # the exchange between processes waits for every gradient
                return 0 * (embeddings.sum() + sum(part.sum() for part in self.loss.parameters()))
            return self.loss(embeddings[kept], labels[kept]) * len(kept)


def train(
    flavour: Flavour,
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
        flavour: network and recipe.
        metadata: the training set, with `dataset`, `image_id`, `identity`, and `path` below the
            image folder.
        run: where images lie and weights go.
        seed: of weights, order and augmentation.
        start: see `recipe.starting_network`.
        settings: how it runs.
        validate: gives the accuracy in [0, 1] of a network; called in evaluation mode.

    Returns:
        The trained backbone, on the CPU, and one row per epoch, see `history.Meter`.

    Raises:
        UserError: the training set is unfit, the loss or the weights are no numbers any more,
            memory ran out, a checkpoint belongs to another training, or a file cannot be read or
            written.
    """
    with devices.first_alone(run.weights(flavour.name), f"training of {flavour.name}"):
        return _train(flavour, metadata, run, seed, start, settings or Settings(), validate)


def _train(
    flavour: Flavour,
    metadata: pd.DataFrame,
    run: Run,
    seed: int,
    start: str,
    settings: Settings,
    validate: Callable[[torch.nn.Module], float] | None,
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """The same, in the one process, or group of processes, that does it."""
    images, identities = recipe.training_set(flavour, metadata, run, settings.keep_in_memory)
    precision = devices.pick_precision(settings.precision, devices.pick_device(settings.device))
    facts = recipe.facts(flavour, images, seed, start, precision)
    if settings.resume != "never" and export.is_finished(flavour, run, facts):
        backbone = networks.from_folder(run.weights(flavour.name), flavour)
        history = export.read_history(flavour, run)
        for written in (run.weights(flavour.name), run.history(flavour.name)):
            sweep(written)  # what a kill at the very end has left
        shutil.rmtree(run.checkpoints(flavour.name), ignore_errors=True)
        return backbone, history

    accelerator = devices.accelerator(settings.device, precision, settings.tracker, run.logs)
    rank, processes = accelerator.process_index, accelerator.num_processes
    recipe.check_processes(flavour, processes)
    backbone = recipe.starting_network(flavour, start, seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(batches.mix(seed, 0, 0))
        loss = losses.build(flavour, identities, backbone.num_features)
    with recipe.memory_told(flavour):
        trainee = Trainee(backbone, loss).to(accelerator.device)
    optimizer, schedule = recipe.optimizer(flavour, trainee.parameters(), len(images))
    meter = Meter(flavour, run, accelerator)
    first = recipe.resume(flavour, run, facts, settings, trainee, optimizer, schedule, meter)
    model, stepper = accelerator.prepare(trainee, optimizer)
    meter.restore_scaler()
    if settings.compile:
        backbone.compile()

    shares = (rank, processes, settings.compile)
    keys = batches.MicroBatches(len(images), flavour, seed, first, *shares)
    stream = iter(batches.loader(images, keys, settings.workers, accelerator.device))
    meter.show(len(keys))
    model.train()
    for step in islice(batches.steps(len(images), flavour), first, None):
        torch.manual_seed(batches.mix(seed, step.number, rank))  # stochastic depth draws from it
        recipe.advance(schedule, step.epoch if flavour.schedule == "cosine" else step.number)
        group = len(step.micro_batches)
        for place in range(group):
            with recipe.memory_told(flavour):
                pixels, labels, counts, unreadable = next(stream)
            recipe.check_readable(images, unreadable, settings.on_bad_image)
            # Which images count is told on the CPU: asking the device would wait for it.
            parts = (pixels, labels, counts.nonzero().flatten(), counts.sum())
            pixels, labels, kept, count = (
                part.to(accelerator.device, non_blocking=True) for part in parts
            )
            everywhere = meter.over_all(count)
            # Several processes exchange gradients once per step, with the last batch of its group.
            lone = accelerator.no_sync(model) if place < group - 1 else nullcontext()
            with lone, recipe.memory_told(flavour):
                total = model(pixels, labels, kept)
                mean = total * processes / everywhere.clamp(min=1)
                # "mean" averages over the group; "sum" adds up, see batches.steps.
                accelerator.backward(mean / (group if flavour.accumulation == "mean" else 1))
            meter.add(step.number, total, everywhere)
        with recipe.memory_told(flavour):
            stepper.step()
        stepper.zero_grad()
        meter.check(optimizer)
        if step.ends_epoch:
            due = recipe.every(settings.validate_every, step.epoch)
            meter.close_epoch(step.epoch, optimizer, validate if due else None, backbone)
        if step.ends_epoch or recipe.every(settings.checkpoint_every, step.number):
            state = meter.state(step.number, trainee, optimizer)
            state |= {"facts": facts, "schedule": schedule.state_dict()}
            if rank == 0:
                folder = run.checkpoints(flavour.name)
                checkpoints.write(folder, step.number + 1, trainee, optimizer, state)
    meter.bar.close()
    backbone.cpu().eval()
    if rank == 0:
        export.write(backbone, flavour, run, facts, meter.history, metadata)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return backbone, pd.DataFrame(meter.history)
