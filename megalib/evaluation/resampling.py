"""How far a result depends on which animals were there: whole individuals are drawn anew."""

import numpy as np

DRAWINGS = 2_000  # of a bootstrap: the ends of an interval then vary by a few hundredths of it
DIVISIONS = 20  # of individuals into halves, so that no lucky one decides
AT_ONCE = 2_000_000  # clusters that are drawn in one go, for the memory that it takes


def cluster_interval(
    values: np.ndarray,
    cluster: np.ndarray,
    stratum: np.ndarray | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a mean whose values come in clusters, by the cluster bootstrap.

    Test images of one individual, or of one encounter, resemble each other: they are right or wrong
    together. An interval that takes each image for a sample of its own, as Wilson's does, is then
    too narrow. Here whole clusters are drawn anew with replacement, as many as there were, with all
    their values (Field and Welsh, 2007, "Bootstrapping clustered data", JRSS B 69). A mean over
    strata, such as datasets, is the mean of their means; clusters are drawn within each.

    The values may be differences of two methods on the same image: then the interval is one of the
    difference in pairs, in which what makes an image hard for both does not count.

    Args:
        values: of each image, such as 1 for right and 0 for wrong, float (n,), n ≥ 1.
        cluster: which individual or encounter it shows, (n,). Equal names in two strata are two.
        stratum: which dataset it is of, (n,); without it there is one.
        seed: of the `DRAWINGS`.
        confidence: share of the drawn means that the interval holds.

    Returns:
        The interval, in the range of the values. Where the means of all clusters are equal, as
        where every image is right, it has no width: it then says nothing about the uncertainty.
    """
    values, cluster = np.asarray(values, dtype=np.float64), np.asarray(cluster)
    parts = np.zeros(len(values)) if stratum is None else np.asarray(stratum)
    rng, names = np.random.default_rng(seed), np.unique(parts)
    means = sum(_drawn_means(values[parts == name], cluster[parts == name], rng) for name in names)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means / len(names), [tail, 1 - tail])
    return float(low), float(high)


def _drawn_means(values: np.ndarray, cluster: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean over all values of each drawing of clusters, (DRAWINGS,)."""
    codes = np.unique(cluster, return_inverse=True)[1]
    sizes, sums = np.bincount(codes), np.bincount(codes, weights=values)
    number = len(sizes)
    at_once = max(1, AT_ONCE // number)  # a dataset may have ten thousand individuals
    means = []
    for start in range(0, DRAWINGS, at_once):
        drawn = rng.integers(number, size=(min(at_once, DRAWINGS - start), number))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def halves(cluster: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Divide individuals into halves at random; an odd one is in the first.

    Args:
        cluster: which individual each image shows, text (n,).
        rng: that divides.

    Returns:
        Whether each image is of the first half, bool (n,).
    """
    return np.isin(cluster, rng.permutation(np.unique(cluster))[::2])
