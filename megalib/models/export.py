"""The weights folder: what timm and the Hugging Face hub take as it is."""

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from huggingface_hub import HfApi

from megalib import stamp
from megalib.data import proof
from megalib.errors import UserError
from megalib.files.places import DATA, Run, shown
from megalib.files.plain import in_markdown
from megalib.files.writing import whole_folder
from megalib.flavours import Flavour, Recipe, beside_published
from megalib.models import networks

STAMP = "training.json"  # beside the weights: what made them
NEEDED = ("config.json", "model.safetensors", "README.md", STAMP)


def write(
    backbone: torch.nn.Module,
    flavour: Flavour,
    recipe: Recipe,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    metadata: pd.DataFrame,
) -> None:
    """Write weights, preprocessing, model card and facts.

    Args:
        backbone: the trained network, on the CPU.
        flavour: which network it is.
        recipe: how it was trained.
        run: where it goes.
        facts: all that decided the weights.
        history: one row per epoch.
        metadata: the training set, with `dataset`, `identity` and `image_id`.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    folder = run.weights(flavour.name)
    known = {
        "datasets": proof.datasets_of(metadata).to_dict("index"),
        "individuals": metadata["identity"].nunique(),
        **facts,
    }
    card = model_card(flavour, recipe, run, known, history, backbone.num_features)
    with whole_folder(folder) as temporary:
        networks.save(backbone, flavour, temporary)
        (temporary / "README.md").write_text(card)
        stamp.write(temporary / STAMP, known)


def model_card(
    flavour: Flavour,
    recipe: Recipe,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    dimensions: int,
) -> str:
    """The card of a network in the form of the hub: facts of its training, and how to use it.

    Args:
        flavour: which network it is.
        recipe: how it was trained.
        run: what made it.
        facts: what `write` puts beside the weights.
        history: one row per epoch.
        dimensions: of an embedding.
    """
    start = in_markdown(facts["start"])  # which may be a folder of any name
    pocket = f": it is a small one, in whose place the authors have {flavour.stands_for}"
    table = beside_published(flavour, recipe, start, facts["precision"])
    told = {in_markdown(name): part for name, part in facts["datasets"].items()}
    parts = [
        f"| {name} | {part['images']:,} | {part['individuals']:,} | `{part['digest']}` |"
        for name, part in told.items()
    ]
    rows = [
        f"| {name} | {row['this run']} | {row['published']} |" for name, row in table.iterrows()
    ]
    watched = [row["validation"] for row in history if not math.isnan(row["validation"])]
    return (
        (DATA / "model_card.md")
        .read_text()
        .format(
            title=flavour.name,
            dimensions=dimensions,
            version=version("megalib"),
            profile=in_markdown(run.profile),
            seed=facts["seed"],
            pocket=pocket if flavour.stands_for else "",
            side=flavour.image_size,
            mean=list(flavour.mean),
            std=list(flavour.std),
            images=facts["images"],
            individuals=facts["individuals"],
            datasets="\n".join(parts),
            digest=facts["digest of the images"],
            start=start,
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
