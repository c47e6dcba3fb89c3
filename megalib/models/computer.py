"""The computer that a run has: its processor and accelerator in words, its memory."""

import os
import platform
from pathlib import Path

import psutil
import torch

# Where Linux says how much memory a container may take, in its second and its first version.
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def hardware(device: torch.device | None = None) -> str:
    """The accelerator, if there is one, and the processor, in words."""
    processor = f"{_processor()}, {torch.get_num_threads()} of {os.cpu_count()} cores"
    if device is None or device.type == "cpu":
        return processor
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"{name}; {processor}"


def _processor() -> str:
    """The processor's name; Python itself does not know it on Linux."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory_limit() -> int:
    """Bytes of memory that may be used: the computer's, or less where a container has less."""
    limits = [psutil.virtual_memory().total]
    for file in CONTAINER_LIMITS:
        text = file.read_text().strip() if file.is_file() else "max"
        if text.isdecimal():  # "max" stands for no limit
            limits.append(int(text))
    return min(limits)
