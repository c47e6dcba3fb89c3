"""Where a network is right and wrong: confused pairs, hard images, similarities, a projection."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from megalib.errors import UserError, choose
from megalib.flavours import Flavour
from megalib.models.tensors import inference_transform
from megalib.retrieval import features, search

PROJECTIONS = ("pca", "tsne")


def confused_pairs(matches: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The pairs of individuals that are most often taken for one another, in either direction.

    Args:
        matches: of `matching.match`.
        most: how many pairs to give.

    Returns:
        One row per pair, the most confused first: `individual` and `taken for` in the order of the
        alphabet, `mistakes`, and the `test images` of both.
    """
    wrong = matches[~matches["correct"]]
    pairs = np.sort(wrong[["identity", "predicted"]].to_numpy(dtype=str), axis=1)
    images = matches["identity"].value_counts()
    table = pd.DataFrame(pairs, columns=["individual", "taken for"])
    table = table.value_counts(sort=False).rename("mistakes").reset_index()
    counts = [table[column].map(images).fillna(0) for column in ("individual", "taken for")]
    table["test images"] = (counts[0] + counts[1]).astype(int)
    return table.sort_values("mistakes", ascending=False, kind="stable").head(most)


def hardest_images(matches: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """The wrong matches whose right individual stands farthest back, see `rank`.

    Args:
        matches: as `inference.infer` writes them.
        most: how many to give.

    Returns:
        Rows of `matches`, the hardest first.
    """
    wrong = matches[~matches["correct"]]
    return wrong.sort_values("rank", ascending=False, kind="stable").head(most)


def pair_similarities(
    metadata: pd.DataFrame, rows: np.ndarray, pairs: int = 20_000, seed: int = 0
) -> pd.DataFrame:
    """Similarities of test to training images, of the same and of different individuals.

    Args:
        metadata: with `identity` and `split`.
        rows: embeddings, float32 (len(metadata), d).
        pairs: at most so many are drawn of each kind.
        seed: of the drawing.

    Returns:
        `similarity` in [-1, 1] and `same`, bool; one row per drawn pair.

    Raises:
        UserError: there are no test or no training images, or an embedding is zero.
    """
    test, train = (np.flatnonzero(metadata["split"] == part) for part in ("test", "train"))
    unit = search.unit(rows, "image").numpy()
    identity = metadata["identity"].to_numpy(dtype=str)
    if not len(test) or not len(train):
        raise UserError("similarities need test and training images")
    rng = np.random.default_rng(seed)
    drawn = rng.choice(test, 4 * pairs), rng.choice(train, 4 * pairs)
    # Pairs of the same individual are rare among many individuals, so they are listed instead.
    listed = [(one, other) for one in test for other in train[identity[train] == identity[one]]]
    same = np.array(listed, dtype=np.int64).reshape(-1, 2)
    same = same[rng.permutation(len(same))[:pairs]]
    different = np.stack(drawn, axis=1)
    different = different[identity[different[:, 0]] != identity[different[:, 1]]][:pairs]
    both = np.concatenate([same, different])
    similarity = np.einsum("nd,nd->n", unit[both[:, 0]], unit[both[:, 1]])
    return pd.DataFrame({"similarity": similarity, "same": np.arange(len(both)) < len(same)})


def projection(rows: np.ndarray, method: str = "tsne", seed: int = 0) -> np.ndarray:
    """Lay embeddings out in a plane, near ones near each other, by scikit-learn.

    Args:
        rows: float32 (n, d), n ≥ 2.
        method: "tsne" keeps neighbourhoods, distances between heaps mean nothing; "pca" keeps
            distances as well as a plane can.
        seed: of t-SNE.

    Returns:
        float (n, 2).

    Raises:
        UserError: the method is unknown, or an embedding is zero or not finite.
    """
    unit = search.unit(rows, "image").numpy()
    if choose("projection", method, PROJECTIONS) == "pca":
        return PCA(2, random_state=seed).fit_transform(unit)
    perplexity = min(30, (len(unit) - 1) / 3)
    return TSNE(2, perplexity=perplexity, metric="cosine", random_state=seed).fit_transform(unit)


@dataclass(frozen=True)
class SimilarityMap:
    """Which places of two images make them similar.

    `similarity` is their cosine. `query` and `match` are float32 (h, w): the share of each place,
    whose mean over all places is the similarity; (h, w) is the grid of the network's last stage.
    """

    similarity: float
    query: np.ndarray
    match: np.ndarray


@torch.inference_mode()
def similarity_map(
    model: torch.nn.Module, flavour: Flavour, query: Image.Image, match: Image.Image
) -> SimilarityMap:
    """Divide the similarity of two images among the places of each, exactly.

    A Swin's embedding is the mean of the features f of its last stage over all places, so with the
    embeddings q and m: cos(q, m) = mean over places of f · m / (‖q‖ ‖m‖). Nothing is approximated,
    unlike in maps by gradients.

    Args:
        model: a Swin by timm without a head; it comes back in the mode it was in.
        flavour: says how images are transformed.
        query: RGB image.
        match: RGB image.

    Raises:
        UserError: the embedding is no mean over places, as in the networks of CLIP and DINOv2.
    """
    device = next(model.parameters()).device
    transform = inference_transform(flavour)
    pixels = torch.stack([transform(query), transform(match)]).to(device)
    with features.evaluating(model):
        places, whole = model.forward_features(pixels).float(), model(pixels).float()
    means = places.mean(dim=(1, 2)) if places.ndim == 4 else None
    if means is None or means.shape != whole.shape or not torch.allclose(means, whole, atol=1e-4):
        raise UserError(
            f"{flavour.name}: its embedding is no mean over places, so the similarity cannot be "
            "divided among them: take a MegaDescriptor"
        )
    unit = torch.nn.functional.normalize(whole)
    lengths = whole.norm(dim=1)
    shares = [
        (places[one] @ unit[other] / lengths[one]).cpu().numpy() for one, other in ((0, 1), (1, 0))
    ]
    return SimilarityMap(float(unit[0] @ unit[1]), *shares)
