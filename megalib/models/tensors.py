"""Prepared images as tensors: the transforms of training and inference, and the dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from megalib.data.images import load
from megalib.errors import UserError
from megalib.files.places import inside
from megalib.flavours import Flavour, Recipe


def training_transform(flavour: Flavour, recipe: Recipe) -> Callable[[Image.Image], torch.Tensor]:
    """The augmentation of a recipe: random crop or squeeze, RandAugment, normalisation.

    Returns:
        A function from an RGB image to a float32 tensor of shape (3, size, size).
    """
    square = (flavour.image_size, flavour.image_size)
    spatial = (
        transforms.RandomResizedCrop(square, scale=(0.8, 1.0))
        if recipe.random_crop
        else transforms.Resize(square)
    )
    augment = transforms.RandAugment(recipe.augment_ops, recipe.augment_magnitude)
    return transforms.Compose([spatial, augment, *_to_normal_tensor(flavour)])


def inference_transform(flavour: Flavour) -> Callable[[Image.Image], torch.Tensor]:
    """Make a square and normalise; as published, squeeze with bilinear interpolation.

    Returns:
        A function from an RGB image to a float32 tensor of shape (3, size, size).
    """
    size, how = flavour.image_size, transforms.InterpolationMode(flavour.interpolation)
    if flavour.fit == "crop":
        spatial = [transforms.Resize(size, how), transforms.CenterCrop(size)]
    else:
        spatial = [transforms.Resize((size, size), how)]
    return transforms.Compose([*spatial, *_to_normal_tensor(flavour)])


def _to_normal_tensor(flavour: Flavour) -> list[Callable]:
    return [transforms.ToTensor(), transforms.Normalize(flavour.mean, flavour.std)]


class ImageFiles(torch.utils.data.Dataset):
    """Images in a folder, given by relative paths, with integer labels.

    Paths and labels are arrays: rows of a data frame would be copied into each loader worker
    one by one. With `keep`, decoded images stay in memory, which pays for small sets only.
    """

    def __init__(
        self,
        folder: Path,
        paths: Sequence[str],
        transform: Callable[[Image.Image], torch.Tensor],
        labels: np.ndarray | None = None,
        keep: bool = False,
    ) -> None:
        """Remember where the images are; nothing is read yet."""
        self.folder = folder
        self.paths = np.asarray(paths, dtype=str)
        self.labels = np.zeros(len(paths), dtype=np.int64) if labels is None else labels
        self.transform = transform
        self.kept: dict[int, Image.Image] | None = {} if keep else None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """One transformed image and its label."""
        return self.transform(self.image(index)), int(self.labels[index])

    def image(self, index: int) -> Image.Image:
        """One image as it lies in the folder."""
        if self.kept is not None and index in self.kept:
            return self.kept[index]
        image = load(inside(self.folder, self.paths[index]))
        if self.kept is not None:
            self.kept[index] = image
        return image


class Key(NamedTuple):
    """What asks for a training image: the seed of its augmentation, its index, if it counts."""

    seed: int
    index: int
    counts: bool


class SeededImageFiles(ImageFiles):
    """The same, for training: an item is asked for by a `Key`.

    The transform draws its random numbers from the key's seed alone, so an image looks the same
    whichever worker loads it, and after a training was stopped and continued.
    """

    def __init__(
        self,
        folder: Path,
        paths: Sequence[str],
        flavour: Flavour,
        recipe: Recipe,
        labels: np.ndarray,
        keep: bool,
    ) -> None:
        """Remember where the images are; nothing is read yet."""
        super().__init__(folder, paths, training_transform(flavour, recipe), labels, keep)
        self.side = flavour.image_size
        self.left_out: set[int] = set()  # those found unreadable so far, see `batches`

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, int, bool, int]:
        """One augmented image, its label, whether it counts, and its index if it is unreadable.

        An image that cannot be read is all zeros and does not count; it has its index in the last
        place, where others have -1.
        """
        label = int(self.labels[key.index])
        with torch.random.fork_rng(devices=[]):
            # The CPU's alone: torch.manual_seed would also set that of a GPU, and leave it so.
            torch.default_generator.manual_seed(key.seed)
            try:
                return self.transform(self.image(key.index)), label, key.counts, -1
            except UserError:
                return torch.zeros(3, self.side, self.side), label, False, key.index
