"""Backbones by timm: from nothing, from ImageNet, from the hub, or from a folder."""

from pathlib import Path
from unittest import mock

import timm
import torch
from huggingface_hub import constants, get_session
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
    """The backbone with the weights of timm: those from which the published training started.

    Raises:
        UserError: the weights cannot be fetched.
    """
    return _fetch(flavour, f"{flavour.architecture}.{flavour.pretrained_tag}")


def from_hub(flavour: Flavour) -> torch.nn.Module:
    """The released network from the Hugging Face hub: a MegaDescriptor, or a baseline by timm.

    Raises:
        UserError: the weights cannot be fetched.
    """
    return _fetch(flavour, f"hf-hub:{flavour.hub_id}") if flavour.hub_id else pretrained(flavour)


def _fetch(flavour: Flavour, source: str) -> torch.nn.Module:
    if flavour.scale != "published":
        raise UserError(
            f"{flavour.title} is a cut-down network and has no published weights: "
            "use the scale 'published', or train it"
        )
    # Without a network the hub's library tries for most of a minute; its cache answers at once.
    offline = constants.HF_HUB_OFFLINE or not _hub_answers()
    try:
        with mock.patch.object(constants, "HF_HUB_OFFLINE", offline):
            return timm.create_model(source, num_classes=0, pretrained=True)
    except Exception as error:  # of the hub, of the HTTP library that it happens to use, of torch
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"cannot fetch the weights {source} ({'no answer from ' if offline else ''}"
            f"{constants.ENDPOINT}): {type(error).__name__}: {reason}. Check the network, or get "
            "config.json and model.safetensors in another way and name the folder that holds them "
            "in place of 'hub' or 'imagenet'"
        ) from error


def _hub_answers() -> bool:
    """Whether the Hugging Face hub can be reached; tells within seconds."""
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception:  # of the HTTP library that the hub's library happens to use
        return False
    return True


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
