"""The loop against independent computations, and what stops and starts it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from megalib import flavours, images, networks, prepare, splits, training
from megalib.errors import UserError
from megalib.images import SeededImageFiles

NAME = "MegaDescriptor-T-224"


@pytest.fixture
def training_set(prepared):
    return prepare.aggregate(prepared, ["DemoLeopard"])


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def arcface_by_hand(embeddings, labels, directions, margin, scale):
    """Deng et al., CVPR 2019, equation 3, with the angle taken out of the cosine."""
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    cosine = unit @ (directions / directions.norm(dim=0, keepdim=True))
    losses = []
    for row, label in zip(cosine, labels, strict=True):
        angle = torch.acos(row[label].clamp(-1, 1))
        logits = scale * row
        logits[label] = scale * torch.cos(angle + margin)
        losses.append(torch.logsumexp(logits, 0) - logits[label])
    return torch.stack(losses).mean()


def test_the_head_is_arcface_with_its_margin_in_radians(flavour):
    head = training._arcface(replace(flavour, margin=0.5, loss_scale=64.0), 5, 7, seed=1)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(9, 7, generator=generator)
    labels = torch.arange(9) % 5
    expected = arcface_by_hand(embeddings, labels, head.W.detach(), 0.5, 64.0)
    torch.testing.assert_close(head(embeddings, labels), expected, rtol=1e-4, atol=1e-4)


def test_accumulated_gradients_are_the_mean_over_the_group(flavour, training_set, prepared):
    """Without augmentation, three batches of two give the same weights as one batch of six."""
    plain = replace(
        flavour,
        epochs=1,
        optimizer="SGD",
        schedule="cosine",
        network=flavour.network | {"drop_path_rate": 0.0},
    )
    six = training_set.groupby("identity").head(2).iloc[:6]

    def trained(batch_size, accumulation_steps):
        recipe = replace(plain, batch_size=batch_size, accumulation_steps=accumulation_steps)
        return weights(training.train(recipe, six, prepared)[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "training_transform", images.inference_transform)
        small, large = trained(2, 3), trained(6, 1)
    for name, tensor in large.items():
        torch.testing.assert_close(small[name], tensor, rtol=1e-4, atol=1e-6)
    start = weights(networks.untrained(plain, 0))
    assert not same(start, large)


def test_same_seed_same_weights_another_seed_others(flavour, training_set, prepared):
    first = weights(training.train(flavour, training_set, prepared, seed=1)[0])
    _forget(prepared)
    assert same(first, weights(training.train(flavour, training_set, prepared, seed=1)[0]))
    assert not same(first, weights(training.train(flavour, training_set, prepared, seed=2)[0]))


def _forget(run):
    (run.weights(NAME) / training.FACTS).unlink()


def test_a_stopped_training_goes_on_and_ends_with_the_same_weights(
    flavour, training_set, prepared, monkeypatch, capsys
):
    whole, history = training.train(flavour, training_set, prepared)
    _forget(prepared)
    keep, calls = training._keep, []

    def stop_after_the_second_epoch(*arguments):
        keep(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_keep", stop_after_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        training.train(flavour, training_set, prepared)
    monkeypatch.setattr(training, "_keep", keep)
    continued, again = training.train(flavour, training_set, prepared, workers=1)
    assert same(weights(whole), weights(continued))
    assert again["loss"].tolist() == history["loss"].tolist()
    assert "continuing after epoch 2" in capsys.readouterr().out
    assert not prepared.checkpoint(NAME).exists()


def test_a_checkpoint_of_another_recipe_is_not_continued(
    flavour, training_set, prepared, monkeypatch, capsys
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(networks, "save", _raise_interrupt)
        training.train(flavour, training_set, prepared, seed=1)
    training.train(flavour, training_set, prepared, seed=2)
    assert "belongs to another recipe" in capsys.readouterr().out


def _raise_interrupt(*_):
    raise KeyboardInterrupt


def test_finished_weights_are_kept_until_something_changes(
    flavour, training_set, prepared, capsys, monkeypatch
):
    first, _ = training.train(flavour, training_set, prepared)
    capsys.readouterr()
    second, history = training.train(flavour, training_set, prepared)
    assert "kept" in capsys.readouterr().out
    assert same(weights(first), weights(second))
    assert len(history) == 3
    monkeypatch.setattr(training.code, "digest", lambda module: "other code")
    training.train(flavour, training_set, prepared)
    assert "epoch   1/3" in capsys.readouterr().out


def test_the_weights_folder_is_one_that_timm_loads_by_itself(flavour, training_set, prepared):
    model, _ = training.train(flavour, training_set, prepared)
    folder = prepared.weights(NAME)
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(pixels), model(pixels), rtol=0, atol=0)
    config = json.loads((folder / "config.json").read_text())
    assert "pickle" not in {path.suffix for path in folder.iterdir()}
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        training.FACTS,
    }
    assert config["pretrained_cfg"]["interpolation"] == "bilinear"
    assert config["pretrained_cfg"]["input_size"] == [3, 32, 32]


def test_the_history_has_one_row_per_epoch_and_the_loss_falls(flavour, training_set, prepared):
    longer = replace(flavour, epochs=8)
    _, history = training.train(longer, training_set, prepared)
    assert history["epoch"].tolist() == list(range(1, 9))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert (history["images_per_second"] > 0).all()
    pd.testing.assert_frame_equal(training.read_history(flavour, prepared), history)


def test_the_published_schedule_is_a_cosine_per_epoch():
    flavour = flavours.get(NAME)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer, schedule = training._optimizer(flavour, [parameter], steps=7)
    for epoch in range(flavour.epochs + 1):
        expected = 1e-6 + (1e-3 - 1e-6) * (1 + np.cos(np.pi * epoch / 100)) / 2
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, abs=1e-9)
        optimizer.step()
        schedule.step()
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["momentum"] == 0.9


def test_every_image_is_seen_once_per_epoch_in_another_order(prepared, training_set):
    labels = np.arange(len(training_set))
    data = SeededImageFiles(
        prepared.images(256), training_set["path"], lambda image: torch.zeros(1), labels
    )
    orders = []
    for epoch in (0, 1):
        batches = training._batches(data, 3, seed=5, epoch=epoch, workers=0)
        orders.append([int(label) for _, classes in batches for label in classes])
        assert sorted(orders[-1]) == labels.tolist()
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (slice(0, 0), {}, "two individuals or more"),
        (slice(0, 1), {}, "two individuals or more"),
        (slice(None), {"batch_size": 500}, "use 16 or less"),
    ],
)
def test_an_unfit_training_set_is_refused(flavour, training_set, prepared, rows, changes, message):
    with pytest.raises(UserError, match=message):
        training.train(replace(flavour, **changes), training_set.iloc[rows], prepared)
    assert not prepared.weights(NAME).exists()


def test_a_missing_image_is_named_before_training_starts(flavour, training_set, prepared):
    gone = prepared.images(256) / training_set["path"].iloc[3]
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name} is missing"):
        training.train(flavour, training_set, prepared)


def test_a_metadata_path_that_leaves_the_image_folder_is_refused(flavour, training_set, prepared):
    training_set.loc[training_set.index[0], "path"] = "../../../secret.png"
    with pytest.raises(UserError, match="outside"):
        training.train(flavour, training_set, prepared)


def test_an_unknown_device_is_refused():
    with pytest.raises(UserError, match=r"no device 'gpu' here.*auto, cpu, cuda or mps"):
        training.pick_device("gpu")


def test_published_weights_of_a_cut_down_network_do_not_exist(flavour):
    for source in ("imagenet", "hub"):
        with pytest.raises(UserError, match="no published weights"):
            training.starting_network(flavour, source, 0)


def test_a_folder_without_a_network_is_named(flavour, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json in"):
        training.starting_network(flavour, str(tmp_path), 0)


def test_splits_of_the_fixture_are_what_these_tests_assume(prepared):
    parts = splits.read(prepared.metadata("DemoLeopard"))["split"].value_counts(dropna=False)
    assert parts.tolist() == [16, 4, 1]
