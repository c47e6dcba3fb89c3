"""Too little memory never costs a photograph: fewer threads, smaller batches, or one line."""

import resource
import sys

import numpy as np
import psutil
import pytest
import torch

from megalib.data.catalogue import find
from megalib.data.loaders import OwnPictures
from megalib.data.preparing import cropping
from megalib.data.problems import read_problems
from megalib.errors import UserError
from megalib.files.places import Run
from megalib.models import networks, tensors
from megalib.retrieval import extraction
from megalib.training import memory
from tests import forks
from tests.conftest import prepare, write_image

CPU = torch.device("cpu")


@pytest.fixture
def owls(tmp_path):
    for number in range(12):
        write_image(tmp_path / "owls" / f"owl{number % 2}" / f"{number}.png", (90, 70), number)
    return find("Owls", {"Owls": str(tmp_path / "owls")})


def test_pictures_that_found_no_memory_beside_others_are_made_alone(owls, run, monkeypatch, capsys):
    read, starved = OwnPictures.get_image, set()

    def once_too_little(self, row):
        if row % 3 == 0 and row not in starved:
            starved.add(row)
            raise MemoryError
        return read(self, row)

    monkeypatch.setattr(OwnPictures, "get_image", once_too_little)
    assert len(prepare(owls, owls.own, run, [32])) == 12
    assert "too little memory for 1 threads, 4 pictures" in capsys.readouterr().out
    assert len(read_problems(run, "Owls")) == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("OpenCV(5) alloc.cpp: error: (-4:Insufficient memory) Failed to allocate 9"),
    ],
)
def test_without_memory_for_one_picture_it_stops_and_loses_nothing(owls, run, monkeypatch, error):
    def too_little(self, row):
        raise error

    with (
        monkeypatch.context() as patch,
        pytest.raises(UserError, match="too little memory") as told,
    ):
        patch.setattr(OwnPictures, "get_image", too_little)
        prepare(owls, owls.own, run, [32])
    assert "\n" not in str(told.value)
    assert not run.metadata("Owls").exists()
    assert len(prepare(owls, owls.own, run, [32])) == 12


def test_a_library_that_hides_too_little_memory_is_seen_through(owls, run, monkeypatch):
    """OpenCV gives nothing, as for a damaged picture, where memory does not suffice."""

    def nothing(self, row):
        raise TypeError("cannot convert None")

    monkeypatch.setattr(OwnPictures, "get_image", nothing)
    monkeypatch.setattr(cropping, "BYTES_A_PIXEL", 2**50)
    with pytest.raises(UserError, match=r"too little memory .*has 90 x 70 pixels"):
        prepare(owls, owls.own, run, [32])


def prepare_within(folder, mebibytes):
    """What a process does whose memory may only grow by so much."""
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + mebibytes * 2**20,) * 2)
    owls = find("Owls", {"Owls": str(folder)})
    try:
        print("prepared", len(prepare(owls, folder, Run("test"), [64])))
    except Exception as error:
        print(type(error).__name__, error)


@pytest.fixture(scope="module")
def large_owls(tmp_path_factory):
    """Four pictures of 12 megapixels."""
    folder = tmp_path_factory.mktemp("owls")
    for number in range(4):
        write_image(folder / f"owl{number % 2}" / f"{number}.jpg", (4000, 3000), number)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory that is kept")
@pytest.mark.parametrize("mebibytes", [60, 120, 250, 1000])
def test_under_a_real_limit_all_are_made_or_it_says_so(large_owls, run, mebibytes):
    done = forks.run(prepare_within, large_owls, mebibytes)
    last = done.stdout.strip().splitlines()[-1]
    assert last == "prepared 4" or last.startswith("UserError too little memory"), done
    assert mebibytes < 1000 or last == "prepared 4"
    assert run.metadata("Owls").exists() == (last == "prepared 4")


class Greedy(torch.nn.Module):
    """A network that finds memory for few images at a time."""

    num_features = 2

    def __init__(self, most: int) -> None:
        super().__init__()
        self.scale, self.most = torch.nn.Parameter(torch.ones(1)), most

    def forward(self, pixels):
        if len(pixels) > self.most:
            raise RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
            )
        return self.scale * pixels.flatten(1)[:, :2]


def test_an_extraction_goes_on_with_smaller_batches(flavour, prepared, capsys):
    folder = prepared.images(256) / "DemoLeopard" / "images"
    paths = sorted(path.name for path in folder.iterdir())
    gallery = tensors.ImageFiles(folder, paths, tensors.inference_transform(flavour))
    expected = extraction.extract(Greedy(64), gallery, CPU)
    found = extraction.extract(Greedy(3), gallery, CPU, batch_size=16)
    np.testing.assert_array_equal(found, expected)
    assert "going on with batches of 2 images" in capsys.readouterr().out
    with pytest.raises(UserError, match="too little memory for a single image"):
        extraction.extract(Greedy(0), gallery, CPU)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_one_line_however_it_is_loaded(flavour, prepared, workers):
    folder = prepared.images(256) / "DemoLeopard" / "images"
    (folder / "broken.png").write_bytes(b"no image")
    gallery = tensors.ImageFiles(folder, ["broken.png"], tensors.inference_transform(flavour))
    with pytest.raises(UserError, match=r"^cannot read image .*broken.png") as told:
        extraction.extract(networks.untrained_network(flavour, 0), gallery, CPU, workers=workers)
    assert "\n" not in str(told.value)


def test_a_killed_loader_is_told_in_one_line(recipe):
    lost = RuntimeError("DataLoader worker (pid(s) 17) exited unexpectedly")
    with pytest.raises(UserError, match="loads images was killed"), memory.memory_told(recipe):
        raise lost
