"""Where things lie, and how a file is written whole or not at all."""

import errno
import glob
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from megalib.errors import UserError, told

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
PUBLISHED = DATA / "published"
NOTEBOOKS = ROOT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"


LONGEST_NAME = 100  # letters of a name
# Bytes of a name: a file system takes 255, and files add an ending and a mark to it.
LONGEST_IN_BYTES = 200


def is_name(name: object) -> bool:
    """Whether profiles and datasets of one's own may have this name, see `check_name`."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or name[0] in "-.":
        return False
    # Letters of all languages, their marks (without which Hindi cannot be written), and digits.
    if any(letter not in "_-." and unicodedata.category(letter)[0] not in "LMN" for letter in name):
        return False
    return len(name.encode()) <= LONGEST_IN_BYTES and unicodedata.category(name[0])[0] != "M"


def check_name(kind: str, name: object) -> str:
    """Return `name` if it may name a profile or a dataset of one's own, and so a folder.

    Args:
        kind: what is named, for the message: "profile", "own pictures", …
        name: what the user wrote.

    Raises:
        UserError: it is no text, is too long, or holds what no name may hold.
    """
    if not is_name(name):
        raise UserError(
            f"{told(name)} cannot name {kind}: choose a name of letters, digits, _, - and . that "
            f"begins with a letter, a digit or _, without blanks, of at most {LONGEST_NAME} "
            f"letters ({LONGEST_IN_BYTES} bytes)"
        )
    return name


def check_path(kind: str, path: object) -> str:
    """Return the text of a path if it can be one; whether there is a file is another question.

    Args:
        kind: what is named, for the message: "raw", "MEGALIB_RUNS", …
        path: what the user wrote.

    Raises:
        UserError: it is no text or no path, or is empty, too long, holds a line break, another
            control character or what is not UTF-8, or begins with the `~` of nobody.
    """
    if not isinstance(path, str | Path) or not str(path).strip():
        raise UserError(f"{kind} must be a path, not {told(path)}")
    text = str(path)
    if not is_printable(text):
        raise UserError(
            f"{kind} must be a path without line breaks and control characters, not {told(text)}"
        )
    if len(text) > 4000:
        raise UserError(f"{kind} is too long for a path, {len(text)} letters: {told(text)}")
    try:
        Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{kind} begins with a home folder that is not here: {told(text)}"
        ) from error
    return text


def is_printable(text: str) -> bool:
    """Whether a text is one line of UTF-8: no control characters, line breaks, half characters."""
    return not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def kind_of(path: Path) -> str:
    """What lies at a path or where its link leads; opens nothing and never raises.

    Returns:
        "file" for a regular one, "folder", "other" for pipes, sockets and devices, and "" where
        nothing is to be seen.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there, not allowed, or no path at all
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def runs_root() -> Path:
    """The folder of all runs: `runs/` in the repository, or what MEGALIB_RUNS names.

    A relative path counts from the repository's root; an empty one counts as none.

    Raises:
        UserError: MEGALIB_RUNS is no path, or one in which snakemake would see its wildcards.
    """
    named = os.environ.get("MEGALIB_RUNS", "")
    if not named.strip():
        return ROOT / "runs"
    if set("{}") & set(check_path("the environment variable MEGALIB_RUNS", named)):
        raise UserError(
            "the environment variable MEGALIB_RUNS must not hold braces, in which snakemake sees "
            f"wildcards: {told(named)}"
        )
    return resolve(named)


def resolve(path: str | Path) -> Path:
    """A path as a parameter gives it; a relative one counts from the repository's root.

    Raises:
        UserError: it cannot be a path, see `check_path`.
    """
    return ROOT / Path(check_path("a folder or file", path)).expanduser()


