"""Networks that normalise over the batch: what does not count leaves no trace, nothing is lost.

Those of the pocket scale are such networks. What holds of others too is in `test_training`.
"""

import copy
import json
from dataclasses import replace

import pandas as pd
import pytest
import timm
import torch

from megalib import flavours
from megalib.data.training_set import aggregate
from megalib.models import networks, tensors
from megalib.training import batches, beginning, checkpoints, loop, losses
from megalib.training.settings import Settings

from .test_training import launch, same, trained_by, weights

NAME = "pocket-T"


@pytest.fixture
def pocket():
    """The smallest pocket network, on images that are smaller still."""
    return flavours.get(NAME, image_size=40)


@pytest.fixture
def training_set(prepared):
    return aggregate(prepared, ["DemoLeopard"])


def trainee(flavour, recipe):
    backbone = networks.untrained_network(flavour, 0).train()
    return loop.Trainee(backbone, losses.build(recipe, 4, backbone.num_features))


def test_images_that_do_not_count_change_neither_statistics_nor_the_loss(pocket, recipe):
    rng = torch.Generator().manual_seed(0)
    pixels, labels = torch.randn(5, 3, 40, 40, generator=rng), torch.tensor([0, 1, 2, 3, 0])
    model = trainee(pocket, recipe)
    alone = copy.deepcopy(model)
    kept = torch.tensor([0, 2, 3])
    found = model(torch.cat([pixels[:4], 9 + pixels[4:]]), labels, kept)
    expected = alone(pixels[kept], labels[kept], torch.arange(3))
    assert torch.equal(found, expected)
    assert same(weights(model), weights(alone))
    assert not same(weights(model), weights(trainee(pocket, recipe))), "it has seen three images"


def test_a_batch_of_which_nothing_counts_leaves_no_trace_and_gives_each_weight_a_gradient(
    pocket, recipe
):
    model = trainee(pocket, recipe)
    before = weights(model)
    total = model(torch.ones(2, 3, 40, 40), torch.tensor([0, 1]), torch.tensor([], dtype=int))
    total.backward()
    assert total == 0 and same(weights(model), before)
    assert all((part.grad == 0).all() for part in model.parameters())
    assert all(part.training for part in model.modules())


def test_a_swin_is_given_all_images(flavour, recipe, monkeypatch):
    """The size of the batch stays the same, as a compiled network wants it."""
    model, seen = trainee(flavour, recipe), []
    model.backbone.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    model(torch.ones(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2]))
    assert seen == [4]


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_stopped_after_any_step_it_ends_with_the_same_weights_and_statistics(
    pocket, recipe, training_set, prepared, monkeypatch, stop
):
    recipe = replace(recipe, epochs=2, batch_size=8)
    whole, _ = loop.train(pocket, recipe, training_set, prepared, start="imagenet")
    write = checkpoints.write

    def write_and_stop(folder, step, *rest):
        write(folder, step, *rest)
        if step == stop:
            raise KeyboardInterrupt

    settings = Settings(checkpoint_every=1, resume="never")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "write", write_and_stop)
        loop.train(pocket, recipe, training_set, prepared, 0, "imagenet", settings)
    (prepared.weights(NAME) / "training.json").unlink()
    again, _ = loop.train(pocket, recipe, training_set, prepared, start="imagenet")
    assert same(weights(whole), weights(again))
    assert not torch.equal(again.bn2.running_mean, networks.pretrained(pocket).bn2.running_mean)


def test_timm_loads_what_was_trained_with_its_statistics(pocket, recipe, training_set, prepared):
    trained, _ = loop.train(pocket, recipe, training_set, prepared, start="imagenet")
    folder = prepared.weights(NAME)
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    pixels = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(loaded(pixels), trained(pixels))
    card = (folder / "README.md").read_text()
    assert "# pocket-T\n" in card and "in whose place the authors have MegaDescriptor-T-224" in card
    assert "| start | imagenet | imagenet |" in card
    assert "mean [0.5, 0.5, 0.5]" in card


# AdamW takes whole steps even where a gradient is all but nought, and rounding decides its sign.
PLAIN = {"optimizer": "SGD", "learning_rate": 0.01, "center_spread": 1.0}


def launch_pocket(options):
    """What one of the processes does that share a training of a pocket network."""
    import sys

    get, recipe = flavours.get, flavours.recipe
    flavours.get = lambda name, **changes: get(name, image_size=40, **changes)
    flavours.recipe = lambda name, **changes: recipe(name, **changes | PLAIN)
    sys.argv = ["launch", "train", *options]
    launch.main()


@pytest.mark.slow
def test_processes_normalise_over_their_shares_and_keep_the_statistics_of_the_first(
    prepared, training_set, tmp_path
):
    """Against one network per share, in plain torch; batches of 8 are shares of 4."""
    chosen = {"profile": "test", "flavour": NAME, "datasets": ["DemoLeopard"], "device": "cpu"}
    chosen |= {"epochs": 2, "batch_size": 8, "validate_every": None}
    options = [word for pair in chosen.items() for word in ("-p", pair[0], json.dumps(pair[1]))]
    trained_by(2, options, tmp_path, launch_pocket)
    pocket = flavours.get(NAME, image_size=40)
    found = weights(networks.from_folder(prepared.weights(NAME), pocket))

    recipe = flavours.recipe(NAME, epochs=2, batch_size=8, **PLAIN)
    labels, _ = pd.factorize(training_set["identity"], sort=True)
    data = tensors.SeededImageFiles(
        prepared.images(256), training_set["path"], pocket, recipe, labels, keep=True
    )
    with torch.random.fork_rng():
        torch.manual_seed(batches.mix(0, 0, 0))
        head = losses.build(recipe, 4, 1280)
    first = networks.pretrained(pocket).train()
    optimizer, schedule = beginning.optimizer(
        recipe, [*first.parameters(), *head.parameters()], len(data)
    )
    for step, keys in enumerate(batches.MicroBatches(len(data), recipe, 0)):
        beginning.advance(schedule, step)
        optimizer.zero_grad()
        second = copy.deepcopy(first)
        for model, share in ((first, keys[::2]), (second, keys[1::2])):
            items = [data[key] for key in share]
            pixels = torch.stack([item[0] for item in items])
            embeddings = model(pixels.contiguous(memory_format=torch.channels_last))
            (head(embeddings, torch.tensor([item[1] for item in items])) / 2).backward()
        for own, other in zip(first.parameters(), second.parameters(), strict=True):
            own.grad += other.grad
        optimizer.step()
    for name, tensor in weights(first).items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
