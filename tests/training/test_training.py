"""The loop against independent computations, and what stops and starts it."""

import functools
import json
import math
import os
import pathlib
import random
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import psutil
import pytest
import timm
import torch
from accelerate import PartialState
from safetensors.torch import load_file

from megalib import flavours
from megalib.book import from_parameters, launch, parameters
from megalib.data import images, proof
from megalib.data.metadata import read_metadata
from megalib.data.training_set import aggregate
from megalib.errors import UserError
from megalib.files.places import shown
from megalib.models import devices, export, networks, tensors
from megalib.training import (
    batches,
    beginning,
    checkpoints,
    finished,
    history,
    loop,
    losses,
    memory,
)
from megalib.training.settings import Settings
from tests import forks
from tests.conftest import small_swin

from .test_losses import arcface_by_hand

NAME = "MegaDescriptor-T-224"


@pytest.fixture
def training_set(prepared):
    return aggregate(prepared, ["DemoLeopard"])


@pytest.fixture
def unaugmented(monkeypatch):
    """Training without augmentation, for comparison with computations by hand."""
    monkeypatch.setattr(
        tensors, "training_transform", lambda flavour, _: tensors.inference_transform(flavour)
    )


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def forget(run):
    """Let the run look as if the training had not been finished."""
    (run.weights(NAME) / export.STAMP).unlink()


def plain(flavour, recipe, **changes):
    """Without what is random in a network, and with the published optimiser."""
    network = flavour.network | {"drop_path_rate": 0.0}
    flavour = replace(flavour, network=network)
    return flavour, replace(recipe, optimizer="SGD", schedule="cosine", **changes)


# --- The computation -----------------------------------------------------------------------------


def starting_pair(flavour, recipe, classes, seed=0):
    """Backbone and loss as a training starts with them."""
    backbone = networks.untrained_network(flavour, seed)
    with torch.random.fork_rng():
        torch.manual_seed(batches.mix(seed, 0, 0))
        return backbone, losses.build(recipe, classes, backbone.num_features)


def test_one_step_equals_a_computation_by_hand(
    flavour, recipe, training_set, prepared, unaugmented, monkeypatch
):
    """Loss and gradients of one batch; SGD without momentum shows the gradients themselves."""
    changes = {"epochs": 1, "batch_size": 16, "momentum": 0.0, "learning_rate": 1.0}
    flavour, recipe = plain(flavour, recipe, **changes)
    heads, build = [], losses.build
    with monkeypatch.context() as patch:
        patch.setattr(losses, "build", lambda *given: heads.append(build(*given)) or heads[0])
        trained, told = loop.train(flavour, recipe, training_set, prepared)
    backbone, head = starting_pair(flavour, recipe, 4)
    data = tensors.ImageFiles(
        prepared.images(256), training_set["path"], tensors.inference_transform(flavour)
    )
    pixels = torch.stack([data[index][0] for index in range(16)])
    labels = torch.as_tensor(pd.factorize(training_set["identity"], sort=True)[0])
    loss = arcface_by_hand(
        backbone.train()(pixels), labels, head.W, recipe.margin, recipe.loss_scale
    )
    loss.backward()
    assert told["loss"].iloc[0] == pytest.approx(loss.item(), rel=1e-5)
    for (name, before), after in zip(
        backbone.named_parameters(), trained.parameters(), strict=True
    ):
        found = before.detach() - after.detach()
        torch.testing.assert_close(found, before.grad, rtol=1e-5, atol=1e-5, msg=name)
    found = (head.W - heads[0].W).detach()
    torch.testing.assert_close(found, head.W.grad, rtol=1e-5, atol=1e-5)
    assert head.W.grad.norm() > 0.1


