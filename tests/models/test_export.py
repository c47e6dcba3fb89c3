"""Weights to and from the Hugging Face hub, by a local stand-in of its HTTP interface."""

import base64
import json
import socket
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from megalib import flavours
from megalib.data import training_set
from megalib.errors import UserError
from megalib.models import export, networks
from megalib.training import loop

NAME = "MegaDescriptor-T-224"


class Hub(BaseHTTPRequestHandler):
    """The part of the hub that an upload asks for: make a repository, say how, commit."""

    def do_POST(self):
        """Answer as the hub does, and keep what was committed."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.path)
        if self.headers.get("Authorization") != "Bearer secret":
            return self.reply({"error": "Invalid credentials"}, 401)
        if self.path == "/api/repos/create":
            name = json.loads(body)["name"]
            return self.reply({"url": f"{self.server.address}/me/{name}", "name": f"me/{name}"})
        if self.path == "/api/validate-yaml":
            return self.reply({"errors": [], "warnings": []})
        if self.path.endswith("/preupload/main"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self.reply({"files": files})
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                self.server.files[entry["value"]["path"]] = content
        address = f"{self.server.address}/me/owls/commit/0"
        return self.reply({"commitUrl": address, "commitOid": "0", "success": True})

    def reply(self, content, status=200):
        """Send JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address, server.files, server.asked = f"http://127.0.0.1:{server.server_port}", {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=[NAME, "pocket-T"])
def trained(request, flavour, recipe, prepared):
    flavour = flavour if request.param == NAME else flavours.get("pocket-T")
    metadata = training_set.aggregate(prepared, ["DemoLeopard"])
    loop.train(flavour, replace(recipe, epochs=1), metadata, prepared)
    return prepared.weights(flavour.name)


def test_a_weights_folder_is_pushed_whole(trained, hub):
    (trained / "notes.txt").write_text("not for others")
    address = export.push(trained, "me/owls", hub.address, "secret")
    assert address.endswith("/me/owls/commit/0")
    assert hub.files == {name: (trained / name).read_bytes() for name in export.NEEDED}
    assert hub.asked[0] == "/api/repos/create"


def test_a_hub_that_refuses_is_told_in_one_line(trained, hub):
    with pytest.raises(UserError, match=r"cannot push .* to me/owls: .*401") as caught:
        export.push(trained, "me/owls", hub.address, "wrong")
    assert "\n" not in str(caught.value)
    assert hub.files == {}


def test_a_hub_that_is_not_there_is_told(trained):
    with pytest.raises(UserError, match="cannot push"):
        export.push(trained, "me/owls", "http://127.0.0.1:9", "secret")


def test_a_folder_that_is_not_complete_is_not_pushed(tmp_path, hub):
    (tmp_path / "config.json").touch()
    with pytest.raises(UserError, match=r"lacks model\.safetensors, README\.md, training\.json"):
        export.push(tmp_path, "me/owls", hub.address, "secret")
    assert hub.asked == []


def test_a_hub_that_accepts_and_stays_silent_is_given_up_within_seconds(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        began = time.monotonic()
        with pytest.raises(UserError, match=f"no answer from {address}"):
            networks.pretrained(flavours.get(NAME))
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("fetch", [networks.pretrained, networks.from_hub])
def test_without_a_network_the_wanted_file_and_the_way_out_are_named(fetch, monkeypatch):
    """Nothing answers at this address, so this is what a machine without a network sees."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"hf-hub:\S+T-224|swin_tiny\S+ .*folder") as caught:
        fetch(flavours.get(NAME))
    assert "folder" in str(caught.value)
    assert "\n" not in str(caught.value)
