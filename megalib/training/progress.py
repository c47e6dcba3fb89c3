"""Losses on their way from the device, and what is shown of them meanwhile."""

import time
from typing import NamedTuple

import torch
from tqdm import tqdm

from megalib.models import devices

LOOK_EVERY = 20  # micro-batches between two looks at the loss; each look waits for the device


class Loss(NamedTuple):
    """The summed loss of a micro-batch over all processes, and the images that count in it."""

    step: int
    total: float
    images: int


class Progress:
    """Keeps losses without waiting for the device at each step, and shows a bar."""

    def __init__(self, name: str, batches: int, device: torch.device, shown: bool) -> None:
        """Begin with none of so many micro-batches."""
        self.device, self.waiting = device, []
        self.bar = tqdm(total=batches, desc=name, mininterval=5, unit="batch", disable=not shown)
        self.looked = time.perf_counter()

    def note(self, step: int, total: torch.Tensor, images: torch.Tensor) -> None:
        """Note a micro-batch: its step, its summed loss, and the images that count."""
        self.waiting.append((step, total, images))
        self.bar.update()

    def look(self) -> list[Loss]:
        """The losses since the last look, waiting for the device; shows their mean and speed."""
        if not self.waiting:
            return []
        steps, totals, images = zip(*self.waiting, strict=True)
        totals, images = torch.stack(totals).tolist(), torch.stack(images).tolist()
        self.waiting, before, self.looked = [], self.looked, time.perf_counter()
        numbers = {
            "loss": f"{sum(totals) / max(sum(images), 1):.3f}",
            "images/s": f"{sum(images) / (self.looked - before):.1f}",
            "GiB": f"{devices.peak_memory(self.device):.1f}",
        }
        self.bar.set_postfix(numbers, refresh=False)
        return list(map(Loss, steps, totals, images))
