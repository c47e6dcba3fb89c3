"""The state of an unfinished training: weights, optimiser, and all else as readable JSON.

A checkpoint is a folder `step-<number>` that is made beside and renamed when it is complete and on
the disk, so a process that is killed while it writes leaves the one before.
"""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from megalib import stamp
from megalib.errors import UserError
from megalib.files.places import shown
from megalib.files.writing import whole_folder
from megalib.models import devices

MODEL, OPTIMIZER, STATE = FILES = ("model.safetensors", "optimizer.pt", "state.json")


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
        optimizer: its state is kept.
        state: what else is needed to go on; must be JSON.
        keep: how many checkpoints stay.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    target = folder / f"step-{step:08d}"
    weights = {name: part.cpu().contiguous() for name, part in model.state_dict().items()}
    with whole_folder(target) as temporary:
        save_file(weights, temporary / MODEL)
        encoded = io.BytesIO()  # torch itself does not tell that a disk is full
        torch.save(optimizer.state_dict(), encoded)
        (temporary / OPTIMIZER).write_bytes(encoded.getbuffer())
        (temporary / STATE).write_text(json.dumps({"step": step, **state}, indent=1) + "\n")
    for old in found(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def found(folder: Path) -> list[Path]:
    """The complete checkpoints of a training, oldest first."""
    return sorted(folder.glob("step-*"))


def clean(folder: Path) -> None:
    """Remove what a killed process left half written, and name and remove what is damaged.

    The newest checkpoint that can be read stays, and those before it.

    Raises:
        UserError: one is there and cannot be read now, which is no reason to give it up.
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
    """What is wrong with the files of a checkpoint, or None."""
    missing = [name for name in FILES if not (checkpoint / name).is_file()]
    if missing:
        return f"it lacks {', '.join(missing)}"
    try:
        state = read_state(checkpoint)
        load_file(checkpoint / MODEL)
        read_optimizer(checkpoint)
    except Exception as error:  # whatever a damaged file makes of its reader
        return _fault(checkpoint, error)
    number, facts = str(state.get("step")).zfill(8), state.get("facts")
    if checkpoint.name != f"step-{number}" or not isinstance(facts, dict):
        return f"{STATE} does not belong to it"
    return None


def _fault(checkpoint: Path, error: Exception) -> str:
    """What an error says of a checkpoint.

    Raises:
        UserError: the disk does not answer.
        Exception: the error itself, where memory ran out.
    """
    if isinstance(error, OSError):
        raise UserError(f"cannot read {shown(checkpoint)}: {error.strerror}") from error
    if devices.is_about_memory(error):
        raise error
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


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


def read_optimizer(checkpoint: Path) -> dict[str, Any]:
    """The state of the optimiser, on the CPU; no code that a file may hold is run.

    Raises:
        Exception: of torch or pickle, if the file is damaged.
        OSError: it cannot be read.
    """
    content = io.BytesIO((checkpoint / OPTIMIZER).read_bytes())
    return torch.load(content, map_location="cpu", weights_only=True)


def load(checkpoint: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimiser back into the state they were in."""
    model.load_state_dict(load_file(checkpoint / MODEL))
    optimizer.load_state_dict(read_optimizer(checkpoint))


def resume(
    folder: Path,
    facts: dict[str, Any],
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Mapping[str, Any],
    accelerator: Accelerator,
) -> int:
    """Load the last sound checkpoint, if there is one; say what is found; return the first step.

    Args:
        folder: of the checkpoints of one training.
        facts: what decides this training, see `finished.facts_of`.
        model: gets its weights back.
        optimizer: gets its state back.
        parts: by name, what else has a `load_state_dict`, for that part of the state.
        accelerator: for several processes, of which the first speaks and removes.

    Raises:
        UserError: it belongs to another recipe or dataset, and the message names what differs; or
            it is damaged.
    """
    first = accelerator.is_main_process
    if first:
        clean(folder)
    accelerator.wait_for_everyone()
    if not found(folder):
        if first:
            print(f"no checkpoint in {shown(folder)}: starting at step 0")
        return 0
    last = found(folder)[-1]
    state = read_state(last)
    theirs = state["facts"]
    # Other code may go on with it; a checkpoint that does not name its code is of another format.
    differs = stamp.differences(facts | {"code": theirs.get("code", "unknown")}, theirs)
    if differs:
        raise UserError(
            f"{shown(last)} belongs to another training: {differs}; give it those values, or "
            "start anew with -p resume never, which removes it"
        )
    try:
        load(last, model, optimizer)
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except Exception as error:  # whatever in it is not as it was written
        reason = _fault(last, error)
        if first:
            shutil.rmtree(last, ignore_errors=True)
        raise UserError(
            f"{shown(last)} is damaged and removed: {reason}; run this again, it goes on from "
            "the checkpoint before"
        ) from error
    if first:
        other = "" if theirs["code"] == facts["code"] else ", which other code wrote"
        print(f"continuing after step {state['step']} from {shown(last)}{other}")
    return state["step"]