def reference_steps(flavour, recipe, prepared, training_set, old: bool):
    """The public trainer's loop, in plain torch, over the batches that `batches` plans.

    The old code added gradients up and stepped where (i - 1) % steps == 0; today's averages and
    steps after each group. What is left of an epoch is a shorter group here, with its own mean.
    """
    backbone, head = starting_pair(flavour, recipe, 4)
    data = tensors.ImageFiles(
        prepared.images(256), training_set["path"], tensors.inference_transform(flavour)
    )
    labels = pd.factorize(training_set["identity"], sort=True)[0]
    parts = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parts, recipe.learning_rate, recipe.momentum)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs, 0.0)
    size, group = recipe.batch_size, recipe.accumulation_steps
    backbone.train()
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([0, epoch]).permutation(len(data))
        starts = range(0, len(data), size)
        for i, start in enumerate(starts):
            batch = order[start : start + size]
            loss = head(
                backbone(torch.stack([data[index][0] for index in batch])),
                torch.as_tensor(labels[batch]),
            )
            members = min(group, len(starts) - i // group * group)
            (loss if old else loss / members).backward()
            if (i - 1) % group == 0 if old else (i + 1) % group == 0 or i + 1 == len(starts):
                optimizer.step()
                optimizer.zero_grad()
        schedule.step()
    return backbone.eval()


@pytest.mark.parametrize(
    ("size", "group", "epochs"),
    [(4, 1, 3), (4, 2, 5), (4, 4, 10), (3, 2, 4)],  # ten steps or more
    ids=["each", "pairs", "fours", "pairs, one left over"],
)
@pytest.mark.parametrize("accumulation", ["mean", "sum"])
def test_ten_steps_follow_the_public_trainer(
    flavour, recipe, training_set, prepared, unaugmented, accumulation, size, group, epochs
):
    """With groups of 4, the old code carries batches over from one epoch into the next."""
    if size == 3:  # five batches per epoch: two pairs, and one that is left
        training_set = training_set.iloc[:15]
    flavour, recipe = plain(
        flavour,
        recipe,
        epochs=epochs,
        batch_size=size,
        accumulation_steps=group,
        accumulation=accumulation,
        minimum_learning_rate=0.0,
        learning_rate=0.01,
    )
    trained, _ = loop.train(flavour, recipe, training_set, prepared)
    expected = reference_steps(flavour, recipe, prepared, training_set, old=accumulation == "sum")
    for name, tensor in weights(expected).items():
        torch.testing.assert_close(weights(trained)[name], tensor, rtol=1e-4, atol=1e-4, msg=name)
    assert not same(weights(expected), weights(networks.untrained_network(flavour, 0)))


def test_accumulated_gradients_are_the_mean_over_the_group(
    flavour, recipe, training_set, prepared, unaugmented
):
    """Three batches of two give the same weights as one batch of six."""
    six = training_set.groupby("identity").head(2).iloc[:6]
    found = []
    for size, steps in ((2, 3), (6, 1)):
        changes = {"epochs": 1, "batch_size": size, "accumulation_steps": steps}
        still, changed = plain(flavour, recipe, **changes)
        found.append(weights(loop.train(still, changed, six, prepared)[0]))
    for name, tensor in found[1].items():
        torch.testing.assert_close(found[0][name], tensor, rtol=1e-4, atol=1e-6)
    assert not same(found[1], weights(networks.untrained_network(still, 0)))


def test_the_published_schedule_is_a_cosine_per_epoch():
    recipe = flavours.recipe(NAME)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer, schedule = beginning.optimizer(recipe, [parameter], images=700)
    for epoch in range(recipe.epochs + 1):
        beginning.advance(schedule, epoch)
        expected = 1e-6 + (1e-3 - 1e-6) * (1 + np.cos(np.pi * epoch / 100)) / 2
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, abs=1e-9)
        optimizer.step()
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["momentum"] == 0.9


def test_half_precision_leaves_the_loss_in_float32(
    flavour, recipe, training_set, prepared, monkeypatch
):
    seen = []
    build = losses.build

    def watched(*arguments):
        loss = build(*arguments)
        loss.register_forward_pre_hook(
            lambda _, given: seen.append((given[0].dtype, torch.is_autocast_enabled("cpu")))
        )
        return loss

    monkeypatch.setattr(losses, "build", watched)
    short = replace(recipe, epochs=1)
    _, told = loop.train(
        flavour, short, training_set, prepared, settings=Settings(precision="bf16")
    )
    assert set(seen) == {(torch.float32, False)}
    forget(prepared)
    _, exact = loop.train(flavour, short, training_set, prepared)
    assert told["loss"].iloc[0] == pytest.approx(exact["loss"].iloc[0], rel=0.05)
    assert told["loss"].iloc[0] != exact["loss"].iloc[0]


# --- Seeds, order, history -----------------------------------------------------------------------


def test_same_seed_same_weights_another_seed_others(flavour, recipe, training_set, prepared):
    first = weights(loop.train(flavour, recipe, training_set, prepared, seed=1)[0])
    forget(prepared)
    assert same(first, weights(loop.train(flavour, recipe, training_set, prepared, seed=1)[0]))
    assert not same(first, weights(loop.train(flavour, recipe, training_set, prepared, seed=2)[0]))


def test_the_history_has_one_row_per_epoch_and_the_loss_falls(
    flavour, recipe, training_set, prepared
):
    longer = replace(recipe, epochs=8)
    _, told = loop.train(flavour, longer, training_set, prepared)
    assert told["epoch"].tolist() == list(range(1, 9))
    assert told["loss"].iloc[-1] < told["loss"].iloc[0]
    assert (told["images_per_second"] > 0).all()
    pd.testing.assert_frame_equal(history.read_history(flavour, prepared), told)


