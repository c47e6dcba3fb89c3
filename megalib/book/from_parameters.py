"""A training put together from the parameters of 2_train."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch

from megalib import flavours
from megalib.data import training_set
from megalib.files.places import Run
from megalib.retrieval.validation import mean_accuracy
from megalib.training import loop, several
from megalib.training.settings import Settings

SETTINGS = tuple(Settings.__dataclass_fields__)
RECIPE = tuple(flavours.Recipe.__dataclass_fields__)


def recipe_of(values: Mapping[str, Any]) -> flavours.Recipe:
    """The recipe that the parameters of 2_train describe; None leaves a field as it is."""
    changes = {name: values[name] for name in RECIPE if name in values}
    return flavours.recipe(values["flavour"], **changes)


def train(values: Mapping[str, Any]) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train as the parameters of 2_train say, in this process; see `loop.train`.

    Validation is the top-1 accuracy on the test parts, averaged over the datasets. It is only
    watched: nothing is chosen by it.
    """
    flavour, recipe = flavours.get(values["flavour"]), recipe_of(values)
    run, settings = Run(values["profile"]), Settings(**{name: values[name] for name in SETTINGS})

    def validate(network: torch.nn.Module) -> float:
        return mean_accuracy(network, flavour, values["datasets"], run, settings.workers)

    combined = training_set.aggregate(run, values["datasets"])
    begin = (values["seed"], values["start"])
    return loop.train(flavour, recipe, combined, run, *begin, settings, validate)


def train_on(processes: int, values: Mapping[str, Any]) -> tuple[torch.nn.Module, pd.DataFrame]:
    """The same out of a notebook, on several GPUs if wanted.

    Args:
        processes: one per GPU.
        values: parameters of 2_train, and their values.

    Raises:
        UserError: the training fails, or several processes cannot do it; see `several.run`.
    """
    if processes == 1:
        return train(values)
    several.run(processes, train, dict(values))
    return train({**values, "resume": "auto"})  # finds finished weights and reads them
