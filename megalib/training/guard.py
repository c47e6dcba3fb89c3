"""Whether a training still makes sense: loss and weights are numbers, and the loss stays small."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from megalib.errors import UserError
from megalib.files.places import shown
from megalib.flavours import Recipe
from megalib.training import checkpoints
from megalib.training.history import Mean
from megalib.training.progress import Loss

JUDGE_EVERY = 20  # micro-batches whose mean loss is judged together
FIRST_IMAGES = 64  # the loss of so many is that of the start, before much is learned or lost
# A mean loss this many times that of the start has diverged. ArcFace cannot grow far: at published
# scale it starts near 40, and no angle makes it larger than about four times that.
DIVERGED = 1.5


class Guard:
    """Stops a training that has lost its way; compares its loss with that of the start."""

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        """Begin; `folder` is that of the checkpoints, of which messages name the last."""
        # The mean over mined triplets is no measure: a better network leaves only the hard ones.
        self.judges = recipe.loss != "triplet"
        self.optimizer, self.folder = optimizer, folder
        self.start, self.recent, self.batches = Mean(), Mean(), 0

    def watch(self, losses: Iterable[Loss]) -> None:
        """Look at losses, in their order.

        Raises:
            UserError: one is no finite number, or they are far above those of the start.
        """
        for loss in losses:
            if not math.isfinite(loss.total):
                raise self._stopped(f"the loss is {loss.total}", loss.step)
            if loss.total > 0 and self.start.images < FIRST_IMAGES:
                self.start.add(loss)  # all images of a batch may be unreadable: then it is zero
            self.recent.add(loss)
            self.batches += 1
            if self.batches == JUDGE_EVERY:
                self._judge(loss.step)
                self.recent, self.batches = Mean(), 0

    def _judge(self, step: int) -> None:
        known = self.judges and self.start.images >= FIRST_IMAGES
        if known and self.recent.value > DIVERGED * self.start.value:
            grown = f"from {self.start.value:.3g} to {self.recent.value:.3g}"
            raise self._stopped(f"the loss has grown {grown}", step)

    def check_weights(self, step: int, model: torch.nn.Module) -> None:
        """Refuse weights that are no numbers: a loss speaks for those before their last change.

        Raises:
            UserError: a weight or a number of the optimiser is not finite.
        """
        kept = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [*model.state_dict().values(), *filter(torch.is_tensor, kept)]
        if not torch.stack([part.isfinite().all().cpu() for part in tensors]).all():
            raise self._stopped("the weights are no finite numbers", step)

    def _stopped(self, reason: str, step: int) -> UserError:
        good = checkpoints.found(self.folder)
        place = (
            f"the last good checkpoint is {shown(good[-1])}" if good else "there is no checkpoint"
        )
        rate = self.optimizer.param_groups[0]["lr"]
        return UserError(
            f"{reason} at step {step} with learning rate {rate:.3g}; {place}; "
            "try a lower learning_rate and resume never"
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "start": vars(self.start),
            "recent": vars(self.recent),
            "batches": self.batches,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.start, self.recent = Mean(**state["start"]), Mean(**state["recent"])
        self.batches = state["batches"]