def test_a_network_is_validated_when_asked_for_and_goes_on_training(
    flavour, recipe, training_set, prepared
):
    modes = []

    def validate(network):
        modes.append(network.training)
        return 0.25

    settings = Settings(validate_every=2)
    longer = replace(recipe, epochs=4)
    watched, told = loop.train(
        flavour, longer, training_set, prepared, settings=settings, validate=validate
    )
    assert told["validation"].tolist()[1::2] == [0.25, 0.25]
    assert told["validation"].isna().tolist() == [True, False, True, False]
    assert modes == [False, False]
    assert "when last validated: 25.0%" in (prepared.weights(NAME) / "README.md").read_text()
    forget(prepared)
    assert same(weights(watched), weights(loop.train(flavour, longer, training_set, prepared)[0]))


def test_a_tracker_of_accelerate_may_follow(flavour, recipe, training_set, prepared):
    pytest.importorskip("tensorboard")
    loop.train(flavour, recipe, training_set, prepared, settings=Settings(tracker="tensorboard"))
    assert list(prepared.logs.rglob("events.out.tfevents*"))


def test_a_tracker_that_is_not_installed_is_named(
    flavour, recipe, training_set, prepared, monkeypatch
):
    monkeypatch.setattr(devices, "get_available_trackers", lambda: [])
    with pytest.raises(UserError, match="pip install tensorboard"):
        loop.train(
            flavour, recipe, training_set, prepared, settings=Settings(tracker="tensorboard")
        )


# --- Stop and go on ------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 3, 4, 7])
def test_stopped_after_any_step_it_ends_with_the_same_weights(
    flavour, recipe, training_set, prepared, monkeypatch, capsys, stop
):
    """Three epochs of three steps; stopped inside an epoch and at its end, with other workers."""
    whole, told = loop.train(flavour, recipe, training_set, prepared)
    forget(prepared)
    write = checkpoints.write

    def write_and_stop(folder, step, *rest):
        write(folder, step, *rest)
        if step == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "write", write_and_stop)
        loop.train(flavour, recipe, training_set, prepared, settings=Settings(checkpoint_every=1))
    torch.manual_seed(123)  # what happened to the global generator must not matter
    settings = Settings(workers={1: 1, 3: 2, 4: 0, 7: 2}[stop], checkpoint_every=1)
    continued, again = loop.train(flavour, recipe, training_set, prepared, settings=settings)
    assert same(weights(whole), weights(continued))
    assert again["loss"].tolist() == told["loss"].tolist()
    assert f"continuing after step {stop} from" in capsys.readouterr().out
    assert not prepared.checkpoints(NAME).exists()


@pytest.mark.parametrize("images", [7, 16])
def test_for_a_compiled_network_all_batches_are_as_large(recipe, images):
    full = list(batches.MicroBatches(images, replace(recipe, batch_size=6), 5, full=True))
    single = list(batches.MicroBatches(images, replace(recipe, batch_size=6), 5))
    assert {len(batch) for batch in full} == {6}
    assert [[key for key in batch if key.counts] for batch in full] == single


@pytest.mark.slow
def test_a_compiled_network_trains_stops_and_goes_on(
    flavour, recipe, training_set, prepared, monkeypatch, unaugmented
):
    """Its weights have the names of a network that is not compiled, and nearly its values.

    Compiled to torch's own operations, since to C++ takes minutes here.
    """
    compiled = functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", compiled)
    flavour, recipe = plain(flavour, recipe, epochs=2, learning_rate=0.01)
    expected = weights(loop.train(flavour, recipe, training_set, prepared)[0])
    forget(prepared)
    settings = Settings(compile=True)
    stopped(flavour, recipe, training_set, prepared, monkeypatch, settings=settings)
    (prepared.checkpoints(NAME) / "step-00000006").rename(prepared.logs / "away")
    trained, told = loop.train(flavour, recipe, training_set, prepared, settings=settings)
    assert told["images"].tolist() == [16, 16], "what fills a batch up does not count"
    assert weights(trained).keys() == expected.keys()
    kept = load_file(prepared.weights(NAME) / "model.safetensors")
    assert kept.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(kept[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_the_scaler_of_float16_goes_on_where_it_was(
    flavour, recipe, training_set, prepared, monkeypatch
):
    """Accelerate makes one on a GPU only; here one of the CPU stands in its place."""
    scalers, make = [], devices.accelerator

    def with_scaler(*how):
        made = make(*how)
        scalers.append(torch.amp.GradScaler("cpu", init_scale=64.0 * 2 ** len(scalers)))
        made.scaler = scalers[-1]
        return made

    monkeypatch.setattr(devices, "accelerator", with_scaler)
    stopped(flavour, recipe, training_set, prepared, monkeypatch)
    before = scalers[0].state_dict()
    stopped(flavour, recipe, training_set, prepared, monkeypatch)
    assert scalers[1].state_dict() == before
    assert before["scale"] == 64.0


def train_alone(values):
    """What a process of its own does: train a small Swin."""
    flavours.get = small_swin
    from_parameters.train(parameters.declared("2_train") | values)


def kill(process):
    """Kill a training, and after it the processes that load its images, which would wait on."""
    loaders = []
    with suppress(psutil.NoSuchProcess):  # it has just ended by itself
        loaders = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.join()
    for loader in loaders:
        with suppress(psutil.NoSuchProcess):
            loader.kill()


@pytest.mark.slow
def test_killed_ten_times_at_random_moments_it_ends_with_the_same_weights(prepared, tmp_path):
    """`kill -9`, also while a checkpoint is written: one is written after each step."""
    chosen = {
        "profile": "test",
        "flavour": NAME,
        "start": "none",
        "datasets": ["DemoLeopard"],
        "epochs": 15,  # so many steps that even on a fast machine ten kills come before the end
        "batch_size": 4,
        "checkpoint_every": 1,
    }

    def started(**changes):
        return forks.start(train_alone, chosen | changes, said=tmp_path)

    def run_to_its_end():
        process = started()
        process.join()
        assert process.exitcode == 0

    run_to_its_end()
    expected = (prepared.weights(NAME) / "model.safetensors").read_bytes()
    forget(prepared)
    (prepared.weights(NAME) / "model.safetensors").unlink()
    chance, kills = random.Random(0), 0
    while kills < 10 and not (prepared.weights(NAME) / export.STAMP).exists():
        before = {path.name for path in checkpoints.found(prepared.checkpoints(NAME))}
        process = started(workers=kills % 2)
        while process.is_alive():  # wait until it has done at least one step
            if {path.name for path in checkpoints.found(prepared.checkpoints(NAME))} != before:
                break
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        kill(process)
        kills += process.exitcode == -signal.SIGKILL
    run_to_its_end()
    assert kills == 10
    assert (prepared.weights(NAME) / "model.safetensors").read_bytes() == expected


def test_a_half_written_checkpoint_is_not_taken_for_one(flavour, recipe, training_set, prepared):
    half = prepared.checkpoints(NAME) / ".step-00000005.part1"
    half.mkdir(parents=True)
    (half / checkpoints.MODEL).write_bytes(b"half")
    loop.train(flavour, recipe, training_set, prepared)
    assert not half.exists()


@pytest.mark.parametrize("file", [checkpoints.MODEL, checkpoints.OPTIMIZER, checkpoints.STATE])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(
    flavour, recipe, training_set, prepared, monkeypatch, capsys, file, damage
):
    whole, _ = loop.train(flavour, recipe, training_set, prepared)
    forget(prepared)
    stopped(flavour, recipe, training_set, prepared, monkeypatch)
    before, last = checkpoints.found(prepared.checkpoints(NAME))
    if damage == "cut":
        os.truncate(last / file, (last / file).stat().st_size // 2)
    else:
        (last / file).unlink()
    capsys.readouterr()
    continued, _ = loop.train(flavour, recipe, training_set, prepared)
    said = capsys.readouterr().out
    assert f"{last.name} is damaged and removed" in said
    assert f"continuing after step 6 from {shown(before)}\n" in said
    assert same(weights(whole), weights(continued))


def test_with_all_checkpoints_damaged_it_starts_anew(
    flavour, recipe, training_set, prepared, monkeypatch, capsys
):
    stopped(flavour, recipe, training_set, prepared, monkeypatch)
    for checkpoint in checkpoints.found(prepared.checkpoints(NAME)):
        (checkpoint / checkpoints.OPTIMIZER).write_bytes(b"")
    loop.train(flavour, recipe, training_set, prepared)
    assert "starting at step 0" in capsys.readouterr().out


def stopped(flavour, recipe, training_set, prepared, monkeypatch, **arguments):
    """Leave a checkpoint behind."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(export, "write", raise_interrupt)
        loop.train(flavour, recipe, training_set, prepared, **arguments)


def raise_interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("changes", "seed", "rows", "told"),
    [
        ({"epochs": 4}, 0, slice(None), "epochs 4 instead of 3"),
        ({"margin": 0.3}, 0, slice(None), r"margin 0\.3 instead of 0\.2"),
        ({}, 1, slice(None), "seed 1 instead of 0"),
        ({}, 0, slice(1, None), "images 15 instead of 16"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_kept(
    flavour, recipe, training_set, prepared, monkeypatch, changes, seed, rows, told
):
    stopped(flavour, recipe, training_set, prepared, monkeypatch)
    changed, fewer = replace(recipe, **changes), training_set.iloc[rows]
    with pytest.raises(UserError, match=rf"{told}.*resume never"):
        loop.train(flavour, changed, fewer, prepared, seed=seed)
    assert checkpoints.found(prepared.checkpoints(NAME))
    loop.train(flavour, changed, fewer, prepared, seed=seed, settings=Settings(resume="never"))


def test_finished_weights_are_kept_until_something_changes(
    flavour, recipe, training_set, prepared, capsys, monkeypatch
):
    first, _ = loop.train(flavour, recipe, training_set, prepared)
    capsys.readouterr()
    second, told = loop.train(flavour, recipe, training_set, prepared)
    assert "kept" in capsys.readouterr().out
    assert same(weights(first), weights(second))
    assert len(told) == 3
    changed = replace(recipe, epochs=2)
    loop.train(flavour, changed, training_set, prepared)
    said = capsys.readouterr().out
    assert "weights of another training (epochs 2 instead of 3) will be replaced" in said
    assert "no checkpoint in" in said
    assert "starting at step 0" in said


@pytest.mark.parametrize(("scale", "trains"), [("pocket", True), ("published", False)])
def test_changed_code_trains_pocket_networks_anew_and_keeps_weights_that_took_days(
    flavour, recipe, training_set, prepared, capsys, monkeypatch, scale, trains
):
    flavour, recipe = replace(flavour, scale=scale), replace(recipe, epochs=1)
    loop.train(flavour, recipe, training_set, prepared)
    capsys.readouterr()
    monkeypatch.setattr(finished.stamp, "of_code", lambda module: "other code")
    loop.train(flavour, recipe, training_set, prepared)
    said = capsys.readouterr().out
    assert ("another training (code) will be replaced" in said) == trains
    assert ("by other code, kept" in said) != trains
    assert ("epoch   1/1" in said) == trains
    loop.train(flavour, recipe, training_set, prepared, settings=Settings(resume="never"))
    assert "epoch   1/1" in capsys.readouterr().out


def launch_training(options):
    """What one of the processes does that share a training of a small Swin.

    Stochastic depth draws other paths in every process, so it is left out of the comparison.
    """
    flavours.get = functools.partial(small_swin, drop_path_rate=0.0)
    sys.argv = ["launch", "train", *options]
    launch.main()
    print("processes:", PartialState().num_processes)


def trained_by(processes, options, said, work=launch_training):
    """Let several processes train together, as torchrun starts them; return what they say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared["OMP_NUM_THREADS"] = "1"  # else accelerate takes more, whose sums are rounded otherwise
    started = []
    for rank in range(processes):
        folder = said / f"{rank} of {processes}"
        folder.mkdir()
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank)} | shared
        started.append(forks.start(work, options, said=folder, **own))
    for process in started:
        process.join(120)
        process.kill()
    told, errors = (
        "".join(file.read_text() for file in said.glob(f"* of {processes}/{name}"))
        for name in ("stdout", "stderr")
    )
    assert [process.exitcode for process in started] == [0] * processes, errors[-2000:]
    return told


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [[3], [3, 5, 7]], ids=["3 in the last batch", "1 in it"])
def test_two_processes_give_the_weights_of_one(prepared, tmp_path, left_out):
    """Batches of 4: the last one cannot be divided by two, or leaves one process no image."""
    table = pd.read_csv(prepared.metadata("DemoLeopard"), index_col=0)
    table.drop(index=left_out).to_csv(prepared.metadata("DemoLeopard"))
    chosen = {
        "profile": "test",
        "flavour": NAME,
        "start": "none",
        "datasets": ["DemoLeopard"],
        "device": "cpu",
        "epochs": 2,
        "batch_size": 4,
        "accumulation_steps": 2,
    }
    options = [word for pair in chosen.items() for word in ("-p", pair[0], json.dumps(pair[1]))]
    found, flavour = [], small_swin()
    for processes in (1, 2):
        told = trained_by(processes, options, tmp_path)
        assert told.count(f"processes: {processes}") == processes
        for said in ("epoch   1/2", "starting at step 0"):
            assert told.count(said) == 1, "only one of them speaks"
        losses = history.read_history(flavour, prepared)["loss"].tolist()
        found.append((weights(networks.from_folder(prepared.weights(NAME), flavour)), losses))
        forget(prepared)
    (one, loss), (two, other) = found
    assert other == pytest.approx(loss, rel=1e-4)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def train_from_a_notebook():
    """Train in two processes, and again with a mistake.

    The parent sees two GPUs and so starts two processes; these see none, and take the processor.
    """
    parent = os.getpid()
    torch.cuda.device_count = lambda: 2 if os.getpid() == parent else 0
    chosen = {
        "profile": "test",
        "datasets": ["DemoLeopard"],
        "device": "cpu",
        "epochs": 1,
        "batch_size": 4,
        "validate_every": None,
        "resume": "never",
    }
    values = parameters.declared("2_train") | chosen
    _, told = from_parameters.train_on(2, values)
    print("images:", told["images"].tolist(), torch.cuda.is_initialized())
    try:
        from_parameters.train_on(2, values | {"on_bad_image": "ignore"})
    except UserError as error:
        print("told:", error)


