"""Which places of two images make them similar, and how much of that is the animal.

The similarity of two embeddings that are means over places is a sum of what each place adds to it.
Where a mask says which places show the animal, see `masks`, so is the part of it that is its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image

from megalib.data import truth
from megalib.data.images import load
from megalib.errors import UserError
from megalib.evaluation import masks, resampling
from megalib.files.places import Run, inside
from megalib.flavours import Flavour
from megalib.look import hide_frame
from megalib.models.tensors import inference_transform
from megalib.retrieval import extraction, features, search

MOST = 60  # test images of each dataset that are looked at


@dataclass(frozen=True)
class SimilarityMap:
    """Which places of two images make them similar.

    `similarity` is their cosine. `query` and `match` are float32 (h, w): the share of each place,
    whose mean over all places is the similarity; (h, w) is the grid of the network's last stage.
    """

    similarity: float
    query: np.ndarray
    match: np.ndarray


def similarity_map(
    model: torch.nn.Module, flavour: Flavour, query: Path, match: Path
) -> SimilarityMap:
    """Divide the similarity of two images among the places of each, exactly; see `divided`.

    Args:
        model: a network by timm without a head; it comes back in the mode it was in.
        flavour: says how images are transformed.
        query: file of the prepared image.
        match: file of the prepared image that is compared with it.

    Raises:
        UserError: an image cannot be read; else as `divided`.
    """
    return divided(model, flavour, load(query), load(match))


@torch.inference_mode()
def divided(
    model: torch.nn.Module, flavour: Flavour, query: Image.Image, match: Image.Image
) -> SimilarityMap:
    """The same of two images that are read already.

    The embedding of a Swin, or of an EfficientNet, is the mean of the
    features f of its last stage over all places. So with the embeddings q and m:
    cos(q, m) = mean over places of f · m / (‖q‖ ‖m‖). Nothing is approximated, unlike in maps by
    gradients.

    Args:
        model: a network by timm without a head; it comes back in the mode it was in.
        flavour: says how images are transformed.
        query: the prepared image.
        match: the prepared image that is compared with it.

    Raises:
        UserError: the embedding is no mean over places, as in the networks of CLIP and DINOv2.
    """
    device = next(model.parameters()).device
    transform = inference_transform(flavour)
    pixels = torch.stack([transform(image) for image in (query, match)]).to(device)
    with extraction.evaluating(model):
        places, whole = model.forward_features(pixels).float(), model(pixels).float()
    places = _channels_last(places, whole)
    if places is None:
        raise UserError(
            f"{flavour.name}: its embedding is no mean over places, so the similarity cannot be "
            "divided among them: take a MegaDescriptor or a pocket network"
        )
    unit = torch.nn.functional.normalize(whole)
    lengths = whole.norm(dim=1)
    shares = [
        (places[one] @ unit[other] / lengths[one]).cpu().numpy() for one, other in ((0, 1), (1, 0))
    ]
    return SimilarityMap(float(unit[0] @ unit[1]), *shares)


def _channels_last(places: torch.Tensor, whole: torch.Tensor) -> torch.Tensor | None:
    """Features as (n, h, w, d), if `whole` is their mean over places; None if it is not.

    Swins give them so, convolutional networks as (n, d, h, w).
    """
    if places.ndim != 4:
        return None
    for one in (places, places.permute(0, 2, 3, 1)):
        means = one.mean(dim=(1, 2))
        if means.shape == whole.shape and torch.allclose(means, whole, rtol=1e-3, atol=1e-4):
            return one
    return None


def measure(
    model: torch.nn.Module,
    flavour: Flavour,
    run: Run,
    matches: Mapping[str, pd.DataFrame],
    seed: int = 0,
) -> pd.DataFrame:
    """How much of each similarity comes from the animal, and what another background changes.

    At most `MOST` test images are drawn of each dataset whose truth is known. Each of them is also
    searched in front of the background of another one of them, which shows another individual.

    Args:
        model: the network, see `divided`.
        flavour: which it is.
        run: that holds the images, their truth, and the features of the network.
        matches: predictions by dataset, see `predictions.read`.
        seed: of the choice of test images and of backgrounds.

    Returns:
        One row per test image: `dataset`, `identity`, whether the answer is right (`correct`), the
        `share` of the similarity to the nearest image that comes from the animal of the test image,
        see `masks.animal_share`; `area`, the part of the image that it covers; and `swapped`,
        whether the answer is right with the other background. No rows where no truth is known.

    Raises:
        UserError: an image cannot be read, features are missing; else as `divided` and
            `truth.mask`.
    """
    rng, tables = np.random.default_rng(seed), []
    for dataset, table in matches.items():
        chosen = table.iloc[rng.permutation(len(table))[:MOST]]
        if run.truth(dataset).is_file() and chosen["identity"].nunique() > 1:
            tables.append(_measured(model, flavour, run, dataset, chosen, rng))
    columns = ["dataset", "identity", "correct", "share", "area", "swapped"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _measured(
    model: torch.nn.Module,
    flavour: Flavour,
    run: Run,
    dataset: str,
    chosen: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The rows of `measure` of one dataset."""
    size = flavour.stored_size
    folder = run.images(size, dataset)
    images = [load(inside(folder, path)) for path in chosen["path"]]
    outlines = [truth.mask(run, dataset, image_id, size) for image_id in chosen["image_id"]]
    identity = chosen["identity"].to_numpy()
    rows, swapped = [], []
    for place, row in enumerate(chosen.itertuples()):
        found = divided(model, flavour, images[place], load(inside(folder, row.match_path)))
        share = masks.animal_share(found.query, outlines[place])
        rows.append((dataset, row.identity, row.correct, share, float(outlines[place].mean())))
        other = rng.choice(np.flatnonzero(identity != row.identity))
        ours, theirs = ((images[one], outlines[one]) for one in (place, other))
        swapped.append(masks.swap_background(*ours, *theirs))
    table = pd.DataFrame(rows, columns=["dataset", "identity", "correct", "share", "area"])
    metadata, known = features.embedded(run, flavour.name, dataset)
    is_train = (metadata["split"] == "train").to_numpy()
    nearest, _ = search.neighbours(_embed(model, flavour, swapped), known[is_train], 1)
    answers = metadata["identity"].to_numpy()[is_train][nearest[:, 0]]
    return table.assign(swapped=answers == identity)


