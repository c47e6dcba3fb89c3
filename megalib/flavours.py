"""The five MegaDescriptors and the paper's baselines: networks, sizes, transforms, recipes.

Published values come from `data/published/flavours.csv` and `baselines.csv`. The demo scale keeps
names, code and order of size, and cuts the networks down so that all five train from scratch on
two CPU cores.
"""

import csv
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

import pandas as pd

from megalib.errors import UserError, choose
from megalib.files.places import PUBLISHED

SCALES = ("published", "demo")
LOSSES = ("arcface", "triplet", "softmax")
ACCUMULATIONS = ("mean", "sum")
MININGS = ("all", "hard", "semihard")
INTERPOLATIONS = ("bilinear", "bicubic")
FITS = ("squash", "crop")


@dataclass(frozen=True)
class Flavour:
    """One network, and how an image becomes what it looks at.

    Sizes are in pixels. `fit` says how an image becomes a square: "squash" squeezes it, "crop"
    takes its centre. `network` holds the arguments by which timm builds another network than the
    architecture's own; it is empty at published scale.
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

    @property
    def title(self) -> str:
        """The name as pages show it: cut-down networks say that they are."""
        return self.name if self.scale == "published" else f"{self.name} ({self.scale} scale)"


@dataclass(frozen=True)
class Recipe:
    """How a flavour is trained. A baseline has none: it is run as others released it.

    The margin of ArcFace is in radians. `accumulation` says what becomes of the gradients of a
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


FLAVOURS = {row["flavour"]: _flavour(row) for row in _read("flavours.csv")}
RECIPES = {row["flavour"]: _recipe(row) for row in _read("flavours.csv")}
# Run as they were released, never trained here.
BASELINES = {row["flavour"]: _flavour(row) for row in _read("baselines.csv")}
SIFT = "SIFT"  # the baseline without a network, see `sift`

# Width and depth of the demo networks; every one of them keeps Swin's four stages.
_DEMO_NETWORKS = {
    "MegaDescriptor-T-224": {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)},
    "MegaDescriptor-S-224": {"embed_dim": 24, "depths": (1, 1, 4, 1), "num_heads": (1, 2, 4, 8)},
    "MegaDescriptor-B-224": {"embed_dim": 32, "depths": (1, 1, 4, 1), "num_heads": (1, 2, 4, 8)},
    "MegaDescriptor-L-224": {"embed_dim": 40, "depths": (1, 1, 4, 1), "num_heads": (2, 4, 8, 16)},
    "MegaDescriptor-L-384": {"embed_dim": 40, "depths": (1, 1, 4, 1), "num_heads": (2, 4, 8, 16)},
}
# The larger image is cut into as many patches as the smaller one, so that it costs the same.
_DEMO_IMAGE = {224: {"img_size": 64, "patch_size": 4}, 384: {"img_size": 96, "patch_size": 6}}


# A network that starts from nothing and has seconds to learn needs another recipe: AdamW, one cycle
# of the learning rate, a smaller margin and scale of ArcFace, milder augmentation.
_DEMO_RECIPE = {
    "random_crop": False,
    "augment_ops": 1,
    "augment_magnitude": 5,
    "margin": 0.2,
    "loss_scale": 16.0,
    "optimizer": "AdamW",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "epochs": 24,
    "batch_size": 32,
    "accumulation_steps": 1,
}


def _demo(flavour: Flavour) -> Flavour:
    """Cut a flavour down; normalisation, inference transform and stored size stay as published."""
    image = _DEMO_IMAGE[flavour.image_size]
    network = _DEMO_NETWORKS[flavour.name] | image | {"window_size": 4}
    size = image["img_size"]
    own = {"pretrained_tag": "", "hub_id": ""}  # there are no weights of it to be had
    return replace(flavour, scale="demo", image_size=size, network=network, **own)


Known = TypeVar("Known", Flavour, Recipe)

_CHOICES = {
    "loss": LOSSES,
    "accumulation": ACCUMULATIONS,
    "triplet_mining": MININGS,
    "interpolation": INTERPOLATIONS,
    "fit": FITS,
}


def get(name: str, scale: str = "published", **changes: int | float | str | None) -> Flavour:
    """Look a flavour or a baseline up.

    Args:
        name: such as "MegaDescriptor-T-224", or that of a baseline.
        scale: "published" or "demo"; baselines are there as published only.
        **changes: fields of the flavour, such as those of its transform; None leaves one as it is.

    Raises:
        UserError: unknown name or scale, or a value that no network can have.
    """
    flavour = (FLAVOURS | BASELINES)[choose("flavour", name, FLAVOURS | BASELINES)]
    if choose("scale", scale, SCALES) == "demo":
        if name in BASELINES:
            raise UserError(f"{name} is a baseline and exists at published scale only")
        flavour = _demo(flavour)
    return _changed(flavour, changes)


def recipe(name: str, scale: str = "published", **changes: int | float | str | None) -> Recipe:
    """How a flavour is trained at a scale.

    Args:
        name: such as "MegaDescriptor-T-224".
        scale: "published" or "demo".
        **changes: fields of the recipe; None leaves one as it is.

    Raises:
        UserError: unknown name or scale, a baseline, or a value that no training can have.
    """
    if name in BASELINES:
        raise UserError(f"{name} is a baseline: it is run as it was released, not trained")
    published = RECIPES[choose("flavour", name, RECIPES)]
    demo = choose("scale", scale, SCALES) == "demo"
    return _changed(replace(published, **_DEMO_RECIPE) if demo else published, changes)


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
    """The name of a flavour without the part that all of them share, for tables and axes."""
    return name.removeprefix("MegaDescriptor-")


# What the paper started from and computed in; neither stands in the table of flavours.
PUBLISHED_START, PUBLISHED_PRECISION = "imagenet", "fp32"


def beside_published(flavour: Flavour, recipe: Recipe, start: str, precision: str) -> pd.DataFrame:
    """A training beside the published one: one row per field, with a dot where they differ.

    Args:
        flavour: its network.
        recipe: how it is trained.
        start: its first weights; the published ones are those of ImageNet, "imagenet".
        precision: in which it is computed; the published one is "fp32".
    """
    ours = asdict(flavour) | asdict(recipe) | {"start": start, "precision": precision}
    if start != PUBLISHED_START:
        ours["pretrained_tag"] = ""  # not used
    theirs = asdict(FLAVOURS[flavour.name]) | asdict(RECIPES[flavour.name])
    theirs |= {"start": PUBLISHED_START, "precision": PUBLISHED_PRECISION}
    names = [key for key in ours if key not in {"name", "hub_id"}]
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
    if isinstance(value, dict):
        return (
            ", ".join(f"{key} {_told(part)}" for key, part in value.items()) or "the architecture's"
        )
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value) or "none"
