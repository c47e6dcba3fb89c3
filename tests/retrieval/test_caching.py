"""Features are kept, and taken again only where nothing that decided them has changed."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from megalib import flavours, stamp
from megalib.evaluation import results
from megalib.models import networks
from megalib.retrieval import caching, extraction, features
from tests import forks

NAME = "pocket-T"
CPU = torch.device("cpu")


def test_features_survive_their_file(tmp_path, capsys):
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    file, facts = tmp_path / "a.safetensors", {"precision": "fp32", "mean": [0.5, 0.5, 0.5]}
    features.save(file, rows, facts)
    np.testing.assert_array_equal(features.read(file), rows)
    np.testing.assert_array_equal(features.read(file, facts), rows)
    assert features.read(file, facts | {"precision": "bf16"}, "Owls") is None
    told = "is of other precision bf16 instead of fp32, its features are extracted again"
    assert capsys.readouterr().out.endswith(f"{told}\n")
    assert features.read(tmp_path / "b.safetensors") is None


def counted(monkeypatch):
    """How many images each call of `extract` embeds."""
    calls, extract = [], extraction.extract

    def count(model, images, *rest):
        calls.append(len(images))
        return extract(model, images, *rest)

    monkeypatch.setattr(extraction, "extract", count)
    return calls


def test_cached_features_are_taken_only_for_the_same_network_and_images(
    flavour, gallery, tmp_path, monkeypatch, capsys
):
    calls, file = counted(monkeypatch), tmp_path / "a.safetensors"
    model, other = networks.untrained_network(flavour, 0), networks.untrained_network(flavour, 1)
    first = caching.cached(file, model, flavour, gallery, CPU)
    np.testing.assert_array_equal(caching.cached(file, model, flavour, gallery, CPU), first)
    assert calls == [21]
    second = caching.cached(file, other, flavour, gallery, CPU)
    assert not np.allclose(first, second)
    changed = replace(flavour, mean=(0.5, 0.5, 0.5))
    caching.cached(file, other, changed, gallery, CPU)
    assert calls == [21, 21, 21]
    picture = gallery.folder / gallery.paths[3]
    picture.write_bytes(picture.read_bytes() + b" ")
    caching.cached(file, other, changed, gallery, CPU)
    caching.cached(file, other, changed, gallery, CPU, precision="bf16")
    assert calls == [21] * 5
    told = [line.partition(" is of other ")[2] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "weights, its features are extracted again",
        "mean [0.5, 0.5, 0.5] instead of [0.485, 0.456, 0.406], its features are extracted again",
        "images, its features are extracted again",
        "precision bf16 instead of fp32, its features are extracted again",
    ]


def test_statistics_of_batches_count_among_the_weights(gallery):
    flavour = flavours.get("pocket-T")
    model = networks.untrained_network(flavour, 0)
    before = caching.facts_of(model, flavour, gallery, "fp32")
    model.bn1.running_mean[3] += 1e-3
    after = caching.facts_of(model, flavour, gallery, "fp32")
    assert {name for name in before if before[name] != after[name]} == {"weights"}


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_damaged_cache_is_told_and_made_again(
    flavour, gallery, tmp_path, monkeypatch, capsys, damage
):
    calls, file = counted(monkeypatch), tmp_path / "a.safetensors"
    model = networks.untrained_network(flavour, 0)
    first = caching.cached(file, model, flavour, gallery, CPU)
    file.write_bytes(file.read_bytes()[:-9] if damage is None else damage)
    np.testing.assert_array_equal(caching.cached(file, model, flavour, gallery, CPU), first)
    assert "is damaged" in capsys.readouterr().out
    assert calls == [21, 21]


def test_an_extraction_that_was_stopped_goes_on(flavour, gallery, tmp_path, monkeypatch):
    model, file = networks.untrained_network(flavour, 0), tmp_path / "a.safetensors"
    whole = caching.cached(tmp_path / "whole.safetensors", model, flavour, gallery, CPU)
    monkeypatch.setattr(caching, "PART", 8)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        save = features.save

        def stop_at_the_second(path, *rest):
            if path.stem == "0000008":
                raise KeyboardInterrupt
            save(path, *rest)

        patch.setattr(features, "save", stop_at_the_second)
        caching.cached(file, model, flavour, gallery, CPU)
    calls = counted(monkeypatch)
    found = caching.cached(file, model, flavour, gallery, CPU)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert calls == [8, 5]
    kept = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    assert kept == ["a.safetensors", "whole.safetensors"]
    assert list(tmp_path.rglob(".*")) == []


@pytest.mark.slow
def test_two_processes_extract_the_features_of_one(prepared, tmp_path):
    """21 images among two processes: 11 and 10."""
    chosen = {"profile": "test", "datasets": ["DemoLeopard"], "device": "cpu", "flavour": NAME}
    model = networks.untrained_network(flavours.get(NAME), 3)
    networks.save(model, flavours.get(NAME), tmp_path / "weights")
    chosen |= {"weights": str(tmp_path / "weights"), "compare_untrained": False}
    options = [word for pair in chosen.items() for word in ("-p", pair[0], json.dumps(pair[1]))]
    found, command = [], ["megalib.book.launch", "infer", *options]
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    for started in (command, [*launcher, *command]):
        done = forks.run(forks.module, *started, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("test images right") == 1
        found.append(features.read(prepared.features(NAME, "DemoLeopard")))
        prepared.features(NAME, "DemoLeopard").unlink()
    assert found[0].shape == (21, model.num_features)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    assert list(prepared.folder.glob("features/*/*")) == []
    assert results.read(prepared, [NAME])["n_query"].tolist() == [4]


def test_images_are_divided_and_none_is_lost_or_doubled():
    for number in (1, 7, 8, 9, 21):
        for processes in (1, 2, 5):
            parts = caching._parts(number, processes, 8)
            assert [index for part in parts for index in part] == list(range(number))
            assert max(map(len, parts)) <= 8


def test_more_processes_than_images_do_no_harm(flavour, gallery, tmp_path, monkeypatch):
    """Thirty processes, 21 images: one after another here, the main one last."""
    model, file = networks.untrained_network(flavour, 0), tmp_path / "a.safetensors"
    calls = counted(monkeypatch)
    for process in reversed(range(30)):
        state = SimpleNamespace(num_processes=30, process_index=process)
        state.is_main_process, state.wait_for_everyone = process == 0, lambda: None
        monkeypatch.setattr(caching, "PartialState", lambda state=state: state)
        found = caching.cached(file, model, flavour, gallery, CPU)
        assert (found is None) == (process > 0)
    assert calls == [1] * 21
    np.testing.assert_allclose(found, extraction.extract(model, gallery, CPU), atol=1e-6)


def test_every_tensor_decides_and_files_without_a_stamp_are_made_again(
    flavour, gallery, tmp_path, capsys
):
    model = networks.untrained_network(flavour, 0)
    model.register_buffer("temperature", torch.tensor(1.0))
    facts = caching.facts_of(model, flavour, gallery, "fp32")
    model.temperature += 1
    other = caching.facts_of(model, flavour, gallery, "fp32")
    assert stamp.differences(facts, other) == "weights"
    file = tmp_path / "old.safetensors"
    for header in ({"key": "k"}, {"facts": "no JSON"}, None):
        save_file({"features": torch.ones(2, 3)}, file, header)
        assert features.read(file).shape == (2, 3)
        assert np.isnan(features.images_per_second(file, 2))
        assert features.read(file, facts) is None
        assert "does not say of which network and images it is" in capsys.readouterr().out
