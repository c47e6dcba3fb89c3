"""What a checkpoint keeps, and what becomes of one that cannot be read."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from megalib.training import checkpoints


def test_checkpoints_are_readable_and_only_the_last_few_stay(tmp_path):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    for step in range(5):
        checkpoints.write(tmp_path, step, model, optimizer, {"note": step}, keep=2)
    kept = checkpoints.found(tmp_path)
    assert [path.name for path in kept] == ["step-00000003", "step-00000004"]
    files = {path.name for path in kept[-1].iterdir()}
    assert files == set(checkpoints.FILES)
    assert json.loads((kept[-1] / "state.json").read_text())["note"] == 4
    other = torch.nn.Linear(3, 2)
    restored = torch.optim.AdamW(other.parameters(), 0.5)
    checkpoints.load(kept[-1], other, restored)
    for network, rule in ((model, optimizer), (other, restored)):
        network.zero_grad()
        network(torch.full((1, 3), 2.0)).sum().backward()
        rule.step()
    for left, right in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.fixture
def checkpoint(tmp_path):
    """A small one that is whole."""
    model = torch.nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    written = checkpoints.write(tmp_path / "checkpoints", 3, model, optimizer, {"facts": {}})
    checkpoints.clean(written.parent)
    assert written.exists()
    return written


@pytest.mark.parametrize("file", checkpoints.FILES)
def test_cut_off_anywhere_it_is_seen_to_be_damaged(checkpoint, file):
    whole = (checkpoint / file).read_bytes()
    end = len(whole) - 1  # without its last line end, JSON is whole
    for length in {*range(0, end, 7), *range(max(0, end - 30), end)}:
        (checkpoint / file).write_bytes(whole[:length])
        assert checkpoints._damage(checkpoint), length
    (checkpoint / file).write_bytes(whole)
    assert checkpoints._damage(checkpoint) is None


def test_one_of_an_older_form_is_named_and_removed(checkpoint, capsys):
    (checkpoint / checkpoints.OPTIMIZER).unlink()
    save_file({"0.step": torch.ones(1)}, checkpoint / "optimizer.safetensors")
    checkpoints.clean(checkpoint.parent)
    assert "step-00000003 is damaged and removed: it lacks optimizer.pt" in capsys.readouterr().out
    assert not checkpoint.exists()


class Danger:
    """An object whose pickle writes a file when it is opened carelessly."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_code_in_the_state_of_an_optimiser_is_not_run(checkpoint, tmp_path, capsys):
    torch.save({"state": Danger(tmp_path / "run")}, checkpoint / checkpoints.OPTIMIZER)
    checkpoints.clean(checkpoint.parent)
    assert "is damaged and removed: UnpicklingError" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
