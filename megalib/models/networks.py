"""Backbones by timm: from nothing, from ImageNet, from the hub, or from a folder."""

import json
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from huggingface_hub import constants, get_session, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from timm.layers import set_fused_attn
from timm.models import save_for_hf

from megalib.errors import UserError
from megalib.files.places import Run, resolve, shown
from megalib.flavours import MEGADESCRIPTORS, POCKET, Flavour
from megalib.models import packaged

# Without this, timm leaves Swin's fused attention off: 1.4 times slower on a CPU, same output.
set_fused_attn(True, experimental=True)

# In either of these a folder of a network has its weights; the first is taken where there are both.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TRAIN_FIRST = "train this flavour first (2_train)"
NAME_A_FOLDER = "name a folder that holds config.json and model.safetensors of a network"


def untrained_network(flavour: Flavour, seed: int) -> torch.nn.Module:
    """A backbone with random weights, the same for the same seed.

    The network maps float32 images (n, 3, size, size) to embeddings (n, d).
    """
    with torch.random.fork_rng(devices=[]):  # weights are drawn on the CPU; GPUs stay unopened
        torch.default_generator.manual_seed(seed)
        return timm.create_model(flavour.architecture, num_classes=0, **flavour.network)


def pretrained(flavour: Flavour) -> torch.nn.Module:
    """The backbone with its ImageNet weights, which a package holds or timm fetches.

    Raises:
        UserError: the weights are not installed, or cannot be fetched.
    """
    if flavour.scale == "pocket":
        return packaged.network(flavour)
    return _fetch(flavour, f"{flavour.architecture}.{flavour.pretrained_tag}")


def before_training(flavour: Flavour, seed: int) -> dict[str, torch.nn.Module]:
    """A network before it has seen an animal: "untrained", and of a pocket network also "frozen".

    The first has the random weights of that seed, the second those of ImageNet, which would have to
    be fetched for other flavours.

    Raises:
        UserError: the ImageNet weights of a pocket network are not installed.
    """
    found = {"untrained": untrained_network(flavour, seed)}
    return found | ({"frozen": pretrained(flavour)} if flavour.scale == "pocket" else {})


def from_hub(flavour: Flavour) -> torch.nn.Module:
    """The released network from the Hugging Face hub: a MegaDescriptor, or a baseline by timm.

    Raises:
        UserError: nobody released the network, or the weights cannot be fetched.
    """
    if flavour.scale == "pocket":
        told = "and has no weights on the hub: train it, or take those of ImageNet (imagenet)"
        raise UserError(f"{flavour.name} is no released network {told}")
    return _fetch(flavour, f"hf-hub:{flavour.hub_id}") if flavour.hub_id else pretrained(flavour)


def _fetch(flavour: Flavour, source: str) -> torch.nn.Module:
    """Build a network of the hub, or of timm's table, from the cache, which is filled before."""
    # Without a network the hub's library tries for most of a minute; its cache answers at once.
    offline = not _hub_answers()
    try:
        if source.startswith("hf-hub:"):
            hf_hub_download(flavour.hub_id, "config.json", local_files_only=offline)
            folder = _weights(flavour.hub_id, offline).parent
            return timm.create_model(f"local-dir:{folder}", num_classes=0, pretrained=True)
        file = _weights(timm.models.get_pretrained_cfg(source).hf_hub_id, offline)
        here = {"file": str(file)}
        return timm.create_model(
            source, num_classes=0, pretrained=True, pretrained_cfg_overlay=here
        )
    except Exception as error:  # of the hub, of the HTTP library that it happens to use, of torch
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"cannot fetch the weights {source} ({'no answer from ' if offline else ''}"
            f"{constants.ENDPOINT}): {type(error).__name__}: {reason}. Check the network, or get "
            "config.json and model.safetensors in another way and name the folder that holds them "
            "in place of 'hub' or 'imagenet'"
        ) from error


def _weights(repository: str, offline: bool) -> Path:
    """The weights of a repository of the hub in the cache of its library."""
    safe, pickled = WEIGHTS
    try:
        return Path(hf_hub_download(repository, safe, local_files_only=offline))
    except EntryNotFoundError:
        return Path(hf_hub_download(repository, pickled, local_files_only=offline))


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


