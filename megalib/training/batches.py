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

from megalib.data.images import load
from megalib.errors import UserError
from megalib.files import processes
from megalib.files.places import inside
from megalib.flavours import Recipe
from megalib.models.tensors import Key, SeededImageFiles


@dataclass(frozen=True)
class Step:
    """One step of the optimiser: its number, its epoch, and whether that epoch ends with it.

    `micro_batches` are the batches whose gradients meet in it, each as (epoch, place in it); the
    mean loss of each is divided by `divisor` before.
    """

    number: int
    epoch: int
    micro_batches: tuple[tuple[int, int], ...]
    divisor: int
    ends_epoch: bool


def steps(images: int, recipe: Recipe) -> Iterator[Step]:
    """All steps of a training.

    Accumulation "mean" closes a step after every `accumulation_steps` batches and at the end of
    an epoch, and averages. Accumulation "sum" does what the public trainer did until March 2026: it
    added gradients up, stepped one batch late, and carried what was left of an epoch over into the
    next one.
    """
    count, size = -(-images // recipe.batch_size), recipe.accumulation_steps
    late = recipe.accumulation == "sum"
    closing = {place for place in range(count) if (place - 1 if late else place + 1) % size == 0}
    if not late:
        closing.add(count - 1)
    last, number, waiting = max(closing, default=-1), 0, []
    for epoch in range(recipe.epochs):
        for place in range(count):
            waiting.append((epoch, place))
            if place in closing:
                divisor = 1 if late else len(waiting)
                yield Step(number, epoch, tuple(waiting), divisor, place == last)
                number, waiting = number + 1, []


def check_number(images: int, recipe: Recipe) -> None:
    """Refuse a training set that is too small for a recipe.

    Raises:
        UserError: it has fewer images than one batch takes, or than a step of summed gradients.
    """
    if recipe.batch_size > images:
        raise UserError(
            f"batch_size {recipe.batch_size} is larger than the training set of "
            f"{images} images: use {images} or less"
        )
    if next(steps(images, recipe), None) is None:
        raise UserError(
            f"accumulation 'sum' never takes a step with {recipe.accumulation_steps} batches of "
            f"{recipe.batch_size} out of {images} images: use smaller ones"
        )


def check_processes(recipe: Recipe, processes: int) -> None:
    """Refuse what several processes would learn in another way than one.

    Raises:
        UserError: triplets would be looked for in the share of each process, not in the batch.
    """
    if processes > 1 and recipe.loss == "triplet":
        raise UserError(
            "the triplet loss looks for its triplets in whole batches: train in one process, or "
            "with the loss arcface or softmax"
        )


def mix(seed: int, *numbers: int) -> int:
    """One seed out of several numbers that are not negative."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


@dataclass(frozen=True)
class MicroBatches:
    """The keys of all micro-batches from one step on, for one of several processes.

    Several processes share each micro-batch. Where it cannot be divided evenly, its first image
    fills the gap, marked as one that does not count. With `full`, the last batch of an epoch is
    filled up in the same way: a compiled network is compiled anew for each size of batch.
    """

    images: int
    recipe: Recipe
    seed: int
    first_step: int = 0
    rank: int = 0
    processes: int = 1
    full: bool = False

    def __iter__(self) -> Iterator[list[Key]]:
        """One list of keys per micro-batch."""
        for step in islice(steps(self.images, self.recipe), self.first_step, None):
            for epoch, place in step.micro_batches:
                yield self._keys(epoch, place)

    def __len__(self) -> int:
        """Number of micro-batches."""
        rest = islice(steps(self.images, self.recipe), self.first_step, None)
        return sum(len(step.micro_batches) for step in rest)

    def _keys(self, epoch: int, place: int) -> list[Key]:
        size = self.recipe.batch_size
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
