"""How well a network matches while it is trained: top-1, without any file."""

from collections.abc import Sequence

import numpy as np
import torch

from megalib.data.metadata import read_metadata
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.retrieval import extraction, matching


def mean_accuracy(
    model: torch.nn.Module, flavour: Flavour, datasets: Sequence[str], run: Run, workers: int = 0
) -> float:
    """Top-1 accuracy in [0, 1] on the test parts, averaged over the datasets; writes nothing."""
    device = next(model.parameters()).device
    accuracies = []
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        metadata = metadata[metadata["split"].notna()]
        rows = extraction.embed(model, flavour, metadata, run, dataset, device, workers)
        accuracies.append(matching.match(metadata, rows, device=device)["correct"].mean())
    return float(np.mean(accuracies))
