"""Where to compute, how precisely, and how much memory that takes."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.tracking import get_available_trackers

from megalib.errors import UserError, choose
from megalib.files import locks

PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# torch then asks the driver whether there is a GPU and does not open it: a process that has opened
# a GPU can no longer start others that use it, as `several.run` does.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an accelerator where there is one.

    The device is only asked for, not opened.

    Args:
        name: "auto", "cpu", "cuda", "mps", or one of several cards, such as "cuda:1".

    Raises:
        UserError: torch does not know the device, or this machine lacks it.
    """
    here = torch.accelerator.current_accelerator(check_available=True)
    if name == "auto":
        return here or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    count = torch.accelerator.device_count() if here else 0
    if device and device.type == "cpu":
        return device
    if device and here and device.type == here.type and (device.index or 0) < count:
        return device
    found = f"{count} of type {here.type}" if here else "no accelerator"
    raise UserError(f"no device {name!r} here, but {found}: use auto, cpu, cuda or mps")


def is_first_process() -> bool:
    """Whether this process speaks for all: the only one, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def first_alone(guarded: Path, what: str) -> Iterator[None]:
    """Hold the lock of what one or several processes make together, see `locks.held`.

    Only the first of several takes it. It does not wait then, since the others would wait for it.

    Raises:
        UserError: other processes make it, or the lock cannot be written.
    """
    if not is_first_process():
        yield
        return
    with locks.held(guarded, what, wait=int(os.environ.get("WORLD_SIZE", "1")) == 1):
        yield


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
    """The most memory used so far, in GiB: of a GPU by tensors, else of this process.

    Of a process it is the most that was in memory at once, not what it has reserved.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**30
    import resource  # which Windows lacks

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


LOADER_LOST = (
    "a process that loads images was killed, as happens when memory or /dev/shm is full: "
    "use fewer of them, or none with -p workers 0"
)


def is_about_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, of a GPU or of the machine."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)


def is_about_loaders(error: Exception) -> bool:
    """Whether an error of torch says that a loader process did not live to its end."""
    return isinstance(error, RuntimeError) and bool(
        re.search(r"DataLoader worker .*(exited unexpectedly|is killed by signal)", str(error))
    )


def accelerator(device: str, precision: str, tracker: str, logs: Path) -> Accelerator:
    """Accelerate, for device, precision, several processes and trackers.

    Args:
        device: see `pick_device`.
        precision: what `pick_precision` returned.
        tracker: "none", or a tracker of accelerate such as "tensorboard".
        logs: folder in which trackers write.

    Raises:
        UserError: the tracker is not installed, the device is not there, or one card is named for
            several processes.
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
    chosen = pick_device(device)
    if chosen.index is not None and chosen.type == "cuda":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(f"several processes take one card each, not all {device}: use cuda")
        torch.cuda.set_device(chosen)  # accelerate takes the current card
    return Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        cpu=chosen.type == "cpu",
        log_with=None if tracker == "none" else tracker,
        project_dir=logs,
    )
