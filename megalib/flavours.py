"""The five MegaDescriptors and the paper's baselines: networks, sizes, transforms, recipes.

Published values come from `data/published/flavours.csv` and `baselines.csv`. The demo scale keeps
names, code and order of size, and cuts the networks down so that all five train from scratch on
two CPU cores.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

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
    """One network, and the recipe by which it is trained.

    Sizes are in pixels, the margin of ArcFace in radians. `fit` says how an image becomes a
    square: "squash" squeezes it, "crop" takes its centre. `network` holds the arguments by which
    timm builds another network than the architecture's own; it is empty at published scale.

    The recipe begins with `random_crop`; it is None for a baseline, which is run as others released
    it. `accumulation` says what becomes of the gradients of a group of batches: their "mean", or
    their "sum" as in the public trainer until March 2026. Margin and mining of triplets count for
    the triplet loss only.
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

    random_crop: bool | None = None
    augment_ops: int | None = None
    augment_magnitude: int | None = None
    margin: float | None = None
    loss_scale: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    accumulation_steps: int | None = None
    momentum: float | None = None
    weight_decay: float = 0.0
    minimum_learning_rate: float = 0.0
    loss: str = "arcface"
    triplet_margin: float = 0.2
    triplet_mining: str = "semihard"
    accumulation: str = "mean"

    @property
    def title(self) -> str:
        """The name as pages show it: cut-down networks say that they are."""
        return self.name if self.scale == "published" else f"{self.name} ({self.scale} scale)"


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split())


def _network(row: dict[str, str]) -> Flavour:
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


def _with_recipe(row: dict[str, str]) -> Flavour:
    ops, magnitude = map(int, re.findall(r"=(\d+)", row["train_augment"]))
    return replace(
        _network(row),
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


def _read(file: str, build: Callable[[dict[str, str]], Flavour]) -> dict[str, Flavour]:
    with (PUBLISHED / file).open(newline="") as rows:
        return {row["flavour"]: build(row) for row in csv.DictReader(rows)}


FLAVOURS = _read("flavours.csv", _with_recipe)
BASELINES = _read("baselines.csv", _network)  # run as they were released, never trained here
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


def _demo(flavour: Flavour) -> Flavour:
    """Cut a flavour down; normalisation, inference transform and stored size stay as published.

    A network that starts from nothing and has seconds to learn needs another recipe: AdamW, one
    cycle of the learning rate, a smaller margin and scale of ArcFace, milder augmentation.
    """
    image = _DEMO_IMAGE[flavour.image_size]
    network = _DEMO_NETWORKS[flavour.name] | image | {"window_size": 4}
    return replace(
        flavour,
        scale="demo",
        pretrained_tag="",
        hub_id="",
        image_size=image["img_size"],
        random_crop=False,
        network=network,
        augment_ops=1,
        augment_magnitude=5,
        margin=0.2,
        loss_scale=16.0,
        optimizer="AdamW",
        learning_rate=1e-3,
        weight_decay=0.05,
        schedule="one-cycle",
        epochs=24,
        batch_size=32,
        accumulation_steps=1,
    )


_CHOICES = {
    "loss": LOSSES,
    "accumulation": ACCUMULATIONS,
    "triplet_mining": MININGS,
    "interpolation": INTERPOLATIONS,
    "fit": FITS,
}


def get(name: str, scale: str = "published", **changes: int | float | str | None) -> Flavour:
    """Look a flavour up and change parts of its recipe.

    Args:
        name: such as "MegaDescriptor-T-224", or that of a baseline.
        scale: "published" or "demo"; baselines are there as published only.
        **changes: fields of the recipe or the transform; None leaves the field as it is.

    Raises:
        UserError: unknown name or scale, or a value that no training can have.
    """
    flavour = (FLAVOURS | BASELINES)[choose("flavour", name, FLAVOURS | BASELINES)]
    if choose("scale", scale, SCALES) == "demo":
        if name in BASELINES:
            raise UserError(f"{name} is a baseline and exists at published scale only")
        flavour = _demo(flavour)
    given = {key: value for key, value in changes.items() if value is not None}
    for key, value in given.items():
        if key in _CHOICES:
            choose(key, value, _CHOICES[key])
        elif isinstance(value, int | float) and value <= 0:
            raise UserError(f"{key} must be greater than zero, not {value}")
    return replace(flavour, **given)


def short_name(name: str) -> str:
    """The name of a flavour without the part that all of them share, for tables and axes."""
    return name.removeprefix("MegaDescriptor-")


# What the paper started from and computed in; neither stands in the table of flavours.
PUBLISHED_START, PUBLISHED_PRECISION = "imagenet", "fp32"


def beside_published(flavour: Flavour, start: str, precision: str) -> pd.DataFrame:
    """A recipe beside the published one: one row per field, with a dot where they differ.

    Args:
        flavour: the recipe.
        start: its first weights; the published ones are those of ImageNet, "imagenet".
        precision: in which it is computed; the published one is "fp32".
    """
    ours = asdict(flavour) | {"start": start, "precision": precision}
    if start != PUBLISHED_START:
        ours["pretrained_tag"] = ""  # not used
    theirs = asdict(FLAVOURS[flavour.name])
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
