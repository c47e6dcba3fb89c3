"""Which images meet in which step of a training: a function of seed and step alone.

So a training can be continued at any step, with any number of loader processes, and sees the same
images in the same order with the same augmentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch.utils.data import DataLoader

from megalib.files import processes
from megalib.flavours import Flavour
from megalib.models.tensors import Key, SeededImageFiles


@dataclass(frozen=True)
class Step:
    """One step of the optimiser: its number, its epoch, and whether that epoch ends with it.

    `micro_batches` are the batches whose gradients meet in it, each as (epoch, place in it).
    """

    number: int
    epoch: int
    micro_batches: tuple[tuple[int, int], ...]
    ends_epoch: bool


def steps(images: int, flavour: Flavour) -> Iterator[Step]:
    """All steps of a training.

    Accumulation "mean" closes a step after every `accumulation_steps` batches and at the end of
    an epoch. Accumulation "sum" does what the public trainer did until March 2026: it stepped one
    batch late, and carried what was left of an epoch over into the next one.
    """
    count, size = -(-images // flavour.batch_size), flavour.accumulation_steps
    late = flavour.accumulation == "sum"
    closing = {place for place in range(count) if (place - 1 if late else place + 1) % size == 0}
    if not late:
        closing.add(count - 1)
    last, number, waiting = max(closing, default=-1), 0, []
    for epoch in range(flavour.epochs):
        for place in range(count):
            waiting.append((epoch, place))
            if place in closing:
                yield Step(number, epoch, tuple(waiting), place == last)
                number, waiting = number + 1, []


def mix(seed: int, *numbers: int) -> int:
    """One seed out of several numbers that are not negative."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


class MicroBatches:
    """The keys of all micro-batches from one step on, for one of several processes.

    Several processes share each micro-batch. Where it cannot be divided evenly, its first image
    fills the gap, marked as one that does not count. With `full`, the last batch of an epoch is
    filled up in the same way: a compiled network is compiled anew for each size of batch.
    """

    def __init__(
        self,
        images: int,
        flavour: Flavour,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        processes: int = 1,
        full: bool = False,
    ) -> None:
        """Remember the plan; nothing is computed yet."""
        self.images, self.flavour, self.seed = images, flavour, seed
        self.first_step, self.rank, self.processes = first_step, rank, processes
        self.full = full

    def __iter__(self) -> Iterator[list[Key]]:
        """One list of keys per micro-batch."""
        for step in islice(steps(self.images, self.flavour), self.first_step, None):
            for epoch, place in step.micro_batches:
                yield self._keys(epoch, place)

    def __len__(self) -> int:
        """Number of micro-batches."""
        rest = islice(steps(self.images, self.flavour), self.first_step, None)
        return sum(len(step.micro_batches) for step in rest)

    def _keys(self, epoch: int, place: int) -> list[Key]:
        size = self.flavour.batch_size
        batch = _order(self.images, self.seed, epoch)[place * size : (place + 1) * size]
        keys = [Key(mix(self.seed, epoch, int(index)), int(index), True) for index in batch]
        wanted = size if self.full else len(keys)
        wanted += -wanted % self.processes
        keys += [keys[0]._replace(counts=False)] * (wanted - len(keys))
        return keys[self.rank :: self.processes]


@lru_cache(maxsize=4)
def _order(images: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(images)


def loader(
    images: SeededImageFiles, keys: MicroBatches, workers: int, device: torch.device
) -> DataLoader:
    """The micro-batches of a whole training, one after the other.

    Loader processes live from its first step to its last: an epoch's end does not stop them.
    """
    return DataLoader(
        images,
        batch_sampler=keys,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=processes.end_with_parent,
        # Its own generator: the global one must not depend on how images are loaded.
        generator=torch.Generator().manual_seed(keys.seed),
    )
