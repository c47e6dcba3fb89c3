"""Faults on purpose, for every stage of the library.

    python -m tests.campaign
    python -m tests.campaign --stages prepare train --most 100 --seed 1

A stage is killed (SIGKILL) before one of its file operations, or within the next write of a file,
and run again, undisturbed. Then the whole run is compared with one that nothing disturbed: there
must be the same names, so nothing is missing or left behind, and the same bytes, but for fields of
wall-clock time. No process that the stage started may outlive it by more than some seconds. This
is done for every operation of every stage, or for `--most` of a stage, drawn by `--seed`.

Then the stages that write most get disks of eight sizes that are too small. Each must end well or
with one line for the user; on the enlarged disk, the next run must end with the same files. That
needs root, on Linux, since a small disk is mounted; elsewhere it is left out and said so.

One line per stage tells operations, kills, and in how many trials something differed, was left
behind, outlived the stage or went wrong otherwise; each such fault follows, with its moment. The
last line has the sums. The exit status is 1 if there is any fault.

All of it takes four minutes of a processor; `--most 10` is enough for a first look.

What it cannot do: lose what the system has not yet put on the disk, as a power cut would. A kill
"within" a write lets the system cut that write short first, so that code that does not look at how
much was written goes on, and is found. Events of Python alone are counted; of processes that draw,
the files are, see `trials.Stage`.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.campaign import campaign
from tests.campaign.campaign import KINDS, Tally
from tests.campaign.stages import STAGES


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    chosen = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # a fork would lack the threads of a pool
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unmounts and removes, as Ctrl-C does
    began, tallies = time.monotonic(), []
    work = Path(tempfile.mkdtemp(prefix="campaign-")).resolve()
    try:
        for name in chosen.stages if chosen.part != "disks" else ():
            tally = campaign.kills(STAGES[name], work / name, chosen.most, chosen.seed)
            tallies.append(_told(tally, name))
        small = [name for name in chosen.stages if STAGES[name].disk and chosen.part != "kills"]
        why = campaign.why_no_disks(work) if small else ""
        if why:
            print(f"full disks: left out, {why}")
        for name in small if not why else ():
            tally = campaign.full_disks(STAGES[name], work / name)
            tallies.append(_told(tally, f"{name} on full disks"))
    finally:
        shutil.rmtree(work)
    print(f"all: {_sums(tallies)}; {time.monotonic() - began:.0f} s")
    return int(any(tally.faults for tally in tallies))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--stages", nargs="+", choices=list(STAGES), default=list(STAGES), metavar="STAGE",
        help=f"which, of {', '.join(STAGES)}",
    )  # fmt: skip
    parser.add_argument("--most", type=int, default=40, help="kills per stage, at most")
    parser.add_argument("--seed", type=int, default=0, help="which moments are drawn")
    part = parser.add_mutually_exclusive_group()
    how = {"dest": "part", "action": "store_const"}
    part.add_argument("--kills-only", const="kills", help="no full disks", **how)
    part.add_argument("--disk-only", const="disks", help="only full disks", **how)
    return parser


def _told(tally: Tally, name: str) -> Tally:
    """Print what a campaign over one stage found."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in tally.outcomes.items())
    print(f"{name}: {tally.operations} operations, {outcomes}, {tally.counts}")
    for fault in tally.faults:
        print(f"  {fault.kind}: {fault.what}; {tally.stage}, {fault.moment}")
    sys.stdout.flush()
    return tally


def _sums(tallies: Sequence[Tally]) -> str:
    """The same over all stages."""
    total = {"operations": sum(tally.operations for tally in tallies)}
    for tally in tallies:
        for outcome, count in tally.outcomes.items():
            total[outcome] = total.get(outcome, 0) + count
    total |= {kind: sum(tally.trials_with(kind) for tally in tallies) for kind in KINDS}
    return ", ".join(f"{count} {what}" for what, count in total.items())


if __name__ == "__main__":
    sys.exit(main())
