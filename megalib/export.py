"""The weights folder: what timm and the Hugging Face hub take as it is."""

import json
import math
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from huggingface_hub import HfApi
from safetensors import SafetensorError

from megalib import checkpoints, devices, networks, splits
from megalib.errors import UserError
from megalib.files import DATA, Run, shown
from megalib.flavours import Flavour, beside_published
from megalib.plain import in_markdown

FACTS = "training.json"  # beside the weights: what made them
NEEDED = ("config.json", "model.safetensors", "README.md", FACTS)


def write(
    backbone: torch.nn.Module,
    flavour: Flavour,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    metadata: pd.DataFrame,
) -> None:
    """Write weights, preprocessing, model card and facts; then remove the checkpoints.

    Args:
        backbone: the trained network, on the CPU.
        flavour: its recipe.
        run: where it goes.
        facts: see `recipe.facts`.
        history: one row per epoch.
        metadata: the training set, with `dataset`, `identity` and `image_id`.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    folder = run.weights(flavour.name)
    temporary = folder.with_name(f".{folder.name}.part{os.getpid()}")
    known = {
        "datasets": datasets(metadata).to_dict("index"),
        "individuals": metadata["identity"].nunique(),
        **facts,
    }
    card = model_card(flavour, run, known, history, backbone.num_features)
    try:
        for leftover in folder.parent.glob(f".{folder.name}.part*"):  # of a killed process
            shutil.rmtree(leftover)
        temporary.mkdir(parents=True)
        networks.save(backbone, flavour, temporary)
        (temporary / "README.md").write_text(card)
        (temporary / FACTS).write_text(json.dumps(known, indent=2) + "\n")
        folder.mkdir(exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)  # it must never stand beside other weights
        for name in NEEDED:  # the facts last: where they are, the folder is complete
            (temporary / name).replace(folder / name)
        temporary.rmdir()
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(f"cannot write {shown(folder)}: {error}; free or unlock it") from error
    shutil.rmtree(run.checkpoints(flavour.name), ignore_errors=True)


def datasets(metadata: pd.DataFrame) -> pd.DataFrame:
    """Of each dataset in a training set: `images`, `individuals` and the `digest` of image ids.

    The digest is that of `splits.digest`, so it is the published one where the split is.
    """
    return metadata.groupby("dataset", sort=False).agg(
        images=("image_id", "size"),
        individuals=("identity", "nunique"),
        digest=("image_id", splits.digest),
    )


def is_finished(flavour: Flavour, run: Run, facts: dict[str, Any]) -> bool:
    """Whether the run holds weights that this recipe made of these images; says what it finds.

    Where only the code has changed since, a demo network is trained anew, so that the demo shows
    what its code does. Weights at published scale may have taken days: they are kept, and that
    their code was another is said.
    """
    folder = run.weights(flavour.name)
    if not (folder / FACTS).is_file():
        return False
    known = json.loads((folder / FACTS).read_text())
    theirs = {name: known.get(name) for name in facts}
    same_code = theirs["code"] == facts["code"]
    differs = checkpoints.differences(facts | {"code": theirs["code"]}, theirs)
    finished = not differs and (same_code or flavour.scale == "published")
    if not finished:
        what = f"weights of another training ({differs or 'code'}) will be replaced"
    elif same_code:
        what = "trained by this recipe on these images, kept"
    else:
        what = "trained by this recipe on these images but by other code, kept; to train anew, "
        what += "type -p resume never"
    if devices.is_first_process():
        print(f"{shown(folder)}: {what}")
    return finished


def read_history(flavour: Flavour, run: Run) -> pd.DataFrame:
    """The history that a training wrote, one row per epoch."""
    return pd.read_csv(run.history(flavour.name))


def model_card(
    flavour: Flavour,
    run: Run,
    facts: dict[str, Any],
    history: Sequence[dict[str, float]],
    dimensions: int,
) -> str:
    """The card of a network in the form of the hub: facts of its training, and how to use it.

    Args:
        flavour: its recipe.
        run: what made it.
        facts: what `write` puts beside the weights.
        history: one row per epoch.
        dimensions: of an embedding.
    """
    start = in_markdown(facts["start"])  # which may be a folder of any name
    table = beside_published(flavour, start, facts["precision"])
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
            title=flavour.title,
            dimensions=dimensions,
            version=version("megalib"),
            profile=in_markdown(run.profile),
            seed=facts["seed"],
            cut_down="" if flavour.scale == "published" else ", and it is cut down",
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
