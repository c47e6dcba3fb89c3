"""Every loss against its formula, written out."""

import math
from dataclasses import replace

import pytest
import pytorch_metric_learning.losses
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from megalib import flavours
from megalib.training import losses

RECIPE = flavours.recipe("MegaDescriptor-T-224")


def arcface_by_hand(embeddings, labels, directions, margin, scale):
    """Deng et al., CVPR 2019, equation 3, with the angle taken out of the cosine."""
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    cosine = unit @ (directions / directions.norm(dim=0, keepdim=True))
    told = []
    for row, label in zip(cosine, labels, strict=True):
        angle = torch.acos(row[label].clamp(-1, 1))
        logits = scale * row
        logits = torch.cat(
            [logits[:label], scale * torch.cos(angle + margin)[None], logits[label + 1 :]]
        )
        told.append(torch.logsumexp(logits, 0) - logits[label])
    return torch.stack(told).mean()


def examples(seed: int, images: int = 12, classes: int = 4, dimensions: int = 7):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(images, dimensions, generator=generator, requires_grad=True)
    return embeddings, torch.randint(classes, (images,), generator=generator)


def gradient(loss, embeddings):
    return torch.autograd.grad(loss, embeddings)[0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 999), st.floats(0.05, 0.6), st.floats(1, 64))
def test_arcface(seed, margin, scale):
    embeddings, labels = examples(seed)
    torch.manual_seed(seed)
    head = losses.build(replace(RECIPE, margin=margin, loss_scale=scale), 4, 7)
    unit = torch.nn.functional.normalize
    own = (unit(embeddings) @ unit(head.W, dim=0))[torch.arange(len(labels)), labels]
    # Beyond this angle the formula would reward a wider one; every library does something else.
    assume((own > math.cos(math.pi - margin)).all())
    found = head(embeddings, labels)
    expected = arcface_by_hand(embeddings, labels, head.W, margin, scale)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        gradient(found, embeddings), gradient(expected, embeddings), rtol=1e-3, atol=1e-3
    )


def test_class_centers_begin_as_in_pytorch_metric_learning_or_shorter():
    """The published recipe leaves them as that library makes them."""
    made = []
    for recipe in (RECIPE, replace(RECIPE, center_spread=0.1)):
        torch.manual_seed(3)
        made.append(losses.build(recipe, 4, 7).W)
    torch.manual_seed(3)
    usual = pytorch_metric_learning.losses.ArcFaceLoss(4, 7).W
    assert torch.equal(made[0], usual)
    torch.testing.assert_close(made[1], 0.1 * usual)


def test_softmax():
    embeddings, labels = examples(1)
    head = losses.build(replace(RECIPE, loss="softmax"), 4, 7)
    logits = embeddings @ head.linear.weight.T + head.linear.bias
    chances = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    expected = -chances[torch.arange(len(labels)), labels].log().mean()
    torch.testing.assert_close(head(embeddings, labels), expected)


def triplets_by_hand(embeddings, labels, margin, mining):
    """All triplets of anchor, positive and negative, one by one; squared distance of unit vectors.

    Schroff et al., CVPR 2015: a hard negative is nearer than the positive, a semi-hard one farther,
    but by less than the margin.
    """
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    told = []
    for anchor in range(len(labels)):
        for positive in range(len(labels)):
            for negative in range(len(labels)):
                if anchor == positive or labels[anchor] != labels[positive]:
                    continue
                if labels[anchor] == labels[negative]:
                    continue
                near = ((unit[anchor] - unit[positive]) ** 2).sum()
                far = ((unit[anchor] - unit[negative]) ** 2).sum()
                if far - near > margin or (mining == "hard" and far > near):
                    continue
                if mining == "semihard" and far <= near:
                    continue
                told.append(torch.relu(near - far + margin))
    return torch.stack(told).mean() if told else embeddings.sum() * 0


@pytest.mark.parametrize("mining", flavours.MININGS)
@pytest.mark.parametrize("margin", [0.1, 0.2, 0.5])
def test_triplet(mining, margin):
    for seed in range(3):
        embeddings, labels = examples(seed)
        recipe = replace(RECIPE, loss="triplet", triplet_margin=margin, triplet_mining=mining)
        found = losses.build(recipe, 4, 7)(embeddings, labels)
        expected = triplets_by_hand(embeddings, labels, margin, mining)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            gradient(found, embeddings), gradient(expected, embeddings), rtol=1e-3, atol=1e-5
        )


def test_the_published_loss_is_arcface_with_half_a_radian():
    head = losses.build(RECIPE, 4, 7)
    assert type(head).__name__ == "ArcFaceLoss"
    assert (RECIPE.margin, RECIPE.loss_scale) == (0.5, 64.0)
    assert head.margin == pytest.approx(0.5)  # pytorch-metric-learning keeps it in radians
