"""A campaign over one stage: kills one after the other, or one full disk after the other."""

import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.campaign.trees import differences, restore, snapshot
from tests.campaign.trials import Ended, Kill, Place, Stage, attempt, files_in, used_at

DISKS = 8  # sizes of disks for each stage
PAGE = 4096  # bytes by which such a disk grows
LARGE = 2**30
KINDS = ("differing", "left behind", "survivors", "errors")


@dataclass(frozen=True)
class Fault:
    """What went wrong in one trial: its kind, at which moment, and what."""

    kind: str
    moment: str
    what: str


@dataclass(frozen=True)
class Tally:
    """What a campaign over one stage did and found; `outcomes` counts how first runs ended."""

    stage: str
    operations: int
    outcomes: Mapping[str, int]
    faults: Sequence[Fault]

    def trials_with(self, kind: str) -> int:
        """In how many trials there was such a fault."""
        return len({fault.moment for fault in self.faults if fault.kind == kind})

    @property
    def counts(self) -> str:
        """Trials by the kind of their faults, in words."""
        return ", ".join(f"{self.trials_with(kind)} {kind}" for kind in KINDS)


def kills(stage: Stage, work: Path, most: int, seed: int = 0) -> Tally:
    """Kill a stage at many moments, one trial each, and compare what it ends with afterwards.

    Args:
        stage: what to kill.
        work: an empty or earlier used folder for everything.
        most: kills at most; where there are more moments, they are drawn.
        seed: of that draw.

    Raises:
        RuntimeError: the stage does not end well when nothing disturbs it.
    """
    place, base = _ready(stage, work)
    whole, expected = _undisturbed(stage, place, base)
    files = files_in(place.runs)
    killed, faults = 0, []
    for kill in _moments(stage, whole, files, min(most, stage.most), seed):
        restore(base, place.runs)
        first = attempt(stage.run, place, kill)
        moment = _moment(kill, first)
        if first.status in {"failed", "hung"}:
            faults.append(Fault("errors", moment, f"{first.status}: {first.text}"))
        if first.status == "killed":  # else there was no further write in which to die
            killed += 1
            again = attempt(stage.run, place)
            faults += _faults(moment, first, again, expected, place)
    return Tally(stage.name, len(whole.operations), {"killed": killed}, faults)


def _ready(stage: Stage, work: Path) -> tuple[Place, Path]:
    """Make what a stage needs, and keep it."""
    place, base = Place(work / "inputs", work / "runs"), work / "base"
    for folder in (place.inputs, place.runs, base):
        folder.mkdir(parents=True, exist_ok=True)
    _empty(place.runs)
    _well(stage, "what it needs", attempt(stage.before, place))
    restore(place.runs, base)
    return place, base


def _empty(folder: Path) -> None:
    nothing = folder.with_name("nothing")
    nothing.mkdir(exist_ok=True)
    restore(nothing, folder)


def _undisturbed(stage: Stage, place: Place, base: Path) -> tuple[Ended, dict[str, bytes]]:
    restore(base, place.runs)
    whole = attempt(stage.run, place)
    _well(stage, "undisturbed", whole)
    return whole, snapshot(place.runs)


def _well(stage: Stage, what: str, ended: Ended) -> None:
    if ended.status != "well":
        raise RuntimeError(f"{stage.name}, {what}: {ended.status}: {ended.text}")


def _moments(stage: Stage, whole: Ended, files: int, most: int, seed: int) -> list[Kill]:
    """The moments at which to kill: before every operation, and within the files it writes.

    A file that libraries write in their own code shows in no event; it is met within what follows
    the making of its folder.
    """
    moments = []
    for number, operation in enumerate(whole.operations, start=1):
        moments.append(Kill("before", number))
        if operation.startswith(("open ", "os.mkdir ")):
            moments.append(Kill("within", number))
    if stage.watched:
        moments += [Kill("seen", number) for number in range(1, files + 1)]
    if len(moments) <= most:
        return moments
    chosen = sorted(random.Random(seed).sample(range(len(moments)), most))
    return [moments[number] for number in chosen]


def _moment(kill: Kill, first: Ended) -> str:
    if kill.how == "seen":
        return f"when {kill.number} files were there"
    last = first.operations[kill.number - 1] if len(first.operations) >= kill.number else "?"
    where = "before operation" if kill.how == "before" else "within the write after operation"
    return f"{where} {kill.number} ({last})"


def _faults(
    moment: str, first: Ended, again: Ended, expected: dict[str, bytes], place: Place
) -> Iterator[Fault]:
    """All that is wrong after a disturbed run and one that ran to its end."""
    for survivor in first.survivors + again.survivors:
        yield Fault("survivors", moment, survivor)
    if again.status != "well":
        yield Fault("errors", moment, f"the next run {again.status}: {again.text}")
        return
    differing, left = differences(expected, snapshot(place.runs))
    for kind, names in (("differing", differing), ("left behind", left)):
        if names:
            yield Fault(kind, moment, ", ".join(names))


def full_disks(stage: Stage, work: Path) -> Tally:
    """Run a stage on disks that are too small, enlarge them, and run it again.

    Args:
        stage: what to run, by its `disk` where it has one.
        work: an empty or earlier used folder for everything.

    Raises:
        RuntimeError: the stage does not end well on a large disk.
        OSError: this system mounts no disk, see `why_no_disks`.
    """
    stage = replace(stage, run=stage.disk or stage.run)
    place, base = _ready(stage, work)
    _empty(place.runs)
    with disk(place.runs, LARGE):
        restore(base, place.runs)
        start = used_at(place.runs)
        whole, expected = _undisturbed(stage, place, base)
    outcomes, faults = Counter(well=0, told=0), []
    need = whole.used - start
    parts = [need * (2 * part + 1) // (2 * DISKS) for part in range(DISKS)]
    for room in sorted({max(PAGE, part // PAGE * PAGE) for part in parts}):
        moment = f"on a disk with room for {room} of {need} bytes"
        with disk(place.runs, start + room):
            restore(base, place.runs)
            first = attempt(stage.run, place)
            outcomes[first.status] += 1
            if first.status not in {"well", "told"}:
                faults.append(Fault("errors", moment, f"{first.status}: {first.text}"))
            if "Traceback" in place.runs.with_name("said.txt").read_text(errors="replace"):
                faults.append(Fault("errors", moment, "a traceback among what it says"))
            _mount("-o", f"remount,size={LARGE}", str(place.runs))
            again = attempt(stage.run, place)
            faults += _faults(moment, first, again, expected, place)
    return Tally(stage.name, len(whole.operations), outcomes, faults)


@contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """Mount an empty disk of so many bytes at a folder; unmount it in all cases."""
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(*options: str) -> None:
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        raise OSError(" ".join(done.stderr.split()))


def why_no_disks(work: Path) -> str:
    """Why full disks cannot be tried here; "" if they can."""
    if os.geteuid():
        return "only root may mount a small disk"
    folder = work / "disk"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with disk(folder, PAGE):
            return ""
    except OSError as error:
        return f"this system lets nobody mount: {error}"
