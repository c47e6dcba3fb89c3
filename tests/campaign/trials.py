"""One trial: a stage in a process of its own, killed at a chosen moment, and what it ends with."""

import itertools
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from megalib.errors import UserError

LONGEST = 120  # seconds after which a stage counts as hanging
PATIENCE = 5  # seconds that processes have to end after the one that started them was killed
HALF = 100  # bytes of a file that are written before a kill within it

# The events of `sys.audit` that change files, and which of their arguments are paths, each with
# the folder's descriptor from which it counts.
CHANGES = {
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Place:
    """Where a stage works: `inputs` that no stage changes, and `runs`, which MEGALIB_RUNS names."""

    inputs: Path
    runs: Path


@dataclass(frozen=True)
class Stage:
    """A stage under test.

    `before` makes what it needs, once; `run` is the stage itself. Other processes that it starts
    may write where no hook counts; `watched` kills it also when so many files are there. `most`
    bounds the kills of a slow stage. `disk` is the same with larger files, to be tried on full
    disks; None leaves them out.
    """

    name: str
    run: Callable[[Place], None]
    before: Callable[[Place], None] = lambda _: None
    watched: bool = False
    most: int = sys.maxsize
    disk: Callable[[Place], None] | None = None


@dataclass(frozen=True)
class Kill:
    """When to kill: "before" an operation, "within" the next write after it, or "seen" files."""

    how: str
    number: int


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    `status` is "well", "told" (a `UserError` of one line), "failed", "killed" or "hung"; `text` is
    its message. `operations` are those that it did, the last one that at which it was killed;
    `used` is the most that the disk held. `survivors` are processes that outlived it.
    """

    status: str
    text: str
    operations: list[str]
    used: int
    survivors: list[str]


def attempt(act: Callable[[Place], None], place: Place, kill: Kill | None = None) -> Ended:
    """Run something in a forked process, which is killed if so wanted, and wait for its end.

    Args:
        act: what to run.
        place: where; what it says lies beside the runs, in `said.txt`.
        kill: when to kill it.
    """
    report = place.runs.with_name("report.json")
    report.write_text(json.dumps(["killed", "", [], 0]))
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if not process:
        _child(act, place, kill, report)
    try:
        hung = not _wait(process, place, kill)
    except BaseException:  # Ctrl-C does not reach the session of the stage
        _end([psutil.Process(process), *_alive(process)])
        raise
    status, text, operations, used = json.loads(report.read_text())
    text = text.replace(f"{place.runs}{os.sep}", "")
    return Ended("hung" if hung else status, text, operations, used, _survivors(process))


def _child(act: Callable[[Place], None], place: Place, kill: Kill | None, report: Path) -> None:
    """What the forked process does; it never returns."""
    try:
        os.setsid()  # by which its own processes are found when it is gone
        os.environ["MEGALIB_RUNS"] = str(place.runs)
        _redirect(os.devnull if kill else place.runs.with_name("said.txt"))
        # A process that writes past the limit of `_die_within` shall die like one that is killed.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        operations, used = _watch(place, kill, report)
        try:
            act(place)
            status, text = "well", ""
        except UserError as error:
            status, text = "told" if "\n" not in str(error) else "failed", str(error)
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            last = [frame for frame in frames if "site-packages" not in frame.filename][-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            text = " ".join(f"{type(error).__name__}: {error}".split())
            status, text = "failed", f"{text} [{where}]"
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        report.write_text(json.dumps([status, text, operations, max([*used, used_at(place.runs)])]))
    finally:
        os._exit(0)


def _redirect(target: str | os.PathLike) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(handle, standard)


def _watch(place: Place, kill: Kill | None, report: Path) -> tuple[list[str], list[int]]:
    """Count operations below the runs from now on; kill at the one that is chosen."""
    operations: list[str] = []
    used: list[int] = []
    numbers = itertools.count(1)
    process = os.getpid()

    def hook(event: str, arguments: tuple) -> None:
        paths = changed(event, arguments)
        if not any(path.startswith(f"{place.runs}{os.sep}") for path in paths):
            return
        if os.getpid() != process:  # a process that loads images
            return
        number = next(numbers)
        shown = " to ".join(os.path.relpath(path, place.runs) for path in paths)
        operations.append(f"{event} {shown}")
        used.append(used_at(place.runs))
        if kill and number == kill.number and kill.how != "seen":
            report.write_text(json.dumps(["killed", "", operations, max(used)]))
            if kill.how == "before":
                os.kill(process, signal.SIGKILL)
            most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, most))

    sys.addaudithook(hook)
    return operations, used


def used_at(folder: Path) -> int:
    """How many bytes the disk of a folder holds."""
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def changed(event: str, arguments: tuple) -> list[str]:
    """The absolute paths that an event of `sys.audit` is about to change, if any."""
    if event == "open":
        path, _, flags = arguments
        return [_absolute(path, None)] if flags and flags & WRITING else []
    return [
        _absolute(arguments[path], None if folder is None else arguments[folder])
        for path, folder in CHANGES.get(event, ())
    ]


def _absolute(path: str | bytes | os.PathLike | int, folder: int | None) -> str:
    """A path of an event; "" of a file that is open already."""
    if isinstance(path, int) or path is None:
        return ""
    if folder not in (None, -1):
        path = Path(f"/proc/self/fd/{folder}").readlink() / os.fsdecode(path)
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100  (Path would be slow here)


def _wait(process: int, place: Place, kill: Kill | None) -> bool:
    """Wait for the end of a process, and kill it where that is chosen; False if it hangs."""
    until = time.monotonic() + LONGEST
    while not os.waitpid(process, os.WNOHANG)[0]:
        late = time.monotonic() > until
        if late or (kill and kill.how == "seen" and files_in(place.runs) >= kill.number):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return not late
        time.sleep(0.001)
    return True


def files_in(folder: Path) -> int:
    """How many files a folder holds now."""
    return sum(len(names) for _, _, names in os.walk(folder))


def _survivors(session: int) -> list[str]:
    """The processes of a session that are still there after a while; they are ended then."""
    until = time.monotonic() + PATIENCE
    while (alive := _alive(session)) and time.monotonic() < until:
        time.sleep(0.02)
    told = _end(alive)
    while _alive(session):
        time.sleep(0.02)
    return told


def _end(processes: list[psutil.Process]) -> list[str]:
    """Kill processes; return their command lines."""
    told = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            told.append(" ".join(process.cmdline())[:100])
            process.kill()
    return told


def _alive(session: int) -> list[psutil.Process]:
    alive = []
    for number in psutil.pids():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            process = psutil.Process(number)
            if os.getsid(number) == session and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive
