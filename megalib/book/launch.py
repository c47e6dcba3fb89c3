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

from accelerate import PartialState

from megalib import flavours
from megalib.book import from_parameters, parameters, profiles
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import results
from megalib.files import texts
from megalib.files.places import Run
from megalib.models import devices, networks
from megalib.retrieval import caching, extraction, inference


def infer(values: Mapping[str, Any]) -> None:
    """Run inference as the parameters of 3_infer say; see `inference.infer`.

    All processes extract features, the first one matches and writes the results.
    """
    flavour, run = flavours.get(values["flavour"]), Run(values["profile"])
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
        before = {}
        if values["compare_untrained"]:
            before = networks.before_training(flavour, values["seed"])
        found = inference.infer(
            *(network, flavour, values["datasets"], run, device, values["workers"]),
            *(before, precision, values["votes"], values["weights"]),
        )
        results.write(run, found)


STAGES = {"train": ("2_train", from_parameters.train), "infer": ("3_infer", infer)}


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
