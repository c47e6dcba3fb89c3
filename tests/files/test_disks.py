"""Whole or not at all on a full disk: after freeing, the results are those of a quiet run."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from megalib.data import images, training_set
from megalib.data.catalogue import find
from megalib.data.preparing import finished
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.writing import sweep, told_if_unwritable, whole_file, whole_folder, write_whole
from megalib.models import export, networks, tensors
from megalib.models.networks import from_folder
from megalib.retrieval import caching, extraction
from megalib.training import checkpoints, loop
from tests.conftest import prepare, write_image

CPU = torch.device("cpu")


class Disk:
    """A small disk of its own, which can be enlarged."""

    def __init__(self, folder: Path, kib: int) -> None:
        """Mount it."""
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        self.mounted = subprocess.run(command, capture_output=True).returncode == 0

    def enlarge(self) -> None:
        """Give it as much space as anything here needs."""
        command = ["mount", "-o", "remount,size=256m", str(self.folder)]
        subprocess.run(command, check=True)


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of so many KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    disks = []

    def mount(kib):
        disks.append(Disk(tmp_path / f"disk{len(disks)}", kib))
        if not disks[-1].mounted:
            pytest.skip("this system lets nobody mount")
        return disks[-1]

    yield mount
    for one in disks:
        if one.mounted:
            subprocess.run(["umount", str(one.folder)], check=True)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def told_in_one_line(work) -> bool:
    """Whether work was stopped by a full disk; any other error passes."""
    try:
        work()
    except UserError as error:
        assert "No space left on device" in str(error)
        assert "\n" not in str(error)
        return True
    return False


@pytest.fixture
def owls(tmp_path):
    for number in range(10):
        extension = ("jpg", "png")[number % 2]
        picture = tmp_path / "owls" / f"owl{number % 2}" / f"{number}.{extension}"
        write_image(picture, (120 + number, 90), number)
    return find("Owls", {"Owls": str(tmp_path / "owls")})


def test_a_preparation_that_met_a_full_disk_is_completed(owls, run, disk, monkeypatch):
    prepare(owls, owls.own, run, sizes=[50, 80])
    expected, stopped = files(run.folder), 0
    for kib in (16, 48, 80, 100, 120, 140, 160, 512):
        small = disk(kib)
        monkeypatch.setenv("MEGALIB_RUNS", str(small.folder))
        stopped += told_in_one_line(lambda: prepare(owls, owls.own, run, sizes=[50, 80]))
        small.enlarge()
        prepare(owls, owls.own, run, sizes=[50, 80])
        assert files(run.folder) == expected
    assert 4 <= stopped < 8


def test_a_training_that_met_a_full_disk_goes_on(
    flavour, recipe, prepared, disk, monkeypatch, tmp_path
):
    recipe, combined = replace(recipe, epochs=2), training_set.aggregate(prepared, ["DemoLeopard"])
    start, place = tmp_path / "start", prepared.folder
    shutil.copytree(place, start)
    whole, _ = loop.train(flavour, recipe, combined, prepared)
    stopped = 0
    for kib in (256, 500, 700, 900):
        small = disk(kib)
        monkeypatch.setenv("MEGALIB_RUNS", str(small.folder))
        shutil.copytree(start, prepared.folder)
        stopped += told_in_one_line(lambda: loop.train(flavour, recipe, combined, prepared))
        leftovers = [path for path in small.folder.rglob(".*") if path.is_dir()]
        assert leftovers == [], "a part that failed gives its space back"
        small.enlarge()
        loop.train(flavour, recipe, combined, prepared)
        trained = from_folder(prepared.weights(flavour.name), flavour).state_dict()
        assert all(torch.equal(trained[name], value) for name, value in whole.state_dict().items())
        assert list(prepared.folder.rglob(".*")) == []
    assert 0 < stopped < 4


def test_features_that_met_a_full_disk_are_extracted_again(flavour, prepared, disk, monkeypatch):
    paths = sorted(path.name for path in (prepared.images(256) / "DemoLeopard/images").iterdir())
    folder = prepared.images(256) / "DemoLeopard" / "images"
    gallery = tensors.ImageFiles(folder, paths, tensors.inference_transform(flavour))
    model = networks.untrained_network(flavour, 0)
    monkeypatch.setattr(caching, "PART", 6)
    small, extracted = disk(4), extraction.extract(model, gallery, CPU, batch_size=6)
    file = small.folder / "features" / "a.safetensors"
    assert told_in_one_line(lambda: caching.cached(file, model, flavour, gallery, CPU))
    small.enlarge()
    np.testing.assert_allclose(
        caching.cached(file, model, flavour, gallery, CPU), extracted, atol=1e-6
    )
    assert [path.name for path in file.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("kib", [0, 4, 16])
def test_what_fits_no_disk_is_told_by_every_way_of_writing(disk, kib):
    small = disk(max(kib, 4))
    data = os.urandom(64 * 1024)

    def to_file():
        with whole_file(small.folder / "table.csv") as temporary:
            temporary.write_bytes(data)

    def to_folder():
        with whole_folder(small.folder / "weights") as temporary:
            (temporary / "part").write_bytes(data)

    for write in (to_file, to_folder, lambda: write_whole(small.folder / "image.jpg", data)):
        assert told_in_one_line(write)
        assert list(small.folder.iterdir()) == []


def test_a_lock_on_a_full_disk_is_told_and_given_up(disk):
    small = disk(4)
    (small.folder / "filler").write_bytes(bytes(4096 - 1) if small.mounted else b"")

    def hold():
        with locks.held(small.folder / "weights", "training of owls", wait=False):
            pass

    assert told_in_one_line(hold)
    assert [path.name for path in small.folder.iterdir()] == ["filler"]
    small.enlarge()
    hold()


def test_the_error_of_a_writer_in_rust_is_told_as_the_systems():
    error = RuntimeError("Error while serializing: I/O error: No space left (os error 28)")
    with (
        pytest.raises(UserError, match=r"cannot write .*x: No space left on device"),
        told_if_unwritable(Path("x")),
    ):
        raise error
    with pytest.raises(RuntimeError), told_if_unwritable(Path("x")):
        raise RuntimeError("something else")


def damaged(data: bytes, how: str, share: float) -> bytes:
    place = int(share * (len(data) - 1))
    return {
        "cut": data[:place],
        "empty": b"",
        "zeros at the end": data[:place] + bytes(len(data) - place),
        "no image": b"x" * len(data),
    }[how]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    how=st.sampled_from(["cut", "empty", "zeros at the end", "no image"]),
    share=st.floats(0, 0.9),
    which=st.integers(0, 19),
)
def test_an_image_that_was_damaged_is_made_again(owls, run, how, share, which):
    prepare(owls, owls.own, run, sizes=[50, 80])
    expected = files(run.folder)
    image = sorted(path for path in run.images_root.rglob("*") if path.is_file())[which]
    image.write_bytes(damaged(image.read_bytes(), how, share))
    prepare(owls, owls.own, run, sizes=[50, 80])
    assert files(run.folder) == expected


def test_an_image_of_a_stopped_run_that_cannot_be_read_is_made_again(owls, run, monkeypatch):
    """A power cut can leave a name without its content, of which no record was made yet."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(finished, "complete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        prepare(owls, owls.own, run, sizes=[50])
    first, *others = sorted(path for path in run.images_root.rglob("*") if path.is_file())
    first.write_bytes(b"")
    before = {path: path.stat().st_mtime_ns for path in others}
    prepare(owls, owls.own, run, sizes=[50])
    images.load(first)
    assert {path: path.stat().st_mtime_ns for path in others} == before


