"""What a training begins with: its images, first weights, and optimiser."""

import hashlib
import warnings
from collections.abc import Iterable

import pandas as pd
import torch

from megalib.errors import UserError
from megalib.files.places import Run, resolve
from megalib.flavours import Flavour, Recipe
from megalib.models import networks
from megalib.models.tensors import SeededImageFiles
from megalib.training import batches

STARTS = ("none", "imagenet", "hub")  # anything else names a folder


def training_set(
    flavour: Flavour, recipe: Recipe, metadata: pd.DataFrame, run: Run, keep_in_memory: bool
) -> tuple[SeededImageFiles, int]:
    """The images of a training and the number of individuals.

    Raises:
        UserError: fewer than two individuals, or too few images for the recipe.
    """
    labels, identities = pd.factorize(metadata["identity"], sort=True)
    if len(identities) < 2:
        raise UserError(
            f"training needs two individuals or more, the training set holds {len(identities)}"
        )
    batches.check_number(len(metadata), recipe)
    folder = run.images(flavour.stored_size)
    paths = metadata["path"]
    return SeededImageFiles(folder, paths, flavour, recipe, labels, keep_in_memory), len(identities)


def start_in_words(source: str) -> str:
    """A starting point in words; of a folder with the digest of its weights, which may change."""
    if source in STARTS:
        return source
    file = networks.weights_file(resolve(source))
    with file.open("rb") as content:
        return f"{source} (SHA-256 {hashlib.file_digest(content, 'sha256').hexdigest()[:16]})"


def starting_network(flavour: Flavour, source: str, seed: int) -> torch.nn.Module:
    """The backbone with which training starts.

    Args:
        flavour: which network.
        source: "none" for random weights, "imagenet" as published, "hub" for the published
            MegaDescriptor, or a folder that holds a network.
        seed: of the random weights.

    Raises:
        UserError: the weights are not to be had.
    """
    if source == "none":
        return networks.untrained_network(flavour, seed)
    if source == "imagenet":
        return networks.pretrained(flavour)
    if source == "hub":
        return networks.from_hub(flavour)
    return networks.from_folder(resolve(source), flavour)


def optimizer(
    recipe: Recipe, parameters: Iterable[torch.nn.Parameter], images: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """SGD with a cosine per epoch as published, or AdamW with one cycle over all steps."""
    rate = recipe.learning_rate
    if recipe.optimizer == "SGD":
        chosen = torch.optim.SGD(parameters, rate, recipe.momentum)
    else:
        chosen = torch.optim.AdamW(parameters, rate, weight_decay=recipe.weight_decay)
    if recipe.schedule == "cosine":
        lowest = recipe.minimum_learning_rate
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(chosen, recipe.epochs, lowest)
    else:
        steps = sum(1 for _ in batches.steps(images, recipe))
        schedule = torch.optim.lr_scheduler.OneCycleLR(chosen, rate, total_steps=steps)
    return chosen, schedule


def advance(schedule: torch.optim.lr_scheduler.LRScheduler, to: int) -> None:
    """Bring a schedule to an epoch or a step, whichever it counts."""
    with warnings.catch_warnings():
        # After a checkpoint, torch does not know that the optimiser has stepped before.
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        while schedule.last_epoch < to:
            schedule.step()