@pytest.mark.slow
def test_a_notebook_starts_processes_and_reads_what_they_made(prepared):
    done = forks.run(train_from_a_notebook)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("epoch   1/1") == 1, "finished weights are read, not made again"
    assert "images: [16] False" in done.stdout
    assert "told: one of the processes failed" in done.stdout
    assert "error: unknown on_bad_image 'ignore'" in done.stderr


@pytest.mark.parametrize("size", [1, 2, 7, 16])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_each_batch_and_lose_and_double_nothing(recipe, size, processes):
    recipe = replace(recipe, batch_size=size, epochs=2)
    shares = [list(batches.MicroBatches(16, recipe, 5, 0, r, processes)) for r in range(processes)]
    single = list(batches.MicroBatches(16, recipe, 5))
    assert len({len(share) for share in shares}) == 1
    for place, batch in enumerate(single):
        parts = [share[place] for share in shares]
        assert len({len(part) for part in parts}) == 1
        counted = [key for part in parts for key in part if key.counts]
        assert sorted(counted) == sorted(batch)
    seen = [key.index for batch in single for key in batch]
    assert sorted(seen) == sorted(list(range(16)) * 2)
    assert seen[:16] != seen[16:]


def test_the_plan_goes_on_at_any_step(recipe):
    for accumulation in ("mean", "sum"):
        changed = replace(
            recipe, batch_size=3, accumulation_steps=2, accumulation=accumulation, epochs=3
        )
        whole = list(batches.MicroBatches(16, changed, 1))
        taken = 0
        for step in batches.steps(16, changed):
            assert list(batches.MicroBatches(16, changed, 1, step.number)) == whole[taken:]
            taken += len(step.micro_batches)


