"""Where things lie: the folders of the repository, and the files of a run."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from megalib.errors import UserError, told
from megalib.files.names import check_name, check_path, is_name

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
PUBLISHED = DATA / "published"
NOTEBOOKS = ROOT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"


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

    A run may lie in another: "demo/own". `images_of` names the run whose prepared images it uses
    in place of its own.
    """

    profile: str
    images_of: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that is none, and so whatever would leave the folder of all runs."""
        for name in [self.profile, *([self.images_of] if self.images_of else [])]:
            for part in name.split("/") if isinstance(name, str) else [name]:
                check_name("a profile", part)

    @property
    def folder(self) -> Path:
        """The folder that holds all files of this run."""
        return runs_root() / self.profile

    def raw(self, named: str | None = None) -> Path:
        """The folder with one sub-folder per raw dataset; that of the run where none is named."""
        return resolve(named) if named else self.folder / "raw"

    @property
    def images_root(self) -> Path:
        """Prepared images of all sizes."""
        return runs_root() / (self.images_of or self.profile) / "images"

    def images(self, size: int, dataset: str = "") -> Path:
        """Prepared images whose shorter side is `size` pixels, of one dataset or of all."""
        return self.images_root / f"size-{size}" / dataset

    def metadata(self, dataset: str) -> Path:
        """Prepared images of a dataset with their identities and split."""
        return self.folder / "metadata" / "datasets" / dataset / "metadata.csv"

    def problems(self, dataset: str) -> Path:
        """Images of a dataset that could not be prepared, and why."""
        return self.metadata(dataset).with_name("problems.csv")

    def truth(self, dataset: str) -> Path:
        """What is known of the images of drawn animals beside what the metadata say."""
        return self.metadata(dataset).with_name("truth.csv")

    def noted(self, dataset: str) -> Path:
        """What was noted of the images of a dataset beside what the metadata say."""
        return self.metadata(dataset).with_name("noted.csv")

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

    def page(self, key: str) -> Path:
        """An executed notebook as one page for a browser."""
        return self.folder / f"{key}.html"

    @property
    def book(self) -> Path:
        """Folder of the built book and of its table of contents."""
        return self.folder / "book"

    def notebook(self, stage: str, key: str) -> Path:
        """An executed notebook, such as `notebooks/2_train/MegaDescriptor-T-224.ipynb`."""
        return self.folder / "notebooks" / stage / f"{key}.ipynb"


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