def shown(path: Path) -> str:
    """A path as a page may show it: relative to the working folder where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


@dataclass(frozen=True)
class Run:
    """The files of one run. Only this class knows the layout of `runs/<profile>/`.

    A run may lie in another: "demo/own".
    """

    profile: str

    def __post_init__(self) -> None:
        """Refuse a name that is none, and so whatever would leave the folder of all runs."""
        parts = self.profile.split("/") if isinstance(self.profile, str) else [self.profile]
        for part in parts:
            check_name("a profile", part)

    @property
    def folder(self) -> Path:
        """The folder that holds all files of this run."""
        return runs_root() / self.profile

    @property
    def images_root(self) -> Path:
        """Prepared images of all sizes."""
        return self.folder / "images"

    def images(self, size: int, dataset: str = "") -> Path:
        """Prepared images whose shorter side is `size` pixels, of one dataset or of all."""
        return self.images_root / f"size-{size}" / dataset

    def metadata(self, dataset: str) -> Path:
        """Prepared images of a dataset with their identities and split."""
        return self.folder / "metadata" / "datasets" / dataset / "metadata.csv"

    def problems(self, dataset: str) -> Path:
        """Images of a dataset that could not be prepared, and why."""
        return self.metadata(dataset).with_name("problems.csv")

    def prepared_by(self, dataset: str) -> Path:
        """What prepared images were made of, see `record`."""
        return self.metadata(dataset).with_name("prepared-by.json")

    def prepared(self) -> list[str]:
        """Names of the datasets whose metadata the run holds; folders of other names are none."""
        folder = self.folder / "metadata" / "datasets"
        names = (path.parent.name for path in folder.glob("*/metadata.csv"))
        return sorted(filter(is_name, names))

    @property
    def combined(self) -> Path:
        """The aggregated training set."""
        return self.folder / "metadata" / "combined" / "combined_all.csv"

    def weights(self, flavour: str) -> Path:
        """Folder of a trained network, as timm loads it."""
        return self.folder / "weights" / flavour

    def checkpoints(self, flavour: str) -> Path:
        """States of an unfinished training, one folder each."""
        return self.folder / "checkpoints" / flavour

    @property
    def logs(self) -> Path:
        """Histories, and what trackers write."""
        return self.folder / "logs"

    def history(self, flavour: str) -> Path:
        """One row per epoch of training."""
        return self.logs / f"{flavour}.csv"

    def features(self, flavour: str, dataset: str) -> Path:
        """Embeddings of all images of a dataset."""
        return self.folder / "features" / flavour / f"{dataset}.safetensors"

    def predictions(self, flavour: str, dataset: str) -> Path:
        """One row per query with its nearest database image."""
        return self.folder / "predictions" / flavour / f"{dataset}.csv"

    def results(self, flavour: str) -> Path:
        """One row per dataset with its accuracy."""
        return self.folder / "results" / f"{flavour}.csv"

    def table(self, name: str) -> Path:
        """A table that pages offer to download."""
        return self.folder / "tables" / name

    def figure(self, name: str) -> Path:
        """A picture that hand-written pages show."""
        return self.folder / "figures" / name

    @property
    def book(self) -> Path:
        """Folder of the built book and of its table of contents."""
        return self.folder / "book"

    def notebook(self, stage: str, key: str) -> Path:
        """An executed notebook, such as `notebooks/2_train/MegaDescriptor-T-224.ipynb`."""
        return self.folder / "notebooks" / stage / f"{key}.ipynb"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path; rename it to `path` when the block ends well.

    It has the same name, in a folder of its own beside `path`, since some writers make further
    files there. What gets its name is on the disk before. A block that fails leaves nothing; what
    a killed process left of an earlier try is removed.

    Some writers do not notice a short write. Let those encode to memory, and use `write_whole`.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    folder = _beside(path)
    try:
        with told_if_unwritable(path, folder):
            sweep(path)
            folder.mkdir(parents=True)
            temporary = folder / path.name
            yield temporary
            to_disk(temporary)  # a disk that writes late tells here that it is full
            temporary.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; for the many small ones of a run, such as images.

    Unlike `whole_file` it does not wait for the disk, nor look for what a killed process left:
    `record` finds both.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    temporary = _beside(path)
    try:
        with told_if_unwritable(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
    finally:
        with suppress(OSError):  # it has its name by now, or could not be made
            temporary.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` when the block ends well.

    An older folder of that name is replaced, after everything in the new one is on the disk. A
    block that fails gives its space back at once; so does what a killed process left.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    temporary = _beside(path)
    try:
        with told_if_unwritable(path, temporary):
            sweep(path)
            temporary.mkdir(parents=True)
            yield temporary
            for file in (*temporary.rglob("*"), temporary):
                to_disk(file)
            shutil.rmtree(path, ignore_errors=True)
            temporary.replace(path)
            to_disk(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """The temporary name of a file or folder in this process."""
    return path.with_name(f".{path.name}.part{os.getpid()}")


def sweep(path: Path) -> None:
    """Remove what killed processes left of a file or folder that they were writing."""
    beginning = f".{path.name}.part"
    for leftover in path.parent.glob(f"{glob.escape(beginning)}*"):
        process = leftover.name.removeprefix(beginning)
        if not process.isdecimal() or _is_writing(int(process), leftover):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_writing(process: int, leftover: Path) -> bool:
    """Whether another process that lives may be writing a file, and none that got its number."""
    try:
        began = psutil.Process(process).create_time()
        return process != os.getpid() and began <= leftover.stat().st_mtime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:  # it lives, and is somebody else's
        return True


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def told_if_unwritable(path: Path, *temporary: Path) -> Iterator[None]:
    """Turn what writers raise on a full disk or in a locked folder into one line.

    Args:
        path: what is written, for the message.
        *temporary: under which names it is written.

    Raises:
        UserError: the block could not write one of these; other errors pass through.
    """
    try:
        yield
    except Exception as error:
        reason = _why_unwritable(error, (path, *temporary))
        if reason is None:
            raise
        raise UserError(
            f"cannot write {shown(path)}: {reason}; "
            "free or unlock that folder, or set MEGALIB_RUNS to another one"
        ) from error


def _why_unwritable(error: Exception, paths: tuple[Path, ...]) -> str | None:
    """The system's reason where an error comes from writing these paths; otherwise None."""
    if not isinstance(error, OSError):
        # safetensors, which is written in Rust, quotes the system's error by its number.
        number = re.search(r"\(os error (\d+)\)", str(error))
        return os.strerror(int(number[1])) if number else None
    if error.errno in {None, errno.ENAMETOOLONG}:  # an encoder's complaint; not the disk's fault
        return None
    if error.filename is not None:  # a full disk is reported without a name
        name = Path(error.filename)
        if not any(name == path or path in name.parents or name in path.parents for path in paths):
            return None  # it comes from what the block read
    return error.strerror