# --- What is written -----------------------------------------------------------------------------


def test_the_weights_folder_is_one_that_timm_loads_by_itself(
    flavour, recipe, training_set, prepared
):
    model, _ = loop.train(flavour, recipe, training_set, prepared)
    folder = prepared.weights(NAME)
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(pixels), model(pixels), rtol=0, atol=0)
    assert {path.name for path in folder.iterdir()} == set(export.NEEDED)
    config = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    assert config["interpolation"] == "bilinear"
    assert config["crop_mode"] == "squash"
    assert config["input_size"] == [3, 32, 32]
    assert config["mean"] == pytest.approx([0.485, 0.456, 0.406])
    # What timm makes of it prepares an image as inference does here.
    theirs = timm.data.create_transform(**timm.data.resolve_model_data_config(loaded))
    picture = images.load(prepared.images(256) / training_set["path"].iloc[0])
    torch.testing.assert_close(theirs(picture), tensors.inference_transform(flavour)(picture))


@pytest.mark.parametrize("moment", ["before the old ones go", "before the new ones get the name"])
def test_a_kill_while_weights_are_replaced_leaves_none_with_the_facts_of_others(
    flavour, recipe, training_set, prepared, monkeypatch, moment
):
    loop.train(flavour, recipe, training_set, prepared)
    other = replace(recipe, epochs=1)
    expected = weights(loop.train(flavour, other, training_set, prepared, seed=1)[0])
    old = weights(loop.train(flavour, recipe, training_set, prepared)[0])
    folder, remove, rename = prepared.weights(NAME), shutil.rmtree, pathlib.Path.replace

    def remove_or_die(path, *rest, **how):
        if path == folder and moment == "before the old ones go":
            raise KeyboardInterrupt
        remove(path, *rest, **how)

    def rename_or_die(path, target):
        if target == folder:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", remove_or_die)
        patch.setattr(pathlib.Path, "replace", rename_or_die)
        loop.train(flavour, other, training_set, prepared, seed=1)
    if moment == "before the old ones go":
        assert same(weights(networks.from_folder(folder, flavour)), old)
    else:
        assert not folder.exists()
    assert same(weights(loop.train(flavour, other, training_set, prepared, seed=1)[0]), expected)
    assert [path.name for path in folder.parent.iterdir()] == [NAME]


def test_the_model_card_says_what_was_trained(flavour, recipe, training_set, prepared):
    loop.train(flavour, recipe, training_set, prepared, seed=7)
    card = (prepared.weights(NAME) / "README.md").read_text()
    facts = json.loads((prepared.weights(NAME) / export.STAMP).read_text())
    assert card.startswith("---\nlibrary_name: timm\n")
    for told in (
        "# MegaDescriptor-T-224\n",
        "16 images of 4 individuals",
        f"`{facts['digest of the images']}`",
        "seed 7",
        "squeezed to 32 x 32",
        "| learning rate | 0.001 | 0.001 |",
        "| start | none | imagenet |",
        "| pretrained tag | none | ms_in1k |",
        "| optimiser | AdamW | SGD |",
        "| random crop | no | yes |",
        f"| DemoLeopard | 16 | 4 | `{proof.digest(training_set['image_id'])}` |",
        "hf-hub:",
        "## Licence",
    ):
        assert told in card, told
    assert "{" not in card


