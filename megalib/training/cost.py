"""What the flavours cost: parameters, arithmetic, and hours of training."""

import math
from collections.abc import Mapping

import pandas as pd
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from megalib.data import published
from megalib.files.plain import in_markdown
from megalib.flavours import MEGADESCRIPTORS, RECIPES, Flavour, Recipe, short_name
from megalib.models import networks

BACKWARD = 3  # operations of a training step, in those of a forward pass


def flops(flavour: Flavour) -> int:
    """Floating-point operations that a backbone takes for one image.

    torch counts them of the products of matrices and of attention, a multiplication and an addition
    as two; papers often count such a pair as one. No weights are made.
    """
    with torch.device("meta"):
        model = timm.create_model(flavour.architecture, num_classes=0, **flavour.network)
        image = torch.empty(1, 3, flavour.image_size, flavour.image_size)
    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()


def sizes() -> pd.DataFrame:
    """Parameters in millions and operations per image in billions, by flavour (rows)."""
    rows = {
        name: {
            "parameters of the backbone, millions": networks.parameters_of(flavour) / 1e6,
            "operations for one image, billions": flops(flavour) / 1e9,
        }
        for name, flavour in MEGADESCRIPTORS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def recipes(chosen: Mapping[str, Flavour] = MEGADESCRIPTORS) -> pd.DataFrame:
    """Recipes side by side, with each backbone's size.

    Args:
        chosen: flavours by name.

    Returns:
        One column per flavour, as text and numbers to read; pocket networks also say for which
        MegaDescriptor they stand.
    """
    columns = {}
    for name, flavour in chosen.items():
        recipe = RECIPES[name]
        columns[name] = {"stands for": flavour.stands_for} if flavour.stands_for else {}
        columns[name] |= {
            "architecture": flavour.architecture,
            "starts from": flavour.pretrained_tag,
            "image, pixels": flavour.image_size,
            "images stored at, pixels": flavour.stored_size,
            "random crop": "yes" if recipe.random_crop else "no",
            "RandAugment operations": recipe.augment_ops,
            "RandAugment magnitude": recipe.augment_magnitude,
            "ArcFace margin, rad": f"{recipe.margin:g}",
            "ArcFace scale": f"{recipe.loss_scale:g}",
            "spread of ArcFace's first class centres": f"{recipe.center_spread:g}",
            **_steps(recipe),
            "epochs": recipe.epochs,
            "batch, and batches per step": f"{recipe.batch_size}, {recipe.accumulation_steps}",
            "parameters, million": f"{networks.parameters_of(flavour) / 1e6:.1f}",
            "operations per image, 10⁹": f"{flops(flavour) / 1e9:.3g}",
        }
    return pd.DataFrame(columns)


def _steps(recipe: Recipe) -> dict[str, str]:
    """Optimiser and learning rate of a recipe in words."""
    if recipe.optimizer == "SGD":
        optimiser = f"SGD, momentum {recipe.momentum:g}"
    else:
        optimiser = f"{recipe.optimizer}, weight decay {recipe.weight_decay:g}"
    if recipe.schedule == "cosine":
        rate = f"{recipe.learning_rate:g} to {recipe.minimum_learning_rate:g}"
    else:
        rate = f"one cycle up to {recipe.learning_rate:g}"
    return {"optimiser": optimiser, "learning rate": rate}


def training_images() -> int:
    """Images of the training parts of all 29 datasets.

    Two of them have no published count; theirs is taken as four times the test images, as in a
    split of 80 to 20.
    """
    counts = published.datasets()["n_train"]
    tests = published.accuracies_long().groupby("dataset")["n_test"].first()
    return int(counts.fillna(4 * tests).sum())


def full_training() -> pd.DataFrame:
    """How much arithmetic the full training of each flavour (columns) is.

    A training step takes three times the operations of a forward pass: the gradients of inputs
    and of weights take as many again, each.
    """
    images, columns = training_images(), {}
    for name, flavour in MEGADESCRIPTORS.items():
        seen = images * RECIPES[name].epochs
        columns[name] = {
            "epochs": RECIPES[name].epochs,
            "images seen, million": seen / 1e6,
            "operations of the training, 10¹⁸": BACKWARD * seen * flops(flavour) / 1e18,
        }
    return pd.DataFrame(columns)


def hours(measurements: pd.DataFrame) -> pd.DataFrame:
    """Estimate the hours of each flavour's full training from measured rates of this loop.

    A flavour that was not measured on some hardware is taken to be slower or faster than the
    measured one nearest in operations per image, in proportion to these.

    Args:
        measurements: of `benchmarks.read`, of the training.

    Returns:
        By hardware and precision (rows), hours of each flavour (columns).
    """
    images, rows = training_images(), {}
    operations = {name: flops(flavour) for name, flavour in MEGADESCRIPTORS.items()}
    own = measurements[measurements["way"] == "megalib"]
    for key, part in own.groupby(["hardware", "precision"], sort=False):
        rates = part.groupby("flavour")["images_per_second"].max()
        rows[key] = {}
        for name in MEGADESCRIPTORS:
            known = min(
                rates.index, key=lambda other: abs(math.log(operations[other] / operations[name]))
            )
            guess = rates[known] * operations[known] / operations[name]
            seconds = images * RECIPES[name].epochs / guess
            rows[key][name] = seconds / 3600
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["hardware", "precision"])


def in_words(hours: pd.DataFrame) -> str:
    """What an estimate of `hours` means, hardware by hardware, rounded."""
    lines = []
    for (hardware, precision), row in hours.iterrows():
        least, most = row.min(), row.max()
        names = short_name(row.idxmin()), short_name(row.idxmax())
        lines.append(
            f"* {in_markdown(hardware)}, {precision}: from {_span(least)} for {names[0]} to "
            f"{_span(most)} for {names[1]}."
        )
    advice = (
        "Where that is too long, train the pocket networks, and take the released weights or a "
        "faster accelerator for the rest."
    )
    return "\n".join([*lines, "", advice])


def _span(hours: float) -> str:
    for unit, length in (("years", 24 * 365), ("weeks", 24 * 7), ("days", 24)):
        if hours >= 2 * length:
            return f"{hours / length:.0f} {unit}"
    return f"{hours:.0f} hours"
