"""A training in several processes, started from a notebook."""

import sys
from collections.abc import Callable

import torch
from accelerate import notebook_launcher
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from megalib.errors import UserError


def run(processes: int, work: Callable[..., object], *given: object) -> None:
    """Let several processes do the same together, one per GPU, and wait for them.

    Args:
        processes: how many.
        work: what each of them does.
        *given: what it is given.

    Raises:
        UserError: there are not as many GPUs, this process holds one already, or a process failed.
    """
    if torch.cuda.device_count() < processes:
        raise UserError(
            f"{processes} processes need as many GPUs, here are {torch.cuda.device_count()}; "
            f"on processors, type torchrun --nproc_per_node {processes} "
            "-m megalib.book.launch train"
        )
    if torch.cuda.is_initialized():
        raise UserError(
            "this notebook has used a GPU already, so it cannot start other processes that do: "
            "restart its kernel and run it again"
        )
    try:
        notebook_launcher(_share, (work, given), num_processes=processes)
    except ChildFailedError as error:
        raise UserError("one of the processes failed; what it said is above") from error


def _share(work: Callable[..., object], given: tuple[object, ...]) -> None:
    """What one of several processes does; a user's mistake ends it with one line."""
    try:
        work(*given)
    except UserError as error:
        sys.exit(f"error: {error}")
