"""Where things lie, and how a file is written whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from megalib.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
PUBLISHED = DATA / "published"
NOTEBOOKS = ROOT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"


def runs_root() -> Path:
    """The folder of all runs: `runs/` in the repository, or what MEGALIB_RUNS names."""
    return Path(os.environ.get("MEGALIB_RUNS", ROOT / "runs"))


def resolve(path: str | Path) -> Path:
    """A path as a parameter gives it; a relative one counts from the repository's root."""
    return ROOT / Path(path).expanduser()


def shown(path: Path) -> str:
    """A path as a page may show it: relative to the working folder where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


@dataclass(frozen=True)
class Run:
    """The files of one run. Only this class knows the layout of `runs/<profile>/`."""

    profile: str

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
        """Names of the datasets whose metadata the run holds."""
        folder = self.folder / "metadata" / "datasets"
        return sorted(path.parent.name for path in folder.glob("*/metadata.csv"))

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
    """Give a temporary path beside `path`; rename it to `path` when the block ends well.

    The temporary name keeps the extension, from which writers tell the format. A block that
    fails leaves neither a half-written file nor the temporary one.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    temporary = path.with_name(f".{path.stem}.part{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if not is_write_failure(error, temporary, path):
            raise
        raise UserError(
            f"cannot write {shown(path)}: {error.strerror}; "
            "free or unlock that folder, or set MEGALIB_RUNS to another one"
        ) from error
    finally:
        if path.parent.is_dir() and os.access(path.parent, os.W_OK):
            temporary.unlink(missing_ok=True)


def is_write_failure(error: OSError, *paths: Path) -> bool:
    """Whether an error comes from writing these paths, not from what the block read."""
    if error.errno in {None, errno.ENAMETOOLONG}:  # an encoder's complaint; not the disk's fault
        return False
    if error.filename is None:  # a full disk is reported without a name
        return True
    name = Path(error.filename)
    return any(name == path or name in path.parents for path in paths)


def inside(root: Path, relative: str) -> Path:
    """Join a path from a metadata file to its root.

    Raises:
        UserError: the path would leave the root, or is empty.
    """
    if not isinstance(relative, str) or not relative:
        raise UserError(f"the metadata name an image of {shown(root)} with an empty path")
    path = Path(os.path.normpath(root / relative))
    if not path.is_relative_to(os.path.normpath(root)):
        raise UserError(f"the metadata name a file outside {shown(root)}: {relative}")
    return path