def inside(root: Path, relative: str) -> Path:
    """Join a path from a metadata file to its root.

    Links are followed as long as they stay inside; the root may be a link itself.

    Raises:
        UserError: the path would leave the root, by its letters or through a link, is the root
            itself, or is no path.
    """
    if not isinstance(relative, str) or not relative:
        raise UserError(f"the metadata name an image of {shown(root)} with an empty path")
    if "\0" in relative:
        raise UserError(f"the metadata name an image with a NUL in its path: {told(relative)}")
    # Texts in place of `Path`: this is asked for each of hundreds of thousands of images.
    top = os.path.normpath(root)
    top = str(Path.cwd()) if top == os.curdir else top
    start = top if top.endswith(os.sep) else top + os.sep
    path = os.path.normpath(relative if relative.startswith(os.sep) else start + relative)
    if path == top:
        raise UserError(f"the metadata name the folder {shown(root)} itself: {told(relative)}")
    if not path.startswith(start):
        raise UserError(f"the metadata name a file outside {shown(root)}: {told(relative)}")
    if _has_link(path, len(start)) and not _is_really_below(top, path):
        raise UserError(
            f"the metadata name a file that leads outside {shown(root)} through a link: "
            f"{told(relative)}"
        )
    return Path(path)


def _has_link(path: str, start: int) -> bool:
    """Whether a part of a path is a link, of those that begin at `start` or later.

    Where none is, the path is as real as its letters, and nobody need ask for all its parents.
    """
    end = start - 1
    while end < len(path):
        end = path.find(os.sep, end + 1)
        end = len(path) if end < 0 else end
        try:
            if stat.S_ISLNK(os.lstat(path[:end]).st_mode):
                return True
        except OSError:  # not there, so nothing below it either
            return False
    return False


def _is_really_below(top: str, path: str) -> bool:
    """Whether a path lies below a folder after all links of both."""
    real_top, real = os.path.realpath(top), os.path.realpath(path)
    return real != real_top and Path(real).is_relative_to(real_top)