# --- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (slice(0, 0), {}, "two individuals or more"),
        (slice(0, 1), {}, "two individuals or more"),
        (slice(None), {"batch_size": 500}, "use 16 or less"),
        (
            slice(None),
            {"batch_size": 16, "accumulation_steps": 8, "accumulation": "sum"},
            "never takes a step",
        ),
    ],
)
def test_an_unfit_training_set_is_refused(
    flavour, recipe, training_set, prepared, rows, changes, message
):
    with pytest.raises(UserError, match=message):
        loop.train(flavour, replace(recipe, **changes), training_set.iloc[rows], prepared)
    assert not prepared.weights(NAME).exists()


def test_an_individual_with_one_image_may_be_trained_on(flavour, recipe, training_set, prepared):
    few = training_set.drop_duplicates("identity")
    for loss in flavours.LOSSES:
        changed = replace(recipe, batch_size=4, loss=loss, epochs=1)
        _, told = loop.train(flavour, changed, few, prepared)
        assert math.isfinite(told["loss"].iloc[0])
        forget(prepared)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_stops_or_is_left_out_by_choice(
    flavour, recipe, training_set, prepared, capsys, workers
):
    broken = prepared.images(256) / training_set["path"].iloc[5]
    broken.write_bytes(b"no image")
    with pytest.raises(UserError, match=rf"{broken.name}.*on_bad_image skip") as caught:
        loop.train(flavour, recipe, training_set, prepared, settings=Settings(workers=workers))
    assert "\n" not in str(caught.value)
    settings = Settings(workers=workers, on_bad_image="skip", resume="never")
    _, told = loop.train(flavour, recipe, training_set, prepared, settings=settings)
    said = capsys.readouterr().out
    assert said.count("left out, 1 by now: cannot read image") == 1, "named once, not each epoch"
    assert told["images"].tolist() == [15, 15, 15]
    assert np.isfinite(told["loss"]).all()


def test_a_missing_image_is_named_before_training_starts(flavour, recipe, training_set, prepared):
    gone = prepared.images(256) / training_set["path"].iloc[3]
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name} is missing"):
        loop.train(flavour, recipe, training_set, prepared)


def test_a_metadata_path_that_leaves_the_image_folder_is_refused(
    flavour, recipe, training_set, prepared
):
    training_set.loc[training_set.index[0], "path"] = "../../../secret.png"
    with pytest.raises(UserError, match="outside"):
        loop.train(flavour, recipe, training_set, prepared)


def test_a_loss_that_is_no_number_stops_with_step_rate_and_checkpoint(
    flavour, recipe, training_set, prepared
):
    flavour, wild = plain(flavour, recipe, learning_rate=1e9, epochs=30)
    with pytest.raises(
        UserError, match=r"at step \d+ with learning rate \S+; .*lower learning_rate"
    ):
        loop.train(flavour, wild, training_set, prepared)
    for checkpoint in checkpoints.found(prepared.checkpoints(NAME)):
        assert math.isfinite(checkpoints.read_state(checkpoint)["epochs"]["mean"]["total"])
        kept = list(load_file(checkpoint / checkpoints.MODEL).values())
        for of_one in checkpoints.read_optimizer(checkpoint)["state"].values():
            kept += filter(torch.is_tensor, of_one.values())
        assert all(tensor.isfinite().all() for tensor in kept)


def test_a_diverging_arcface_is_stopped(flavour, recipe, training_set, prepared):
    flavour = replace(flavour, network=flavour.network | {"drop_path_rate": 0.0})
    wild = replace(recipe, learning_rate=60.0, epochs=100, batch_size=16)
    with pytest.raises(UserError, match=r"the loss has grown from \S+ to \S+ at step 39 "):
        loop.train(flavour, wild, training_set, prepared)


def test_triplets_that_come_late_stop_nothing(flavour, recipe, training_set, prepared, capsys):
    """Of three images, many batches hold no two of one individual, and so no triplet."""
    changes = {"loss": "triplet", "triplet_mining": "all", "batch_size": 3, "epochs": 30}
    flavour, meant = plain(flavour, recipe, **changes)
    _, told = loop.train(flavour, meant, training_set, prepared)
    assert told["loss"].min() == 0
    assert told["loss"].max() > 0


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_when_memory_runs_out_a_smaller_batch_is_named(
    flavour, recipe, training_set, prepared, monkeypatch, error
):
    def fail(*_):
        raise error

    monkeypatch.setattr(loop.Trainee, "forward", fail)
    with pytest.raises(UserError, match="try batch_size 3 with accumulation_steps 2"):
        loop.train(flavour, recipe, training_set, prepared)


