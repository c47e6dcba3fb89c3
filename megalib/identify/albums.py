"""An album: known and new photographs, embedded by one network, with what was decided before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch

from megalib import flavours
from megalib.errors import UserError
from megalib.files.places import Run, resolve
from megalib.identify import decisions
from megalib.identify.decisions import Decided
from megalib.identify.page.cards import Whole
from megalib.identify.photographs import Photographs, embed_photographs, example
from megalib.models import networks
from megalib.own.options import Options


@dataclass(frozen=True)
class Album:
    """Photographs of known individuals and new ones.

    `network` says in words which network embedded them and what that means, `understood` what
    reading the photographs understood, in lines. `truth` holds identities by file name where the
    album is an example. `decided` is what a person decided before: `known` has these animals
    already, and `new` is without them. `wholes` are the pictures of new animals, by image id.
    """

    known: Photographs
    new: Photographs
    network: str
    understood: str
    truth: pd.Series | None = None
    decided: Decided | None = None
    wholes: Mapping[str, Whole] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """Which network, and what was decided before."""
        told = "" if self.decided is None else f"\n{self.decided.in_words}"
        return f"network: {self.network}{told}"


def open_album(
    known: str,
    new: str,
    run: Run,
    example_of: str,
    flavour: str = "pocket-T",
    weights: str = "auto",
    device: torch.device | None = None,
    workers: int = 0,
    precision: str = "fp32",
    individual_level: int = 1,
    detection_threshold: float = 0.2,
    decided: str = "",
) -> Album:
    """Read, prepare and embed known and new photographs; nothing that is finished is done again.

    Args:
        known: folder or list of known individuals, or "" for an example.
        new: folder or list of new photographs, or "" for an example.
        run: that holds trained weights, and the dataset of the example; images, features and the
            answers go to its part `own`.
        example_of: the dataset of which an example is made.
        flavour: which network.
        weights: see `networks.choose_network`.
        device: where to compute.
        workers: processes that load images.
        precision: see `extraction.extract`.
        individual_level: of folders, see `Options`.
        detection_threshold: of detections, see `Options`.
        decided: file of earlier decisions, or "".

    Raises:
        UserError: only one of the two is named, one cannot be read, the weights are not to be had,
            or the decisions are none.
    """
    known_source, new_source, truth = _sources(known, new, run, example_of)
    chosen = networks.choose_network(flavours.get(flavour), weights, run)
    own_run, device = Run(f"{run.profile}/own"), device or torch.device("cpu")
    how = (chosen.model, chosen.flavour, own_run, device, workers, precision)
    level, threshold = individual_level, detection_threshold
    known_ones = embed_photographs(
        "Known", known_source, True, *how, Options(level, threshold, "train")
    )
    new_ones = embed_photographs("New", new_source, False, *how, Options(level, threshold, "test"))
    understood = f"{known_ones.understood}\n{new_ones.understood}"
    wholes = _wholes(new_ones)
    if not decided:
        return Album(known_ones, new_ones, chosen.in_words, understood, truth, None, wholes)
    applied = decisions.apply(decisions.read(resolve(decided)), known_ones, new_ones)
    return Album(applied.known, applied.new, chosen.in_words, understood, truth, applied, wholes)


def _sources(
    known: str, new: str, run: Run, example_of: str
) -> tuple[Path, Path, pd.Series | None]:
    """Where the known and the new photographs are; of an example also who is on the new ones.

    Raises:
        UserError: only one of the two is named.
    """
    if bool(known) != bool(new):
        raise UserError(
            "name both folders, that of known individuals (-p known FOLDER) and that of new "
            "photographs (-p new FOLDER), or neither for an example"
        )
    if known:
        return resolve(known), resolve(new), None
    return example(run, example_of, run.folder / "own" / "example")


def _wholes(new: Photographs) -> dict[str, Whole]:
    """The pictures from which new animals were cut; those that are shown whole have none."""
    table = new.metadata
    return {
        image_id: Whole(new.source / photograph, box)
        for image_id, photograph, box in zip(
            table["image_id"], table["photograph"], table["box"], strict=True
        )
        if box
    }
