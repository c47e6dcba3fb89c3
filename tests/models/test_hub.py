"""Released weights by the hub's HTTP interface, from a stand-in that serves a small network."""

import pickle
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from megalib import flavours
from megalib.errors import UserError
from megalib.models import networks
from megalib.training import beginning

NAME = "BVRA/Test"


class Hub(BaseHTTPRequestHandler):
    """The part of the hub that a download asks for: what a file is, and the file."""

    def do_HEAD(self):
        """Tell size and digest of a file."""
        self.answer()

    def do_GET(self):
        """Send a file, or half of it where the server shall break off."""
        content = self.answer()
        if content is not None:
            broken = self.path.endswith(self.server.breaks)
            self.wfile.write(content[: len(content) // 2] if broken else content)
            self.close_connection = True

    def answer(self) -> bytes | None:
        """Send the headers; return the content of the file."""
        name = self.path.rpartition("/")[2]
        content = (
            self.server.files.get(name)
            if f"/{self.server.repository}/resolve/" in self.path
            else None
        )
        known = self.path == "/" or content is not None
        self.send_response(200 if known else 404)
        if not known:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{abs(hash(content)):040x}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        return content

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.breaks, server.repository = {}, "nothing", NAME
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    path = template[template.index("/{repo_id}") :]
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def released(flavour):
    """The tiny network as if it had been released."""
    return replace(flavour, hub_id=NAME)


@pytest.fixture
def folder(flavour, tmp_path) -> Path:
    """Files of a network with random weights, as a release has them."""
    folder = tmp_path / "release"
    folder.mkdir()
    networks.save(networks.untrained_network(flavour, 5), flavour, folder)
    return folder


def serve(hub, folder: Path, weights: str) -> None:
    """Put config.json and the weights on the hub, as safetensors or as the older pickle format."""
    hub.files["config.json"] = (folder / "config.json").read_bytes()
    if weights == "model.safetensors":
        hub.files[weights] = (folder / weights).read_bytes()
    else:
        torch.save(load_file(folder / "model.safetensors"), folder / weights)
        hub.files[weights] = (folder / weights).read_bytes()


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors"])
def test_released_weights_arrive_and_stay_in_the_cache(hub, folder, released, weights, monkeypatch):
    serve(hub, folder, weights)
    expected = networks.untrained_network(released, 5).state_dict()
    found = networks.from_hub(released).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    hub.files.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = networks.from_hub(released).state_dict()
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def test_weights_by_timm_arrive_and_stay_in_the_cache(hub, flavour, tmp_path, monkeypatch):
    """One of the networks that timm has for tests, with a head, which is left out."""
    names = {"architecture": "test_vit", "pretrained_tag": "r160_in1k"}
    baseline = replace(flavour, hub_id="", **names)
    hub.repository = "timm/test_vit.r160_in1k"
    expected = timm.create_model("test_vit").state_dict()
    save_file(expected, tmp_path / "model.safetensors")
    hub.files["model.safetensors"] = (tmp_path / "model.safetensors").read_bytes()
    for _ in range(2):
        found = networks.from_hub(baseline).state_dict()
        assert expected.keys() - found.keys() == {"head.weight", "head.bias"}
        assert all(torch.equal(found[name], expected[name]) for name in found)
        hub.files.clear()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_a_silent_hub_does_no_harm_once_weights_are_cached(hub, folder, released):
    serve(hub, folder, "model.safetensors")
    expected = networks.from_hub(released).state_dict()
    hub.shutdown()
    hub.server_close()
    again = networks.from_hub(released).state_dict()
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def one_line(released) -> str:
    with pytest.raises(UserError, match=f"cannot fetch the weights hf-hub:{NAME}") as caught:
        networks.from_hub(released)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_release_without_weights_is_told(hub, folder, released):
    serve(hub, folder, "model.safetensors")
    del hub.files["model.safetensors"]
    assert "config.json and model.safetensors" in one_line(released)
    assert "pytorch_model.bin" in one_line(released)


def test_weights_of_another_shape_are_told(hub, folder, released, flavour):
    serve(hub, folder, "model.safetensors")
    wide = replace(flavour, network=flavour.network | {"embed_dim": 16})
    networks.save(networks.untrained_network(wide, 0), wide, folder)
    hub.files["model.safetensors"] = (folder / "model.safetensors").read_bytes()
    assert "size mismatch" in one_line(released)


def test_an_interrupted_download_is_told_and_can_be_repeated(hub, folder, released, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # between the attempts of the hub's library
    serve(hub, folder, "model.safetensors")
    hub.breaks = "model.safetensors"
    one_line(released)
    hub.breaks = "nothing"
    expected = networks.untrained_network(released, 5).state_dict()
    found = networks.from_hub(released).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors"])
def test_a_folder_may_hold_either_format(folder, flavour, weights):
    expected = networks.untrained_network(flavour, 5).state_dict()
    if weights == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / weights)
        (folder / "model.safetensors").unlink()
    found = networks.from_folder(folder, flavour).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_folder_is_refused_in_one_line_where_it_does_not_fit(folder, flavour):
    def refused(wanted, message):
        with pytest.raises(UserError, match=message) as caught:
            networks.from_folder(folder, wanted)
        assert "\n" not in str(caught.value)

    refused(replace(flavour, architecture="resnet18"), "holds a swin_tiny.*is a resnet18")
    wide = replace(flavour, network=flavour.network | {"embed_dim": 16})
    refused(wide, "of another size than MegaDescriptor-T-224")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:1000])
    refused(flavour, r"cannot load the network of .*model\.safetensors: SafetensorError")
    (folder / "config.json").write_text("{")
    refused(flavour, "cannot load the network of .*JSONDecodeError")
    (folder / "model.safetensors").unlink()
    refused(flavour, r"no model\.safetensors in .*: name a folder")
    with pytest.raises(UserError, match="train this flavour first"):
        networks.from_folder(folder, flavour, networks.TRAIN_FIRST)


