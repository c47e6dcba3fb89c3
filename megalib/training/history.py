"""What a training has done so far: one row per epoch, and the mean loss of the one that runs."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from megalib.errors import UserError
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file
from megalib.flavours import Flavour
from megalib.training.progress import Loss

# One row per epoch: its number from 1, the learning rate at its end, the mean loss, images that
# counted, their rate, seconds, peak of memory in GiB, and the accuracy in [0, 1] where the epoch
# was validated, else NaN.
COLUMNS = (
    *("epoch", "learning_rate", "loss", "images", "images_per_second", "seconds", "memory"),
    "validation",
)


@dataclass
class Mean:
    """The mean loss of images, out of sums over batches; zero before the first."""

    total: float = 0.0
    images: int = 0

    def add(self, loss: Loss) -> None:
        """Add a batch."""
        self.total += loss.total
        self.images += loss.images

    @property
    def value(self) -> float:
        """The mean so far."""
        return self.total / max(self.images, 1)


class Epochs:
    """The table of epochs in `rows`, and what is known of the epoch that runs."""

    def __init__(self, file: Path) -> None:
        """Start at nothing; `file` is where the table goes."""
        self.file, self.rows = file, []
        self.mean, self.seconds = Mean(), 0.0
        self.began = time.perf_counter()

    def add(self, losses: Iterable[Loss]) -> None:
        """Add batches to the epoch that runs."""
        for loss in losses:
            self.mean.add(loss)

    def go_on(self) -> None:
        """Count the time from now on."""
        self.began = time.perf_counter()

    def pause(self) -> None:
        """Count the time until now."""
        before, self.began = self.began, time.perf_counter()
        self.seconds += self.began - before

    def close(self, rate: float, memory: float, validation: float) -> dict[str, float]:
        """End an epoch whose time has been counted.

        Args:
            rate: of learning, at its end.
            memory: the peak in GiB.
            validation: accuracy in [0, 1], or NaN.

        Returns:
            Its row.
        """
        values = (
            *(len(self.rows) + 1, rate, self.mean.value, self.mean.images),
            *(self.mean.images / self.seconds, self.seconds, memory, validation),
        )
        self.rows.append(dict(zip(COLUMNS, values, strict=True)))
        self.mean, self.seconds = Mean(), 0.0
        self.go_on()
        return self.rows[-1]

    def write(self) -> None:
        """Write the table.

        Raises:
            UserError: the file cannot be written.
        """
        with whole_file(self.file) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; JSON has no NaN."""
        self.pause()
        rows = [{k: None if math.isnan(v) else v for k, v in row.items()} for row in self.rows]
        return {"rows": rows, "mean": vars(self.mean), "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.rows = [
            {name: math.nan if value is None else value for name, value in row.items()}
            for row in state["rows"]
        ]
        self.mean, self.seconds = Mean(**state["mean"]), state["seconds"]


def in_words(row: dict[str, float], epochs: int) -> str:
    """The line that is printed after an epoch, of so many."""
    left = (epochs - row["epoch"]) * row["seconds"]
    validation = "" if math.isnan(row["validation"]) else f"  top-1 {row['validation']:6.1%}"
    return (
        f"epoch {row['epoch']:3d}/{epochs}  loss {row['loss']:7.3f}  "
        f"learning rate {row['learning_rate']:.2e}  {row['images_per_second']:6.1f} images/s  "
        f"{row['memory']:4.1f} GiB  {left:5.0f} s left{validation}"
    )


def read_history(flavour: Flavour, run: Run) -> pd.DataFrame:
    """The history that a training wrote, one row per epoch.

    Raises:
        UserError: it is missing or damaged.
    """
    file = run.history(flavour.name)
    try:
        history = pd.read_csv(file)
        missing = set(COLUMNS) - set(history)
        reason = f"it lacks {', '.join(sorted(missing))}" if missing else "it has no rows"
    except (OSError, ValueError) as error:
        history, reason = pd.DataFrame(), getattr(error, "strerror", None) or str(error)
    if history.empty or missing:
        raise UserError(
            f"cannot read the history {shown(file)}: {reason}; bring it back, or train anew with "
            "-p resume never"
        )
    return history
