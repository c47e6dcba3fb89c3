"""What the tests share: quick ones first, a small prepared run, and reasons to skip."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from megalib import flavours
from megalib.data import loaders, preparation
from megalib.data.catalogue import Dataset
from megalib.data.metadata import read_metadata
from megalib.drawn import drawing
from megalib.drawn.animals.species import SPECIES
from megalib.evaluation import results
from megalib.files import locks
from megalib.files.places import ROOT, Run
from megalib.flavours import Flavour, Recipe
from megalib.models.tensors import ImageFiles
from megalib.retrieval import extraction

# The networks of the tests are tiny: two threads would only wait for each other.
torch.set_num_threads(1)

SHARED = ROOT.parent / "shared"

needs_shared = pytest.mark.skipif(
    not (SHARED / "published").is_dir(), reason="needs ../shared beside the repository"
)


def pytest_collection_modifyitems(items):
    """Run slow tests last, so that a simple mistake shows at once, and the slowest first of these.

    Otherwise one process would end with it while the others have nothing left to do.
    """

    def order(item: pytest.Item) -> tuple[bool, int]:
        slow = item.get_closest_marker("slow")
        return slow is not None, -slow.kwargs.get("seconds", 0) if slow else 0

    items.sort(key=order)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """An empty run in a folder of its own."""
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "runs"))
    return Run("test")


@pytest.fixture(autouse=True)
def close_figures():
    """Figures that a test has drawn take memory until they are closed."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def write_image(path: Path, size: tuple[int, int], seed: int) -> None:
    """A noisy picture with one colour per seed."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 80, (size[1], size[0], 3)) + rng.integers(0, 170, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def prepared(run) -> Run:
    """A run with one prepared dataset, "DemoLeopard": 4 individuals, 5 images each, 1 unknown."""
    rows = []
    for number in range(21):
        identity = "unknown" if number == 20 else f"cat{number % 4}"
        path = f"images/{number}_{number}.png"
        split = None if identity == "unknown" else ("test" if number >= 16 else "train")
        for size in (256, 518):
            colour = 99 if identity == "unknown" else number % 4
            write_image(run.images(size, "DemoLeopard") / path, (40, 32), colour)
        rows.append((str(number), identity, path, split))
    metadata = pd.DataFrame(rows, columns=["image_id", "identity", "path", "split"])
    target = run.metadata("DemoLeopard")
    target.parent.mkdir(parents=True)
    metadata.to_csv(target)
    return run


def results_of(run: Run, found: dict) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The results of what a search found, and its predictions by dataset."""
    return results.write(run, found), {name: one.matches for name, one in found.items()}


DRAWN = {"individuals": 2, "pictures": 6}


@pytest.fixture(scope="session")
def drawn_animals(tmp_path_factory) -> dict[str, Path]:
    """Small drawings of all species, as `DRAWN` says, by two processes: a folder for each.

    They are made once, also where several processes share the tests.
    """
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "drawn"
    with locks.held(root, "drawing for the tests"):
        for species in SPECIES:
            if not (root / species / drawing.ANNOTATIONS).exists():
                drawing.draw(species, root / species, workers=2, **DRAWN)
    return {species: root / species for species in SPECIES}


def small_swin(name: str = "MegaDescriptor-T-224", **changes: object) -> Flavour:
    """A MegaDescriptor with a Swin of a few thousand numbers and random weights in its place.

    Args:
        name: of the MegaDescriptor.
        **changes: arguments by which timm builds another Swin.
    """
    size = changes.get("img_size", 32)
    network = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4}
    return replace(
        flavours.MEGADESCRIPTORS[name],
        image_size=size,
        network=network | {"img_size": size} | changes,
    )


@pytest.fixture
def flavour() -> Flavour:
    """A small network of the published kind."""
    return small_swin()


@pytest.fixture
def recipe() -> Recipe:
    """A short training in the manner of pocket networks.

    What is tuned in their recipe is fixed here: tests name these values, or steps that follow.
    """
    recipe = flavours.recipe("pocket-T", epochs=3, batch_size=6, learning_rate=1e-3)
    return replace(recipe, random_crop=False, margin=0.2, loss_scale=16.0, center_spread=1.0)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with pictures of one colour each: their number times ten."""
    for number in range(6):
        pixels = np.full((4, 4, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.fixture
def matches() -> pd.DataFrame:
    """One right and one wrong match among the `pictures`."""
    return pd.DataFrame(
        {
            "path": ["0.png", "1.png"],
            "match_path": ["2.png", "3.png"],
            "identity": ["a", "b"],
            "predicted": ["a", "c"],
            "similarity": [0.75, 0.5],
            "correct": [True, False],
            "rank": [0, 4],
        }
    )


@pytest.fixture
def gallery(flavour, prepared) -> ImageFiles:
    """Images of the prepared run, as a network wants them."""
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    return extraction.images_of(flavour, metadata, prepared, "DemoLeopard")


def prepare(dataset: Dataset, folder: Path, run: Run, *how: object, **more: object) -> pd.DataFrame:
    """Open a raw dataset and prepare it, see `preparation.prepare`."""
    return preparation.prepare(dataset, loaders.open_raw(dataset, folder), run, *how, **more)