def test_a_starting_folder_is_told_with_the_digest_of_its_weights(folder, flavour):
    told = beginning.start_in_words(str(folder))
    networks.save(networks.untrained_network(flavour, 6), flavour, folder)
    assert beginning.start_in_words(str(folder)) != told
    assert beginning.start_in_words("hub") == "hub"


@pytest.mark.parametrize("name", list(flavours.BASELINES))
def test_the_baselines_of_the_table_can_be_built(name):
    """Of the size and normalisation that timm itself knows for these weights."""
    baseline = flavours.get(name)
    with torch.device("meta"):
        model = timm.create_model(baseline.architecture, num_classes=0)
        side = baseline.image_size
        assert model(torch.empty(1, 3, side, side)).shape == (1, model.num_features)
    known = timm.models.get_pretrained_cfg(f"{baseline.architecture}.{baseline.pretrained_tag}")
    assert known is not None
    assert known.input_size == (3, side, side)
    assert known.mean == pytest.approx(baseline.mean)
    assert known.std == pytest.approx(baseline.std)


class Danger:
    """An object whose pickle writes a file when it is opened carelessly."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_pickled_code_is_not_run(hub, folder, released, tmp_path):
    serve(hub, folder, "pytorch_model.bin")
    torch.save({"weight": Danger(tmp_path / "run")}, folder / "pytorch_model.bin")
    hub.files["pytorch_model.bin"] = (folder / "pytorch_model.bin").read_bytes()
    one_line(released)
    assert not (tmp_path / "run").exists()
    pickle.loads(pickle.dumps(Danger(tmp_path / "run")))  # carelessly, it would have run
    assert (tmp_path / "run").exists()


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][key], value) for key, value in states[1].items())


def test_the_released_network_is_taken_where_it_is_to_be_had(hub, folder, released, run):
    serve(hub, folder, "model.safetensors")
    chosen = networks.choose_network(released, "auto", run)
    assert chosen.flavour == released and "as released" in chosen.in_words
    assert same(chosen.model, networks.untrained_network(released, 5))


@pytest.mark.parametrize("name", ["pocket-T", "MegaDescriptor-T-224"])
def test_without_hub_and_cache_the_pocket_network_is_taken_and_said(hub, run, name):
    chosen = networks.choose_network(flavours.get(name), "auto", run)
    assert chosen.flavour.name == "pocket-T"
    assert "pocket-T with weights of ImageNet, since neither cache nor internet" in chosen.in_words
    assert same(chosen.model, networks.pretrained(flavours.get("pocket-T")))


def test_a_baseline_that_is_not_to_be_had_has_no_other(hub, released, run):
    with pytest.raises(UserError, match="cannot fetch the weights"):
        networks.choose_network(replace(released, name="Baseline"), "auto", run)