def weights_file(folder: Path, advice: str = NAME_A_FOLDER) -> Path:
    """The file in a folder of a network that holds its weights.

    Raises:
        UserError: there is none, or no description of the network; the message ends with advice.
    """
    files = [folder / name for name in WEIGHTS]
    there = [file for file in files if file.is_file()]
    missing = "config.json" if not (folder / "config.json").is_file() else files[0].name
    if missing == "config.json" or not there:
        raise UserError(f"no {missing} in {shown(folder)}: {advice}")
    return there[0]


def from_folder(folder: Path, flavour: Flavour, advice: str = NAME_A_FOLDER) -> torch.nn.Module:
    """Load what `save` wrote, or what the Hugging Face hub holds of a network.

    Args:
        folder: with `config.json`, and `model.safetensors` or `pytorch_model.bin`.
        flavour: whose network it must be.
        advice: what to do where the folder holds none.

    Raises:
        UserError: the folder holds no network, a damaged one, or another than the flavour's.
    """
    weights = weights_file(folder, advice)
    try:
        found = json.loads((folder / "config.json").read_text())["architecture"]
        if found != flavour.architecture:
            raise UserError(
                f"{shown(folder)} holds a {found}, but {flavour.name} is a {flavour.architecture}"
            )
        # Without pretrained=True timm would build the network and leave its weights random. Of
        # pytorch_model.bin it opens weights only, no code.
        model = timm.create_model(f"local-dir:{folder}", num_classes=0, pretrained=True)
    except UserError:
        raise
    except Exception as error:  # of timm, safetensors, torch or json, whatever is damaged
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"cannot load the network of {shown(weights)}: {type(error).__name__}: {reason}"
        ) from error
    if _shapes(model) != _shapes(_without_weights(flavour)):
        raise UserError(f"{shown(folder)} holds a {found} of another size than {flavour.name}")
    return model


def _without_weights(flavour: Flavour) -> torch.nn.Module:
    with torch.device("meta"):
        return timm.create_model(flavour.architecture, num_classes=0, **flavour.network)


def _shapes(model: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in model.named_parameters()}


def parameter_count(model: torch.nn.Module) -> int:
    """Number of trained numbers in a network."""
    return sum(parameter.numel() for parameter in model.parameters())


def parameters_of(flavour: Flavour) -> int:
    """Number of parameters of the backbone of a flavour, counted without making its weights."""
    return parameter_count(_without_weights(flavour))


@dataclass(frozen=True)
class Chosen:
    """A network, its flavour, and in words which weights it has and what that means."""

    flavour: Flavour
    model: torch.nn.Module
    in_words: str


def choose_network(flavour: Flavour, weights: str, run: Run) -> Chosen:
    """The network for photographs that nobody trained one on.

    Args:
        flavour: which network; a pocket network is asked for by its own name or by that of the
            MegaDescriptor that it stands for.
        weights: "auto" for the released MegaDescriptor where cache or internet have it, else the
            pocket network with its ImageNet weights; or what `load_network` takes.
        run: where trained weights lie.

    Raises:
        UserError: the weights are not to be had.
    """
    if weights != "auto":
        return Chosen(flavour, load_network(flavour, weights, run), f"{flavour.name}, {weights}")
    released = MEGADESCRIPTORS.get(flavour.stands_for, flavour)
    small = next((one for one in POCKET.values() if one.stands_for == released.name), None)
    try:
        words = f"{released.name} as released, which learned from photographs of wild animals"
        return Chosen(released, from_hub(released), words)
    except UserError:
        if small is None:
            raise
    words = (
        f"{small.name} with weights of ImageNet, since neither cache nor internet have "
        f"{released.name}: it has never learned to tell animals apart, so expect fewer right "
        "answers; run it once with the internet at hand, and the released one is kept"
    )
    return Chosen(small, pretrained(small), words)


def load_network(flavour: Flavour, weights: str, run: Run) -> torch.nn.Module:
    """The network whose accuracy is asked for.

    Args:
        flavour: which network.
        weights: "trained" for the run's own training, "imagenet" for those that training starts
            from, "hub" for the published ones, or a folder.
        run: where the trained weights lie.

    Raises:
        UserError: the weights are not to be had.
    """
    if weights == "trained":
        return from_folder(run.weights(flavour.name), flavour, TRAIN_FIRST)
    if weights == "imagenet":
        return pretrained(flavour)
    if weights == "hub":
        return from_hub(flavour)
    return from_folder(resolve(weights), flavour)
