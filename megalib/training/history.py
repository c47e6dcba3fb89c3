"""What a training has done so far: loss, rate, time left, and whether it still makes sense."""

import math
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from accelerate import Accelerator
from tqdm import tqdm

from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file
from megalib.flavours import Flavour
from megalib.models import devices
from megalib.training import checkpoints

LOOK_EVERY = 20  # micro-batches between two looks at the loss; each look waits for the device
FIRST_IMAGES = 64  # the loss of so many is that of the start, before much is learned or lost
# A mean loss this many times that of the start has diverged. ArcFace cannot grow far: at published
# scale it starts near 40, and no angle makes it larger than about four times that.
DIVERGED = 1.5
# Of the table; `Meter` says what they hold.
COLUMNS = (
    *("epoch", "learning_rate", "loss", "images", "images_per_second", "seconds", "memory"),
    "validation",
)


class Meter:
    """Adds up losses without waiting for the device at each step, and keeps the history.

    `history` has one row per epoch: `epoch`, `learning_rate` at its end, mean `loss`, `images` that
    counted, `images_per_second`, `seconds`, `memory` (peak, GiB), and `validation` (accuracy in
    [0, 1]) where the epoch was validated, else NaN.
    """

    def __init__(self, flavour: Flavour, run: Run, accelerator: Accelerator) -> None:
        """Start at nothing."""
        self.flavour, self.run, self.accelerator = flavour, run, accelerator
        accelerator.init_trackers(flavour.name)
        self.history: list[dict[str, float]] = []
        self.waiting: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self.loss, self.images, self.seconds = 0.0, 0, 0.0
        self.start = [0.0, 0]  # loss and number of the first images
        self.window = [0, 0.0, 0]  # batches, loss and images since divergence was last judged
        self.scaler: dict[str, Any] | None = None
        self.began = self.looked = time.perf_counter()
        self.bar = tqdm(disable=True)

    def show(self, batches: int) -> None:
        """Begin to show progress through so many micro-batches."""
        self.bar = tqdm(
            total=batches,
            desc=self.flavour.name,
            mininterval=5,
            unit="batch",
            disable=not self.accelerator.is_main_process,
        )
        self.began = self.looked = time.perf_counter()

    def over_all(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of a number over all processes."""
        if self.accelerator.num_processes == 1:
            return value
        return self.accelerator.reduce(value)

    def add(self, step: int, total: torch.Tensor, images: torch.Tensor) -> None:
        """Note the summed loss of one micro-batch, and the images of it in all processes."""
        self.waiting.append((step, self.over_all(total.detach()), images))
        self.bar.update()

    def check(self, optimizer: torch.optim.Optimizer) -> None:
        """Now and then, look at the losses noted so far.

        Raises:
            UserError: one is no finite number, or they are far above those of the start.
        """
        if len(self.waiting) >= LOOK_EVERY:
            self._look(optimizer)

    def _look(self, optimizer: torch.optim.Optimizer) -> None:
        if not self.waiting:
            return
        steps = [step for step, _, _ in self.waiting]
        losses = torch.stack([total for _, total, _ in self.waiting]).tolist()
        images = torch.stack([count for _, _, count in self.waiting]).tolist()
        self.waiting.clear()
        for step, loss in zip(steps, losses, strict=True):
            if not math.isfinite(loss):
                raise UserError(self._stopped(f"the loss is {loss}", step, optimizer))
        for loss, count in zip(losses, images, strict=True):
            self.loss += loss
            self.images += count
            if loss > 0 and self.start[1] < FIRST_IMAGES:  # all images of a batch may be unreadable
                self.start = [self.start[0] + loss, self.start[1] + count]
        self._show_beside_bar(sum(losses), sum(images))
        added = (len(losses), sum(losses), sum(images))
        self.window = [old + new for old, new in zip(self.window, added, strict=True)]
        self._judge(steps[-1], optimizer)

    def _show_beside_bar(self, loss: float, images: int) -> None:
        """Show mean loss and speed since the last look, and memory."""
        now = time.perf_counter()
        numbers = {
            "loss": f"{loss / max(images, 1):.3f}",
            "images/s": f"{images / (now - self.looked):.1f}",
            "GiB": f"{devices.peak_memory(self.accelerator.device):.1f}",
        }
        self.bar.set_postfix(numbers, refresh=False)
        self.looked = now

    def _judge(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Stop where the mean loss of enough batches is far above that of the first ones."""
        batches, loss, images = self.window
        # The mean over mined triplets is no measure: a better network leaves only the hard ones.
        if batches < LOOK_EVERY or self.flavour.loss == "triplet":
            return
        self.window, mean = [0, 0.0, 0], loss / max(images, 1)
        at_start = self.start[0] / max(self.start[1], 1)
        if self.start[1] >= FIRST_IMAGES and mean > DIVERGED * at_start:
            reason = f"the loss has grown from {at_start:.3g} to {mean:.3g}"
            raise UserError(self._stopped(reason, step, optimizer))

    def _stopped(self, reason: str, step: int, optimizer: torch.optim.Optimizer) -> str:
        good = checkpoints.found(self.run.checkpoints(self.flavour.name))
        place = (
            f"the last good checkpoint is {shown(good[-1])}" if good else "there is no checkpoint"
        )
        rate = optimizer.param_groups[0]["lr"]
        return (
            f"{reason} at step {step} with learning rate {rate:.3g}; {place}; "
            "try a lower learning_rate and resume never"
        )

    def close_epoch(
        self,
        epoch: int,
        optimizer: torch.optim.Optimizer,
        validate: Callable[[torch.nn.Module], float] | None,
        backbone: torch.nn.Module,
    ) -> None:
        """End an epoch: validate if asked to, write the history, say a line."""
        self._look(optimizer)
        self._take_time()
        row = {
            "epoch": epoch + 1,
            "learning_rate": optimizer.param_groups[0]["lr"],
            "loss": self.loss / max(self.images, 1),
            "images": self.images,
            "images_per_second": self.images / self.seconds,
            "seconds": self.seconds,
            "memory": devices.peak_memory(self.accelerator.device),
            "validation": math.nan,
        }
        if validate:
            row["validation"] = validate(backbone.eval())
            backbone.train()
            self.looked = time.perf_counter()
        self.history.append(row)
        self.loss, self.images, self.seconds = 0.0, 0, 0.0
        self.began = time.perf_counter()
        told = {name: value for name, value in row.items() if not math.isnan(value)}
        self.accelerator.log(told, step=epoch + 1)
        if self.accelerator.is_main_process:
            with whole_file(self.run.history(self.flavour.name)) as temporary:
                pd.DataFrame(self.history).to_csv(temporary, index=False)
            self._say(row)

    def _take_time(self) -> None:
        now = time.perf_counter()
        self.seconds, self.began = self.seconds + now - self.began, now

    def _say(self, row: dict[str, float]) -> None:
        left = (self.flavour.epochs - row["epoch"]) * row["seconds"]
        validation = "" if math.isnan(row["validation"]) else f"  top-1 {row['validation']:6.1%}"
        print(
            f"epoch {row['epoch']:3d}/{self.flavour.epochs}  loss {row['loss']:7.3f}  "
            f"learning rate {row['learning_rate']:.2e}  {row['images_per_second']:6.1f} images/s  "
            f"{row['memory']:4.1f} GiB  {left:5.0f} s left{validation}",
            flush=True,
        )

    def state(
        self, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer
    ) -> dict[str, Any]:
        """What a checkpoint must hold; never of a loss or weights that are no numbers.

        Raises:
            UserError: a loss, a weight or a number of the optimiser is not finite.
        """
        self._look(optimizer)
        # A loss is that of the weights before their last change, so it does not speak for them.
        kept = [value for state in optimizer.state.values() for value in state.values()]
        tensors = [*model.state_dict().values(), *filter(torch.is_tensor, kept)]
        if not torch.stack([part.isfinite().all().cpu() for part in tensors]).all():
            raise UserError(self._stopped("the weights are no finite numbers", step, optimizer))
        self._take_time()
        scaler = self.accelerator.scaler
        return {
            "history": [
                {k: None if math.isnan(v) else v for k, v in row.items()} for row in self.history
            ],
            "loss": self.loss,
            "images": self.images,
            "seconds": self.seconds,
            "start": self.start,
            "window": self.window,
            "scaler": scaler.state_dict() if scaler else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.history = [
            {name: math.nan if value is None else value for name, value in row.items()}
            for row in state["history"]
        ]
        self.loss, self.images, self.seconds = state["loss"], state["images"], state["seconds"]
        self.start, self.window, self.scaler = state["start"], state["window"], state["scaler"]

    def restore_scaler(self) -> None:
        """Put back the scaler of float16, once accelerate has made it."""
        if self.accelerator.scaler and self.scaler:
            self.accelerator.scaler.load_state_dict(self.scaler)
