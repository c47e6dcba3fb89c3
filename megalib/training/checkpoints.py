"""The state of an unfinished training: tensors as safetensors, all else as readable JSON.

A checkpoint is a folder `step-<number>` that is made beside and renamed when it is complete and on
the disk, so a process that is killed while it writes leaves the one before.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from megalib.errors import UserError
from megalib.files.places import shown
from megalib.files.writing import whole_folder

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


def write(
    folder: Path,
    step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Write a checkpoint and remove all but the last few.

    Args:
        folder: of the checkpoints of one training.
        step: steps of the optimiser that are done.
        model: its weights are kept.
        optimizer: its tensors and its groups are kept.
        state: what else is needed to go on; must be JSON.
        keep: how many checkpoints stay.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    target = folder / f"step-{step:08d}"
    tensors, groups = _flat(optimizer)
    with whole_folder(target) as temporary:
        save_file(_plain(model.state_dict()), temporary / MODEL)
        save_file(_plain(tensors), temporary / OPTIMIZER)
        text = json.dumps({"step": step, **state, "groups": groups}, indent=1)
        (temporary / STATE).write_text(text + "\n")
    for old in found(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def found(folder: Path) -> list[Path]:
    """The complete checkpoints of a training, oldest first."""
    return sorted(folder.glob("step-*"))


def clean(folder: Path) -> None:
    """Remove what a killed process left half written, and name and remove what is damaged.

    The newest checkpoint that can be read stays, and those before it.
    """
    for leftover in folder.glob(".step-*"):
        shutil.rmtree(leftover)
    for checkpoint in reversed(found(folder)):
        reason = _damage(checkpoint)
        if reason is None:
            return
        print(f"{shown(checkpoint)} is damaged and removed: {reason}")
        shutil.rmtree(checkpoint)


def _damage(checkpoint: Path) -> str | None:
    """What is wrong with the files of a checkpoint, or None.

    Raises:
        UserError: they are there and cannot be read now, which is no reason to give them up.
    """
    try:
        state = read_state(checkpoint)
        load_file(checkpoint / MODEL)
        load_file(checkpoint / OPTIMIZER)
        if checkpoint.name != f"step-{state['step']:08d}" or not isinstance(state["facts"], dict):
            return f"{STATE} does not belong to it"
    except (SafetensorError, ValueError, FileNotFoundError) as error:
        return " ".join(str(error).split())
    except OSError as error:
        raise UserError(f"cannot read {shown(checkpoint)}: {error.strerror}") from error
    except (KeyError, TypeError) as error:
        return f"{STATE} is not complete: {error}"
    return None


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint.

    Raises:
        ValueError: it is no JSON object.
        OSError: it cannot be read.
    """
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    if not isinstance(state, dict):
        raise ValueError(f"{STATE} holds no JSON object")
    return state


def load(checkpoint: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimiser back into the state they were in."""
    model.load_state_dict(load_file(checkpoint / MODEL))
    groups = read_state(checkpoint)["groups"]
    for group in groups:
        if "betas" in group:
            group["betas"] = tuple(group["betas"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(checkpoint / OPTIMIZER).items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What differs between two recipes, in words: "epochs 24 instead of 100"; "" if nothing."""
    names = sorted(set(ours) | set(theirs))
    return ", ".join(
        f"{name} {ours.get(name)} instead of {theirs.get(name)}"
        for name in names
        if ours.get(name) != theirs.get(name)
    )


def _flat(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], list[dict]]:
    """The tensors of an optimiser by "<parameter>.<name>", and its groups."""
    state = optimizer.state_dict()
    tensors = {
        f"{number}.{name}": value
        for number, values in state["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return tensors, state["param_groups"]


def _plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
