"""What training minimises: ArcFace as published, and the losses it was compared with.

Each maps embeddings, float32 (n, d), and class numbers, int64 (n,), to the mean over the n images.
"""

import numpy as np
import torch
from pytorch_metric_learning import distances, losses, miners
from pytorch_metric_learning.utils.common_functions import TorchInitWrapper

from megalib.errors import choose
from megalib.flavours import LOSSES, Recipe


class Softmax(torch.nn.Module):
    """Cross-entropy over one linear layer, as a plain classifier is trained."""

    def __init__(self, classes: int, dimensions: int) -> None:
        """Make the layer, with random weights."""
        super().__init__()
        self.linear = torch.nn.Linear(dimensions, classes)

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss."""
        return torch.nn.functional.cross_entropy(self.linear(embeddings), labels)


class Triplet(torch.nn.Module):
    """Triplet margin loss over mined triplets (Schroff et al., CVPR 2015, equation 3).

    The distance is the squared Euclidean one between unit vectors; the mean goes over the
    triplets whose loss is not zero.
    """

    def __init__(self, margin: float, mining: str) -> None:
        """Remember margin and kind of triplets: "all", "hard" or "semihard"."""
        super().__init__()
        distance = distances.LpDistance(normalize_embeddings=True, p=2, power=2)
        self.loss = losses.TripletMarginLoss(margin=margin, distance=distance)
        self.miner = miners.TripletMarginMiner(margin, mining, distance=distance)

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss."""
        return self.loss(embeddings, labels, self.miner(embeddings, labels))


def build(recipe: Recipe, classes: int, dimensions: int) -> torch.nn.Module:
    """The loss of a recipe, with weights of its own where it has some.

    ArcFace (Deng et al., CVPR 2019, equation 3) is that of pytorch-metric-learning, which takes
    its margin in degrees.
    """
    name = choose("loss", recipe.loss, LOSSES)
    if name == "softmax":
        return Softmax(classes, dimensions)
    if name == "triplet":
        return Triplet(recipe.triplet_margin, recipe.triplet_mining)
    margin = float(np.degrees(recipe.margin))
    centers = TorchInitWrapper(torch.nn.init.normal_, std=recipe.center_spread)
    return losses.ArcFaceLoss(
        classes, dimensions, margin=margin, scale=recipe.loss_scale, weight_init_func=centers
    )
