"""One flavour on prepared datasets: features and predictions."""

from collections.abc import Callable, Mapping, Sequence

import torch

from megalib.data.metadata import read_metadata
from megalib.files.places import Run
from megalib.flavours import Flavour
from megalib.retrieval import caching, extraction, features, matching, predictions, ranking
from megalib.retrieval.found import Found


def infer(
    model: torch.nn.Module,
    flavour: Flavour,
    datasets: Sequence[str],
    run: Run,
    device: torch.device,
    workers: int = 0,
    before: Mapping[str, torch.nn.Module] | None = None,
    precision: str = "fp32",
    k: int = 1,
    weights: str = "trained",
    report: Callable[[str], None] = print,
) -> dict[str, Found]:
    """Embed and match on every dataset; write features and predictions.

    Args:
        model: the network, see `models.load_network`.
        flavour: which network it is.
        datasets: prepared datasets of the run.
        run: where everything lies.
        device: where to compute.
        workers: processes that load images.
        precision: of the products inside the network, see `devices.pick_precision`.
        before: the same network before training, to compare with, see `models.before_training`.
        k: how many nearest images vote; 1 as published.
        weights: where the network's weights come from, see `models.load_network`; results say so.
        report: takes one line per dataset.

    Returns:
        What was found, by dataset. Its matches are the predictions, see `matching.match`, and also
        have the `rank`, from 0, of the first training image of the right individual, and the path
        of a `twin`: a training image with the same file, or of an embedding that is the same to
        `predictions.TWIN`.

    Raises:
        UserError: a dataset has not been prepared, or an image is missing.
    """
    method = {"flavour": flavour.name, "scale": flavour.scale}
    method |= {"weights": weights, "precision": precision, "votes": k}
    found = {}
    for dataset in datasets:
        metadata = read_metadata(run.metadata(dataset))
        images = extraction.images_of(flavour, metadata, run, dataset)
        file = run.features(flavour.name, dataset)
        rows = caching.cached(file, model, flavour, images, device, workers, precision, dataset)
        matches = matching.match(metadata, rows, k, device)
        ranks = ranking.rank(metadata, rows, device)
        matches["rank"] = ranks.first_match
        matched_before = {}
        for name, other in (before or {}).items():
            theirs = extraction.embed(other, flavour, metadata, run, dataset, device, workers)
            matched_before[name] = matching.match(metadata, theirs, k, device)
        report(f"{dataset}: {matches['correct'].sum()} of {len(matches)} test images right")
        alike = matches[matches["similarity"] > 1 - predictions.TWIN]
        same = dict(zip(alike["path"], alike["match_path"], strict=True))
        same |= predictions.twins(images.folder, metadata)
        file_of_matches = run.predictions(flavour.name, dataset)
        predictions.write(dataset, matches, same, file_of_matches, report)
        speed = {"images_per_second": features.images_per_second(file, len(rows))}
        found[dataset] = Found(metadata, matches, ranks, method, speed, matched_before)
    return found
