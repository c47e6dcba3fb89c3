"""The stages of the library on a few tiny pictures, as the campaign kills them."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import nbformat
import pandas as pd
import torch

from megalib import flavours
from megalib.book import pages
from megalib.data import catalogue, raw_data, training_set
from megalib.drawn import drawing
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.identify import answers, judging, photographs
from megalib.identify.learning import learned
from megalib.models import networks
from megalib.retrieval import caching, inference, sift
from megalib.training import loop
from megalib.training.settings import Settings
from tests.campaign.trials import Place, Stage
from tests.conftest import prepare, small_swin, write_image

RUN = Run("test")
CPU = torch.device("cpu")
SIZES = (32, 48)
ZOO = ("Zoo", "Herd")  # datasets of one's own pictures
FIRST, LATER = 1_600_000_000, 1_700_000_000  # times of change of a picture

# A drawn dataset of a few pictures, so that drawing takes seconds.
FEW = replace(catalogue.find("DemoTurtle"), name="FewTurtles", loader_name="FewTurtles")
raw_data.drawing.draw = partial(drawing.draw, individuals=2, pictures=3)


def flavour() -> Flavour:
    """A tiny network that reads the smaller of the prepared images."""
    return replace(small_swin(), stored_size=SIZES[0])


def pictures(
    folder: Path,
    individuals: int = 3,
    each: int = 4,
    size: tuple[int, int] = (60, 50),
    formats: tuple[str, ...] = ("jpg", "png"),
) -> Path:
    """Pictures of some individuals; they are made once, so that they stay the same files.

    Returns:
        The folder.
    """
    for number in range(individuals * each if not folder.exists() else 0):
        identity, extension = number % individuals, formats[number // individuals % len(formats)]
        write_image(folder / f"cat{identity}" / f"{number}.{extension}", size, identity)
    return folder


def draw(_: Place) -> None:
    """Draw a dataset."""
    raw_data.fetch(FEW, RUN.raw(), download=True)


def prepare_own(place: Place, names: tuple[str, ...] = ZOO[:1]) -> None:
    """Prepare folders of pictures in two sizes."""
    for name in names:
        folder = pictures(place.inputs / name)
        prepare(catalogue.own_pictures(name, folder), folder, RUN, SIZES)


def prepare_large(place: Place) -> None:
    """The same with images of many kilobytes, of which a full disk may take a part.

    They are JPEGs, since Pillow itself notices what is missing of a PNG.
    """
    folder = pictures(place.inputs / "Large", size=(300, 250), formats=("jpg",))
    prepare(catalogue.own_pictures("Large", folder), folder, RUN, (150, 200))


def prepare_other(place: Place) -> None:
    """Prepare what the next run finds outdated: some pictures change, and one is taken away."""
    folder = pictures(place.inputs / ZOO[0])
    extra = folder / "cat0" / "extra.png"
    write_image(extra, (60, 50), 9)
    changing = sorted(folder.glob("cat1/*"))
    for time in (FIRST, LATER):
        for path in changing:
            os.utime(path, (time, time))
        if time == FIRST:
            prepare_own(place)
            extra.unlink()


def prepare_two(place: Place) -> None:
    """Prepare two datasets."""
    prepare_own(place, ZOO)


def aggregate(_: Place) -> None:
    """Join their training parts."""
    training_set.aggregate(RUN, ZOO)


def prepare_training(place: Place) -> None:
    """Prepare and join two datasets."""
    prepare_two(place)
    aggregate(place)


def train(_: Place, workers: int = 0) -> None:
    """Train a network, with a checkpoint after each step."""
    settings = Settings(device="cpu", workers=workers, checkpoint_every=1)
    recipe = flavours.recipe("pocket-T", epochs=2, batch_size=6)
    loop.train(flavour(), recipe, training_set.aggregate(RUN, ZOO), RUN, settings=settings)


def train_with_loaders(place: Place) -> None:
    """The same, with a process that loads images."""
    train(place, workers=1)


def infer(_: Place, dimensions: int = 16) -> None:
    """Embed two datasets in several parts, match and count."""
    caching.PART = 5
    narrow = flavour()
    wide = replace(narrow, network=narrow.network | {"embed_dim": dimensions // 2})
    inference.infer(networks.untrained_network(wide, 0), wide, ZOO, RUN, CPU)


def infer_large(place: Place) -> None:
    """The same with embeddings that take many kilobytes."""
    infer(place, dimensions=512)


def count_key_points(_: Place) -> None:
    """The baseline without a network."""
    sift.infer(ZOO, RUN, stored_size=SIZES[1], keypoints=20)


def take_photographs(place: Place) -> None:
    """Photographs of known individuals and new ones."""
    pictures(place.inputs / "known", individuals=5, each=5)
    pictures(place.inputs / "new", individuals=2, each=2)


def identify_own(place: Place) -> None:
    """One's own photographs: from two folders to a table and a page of candidates."""
    caching.PART = 10
    how = (networks.untrained_network(flavour(), 0), flavour(), RUN, CPU)
    known = photographs.embed_photographs("Known", place.inputs / "known", True, *how)
    new = photographs.embed_photographs("New", place.inputs / "new", False, *how)
    judgement = learned.learn(known, 3, local_features=True)
    table, together = judging.answer(new, known, judgement, 3)
    answers.write_answers(RUN.folder, table, judgement, new, known, together)


def execute(_: Place) -> None:
    """What a book needs: executed notebooks, figures and tables."""
    for stage, key in (("3_sift", "sift"), ("4_results", "results")):
        title = nbformat.v4.new_markdown_cell(f"# {stage}\n\nText.")
        title.metadata["book"] = {"learn": "much", "need": "little"}
        cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
        title.id, cell.id = "title", "code"
        page = nbformat.v4.new_notebook(cells=[title, cell])
        page.metadata["papermill"] = {"parameters": {}, "duration": 2.0}
        target = RUN.notebook(stage, key)
        target.parent.mkdir(parents=True)
        nbformat.write(page, target)
    for name in ("a.csv", "b.csv"):
        RUN.table(name).parent.mkdir(exist_ok=True)
        pd.DataFrame({"number": range(9)}).to_csv(RUN.table(name))
    write_image(RUN.figure("headline.png"), (60, 50), 0)


def stage_book(place: Place) -> None:
    """Lay these beside the pages of the book."""
    executed = [RUN.notebook("3_sift", "sift"), RUN.notebook("4_results", "results")]
    pages.stage(executed, RUN)


STAGES = {
    stage.name: stage
    for stage in (
        Stage("draw", draw, watched=True, most=16),
        Stage("prepare", prepare_own, disk=prepare_large),
        Stage("prepare-again", prepare_own, prepare_other),
        Stage("aggregate", aggregate, prepare_two),
        Stage("train", train, prepare_training, disk=train),
        Stage("train-loaders", train_with_loaders, prepare_training),
        Stage("infer", infer, prepare_two, disk=infer_large),
        Stage("sift", count_key_points, prepare_two),
        Stage("own", identify_own, take_photographs),
        Stage("book", stage_book, execute),
    )
}