def test_sound_images_are_not_looked_into_again(owls, run, monkeypatch):
    prepare(owls, owls.own, run, sizes=[50])
    read = []
    monkeypatch.setattr(finished, "load", read.append)
    monkeypatch.setattr(finished, "_content", read.append)
    prepare(owls, owls.own, run, sizes=[50])
    assert read == []


def test_leftovers_of_dead_processes_go_and_others_stay(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    ours, living, others = f".a.csv.part{dead.pid}", f".a.csv.part{os.getppid()}", ".a.csv.partx"
    for name in (living, others, ".ab.csv", f".b.csv.part{dead.pid}"):
        (tmp_path / name).touch()
    (tmp_path / ours).mkdir()
    (tmp_path / ours / "a.csv").touch()
    sweep(tmp_path / "a.csv")
    kept = {living, others, ".ab.csv", f".b.csv.part{dead.pid}"}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_weights_that_lack_a_file_are_trained_again(flavour, recipe, prepared, capsys):
    combined = training_set.aggregate(prepared, ["DemoLeopard"])
    whole, _ = loop.train(flavour, recipe, combined, prepared)
    folder = prepared.weights(flavour.name)
    for damage in (
        lambda: (folder / "model.safetensors").unlink(),
        lambda: (folder / export.STAMP).write_text("[1]"),
        lambda: (folder / export.STAMP).write_bytes(b"\xff\x00"),
    ):
        damage()
        again, _ = loop.train(flavour, recipe, combined, prepared)
        assert "it is trained again" in capsys.readouterr().out
        assert all(
            torch.equal(value, again.state_dict()[name])
            for name, value in whole.state_dict().items()
        )


@pytest.mark.parametrize("content", [None, "", "\n", "a,b\n1,2\n", "epoch\n"])
def test_a_history_that_is_lost_is_told_in_one_line(flavour, recipe, prepared, content):
    combined = training_set.aggregate(prepared, ["DemoLeopard"])
    loop.train(flavour, recipe, combined, prepared)
    file = prepared.history(flavour.name)
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(UserError, match=r"cannot read the history .*resume never"):
        loop.train(flavour, recipe, combined, prepared)


@pytest.mark.parametrize(
    "state", ["[]", "null", "7", '{"step": 3}', '{"step": "x", "facts": {}, "groups": []}', "\xff"]
)
def test_a_checkpoint_that_says_other_things_is_named_and_the_one_before_taken(
    tmp_path, state, capsys
):
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in (1, 2):
        checkpoints.write(tmp_path, step, model, optimizer, {"facts": {}})
    (tmp_path / "step-00000002" / checkpoints.STATE).write_text(state, encoding="latin-1")
    checkpoints.clean(tmp_path)
    assert [path.name for path in checkpoints.found(tmp_path)] == ["step-00000001"]
    assert "step-00000002 is damaged and removed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), OSError(5, "I/O error")]
)
def test_a_checkpoint_that_only_could_not_be_read_now_stays(
    flavour, recipe, prepared, monkeypatch, error
):
    """Too little memory or a disk that does not answer is no fault of the checkpoint."""
    combined = training_set.aggregate(prepared, ["DemoLeopard"])

    def fail(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(export, "write", lambda *_: 1 / 0)
        loop.train(flavour, recipe, combined, prepared)
    kept = checkpoints.found(prepared.checkpoints(flavour.name))
    for reader in ("load", "load_file", "read_optimizer"):
        with monkeypatch.context() as patch, pytest.raises(UserError):
            patch.setattr(checkpoints, reader, fail)
            loop.train(flavour, recipe, combined, prepared)
        assert checkpoints.found(prepared.checkpoints(flavour.name)) == kept != []
