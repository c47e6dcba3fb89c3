"""Each rule of the preparation against an independent computation on small pictures."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torchvision.transforms import Resize

from megalib.data import loaders, preparation, proof, raw_data
from megalib.data.catalogue import CATALOGUE, Dataset, find
from megalib.data.metadata import read_metadata
from megalib.data.preparing import cropping, finished, making
from megalib.data.problems import read_problems
from megalib.data.wildlife import datasets as wildlife
from megalib.errors import UserError
from megalib.files.places import ROOT, Run
from tests import forks
from tests.conftest import SHARED, needs_shared, prepare, write_image


def resized(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """Shorter side to that length, aspect kept and rounded down, bilinear with antialiasing."""
    height, width = pixels.shape[:2]
    if width <= height:
        size = (shorter, int(shorter * height / width))
    else:
        size = (int(shorter * width / height), shorter)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


class Boxed(wildlife.WildlifeDataset):
    """Two animals in one picture, one alone; each has a box."""

    def create_catalogue(self):
        return pd.DataFrame(
            {
                "image_id": ["a1", "a2", "b1"],
                "identity": ["Ada", "Bo", "Ada"],
                "path": ["p/one.png", "p/one.png", "p/two.png"],
                "bbox": [[2, 3, 20, 10], [15, 0, 12, 24], [0, 0, 30, 24]],
            }
        )


class OnBlack(wildlife.WildlifeDataset):
    """An animal segmented on black."""

    def create_catalogue(self):
        return pd.DataFrame(
            {"image_id": ["1", "2"], "identity": ["A", "A"], "path": ["1.png", "2.png"]}
        )


class Masked(wildlife.WildlifeDataset):
    """A picture and its mask in another file."""

    def create_catalogue(self):
        return pd.DataFrame(
            {
                "image_id": [1, 2],
                "identity": ["A", "A"],
                "path": ["image1.png", "image2.png"],
                "segmentation": ["mask.png", "mask.png"],
            }
        )


def entry(monkeypatch, loader, **facts) -> Dataset:
    monkeypatch.setattr(wildlife, loader.__name__, loader, raising=False)
    return Dataset(name=loader.__name__, loader_name=loader.__name__, keeps_date=False, **facts)


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_boxes_are_cut_out_and_two_animals_become_two_images(tmp_path, run, monkeypatch):
    for number, name in enumerate(["one", "two"]):
        write_image(tmp_path / "p" / f"{name}.png", (30, 24), number)
    dataset = entry(monkeypatch, Boxed, crop="bbox")
    metadata = prepare(dataset, tmp_path, run, sizes=[8, 16])
    assert metadata["path"].tolist() == ["p/one_a1.png", "p/one_a2.png", "p/two_b1.png"]
    source = pixels(tmp_path / "p" / "one.png")
    for size in (8, 16):
        first, second = (pixels(run.images(size, "Boxed") / path) for path in metadata["path"][:2])
        np.testing.assert_array_equal(first, resized(source[3:13, 2:22], size))
        np.testing.assert_array_equal(second, resized(source[0:24, 15:27], size))


class Crowded(Boxed):
    """Two animals in one picture, none with a box, as in ATRW."""

    def create_catalogue(self):
        return super().create_catalogue().drop(columns="bbox")


def test_without_boxes_each_animal_of_a_picture_gets_the_whole_picture(tmp_path, run, monkeypatch):
    for number, name in enumerate(["one", "two"]):
        write_image(tmp_path / "p" / f"{name}.png", (30, 24), number)
    metadata = prepare(entry(monkeypatch, Crowded, crop="full"), tmp_path, run, sizes=[8, 16])
    assert metadata["path"].tolist() == ["p/one_a1.png", "p/one_a2.png", "p/two_b1.png"]
    for size in (8, 16):
        for name, path in zip(["one", "one", "two"], metadata["path"], strict=True):
            expected = resized(pixels(tmp_path / "p" / f"{name}.png"), size)
            np.testing.assert_array_equal(pixels(run.images(size, "Crowded") / path), expected)


def test_the_black_margin_is_cut_off(tmp_path, run, monkeypatch):
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[6:21, 10:34] = np.random.default_rng(0).integers(1, 255, (15, 24, 3))
    for name in ("1.png", "2.png"):
        Image.fromarray(picture).save(tmp_path / name)
    dataset = entry(monkeypatch, OnBlack, crop="crop_black")
    metadata = prepare(dataset, tmp_path, run, sizes=[10])
    # wildlife-datasets takes the last row and column that are not black as the end of the box,
    # and so leaves them out.
    expected = resized(picture[6:20, 10:33], 10)
    np.testing.assert_array_equal(pixels(run.images(10, "OnBlack") / metadata["path"][0]), expected)


def test_a_mask_is_applied_before_the_cut_and_names_are_kept(tmp_path, run, monkeypatch):
    for number in (1, 2):
        write_image(tmp_path / f"image{number}.png", (40, 30), number)
    mask = np.zeros((30, 40, 3), np.uint8)
    mask[5:20, 8:30] = 255
    mask[5:8, 8:12] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    dataset = entry(monkeypatch, Masked, crop="mask_then_crop_black", unique_file_name=False)
    metadata = prepare(dataset, tmp_path, run, sizes=[12])
    assert metadata["path"].tolist() == ["image1.png", "image2.png"]
    source = pixels(tmp_path / "image1.png")
    blackened = np.where(mask > 0, source, 0).astype(np.uint8)
    expected = resized(blackened[5:19, 8:29], 12)
    np.testing.assert_array_equal(pixels(run.images(12, "Masked") / "image1.png"), expected)


def test_every_published_rule_is_one_that_prepare_knows():
    rules = {"full", "bbox", "crop_black", "mask_then_crop_black"}
    assert {dataset.crop for dataset in CATALOGUE.values()} == rules
    for dataset in CATALOGUE.values():
        assert loaders.loader_of(dataset)


def as_published(picture: Path, folder: Path, size: int, name: str) -> bytes:
    """The bytes that the public `prepare_data.py` writes: its calls, one picture, one size."""
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    target = folder / f"{size}-{name}"
    Resize(size)(Image.fromarray(pixels)).save(target)
    return target.read_bytes()


RAW = [name for name in CATALOGUE if loaders.is_there(find(name), SHARED / "data")]


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("name", RAW)
def test_raw_images_become_the_published_metadata_and_the_bytes_of_the_public_code(
    name, run, tmp_path
):
    """All metadata, and the bytes of sixty images spread over the dataset."""
    dataset = find(name)
    folder = raw_data.fetch(dataset, SHARED / "data", download=False)
    metadata = prepare(dataset, folder, run, sizes=[16])
    told = proof.compare_with_published(name, metadata, run.metadata(name))
    assert told.startswith("Identical")
    assert told.endswith("byte for byte.")
    assert all((run.images(16, name) / path).is_file() for path in metadata["path"])
    if dataset.crop != "full":
        return
    sample = read_metadata(run.metadata(name)).iloc[:: len(metadata) // 60]
    assert len(sample) >= 60
    prepare(dataset, folder, run, [256, 518], published_metadata=sample)
    raw = loaders.open_raw(dataset, folder).df.set_index("image_id")["path"]
    for row in sample.itertuples():
        for size in (256, 518):
            made = run.images(size, name) / row.path
            expected = as_published(folder / raw[row.image_id], tmp_path, size, made.name)
            assert made.read_bytes() == expected, made


def test_a_folder_without_images_is_refused_and_nothing_is_written(tmp_path, run):
    (tmp_path / "LionData").mkdir()
    (tmp_path / "LionData" / "readme.txt").write_text("no picture here")
    folder = raw_data.fetch(find("LionData"), tmp_path, download=False)
    with pytest.raises(UserError, match="LionData"):
        prepare(find("LionData"), folder, run)
    assert not run.folder.exists()


@pytest.mark.parametrize("sizes", [[], [0], [256, -1]])
def test_sizes_that_are_none_are_refused(run, sizes):
    with pytest.raises(UserError, match="sizes"):
        preparation.prepare(find("LionData"), None, run, sizes)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("images"),
        lambda record: record.update(images=None),
        lambda record: record.update(images=["a"]),
        lambda record: record.update(images=dict.fromkeys(record["images"], 7)),
        lambda record: record.update(images=7, rule=record["rule"]),
    ],
)
def test_a_damaged_record_counts_as_none(pets, run, change):
    first = made_of(run, pets)
    record = json.loads(run.prepared_by("Pets").read_text())
    change(record)
    run.prepared_by("Pets").write_text(json.dumps(record))
    assert made_of(run, pets) == first
    for text in ("", "[]", "[" * 10**5, "\0", "7"):
        run.prepared_by("Pets").write_text(text)
        assert made_of(run, pets) == first


THIN = """
import resource, sys
from pathlib import Path
from megalib.data import loaders, preparation
from megalib.data.catalogue import find
from megalib.files.places import Run
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
thin = find("Thin", {"Thin": sys.argv[1]})
preparation.prepare(thin, loaders.open_raw(thin, Path(sys.argv[1])), Run("test"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_thin_picture_is_a_problem_and_takes_no_memory(tmp_path, run):
    folder = tmp_path / "thin" / "Ada"
    for number in range(2):
        write_image(folder / f"{number}.png", (40, 30), number)
    for name, size in (("high", (1, 20_000)), ("wide", (20_000, 1)), ("just", (10, 600))):
        folder.joinpath(f"{name}.png").parent.mkdir(exist_ok=True)
        Image.new("RGB", size).save(folder / f"{name}.png")
    command = [sys.executable, "-c", THIN, str(tmp_path / "thin")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(result.stdout.split()[-1]) < 1_000_000  # KiB; it was 26 times as much
    problems = read_problems(run, "Thin").set_index("raw_path")["reason"]
    assert problems.to_dict() == {
        f"Ada/{name}.png": f"too thin: of {size} pixels, the longer side would become {length}, "
        "and 30000 are the most"
        for name, size, length in (
            ("high", "1 x 20000", 10_360_000),
            ("wide", "20000 x 1", 10_360_000),
            ("just", "10 x 600", 31_080),
        )
    }


def test_a_thin_box_is_a_problem(tmp_path, run):
    write_image(tmp_path / "a.png", (200, 150), 0)
    rows = ['a.png,Ada,"0,0,200,1"', 'a.png,Ada,"0,0,200,100"', 'a.png,Ada,"0,0,190,100"']
    rows.append('a.png,Ada,"0,0,0.2,9"')
    (tmp_path / "pets.csv").write_text("\n".join(["path,identity,bbox", *rows]))
    pets = find("Pets", {"Pets": str(tmp_path / "pets.csv")})
    assert len(prepare(pets, tmp_path, run, [256])) == 2
    reasons = sorted(read_problems(run, "Pets")["reason"])
    assert reasons[0] == "line 5: the box is smaller than a pixel"
    assert reasons[1].startswith("too thin: of 200 x 1 pixels")


def test_the_bound_of_pixels_is_set_before_opencv_is_imported():
    code = "import megalib, os, sys; print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'], *sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("OPENCV_IO_MAX_IMAGE_PIXELS", None)
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    bound, *modules = result.stdout.split()
    assert bound == "250000000"
    assert "cv2" not in modules


def test_pictures_of_too_many_pixels_are_listed(tmp_path, run):
    for number in range(2):
        write_image(tmp_path / "Ada" / f"{number}.png", (40, 30), number)
    (tmp_path / "Ada" / "huge.png").write_bytes(huge_png(16_000, 16_000))
    Image.new("1", (2**20 + 1, 1)).save(tmp_path / "Ada" / "long.bmp")
    pets = find("Pets", {"Pets": str(tmp_path)})
    prepare(pets, tmp_path, run, [16])
    problems = read_problems(run, "Pets").set_index("raw_path")["reason"]
    assert problems.to_dict() == {
        "Ada/huge.png": "more than 250 million pixels",
        "Ada/long.bmp": "a longer side than OpenCV reads",
    }


def huge_png(width: int, height: int) -> bytes:
    """A PNG file whose header promises more pixels than anybody can hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def zoo(tmp_path):
    """One animal in every kind of file, good and bad, in a folder of one's own."""
    folder = tmp_path / "zoo" / "Ada"
    write_image(folder / "plain.jpg", (40, 30), 1)
    picture = Image.open(folder / "plain.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("P").save(folder / "palette.png")
    alpha = np.full((30, 40), 128, np.uint8)
    alpha[:9] = 0
    Image.fromarray(np.dstack([np.asarray(picture), alpha])).save(folder / "alpha.png")
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 251
    Image.fromarray(deep).save(folder / "16.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(folder / "turned.jpg", exif=turned)
    picture.save(folder / "turned.png", exif=turned)
    whole = (folder / "plain.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[:-150])
    picture.save(folder / "whole.png")
    (folder / "truncated.png").write_bytes((folder / "whole.png").read_bytes()[:300])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no image")
    (folder / "huge.png").write_bytes(huge_png(60000, 60000))
    return find("Zoo", {"Zoo": str(tmp_path / "zoo")})


# How each lossless file is to be read, by Pillow alone.
def on_black(values: np.ndarray) -> np.ndarray:
    return ((values[..., :3] * values[..., 3:] + 127) // 255).astype(np.uint8)


PIXELS = {
    "palette.png": lambda image: np.asarray(image.convert("RGB")),
    "alpha.png": lambda image: on_black(np.asarray(image).astype(int)),
    "16.png": lambda image: np.dstack(
        [(np.asarray(image) / 65535 * 255).round().astype(np.uint8)] * 3
    ),
    "turned.png": lambda image: np.rot90(np.asarray(image), -1),  # as the EXIF tag wants it
    "whole.png": np.asarray,
}


def test_every_kind_of_file_is_read_as_wildlife_datasets_does_or_listed(zoo, run, capsys):
    metadata = prepare(zoo, zoo.own, run, sizes=[16])
    problems = read_problems(run, "Zoo").set_index("raw_path")["reason"].to_dict()
    assert problems == {
        "Ada/empty.jpg": "file is empty",
        "Ada/huge.png": "more than 250 million pixels",
        "Ada/text.jpg": "not readable as an image",
        "Ada/truncated.png": "not readable as an image",
    }
    told = capsys.readouterr()
    assert "10 images prepared; 4 could not be, see" in told.out
    assert re.search(r"14/14 \[\d\d:\d\d<\d\d:\d\d, .*image/s\]", told.err)  # time left, and rate
    source = loaders.open_raw(zoo, zoo.own).df.set_index("image_id")["path"]
    made = {
        Path(source[row.image_id]).name: Image.open(run.images(16, "Zoo") / row.path)
        for row in metadata.itertuples()
    }
    for name, expected in PIXELS.items():
        image = np.ascontiguousarray(expected(Image.open(zoo.own / "Ada" / name)))
        np.testing.assert_array_equal(np.asarray(made.pop(name)), resized(image, 16), err_msg=name)
    plain = resized(pixels(zoo.own / "Ada" / "plain.jpg"), 16).astype(float)
    turned = np.rot90(pixels(zoo.own / "Ada" / "turned.jpg"), -1)
    expected = {
        "plain.jpg": plain,
        "grey.jpg": np.dstack([plain @ [0.299, 0.587, 0.114]] * 3),
        "cmyk.jpg": plain,
        "turned.jpg": resized(np.ascontiguousarray(turned), 16),
        "truncated.jpg": plain,
    }
    assert set(made) == set(expected)
    for name, image in made.items():
        assert image.mode == "RGB"
        difference = np.abs(np.asarray(image).astype(float) - expected[name])
        if name == "truncated.jpg":  # read as far as it goes, the rest is grey
            assert np.abs(np.asarray(image)[-1, -5:].astype(float) - 128).max() < 9
            difference = difference[:6]
        assert difference.mean() < 6, name


def test_a_picture_that_ends_early_is_named(zoo, run, capsys):
    prepare(zoo, zoo.own, run, sizes=[16])
    line = "Zoo: 1 pictures end early, the rest of them is grey: Ada/truncated.jpg"
    assert line in capsys.readouterr().out


def test_a_file_that_may_not_be_read_is_listed_as_such(zoo, run, monkeypatch):
    locked, allowed = zoo.own / "Ada" / "text.jpg", os.access
    monkeypatch.setattr(
        cropping.os, "access", lambda path, mode: path != locked and allowed(path, mode)
    )
    prepare(zoo, zoo.own, run, sizes=[16])
    problems = read_problems(run, "Zoo").set_index("raw_path")["reason"]
    assert problems["Ada/text.jpg"] == "file may not be read: give yourself the permission"


def test_if_no_image_can_be_read_there_is_no_metadata(tmp_path, run):
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Ada" / "empty.jpg").touch()
    zoo = find("Zoo", {"Zoo": str(tmp_path)})
    with pytest.raises(UserError, match="none of the 1 images of Zoo could be prepared"):
        prepare(zoo, tmp_path, run, sizes=[16])
    assert not run.metadata("Zoo").exists()


def test_a_picture_of_two_animals_is_decoded_once(tmp_path, run, monkeypatch):
    for number, name in enumerate(["one", "two"]):
        write_image(tmp_path / "p" / f"{name}.png", (30, 24), number)
    read = []
    load = wildlife.utils.load_image
    monkeypatch.setattr(wildlife.utils, "load_image", lambda path: read.append(path) or load(path))
    prepare(entry(monkeypatch, Boxed, crop="bbox"), tmp_path, run, sizes=[8, 16, 20])
    assert sorted(Path(path).name for path in read) == ["one.png", "two.png"]


def test_finished_images_are_kept_and_changed_pictures_are_made_again(zoo, run, capsys):
    first = prepare(zoo, zoo.own, run, sizes=[16])
    before = {path: path.stat().st_mtime_ns for path in run.images(16, "Zoo").rglob("*.*")}
    capsys.readouterr()
    second = prepare(zoo, zoo.own, run, sizes=[16])
    assert "10 images prepared, 10 of them by an earlier run; 4 could" in capsys.readouterr().out
    pd.testing.assert_frame_equal(first, second)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    write_image(zoo.own / "Ada" / "plain.jpg", (40, 30), 2)
    prepare(zoo, zoo.own, run, sizes=[16])
    again = [path.name for path, old in before.items() if path.stat().st_mtime_ns != old]
    assert len(again) == 1
    assert again[0].startswith("plain_")


def test_another_rule_makes_all_images_again(zoo, run):
    prepare(zoo, zoo.own, run, sizes=[16])
    before = {path: path.stat().st_mtime_ns for path in run.images(16, "Zoo").rglob("*.*")}
    run.prepared_by("Zoo").write_text("another version of Pillow")
    prepare(zoo, zoo.own, run, sizes=[16])
    assert all(path.stat().st_mtime_ns > old for path, old in before.items())


def made_of(run: Run, source: str, sizes=(16,)) -> dict[str, bytes]:
    """Prepare one's own pictures; return the bytes of all images."""
    pets = find("Pets", {"Pets": str(source)})
    prepare(pets, pets.folder(run.folder), run, sizes=sizes)
    return tree(run.images_root)


def afresh(tmp_path, monkeypatch, source, sizes=(16,)) -> dict[str, bytes]:
    """What a run that holds nothing yet makes of one's own pictures."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("MEGALIB_RUNS", str(tmp_path / "afresh"))
        made = made_of(Run("test"), source, sizes)
    shutil.rmtree(tmp_path / "afresh")
    return made


@pytest.fixture
def pets(tmp_path):
    """Four pictures of two animals, and the same with boxes in a CSV file."""
    for number in range(4):
        write_image(tmp_path / "pets" / f"pet{number % 2}" / f"{number}.png", (40, 30), number)
    rows = [f'pet{number % 2}/{number}.png,pet{number % 2},"2,3,20,20"' for number in range(4)]
    (tmp_path / "pets" / "pets.csv").write_text("\n".join(["path,identity,bbox", *rows]))
    return tmp_path / "pets"


def test_pictures_of_another_folder_are_not_taken_for_those_of_the_same_name(
    tmp_path, pets, run, monkeypatch
):
    first = made_of(run, pets)
    for number in range(4):
        path = Path(f"pet{number % 2}", f"{number}.png")
        write_image(tmp_path / "others" / path, (40, 30), number + 9)
        os.utime(tmp_path / "others" / path, (1, 1))  # older than all images of the run
    second = made_of(run, tmp_path / "others")
    assert second == afresh(tmp_path, monkeypatch, tmp_path / "others")
    assert set(second) == set(first)
    assert all(second[path] != content for path, content in first.items())


def test_a_picture_replaced_by_one_of_the_same_time_is_made_again(tmp_path, pets, run, monkeypatch):
    made_of(run, pets)
    picture = pets / "pet0" / "0.png"
    facts = picture.stat()
    write_image(picture, (44, 30), 99)
    os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert made_of(run, pets) == afresh(tmp_path, monkeypatch, pets)


def test_a_changed_box_makes_just_its_image_again_in_all_sizes(tmp_path, pets, run, monkeypatch):
    table = pets / "pets.csv"
    rows = pd.read_csv(table).assign(image_id=["a", "b", "c", "d"])
    rows.to_csv(table, index=False)
    made_of(run, table, [16, 24])
    before = {path: path.stat().st_mtime_ns for path in run.images_root.rglob("*.png")}
    rows.loc[2, "bbox"] = "1,1,25,20"
    rows.to_csv(table, index=False)
    made_of(run, table, [24])  # the image of 16 pixels would be made of another box
    made = made_of(run, table, [16, 24])
    assert made == afresh(tmp_path, monkeypatch, table, [16, 24])
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"2_c.png"}


def test_a_changed_mask_makes_its_images_again(tmp_path, run, monkeypatch):
    for number in (1, 2):
        write_image(tmp_path / f"image{number}.png", (40, 30), number)
    mask = np.full((30, 40, 3), 255, np.uint8)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    dataset = entry(monkeypatch, Masked, crop="mask_then_crop_black", unique_file_name=False)
    prepare(dataset, tmp_path, run, sizes=[12])
    mask[:10] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    prepare(dataset, tmp_path, run, sizes=[12])
    expected = resized(pixels(tmp_path / "image1.png")[10:29, :39], 12)
    np.testing.assert_array_equal(pixels(run.images(12, "Masked") / "image1.png"), expected)


@pytest.mark.parametrize("stage", ["removing", "recording", "making"])
def test_a_run_killed_between_leaves_nothing_outdated(tmp_path, pets, run, monkeypatch, stage):
    made_of(run, pets)
    for number in range(4):
        write_image(pets / f"pet{number % 2}" / f"{number}.png", (40, 30), number + 9)
    removed, unlink = [], Path.unlink

    def kill(*_, **__):
        raise KeyboardInterrupt

    def kill_after_two(path, **_):
        if path.suffix == ".png":
            removed.append(path)
            unlink(path)
            if len(removed) == 2:
                kill()

    where = {
        "removing": (Path, "unlink", kill_after_two),
        "recording": (finished.stamp, "write", kill),
        "making": (making, "_make", kill),
    }
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(*where[stage])
        made_of(run, pets)
    assert made_of(run, pets) == afresh(tmp_path, monkeypatch, pets)


def test_images_of_pictures_that_are_gone_are_removed(tmp_path, pets, run, monkeypatch):
    made_of(run, pets)
    (pets / "pet0" / "0.png").unlink()
    assert made_of(run, pets) == afresh(tmp_path, monkeypatch, pets)


def test_another_text_of_the_module_leaves_finished_images_alone(pets, run, monkeypatch):
    made_of(run, pets)
    before = {path: path.stat().st_mtime_ns for path in run.images_root.rglob("*.png")}
    monkeypatch.setattr(cropping, "__doc__", "Another description.")
    made_of(run, pets)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    source = making.inspect.getsource
    monkeypatch.setattr(making.inspect, "getsource", lambda code: source(code) + "# changed")
    made_of(run, pets)
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


def test_what_a_killed_run_left_is_swept_up(pets, run):
    made_of(run, pets)
    killed = subprocess.Popen(["true"])
    killed.wait()
    for folder in (run.metadata("Pets").parent, run.images(16, "Pets") / "pet0"):
        (folder / f".metadata.csv.part{killed.pid}").write_text("half")
    made_of(run, pets)
    assert list(run.folder.rglob(".*.part*")) == []


def test_what_cannot_be_saved_is_listed_and_does_not_stop_the_run(tmp_path, run):
    for number, name in enumerate(["a", "b", "n" * 245]):
        write_image(tmp_path / "pets" / "Ada" / f"{name}.jpg", (40, 30), number)
    write_image(tmp_path / "pets" / "Ada" / "long.jpg", (300, 1), 3)
    made_of(run, tmp_path / "pets", [256])
    problems = read_problems(run, "Pets").set_index("raw_path")["reason"]
    assert len(problems) == 2
    assert problems["Ada/long.jpg"].startswith("too thin: of 300 x 1 pixels, the longer side")
    assert "File name too long" in problems[f"Ada/{'n' * 245}.jpg"]
    assert len(read_metadata(run.metadata("Pets"))) == 2


def tree(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def die(table, path, **_):
    """Instead of writing a table: leave the half of it, and die in the middle of the last one."""
    path.write_text("half")
    if path.name == "metadata.csv":
        os.kill(os.getpid(), signal.SIGKILL)


def prepare_zoo(zoo, dies):
    """What a process does that is killed, or that dies in its last file."""
    if dies:
        pd.DataFrame.to_csv = die
    prepare(zoo, zoo.own, Run("test"), sizes=[64, 200])


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_files(tmp_path, monkeypatch):
    for number in range(60):
        write_image(tmp_path / "zoo" / f"animal{number % 6}" / f"{number}.png", (320, 240), number)
    zoo = find("Zoo", {"Zoo": str(tmp_path / "zoo")})
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "whole"))
    prepare(zoo, zoo.own, Run("test"), sizes=[64, 200])
    monkeypatch.setenv("MEGALIB_RUNS", str(tmp_path / "killed"))
    images, seen = Run("test").images(200, "Zoo"), 0
    for wanted in (1, 40, "metadata"):  # images that exist when the process is killed
        dies = wanted == "metadata"
        process = forks.start(prepare_zoo, zoo, dies, said=tmp_path)
        while not dies and len(list(images.rglob("[!.]*.png"))) < wanted:
            assert process.is_alive(), "it ended before it could be killed"
            time.sleep(0.002)
        if not dies:
            process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        done = {path: path.stat().st_mtime_ns for path in images.rglob("[!.]*.png")}
        assert len(done) >= seen
        seen = len(done)
    assert not Run("test").metadata("Zoo").exists()
    half = {
        path
        for path in done
        if (Run("test").images(64, "Zoo") / path.relative_to(images)).is_file()
    }
    prepare(zoo, zoo.own, Run("test"), sizes=[64, 200])
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == done[path] for path in half)


def test_a_full_disk_is_told_and_leaves_no_half_written_image(zoo, run, monkeypatch):
    def fail(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        prepare(zoo, zoo.own, run, sizes=[16])
    assert [path for path in run.images_root.rglob("*") if path.is_file()] == []
    assert not run.metadata("Zoo").exists()


@pytest.mark.parametrize("path", ["../a.jpg", "Ada/../../a.jpg", "/tmp/a.jpg"])
def test_published_metadata_cannot_name_a_path_outside(zoo, run, path):
    theirs = pd.DataFrame({"image_id": ["1"], "identity": ["A"], "path": [path], "split": ["test"]})
    with pytest.raises(UserError, match="outside"):
        prepare(zoo, zoo.own, run, [16], published_metadata=theirs)
    assert not run.folder.exists()


def test_published_metadata_replace_the_split_and_what_is_missing_is_listed(zoo, run):
    ids = loaders.open_raw(zoo, zoo.own).df.set_index("path")["image_id"]
    plain, grey, cmyk = (ids[f"Ada/{name}.jpg"] for name in ("plain", "grey", "cmyk"))
    theirs = pd.DataFrame(
        {
            "image_id": [plain, "gone", grey, cmyk],
            "identity": ["Ada", "Bo", "Ada", "Ada"],
            "path": [
                *(f"Ada/plain_{plain}.jpg", "Ada/gone_2.jpg", f"Ada/grey_{grey}.jpg"),
                f"Ada/other_{cmyk}.jpg",
            ],
            "split": ["test", "train", "train", "train"],
        }
    )
    metadata = prepare(zoo, zoo.own, run, [16], published_metadata=theirs)
    pd.testing.assert_frame_equal(metadata, theirs.drop(index=[1, 3]))
    assert sorted(tree(run.images(16, "Zoo"))) == sorted(metadata["path"])
    assert read_problems(run, "Zoo").values.tolist() == [
        ["gone", "", "not in the raw dataset"],
        [cmyk, "Ada/cmyk.jpg", "another picture in the raw dataset"],
    ]


@pytest.mark.parametrize("path", ["", float("nan")])
def test_published_metadata_with_an_empty_path_are_refused(zoo, run, path):
    theirs = pd.DataFrame({"image_id": ["1"], "identity": ["A"], "path": [path], "split": ["test"]})
    with pytest.raises(UserError, match="empty path"):
        prepare(zoo, zoo.own, run, [16], published_metadata=theirs)


def test_test_images_without_training_images_are_counted(zoo, run, capsys):
    ids = loaders.open_raw(zoo, zoo.own).df.set_index("path")["image_id"]
    names = [("plain", "Ada", "test"), ("grey", "Ada", "test"), ("empty", "Ada", "train")]
    names.append(("cmyk", "Bo", "train"))
    theirs = pd.DataFrame(
        [
            (ids[f"Ada/{name}.jpg"], identity, f"Ada/{name}_{ids[f'Ada/{name}.jpg']}.jpg", split)
            for name, identity, split in names
        ],
        columns=["image_id", "identity", "path", "split"],
    )
    prepare(zoo, zoo.own, run, [16], published_metadata=theirs)
    told = capsys.readouterr().out
    assert told.strip().endswith("; 2 test images lost all training images of their individual")


def test_own_pictures_are_divided_after_the_unreadable_ones_are_left_out(tmp_path, run):
    for number in range(5):
        write_image(tmp_path / "pets" / "Ada" / f"{number}.png", (20, 20), number)
    made_of(run, tmp_path / "pets")
    first = read_metadata(run.metadata("Pets"))
    raw = loaders.open_raw(find("Pets", {"Pets": str(tmp_path / "pets")}), tmp_path / "pets").df
    lost = raw[raw["image_id"].isin(first.loc[first["split"] == "train", "image_id"])]
    for path in lost["path"]:  # all images that would have been the training part
        (tmp_path / "pets" / path).write_text("no image")
    write_image(tmp_path / "pets" / "Ada" / "new.png", (20, 20), 9)
    made_of(run, tmp_path / "pets")
    second = read_metadata(run.metadata("Pets"))
    assert len(second) == 2
    assert sorted(second["split"]) == ["test", "train"]
    assert list(second.index) == [0, 1]
