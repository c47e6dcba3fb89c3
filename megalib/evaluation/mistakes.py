"""Where a network is right and wrong: confused pairs, hard images, similarities, a projection."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from megalib.data.images import load
from megalib.errors import UserError, choose
from megalib.files.places import inside
from megalib.files.plain import in_figure
from megalib.look import RIGHT, WRONG, legend, picture_in_box, wrapped
from megalib.retrieval import search

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


def plot_hardest(folder: Path, rows: pd.DataFrame) -> Figure:
    """Queries above the wrong images that were nearest, with the rank of the first right one.

    Args:
        folder: of the prepared images.
        rows: of `hardest_images`.
    """
    figure, axes = plt.subplots(2, len(rows), figsize=(1.3 * len(rows), 3.3), squeeze=False)
    for row, (above, below) in zip(rows.itertuples(), axes.T, strict=True):
        for axis, path in ((above, row.path), (below, row.match_path)):
            picture_in_box(axis, load(inside(folder, path)))
        above.set_title(wrapped(row.identity), fontsize=8, fontweight="normal")
        below.set_title(wrapped(row.predicted), fontsize=8, color=WRONG)
        below.set_xlabel(f"right one at {row.rank + 1}", fontsize=8)
    axes[0, 0].set_ylabel("query", fontsize=9)
    axes[1, 0].set_ylabel("nearest image", fontsize=9)
    return figure


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


def plot_pair_similarities(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Histograms of similarities of the same and of different individuals, one panel a dataset.

    Args:
        tables: of `pair_similarities`, by dataset.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(8, 2.6), sharex=True, sharey=True, squeeze=False
    )
    for axis, (name, table) in zip(axes[0], tables.items(), strict=True):
        for same, label, colour in ((True, "same", RIGHT), (False, "different", WRONG)):
            values = table.loc[table["same"] == same, "similarity"]
            axis.hist(values, bins=40, density=True, alpha=0.6, color=colour, label=label)
        axis.set_title(in_figure(name), fontsize=9)
        axis.set_yticks([])
    figure.supxlabel("cosine similarity of two images", fontsize=10)
    axes[0, 0].legend(frameon=False, fontsize=8, title="individual", title_fontsize=8)
    return figure


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


def plot_projection(plane: np.ndarray, identity: np.ndarray, is_test: np.ndarray) -> Figure:
    """Embeddings in a plane: colour and shape for the individual, filled for test images.

    Args:
        plane: of `projection`, (n, 2).
        identity: text (n,).
        is_test: bool (n,).
    """
    names = np.unique(identity)
    colours, shapes = sns.color_palette("colorblind", 10), "os^Dv<>Ph*X"
    figure, axis = plt.subplots(figsize=(8, 4.6))
    marks = []
    for number, name in enumerate(names):
        own = identity == name
        style = {"color": colours[number % 10], "marker": shapes[number % len(shapes)], "s": 28}
        style["rasterized"] = True  # thousands of points would make a large page
        marks.append(axis.scatter(*plane[own & is_test].T, **style))
        axis.scatter(*plane[own & ~is_test].T, **style, alpha=0.25)
    axis.set(xticks=[], yticks=[])
    if len(names) <= 40:
        place = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "ncols": 2}
        legend(axis, marks, names, fontsize=7, **place)
    return figure
