"""Backbones by timm: from nothing, from ImageNet, from the hub, or from a folder."""

from pathlib import Path

import timm
import torch
from timm.layers import set_fused_attn
from timm.models import save_for_hf

from megalib.errors import UserError
from megalib.files import shown
from megalib.flavours import Flavour

# Without this, timm leaves Swin's fused attention off: 1.4 times slower on a CPU, same output.
set_fused_attn(True, experimental=True)


def untrained(flavour: Flavour, seed: int) -> torch.nn.Module:
    """A backbone with random weights, the same for the same seed.

    The network maps float32 images (n, 3, size, size) to embeddings (n, d).
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return timm.create_model(flavour.architecture, num_classes=0, **flavour.network)


def pretrained(flavour: Flavour) -> torch.nn.Module:
    """The backbone with the ImageNet weights from which the published training started.

    Raises:
        UserError: the weights cannot be fetched.
    """
    return _fetch(flavour, f"{flavour.architecture}.{flavour.pretrained_tag}")


def from_hub(flavour: Flavour) -> torch.nn.Module:
    """The published MegaDescriptor from the Hugging Face hub.

    Raises:
        UserError: the weights cannot be fetched.
    """
    return _fetch(flavour, f"hf-hub:{flavour.hub_id}")


def _fetch(flavour: Flavour, source: str) -> torch.nn.Module:
    if flavour.scale != "published":
        raise UserError(
            f"{flavour.title} is a cut-down network and has no published weights: "
            "use the scale 'published', or train it"
        )
    try:
        return timm.create_model(source, num_classes=0, pretrained=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"cannot fetch the weights {source}: {reason} "
            "Check the network, or give a local folder instead."
        ) from error


def save(model: torch.nn.Module, flavour: Flavour, folder: Path) -> None:
    """Write `config.json` and `model.safetensors`, from which timm builds the network again."""
    side = flavour.image_size
    save_for_hf(
        model,
        str(folder),
        safe_serialization=True,
        data_config={
            "input_size": (3, side, side),
            "mean": flavour.mean,
            "std": flavour.std,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
        },
    )


def from_folder(folder: Path) -> torch.nn.Module:
    """Load what `save` wrote.

    Raises:
        UserError: the folder does not hold a network.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"no {name} in {shown(folder)}: train this flavour first (2_train)")
    # Without pretrained=True timm would build the network and leave its weights random.
    return timm.create_model(f"local-dir:{folder}", num_classes=0, pretrained=True)


def parameter_count(model: torch.nn.Module) -> int:
    """Number of trained numbers in a network."""
    return sum(parameter.numel() for parameter in model.parameters())


def published_parameter_count(flavour: Flavour) -> int:
    """Number of parameters of the backbone of a flavour, counted without making its weights."""
    with torch.device("meta"):
        return parameter_count(timm.create_model(flavour.architecture, num_classes=0))
