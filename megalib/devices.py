"""Where to compute, how precisely, and how much memory that takes."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.tracking import get_available_trackers

from megalib.errors import UserError, choose
from megalib.flavours import Flavour

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an accelerator where there is one.

    Raises:
        UserError: torch does not know the device, or this machine lacks it.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"no device {name!r} here: {reason} Use auto, cpu, cuda or mps") from error


def pick_precision(name: str, device: torch.device) -> str:
    """The precision of matrix products: "fp32", "bf16" or "fp16".

    "auto" takes bfloat16 on a GPU or processor that computes in it, float16 on an older GPU, and
    float32 elsewhere: many processors only imitate bfloat16, which is slower than not using it.

    Raises:
        UserError: an unknown name, or float16 on a processor, where it has no scaler.
    """
    if choose("precision", name, PRECISIONS) == "auto":
        if device.type == "cpu":
            able = torch.cpu.get_capabilities()
            return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if name == "fp16" and device.type != "cuda":
        raise UserError(f"precision fp16 needs a GPU, not {device}: use bf16 or fp32")
    return name


def peak_memory(device: torch.device) -> float:
    """The most memory used so far, in GiB: of a GPU by tensors, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@contextmanager
def memory_told(flavour: Flavour) -> Iterator[None]:
    """Turn an error of torch about memory into advice.

    Raises:
        UserError: memory ran out in the block.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        size, steps = flavour.batch_size, flavour.accumulation_steps
        advice = "take a smaller flavour"
        if size > 1:
            advice = f"try batch_size {size // 2} with accumulation_steps {steps * 2}"
        raise UserError(f"out of memory with batch_size {size}: {advice}") from error


def accelerator(device: str, precision: str, tracker: str, logs: Path) -> Accelerator:
    """Accelerate, for device, precision, several processes and trackers.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        precision: what `pick_precision` returned.
        tracker: "none", or a tracker of accelerate such as "tensorboard".
        logs: folder in which trackers write.

    Raises:
        UserError: the tracker is not installed.
    """
    known = [str(name) for name in get_available_trackers()]
    if tracker != "none" and tracker not in known:
        raise UserError(
            f"tracker {tracker!r} is not to be had: install its package, such as "
            f"`pip install tensorboard`; here are {', '.join(['none', *known])}"
        )
    if PartialState._shared_state and not PartialState().use_distributed:
        # A notebook may train twice, with another device or precision.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        cpu=pick_device(device).type == "cpu",
        log_with=None if tracker == "none" else tracker,
        project_dir=logs,
    )