@pytest.mark.parametrize("place", [(loop.Trainee, "to"), (torch.optim.AdamW, "step")])
def test_memory_may_run_out_before_and_after_a_batch_too(
    flavour, recipe, training_set, prepared, monkeypatch, place
):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(*place, fail)
    with pytest.raises(UserError, match="out of memory with batch_size 6: try batch_size 3"):
        loop.train(flavour, recipe, training_set, prepared)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"batch_size": 64}, "batch_size 32 with accumulation_steps 2$"),
        ({"batch_size": 15}, "batch_size 5 with accumulation_steps 3$"),
        ({"batch_size": 7, "accumulation_steps": 2}, "batch_size 1 with accumulation_steps 14$"),
        ({"batch_size": 1}, "take a smaller flavour$"),
        (
            {"batch_size": 64, "accumulation": "sum", "optimizer": "SGD", "learning_rate": 0.001},
            "batch_size 32 with accumulation_steps 2 and learning_rate 0.0005$",
        ),
    ],
)
def test_the_advice_about_memory_keeps_the_recipe(recipe, changes, advice):
    with pytest.raises(UserError, match=advice), memory.memory_told(replace(recipe, **changes)):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_an_error_that_is_not_about_memory_is_not_hidden(
    flavour, recipe, training_set, prepared, monkeypatch
):
    def fail(*_):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(loop.Trainee, "forward", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        loop.train(flavour, recipe, training_set, prepared)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, r"no device 'gpu' here.*auto, cpu, cuda or mps"),
        ({"device": "cpu", "precision": "fp16"}, "fp16 needs a GPU"),
        ({"precision": "half"}, "unknown precision 'half'"),
    ],
)
def test_a_device_or_precision_that_is_not_to_be_had_is_named(
    flavour, recipe, training_set, prepared, settings, message
):
    with pytest.raises(UserError, match=message):
        loop.train(flavour, recipe, training_set, prepared, settings=Settings(**settings))


@pytest.mark.parametrize("wrong", [{"resume": "yes"}, {"on_bad_image": "ignore"}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(UserError, match="unknown"):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be greater than zero"),
        ({"loss": "arcfase"}, "did you mean 'arcface'"),
        ({"accumulation": "average"}, "valid are mean, sum"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        flavours.recipe(NAME, **changes)


def test_a_device_is_picked_without_opening_it(monkeypatch):
    """As on a machine with two GPUs: a process that has opened one cannot start others."""

    def open_it():
        raise AssertionError("the GPU was opened")

    monkeypatch.setattr(torch.cuda, "_lazy_init", open_it)
    monkeypatch.setattr(
        torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda")
    )
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert devices.pick_device("auto") == torch.device("cuda")
    assert devices.pick_device("cuda:1") == torch.device("cuda:1")
    assert devices.pick_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="no device 'cuda:2' here, but 2 of type cuda"):
        devices.pick_device("cuda:2")
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


def test_one_card_is_taken_where_it_is_named(monkeypatch, run):
    chosen = []
    monkeypatch.setattr(devices, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    devices.accelerator("cuda:1", "fp32", "none", run.logs)
    assert chosen == [torch.device("cuda:1")]
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="one card each"):
        devices.accelerator("cuda:1", "fp32", "none", run.logs)


def test_a_notebook_that_holds_a_gpu_cannot_share_it_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(UserError, match="restart its kernel"):
        from_parameters.train_on(2, {})


def test_triplets_are_not_looked_for_in_shares(recipe):
    batches.check_processes(replace(recipe, loss="triplet"), 1)
    with pytest.raises(UserError, match="train in one process"):
        batches.check_processes(replace(recipe, loss="triplet"), 2)


def test_several_processes_need_as_many_gpus():
    with pytest.raises(UserError, match="torchrun --nproc_per_node 99"):
        from_parameters.train_on(99, {})


def test_the_hub_holds_no_pocket_network():
    with pytest.raises(UserError, match="pocket-T is no released network") as told:
        beginning.starting_network(flavours.get("pocket-T"), "hub", 0)
    assert "\n" not in str(told.value)


def test_a_folder_without_a_network_is_named(flavour, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json in"):
        beginning.starting_network(flavour, str(tmp_path), 0)


def test_the_recipe_of_the_notebook_is_the_table_of_flavours():
    values = parameters.declared("2_train")
    assert from_parameters.recipe_of(values) == flavours.recipe("pocket-T")
    changed = from_parameters.recipe_of(values | {"flavour": NAME, "accumulation": "sum"})
    assert asdict(changed) == asdict(flavours.recipe(NAME)) | {"accumulation": "sum"}
    assert set(asdict(Settings())) <= set(values)


def test_splits_of_the_fixture_are_what_these_tests_assume(prepared):
    parts = read_metadata(prepared.metadata("DemoLeopard"))["split"].value_counts(dropna=False)
    assert parts.tolist() == [16, 4, 1]
