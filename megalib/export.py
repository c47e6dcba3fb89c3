"""The weights folder: what timm and the Hugging Face hub take as it is."""

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from huggingface_hub import HfApi

from megalib import code, networks
from megalib.errors import UserError
from megalib.files import DATA, Run, shown, whole_file
from megalib.flavours import Flavour, beside_published

FACTS = "training.json"  # beside the weights: what made them
NEEDED = ("config.json", "model.safetensors", "README.md", FACTS)


def write(
    backbone: torch.nn.Module,
    flavour: Flavour,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    individuals: int,
) -> None:
    """Write weights, preprocessing, model card and facts; then remove the checkpoints.

    Args:
        backbone: the trained network, on the CPU.
        flavour: its recipe.
        run: where it goes.
        facts: see `recipe.facts`.
        history: one row per epoch.
        individuals: number of individuals in the training set.
    """
    folder = run.weights(flavour.name)
    networks.save(backbone, flavour, folder)
    with whole_file(folder / "README.md") as temporary:
        temporary.write_text(
            model_card(flavour, run, facts, history, individuals, backbone.num_features)
        )
    with whole_file(folder / FACTS) as temporary:  # last: where it is, the folder is complete
        known = {"fingerprint": fingerprint(facts), "individuals": individuals, **facts}
        temporary.write_text(json.dumps(known, indent=2) + "\n")
    shutil.rmtree(run.checkpoints(flavour.name), ignore_errors=True)


def fingerprint(facts: dict[str, Any]) -> str:
    """A digest of all that decides the weights, the code included."""
    text = json.dumps([facts, code.digest("training")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_finished(flavour: Flavour, run: Run, facts: dict[str, Any]) -> bool:
    """Whether the run holds weights that exactly this recipe made of exactly these images."""
    file = run.weights(flavour.name) / FACTS
    return file.is_file() and json.loads(file.read_text())["fingerprint"] == fingerprint(facts)


def read_history(flavour: Flavour, run: Run) -> pd.DataFrame:
    """The history that a training wrote, one row per epoch."""
    return pd.read_csv(run.history(flavour.name))


def model_card(
    flavour: Flavour,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    individuals: int,
    dimensions: int,
) -> str:
    """The card of a network in the form of the hub: facts of its training, and how to use it."""
    table = beside_published(flavour)
    rows = [
        f"| {name} | {row['this run']} | {row['published']} |" for name, row in table.iterrows()
    ]
    watched = [row["validation"] for row in history if not math.isnan(row["validation"])]
    return (
        (DATA / "model_card.md")
        .read_text()
        .format(
            title=flavour.title,
            dimensions=dimensions,
            version=version("megalib"),
            profile=run.profile,
            seed=facts["seed"],
            cut_down="" if flavour.scale == "published" else ", and it is cut down",
            side=flavour.image_size,
            mean=list(flavour.mean),
            std=list(flavour.std),
            images=facts["images"],
            individuals=individuals,
            digest=facts["digest of the images"],
            start=facts["start"],
            loss=history[-1]["loss"],
            precision=facts["precision"],
            validated=f" Top-1 accuracy when last validated: {watched[-1]:.1%}." if watched else "",
            rows="\n".join(rows),
        )
    )


def push(
    folder: Path, repository: str, endpoint: str | None = None, token: str | None = None
) -> str:
    """Put a weights folder on the Hugging Face hub.

    Args:
        folder: what `write` made.
        repository: "user/name"; made if missing, not public.
        endpoint: address of the hub; None is the public one, or what HF_ENDPOINT names.
        token: None takes the one of `hf auth login`.

    Returns:
        The address of the commit.

    Raises:
        UserError: the folder is not complete, or the hub refuses.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{shown(folder)} lacks {', '.join(missing)}: train this flavour first")
    hub = HfApi(endpoint=endpoint, token=token)
    try:
        hub.create_repo(repository, private=True, exist_ok=True)
        done = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=list(NEEDED),
            commit_message="Weights of the MegaDescriptor compendium",
        )
    except Exception as error:  # of the hub, or of the HTTP library that it happens to use
        reason = " ".join(str(error).split())
        raise UserError(f"cannot push {shown(folder)} to {repository}: {reason}") from error
    return done.commit_url