@torch.inference_mode()
def _embed(model: torch.nn.Module, flavour: Flavour, images: list[Image.Image]) -> np.ndarray:
    """Embeddings of images that are in memory, float32 (n, d)."""
    device, transform = next(model.parameters()).device, inference_transform(flavour)
    with extraction.evaluating(model):
        rows = [model(transform(image)[None].to(device)).float().cpu() for image in images]
    return torch.cat(rows).numpy()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means of right and of wrong answers, in per cent.

    Args:
        table: of `measure`, one row or more.

    Returns:
        Rows "right answers", "wrong answers" and "all", those that there are: number of
        `test images`, `from the animal` (share of the similarity), `area of the animal`, and
        `right with another background`.
    """
    right = table["correct"].astype(bool)
    parts = {"right answers": table[right], "wrong answers": table[~right], "all": table}
    rows = {
        name: [len(part), *(100 * part[["share", "area", "swapped"]].astype(float).mean())]
        for name, part in parts.items()
        if len(part)
    }
    columns = ["test images", "from the animal, %", "area of the animal, %"]
    columns.append("right with another background, %")
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def in_words(table: pd.DataFrame) -> str:
    """The answer in a few sentences, which the numbers choose.

    Args:
        table: of `measure`, one row or more.
    """
    rows, everybody = summary(table), summary(table).loc["all"]
    known = table.dropna(subset="share")
    excess = known["share"].astype(float) - known["area"]
    low, high = resampling.cluster_interval(excess, known["identity"], known["dataset"])
    more = "more than" if low > 0 else "less than" if high < 0 else "about as much as"
    text = (
        f"{everybody.iloc[1]:.0f} % of the similarity comes from the animal, which covers "
        f"{everybody.iloc[2]:.0f} % of the image: {more} if all places counted alike."
    )
    if {"right answers", "wrong answers"} <= set(rows.index):
        right, wrong = rows.loc["right answers"].iloc[1], rows.loc["wrong answers"].iloc[1]
        text += f" In right answers it is {right:.0f} %, in wrong ones {wrong:.0f} %."
    lost = table["swapped"].astype(int) - table["correct"].astype(int)
    low, high = resampling.cluster_interval(lost, table["identity"], table["dataset"])
    mean = lost.groupby(table["dataset"]).mean().mean()
    return (
        f"{text} With the background of another image, {100 * table['swapped'].mean():.0f} % of "
        f"the answers are right instead of {100 * table['correct'].mean():.0f} % (mean over the "
        f"datasets {100 * mean:+.0f} points, 95 % interval {100 * low:+.0f} to {100 * high:+.0f})."
    )


def plot_similarity_map(query: Path, match: Path, found: SimilarityMap) -> Figure:
    """Two images, and below each how much its places add to their similarity.

    Args:
        query: file of the prepared image.
        match: file of the prepared image that is compared with it.
        found: of `similarity_map`.
    """
    shares = found.query, found.match
    most = max(np.abs(part).max() for part in shares)
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.6))
    for column, (file, part) in enumerate(zip((query, match), shares, strict=True)):
        image = load(file)
        axes[0, column].imshow(image)
        axes[0, column].set_title(("query", "nearest image")[column], fontsize=10)
        axes[1, column].imshow(image.convert("L"), cmap="gray")
        heat = axes[1, column].imshow(
            part,
            extent=(0, image.width, image.height, 0),
            cmap="PuOr_r",
            vmin=-most,
            vmax=most,
            alpha=0.6,
            interpolation="nearest",  # a place is as large as it is drawn
        )
        for axis in axes[:, column]:
            hide_frame(axis)
    figure.colorbar(heat, ax=axes, shrink=0.6, label="share of the similarity")
    figure.suptitle(f"cosine {found.similarity:.2f}", fontsize=10)
    return figure
