"""Losses and weights that end a training."""

import json
import math
import pathlib

import pytest
import torch

from megalib.errors import UserError
from megalib.training import guard, progress


@pytest.fixture
def watched(recipe, tmp_path):
    """A guard over a network of one layer, whose optimiser has momentum, and that network."""
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
    return guard.Guard(recipe, optimizer, tmp_path), model


def observe(watching, totals):
    """Look at these losses of one image each, one by one, as with a checkpoint after each step."""
    for step, total in enumerate(totals):
        watching.watch([progress.Loss(step, total, 1)])


ENOUGH, FIRST = guard.JUDGE_EVERY, guard.FIRST_IMAGES


def test_nan_and_divergence_are_told_apart(watched):
    with pytest.raises(
        UserError, match=r"loss is nan at step 1 with learning rate 0\.5; there is no"
    ):
        observe(watched[0], [2.0, math.nan])


def test_divergence_is_judged_over_many_batches(watched):
    observe(watched[0], [2.0] * FIRST + [1.0, 4.0] * (ENOUGH // 2))
    with pytest.raises(UserError, match=r"grown from 2 to 3\.1 at step"):
        observe(watched[0], [3.1] * 2 * ENOUGH)


def test_a_start_without_a_loss_is_no_measure(watched):
    observe(watched[0], [0.0] * 3 + [2.0] * FIRST + [2.9] * ENOUGH)
    with pytest.raises(UserError, match=r"grown from 2 to 3\."):
        observe(watched[0], [3.1] * 2 * ENOUGH)


def test_a_guard_goes_on_where_it_was(watched, recipe):
    """Divergence is found at the same step, wherever the training was stopped before."""
    losses = [2.0] * FIRST + [9.0] * ENOUGH
    with pytest.raises(UserError) as whole:
        observe(watched[0], losses)
    for stop in (1, FIRST - 1, FIRST + 7):
        first, then = (guard.Guard(recipe, watched[0].optimizer, pathlib.Path()) for _ in "ab")
        first.watch(progress.Loss(step, total, 1) for step, total in enumerate(losses[:stop]))
        then.load_state_dict(json.loads(json.dumps(first.state_dict())))
        rest = [progress.Loss(stop + step, total, 1) for step, total in enumerate(losses[stop:])]
        with pytest.raises(UserError) as told:
            then.watch(rest)
        assert str(told.value) == str(whole.value)


def test_weights_that_are_no_numbers_are_not_kept(watched):
    watching, model = watched
    model(torch.ones(1, 1)).sum().backward()
    watching.optimizer.step()
    watching.check_weights(0, model)
    watching.optimizer.state[model.weight]["momentum_buffer"].fill_(math.inf)
    with pytest.raises(UserError, match="weights are no finite numbers at step 1 with"):
        watching.check_weights(1, model)
