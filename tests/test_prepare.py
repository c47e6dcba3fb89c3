"""Each rule of the preparation against an independent computation on small pictures."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib import prepare, splits
from megalib.catalogue import CATALOGUE, Dataset, find
from megalib.errors import UserError
from megalib.wildlife import datasets as loaders

from .conftest import SHARED, needs_shared, write_image


def resized(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """Shorter side to that length, aspect kept and rounded down, bilinear with antialiasing."""
    height, width = pixels.shape[:2]
    if width <= height:
        size = (shorter, int(shorter * height / width))
    else:
        size = (int(shorter * width / height), shorter)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


class Boxed(loaders.WildlifeDataset):
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


class OnBlack(loaders.WildlifeDataset):
    """An animal segmented on black."""

    def create_catalogue(self):
        return pd.DataFrame(
            {"image_id": ["1", "2"], "identity": ["A", "A"], "path": ["1.png", "2.png"]}
        )


class Masked(loaders.WildlifeDataset):
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
    monkeypatch.setattr(loaders, loader.__name__, loader, raising=False)
    return Dataset(name=loader.__name__, loader_name=loader.__name__, keeps_date=False, **facts)


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_boxes_are_cut_out_and_two_animals_become_two_images(tmp_path, run, monkeypatch):
    for number, name in enumerate(["one", "two"]):
        write_image(tmp_path / "p" / f"{name}.png", (30, 24), number)
    dataset = entry(monkeypatch, Boxed, crop="bbox")
    metadata = prepare.prepare(dataset, tmp_path, run, sizes=[8, 16])
    assert metadata["path"].tolist() == ["p/one_a1.png", "p/one_a2.png", "p/two_b1.png"]
    source = pixels(tmp_path / "p" / "one.png")
    for size in (8, 16):
        first, second = (pixels(run.images(size, "Boxed") / path) for path in metadata["path"][:2])
        np.testing.assert_array_equal(first, resized(source[3:13, 2:22], size))
        np.testing.assert_array_equal(second, resized(source[0:24, 15:27], size))


def test_the_black_margin_is_cut_off(tmp_path, run, monkeypatch):
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[6:21, 10:34] = np.random.default_rng(0).integers(1, 255, (15, 24, 3))
    for name in ("1.png", "2.png"):
        Image.fromarray(picture).save(tmp_path / name)
    dataset = entry(monkeypatch, OnBlack, crop="crop_black")
    metadata = prepare.prepare(dataset, tmp_path, run, sizes=[10])
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
    metadata = prepare.prepare(dataset, tmp_path, run, sizes=[12])
    assert metadata["path"].tolist() == ["image1.png", "image2.png"]
    source = pixels(tmp_path / "image1.png")
    blackened = np.where(mask > 0, source, 0).astype(np.uint8)
    expected = resized(blackened[5:19, 8:29], 12)
    np.testing.assert_array_equal(pixels(run.images(12, "Masked") / "image1.png"), expected)


def test_every_published_rule_is_one_that_prepare_knows():
    rules = {"full", "bbox", "crop_black", "mask_then_crop_black"}
    assert {dataset.crop for dataset in CATALOGUE.values()} == rules
    for dataset in CATALOGUE.values():
        assert issubclass(dataset.loader, loaders.WildlifeDataset)


@needs_shared
@pytest.mark.slow
def test_lions_from_raw_images_equal_the_published_metadata(run):
    folder = prepare.fetch(find("LionData"), SHARED / "data", download=False)
    metadata = prepare.prepare(find("LionData"), folder, run, sizes=[64])
    published = SHARED / "published" / "metadata" / "LionData.csv"
    assert run.metadata("LionData").read_bytes() == published.read_bytes()
    assert all((run.images(64, "LionData") / path).is_file() for path in metadata["path"])
    raw = loaders.LionData(str(folder)).df["path"].iloc[0]
    expected = resized(np.asarray(Image.open(folder / raw).convert("RGB")), 64)
    found = pixels(run.images(64, "LionData") / metadata["path"].iloc[0])
    np.testing.assert_array_equal(found, expected)


def test_a_missing_folder_is_named_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"no raw images of LionData in .*-p raw FOLDER"):
        prepare.fetch(find("LionData"), tmp_path / "absent", download=False)
    assert not (tmp_path / "absent").exists()


def test_an_empty_folder_counts_as_missing(tmp_path):
    (tmp_path / "LionData").mkdir()
    with pytest.raises(UserError, match="no raw images of LionData"):
        prepare.fetch(find("LionData"), tmp_path, download=False)


def test_a_folder_without_images_is_refused_and_nothing_is_written(tmp_path, run):
    (tmp_path / "LionData").mkdir()
    (tmp_path / "LionData" / "readme.txt").write_text("no picture here")
    folder = prepare.fetch(find("LionData"), tmp_path, download=False)
    with pytest.raises(UserError, match="LionData"):
        prepare.prepare(find("LionData"), folder, run)
    assert not run.folder.exists()


def test_a_dataset_is_downloaded_when_asked_for(tmp_path, monkeypatch):
    """The real download code of wildlife-datasets, from a local archive instead of the network."""
    archive = tmp_path / "lions.zip"
    lion = "wildlife_reidentification-main/Lion_Data_Zero/train/Leo/Leo_Nose.png"
    write_image(tmp_path / "nose.png", (20, 20), 0)
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / "nose.png", lion)
        file.writestr("wildlife_reidentification-main/Nyala_Data_Zero/readme.txt", "to be removed")
    monkeypatch.setattr(loaders.LionData, "url", archive.as_uri())
    folder = prepare.fetch(find("LionData"), tmp_path / "raw", download=True)
    assert (folder / lion).is_file()
    assert loaders.LionData(str(folder)).df["identity"].tolist() == ["Leo"]


def test_a_failed_download_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(loaders.LionData, "url", (tmp_path / "absent.zip").as_uri())
    with pytest.raises(UserError, match="LionData") as caught:
        prepare.fetch(find("LionData"), tmp_path / "raw", download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [[], [0], [256, -1]])
def test_sizes_that_are_none_are_refused(tmp_path, run, sizes):
    with pytest.raises(UserError, match="sizes"):
        prepare.prepare(find("LionData"), tmp_path, run, sizes)


def test_the_training_set_is_written_only_when_it_changes(prepared):
    first = prepare.aggregate(prepared, ["DemoLeopard"])
    written = prepared.combined.stat().st_mtime_ns
    prepare.aggregate(prepared, ["DemoLeopard"])
    assert prepared.combined.stat().st_mtime_ns == written
    assert first["identity"].str.startswith("DemoLeopard_").all()
    assert set(first["split"]) == {"train"}
    assert len(splits.read(prepared.combined)) == len(first)


def test_an_unprepared_dataset_stops_the_aggregation(run):
    with pytest.raises(UserError, match=r"no prepared data.*LionData"):
        prepare.aggregate(run, ["LionData"])
