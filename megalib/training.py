"""Training one flavour, in one visible loop."""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice

import pandas as pd
import torch
from tqdm import tqdm

from megalib import batches, checkpoints, devices, export, losses, networks, recipe
from megalib.files import Run, shown
from megalib.flavours import Flavour
from megalib.history import Meter
from megalib.recipe import Settings


class Trainee(torch.nn.Module):
    """Backbone and loss as one module, so that several processes keep both in step."""

    def __init__(self, backbone: torch.nn.Module, loss: torch.nn.Module) -> None:
        """Take the two parts."""
        super().__init__()
        self.backbone, self.loss = backbone, loss

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """The sum of the losses of those images that count; the loss itself is in float32.

        Args:
            pixels: (n, 3, size, size).
            labels: int64 (n,).
            counts: bool (n,).
        """
        embeddings = self.backbone(pixels)
        with torch.autocast(pixels.device.type, enabled=False):
            embeddings = embeddings.float()
            if not counts.any():
                return embeddings.sum() * 0
            return self.loss(embeddings[counts], labels[counts]) * counts.sum()


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
    same recipe, data and seed, and on the same processor ends with the same weights, bit for bit,
    whatever the number of loader processes. One that is finished is not done again.

    Args:
        flavour: network and recipe.
        metadata: the training set, with `path` below the image folder and `identity`.
        run: where images lie and weights go.
        seed: of weights, order and augmentation.
        start: see `recipe.starting_network`.
        settings: how it runs.
        validate: gives the accuracy in [0, 1] of a network; called in evaluation mode.

    Returns:
        The trained backbone, on the CPU, and one row per epoch, see `history.Meter`.

    Raises:
        UserError: the training set is unfit, the loss is no number any more, memory ran out, a
            checkpoint belongs to another training, or a file cannot be read or written.
    """
    settings = settings or Settings()
    images, identities = recipe.training_set(flavour, metadata, run, settings.keep_in_memory)
    precision = devices.pick_precision(settings.precision, devices.pick_device(settings.device))
    facts = recipe.facts(flavour, images, seed, start, precision)
    if export.is_finished(flavour, run, facts):
        print(f"{shown(run.weights(flavour.name))}: trained by this recipe on these images, kept")
        return networks.from_folder(run.weights(flavour.name)), export.read_history(flavour, run)

    accelerator = devices.accelerator(settings.device, precision, settings.tracker, run.logs)
    rank, processes = accelerator.process_index, accelerator.num_processes
    backbone = recipe.starting_network(flavour, start, seed)
    with torch.random.fork_rng():
        torch.manual_seed(batches.mix(seed, 0, 0))
        loss = losses.build(flavour, identities, backbone.num_features)
    trainee = Trainee(backbone, loss).to(accelerator.device)
    optimizer, schedule = recipe.optimizer(flavour, trainee.parameters(), len(images))
    meter = Meter(flavour, run, accelerator)
    first = recipe.resume(flavour, run, facts, settings, trainee, optimizer, schedule, meter)
    model, stepper = accelerator.prepare(trainee, optimizer)
    meter.restore_scaler()
    if settings.compile:
        backbone.compile()

    keys = batches.MicroBatches(len(images), flavour, seed, first, rank, processes)
    stream = iter(batches.loader(images, keys, settings.workers, accelerator.device))
    bar = tqdm(total=len(keys), desc=flavour.name, mininterval=5, unit="batch", disable=rank > 0)
    model.train()
    for step in islice(batches.steps(len(images), flavour), first, None):
        torch.manual_seed(batches.mix(seed, step.number, rank))  # stochastic depth draws from it
        recipe.advance(schedule, step.epoch if flavour.schedule == "cosine" else step.number)
        group = len(step.micro_batches)
        for place in range(group):
            batch = next(stream)
            recipe.check_readable(images, batch.pop(), settings.on_bad_image)
            pixels, labels, counts = (
                part.to(accelerator.device, non_blocking=True) for part in batch
            )
            everywhere = meter.over_all(counts.sum())
            # Several processes exchange gradients once per step, with the last batch of its group.
            lone = accelerator.no_sync(model) if place < group - 1 else nullcontext()
            with lone, devices.memory_told(flavour):
                total = model(pixels, labels, counts)
                mean = total * processes / everywhere.clamp(min=1)
                # "mean" averages over the group; "sum" adds up, see batches.steps.
                accelerator.backward(mean / (group if flavour.accumulation == "mean" else 1))
            meter.add(step.number, total, everywhere)
            bar.update()
        stepper.step()
        stepper.zero_grad()
        meter.check(optimizer)
        if step.ends_epoch:
            due = recipe.every(settings.validate_every, step.epoch)
            meter.close_epoch(step.epoch, optimizer, validate if due else None, backbone)
        if step.ends_epoch or recipe.every(settings.checkpoint_every, step.number):
            numbers = meter.state(optimizer)
            state = {"facts": facts, "schedule": schedule.state_dict(), **numbers}
            if rank == 0:
                checkpoints.write(
                    run.checkpoints(flavour.name), step.number + 1, trainee, optimizer, state
                )
    bar.close()
    backbone.cpu().eval()
    if rank == 0:
        export.write(backbone, flavour, run, facts, meter.history, identities)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return backbone, pd.DataFrame(meter.history)
