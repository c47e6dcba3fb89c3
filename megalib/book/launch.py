"""Train or extract features without a notebook, on one device or several.

On the command line::

    accelerate launch -m megalib.book.launch train -f paper -p flavour MegaDescriptor-L-384
    accelerate launch -m megalib.book.launch infer -f paper -p flavour MegaDescriptor-L-384
    torchrun --nproc_per_node 2 -m megalib.book.launch train -p device cpu

The parameters are those of `notebooks/2_train.ipynb` or `3_infer.ipynb`, and the result is the
same. Several processes share each batch of a training, and the images of a dataset. Results of the
notebook's other cells are not made.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from accelerate import PartialState, notebook_launcher
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from megalib import flavours
from megalib.book import parameters, profiles
from megalib.data import training_set
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import results
from megalib.files import texts
from megalib.files.places import Run
from megalib.models import devices, networks
from megalib.retrieval import caching, extraction, inference, validation
from megalib.training import loop
from megalib.training.recipe import Settings

RECIPE = (
    *("epochs", "batch_size", "accumulation_steps", "accumulation", "learning_rate"),
    *("loss", "triplet_margin", "triplet_mining"),
)
SETTINGS = tuple(Settings.__dataclass_fields__)


def recipe_of(values: Mapping[str, Any]) -> flavours.Flavour:
    """The flavour that the parameters of 2_train describe; None leaves a field as it is."""
    changes = {name: values[name] for name in RECIPE}
    return flavours.get(values["flavour"], values["scale"], **changes)


def train(values: Mapping[str, Any]) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train as the parameters of 2_train say, in this process; see `loop.train`.

    Validation is the top-1 accuracy on the test parts, averaged over the datasets. It is only
    watched: nothing is chosen by it.
    """
    flavour, run = recipe_of(values), Run(values["profile"])
    settings = Settings(**{name: values[name] for name in SETTINGS})

    def validate(network: torch.nn.Module) -> float:
        return validation.mean_accuracy(network, flavour, values["datasets"], run, settings.workers)

    combined = training_set.aggregate(run, values["datasets"])
    return loop.train(flavour, combined, run, values["seed"], values["start"], settings, validate)


def train_on(processes: int, values: Mapping[str, Any]) -> tuple[torch.nn.Module, pd.DataFrame]:
    """The same out of a notebook, on several GPUs if wanted.

    Args:
        processes: one per GPU.
        values: parameters of 2_train, and their values.

    Raises:
        UserError: there are not as many GPUs, this process holds one already, or a process failed.
    """
    if processes == 1:
        return train(values)
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
        notebook_launcher(_share, (dict(values),), num_processes=processes)
    except ChildFailedError as error:
        raise UserError("one of the processes failed; what it said is above") from error
    return train({**values, "resume": "auto"})  # finds finished weights and reads them


def _share(values: Mapping[str, Any]) -> None:
    """What one of several processes does; a user's mistake ends it with one line."""
    try:
        train(values)
    except UserError as error:
        sys.exit(f"error: {error}")


def infer(values: Mapping[str, Any]) -> None:
    """Run inference as the parameters of 3_infer say; see `inference.infer`.

    All processes extract features, the first one matches and writes the results.
    """
    flavour, run = flavours.get(values["flavour"], values["scale"]), Run(values["profile"])
    device = devices.pick_device(values["device"])
    state = PartialState(cpu=device.type == "cpu")
    device = state.device if state.use_distributed else device
    precision = devices.pick_precision(values["precision"], device)
    network = networks.load_network(flavour, values["weights"], run)
    for dataset in values["datasets"]:
        images = extraction.images_of(flavour, read_metadata(run.metadata(dataset)), run, dataset)
        file = run.features(flavour.name, dataset)
        workers = values["workers"]
        caching.cached(file, network, flavour, images, device, workers, precision, dataset)
    if state.is_main_process:
        untrained = None
        if values["compare_untrained"]:
            untrained = networks.untrained_network(flavour, values["seed"])
        found = inference.infer(
            *(network, flavour, values["datasets"], run, device, values["workers"]),
            *(untrained, precision, values["votes"], values["weights"]),
        )
        results.write(run, found)


STAGES = {"train": ("2_train", train), "infer": ("3_infer", infer)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("-f", "--profile", help="a profile, or a YAML file of parameters")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter"
    )
    arguments = parser.parse_args()
    try:
        profile = profiles.read(arguments.profile) if arguments.profile else {}
        given = {name: texts.from_yaml(text, f"-p {name}") for name, text in arguments.p}
        notebook, work = STAGES[arguments.stage]
        work(parameters.declared(notebook) | parameters.for_notebook(notebook, profile, given))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
