"""Getting raw datasets: by download, by hand, and one's own pictures."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from megalib.data import catalogue, loaders, proof, raw_data
from megalib.data.catalogue import find
from megalib.data.problems import read_problems
from megalib.data.wildlife import datasets as wildlife
from megalib.errors import UserError
from megalib.files.places import DATA
from megalib.own import changes
from tests.conftest import prepare, write_image


def test_a_missing_folder_is_named_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"no raw images of LionData in .*-p raw FOLDER"):
        raw_data.fetch(find("LionData"), tmp_path / "absent", download=False)
    assert not (tmp_path / "absent").exists()


def test_an_empty_folder_counts_as_missing(tmp_path):
    (tmp_path / "LionData").mkdir()
    with pytest.raises(UserError, match="no raw images of LionData"):
        raw_data.fetch(find("LionData"), tmp_path, download=False)


def test_a_dataset_is_downloaded_when_asked_for(tmp_path, monkeypatch):
    """The real download code of wildlife-datasets, from a local archive instead of the network."""
    archive = tmp_path / "lions.zip"
    lion = "wildlife_reidentification-main/Lion_Data_Zero/train/Leo/Leo_Nose.png"
    write_image(tmp_path / "nose.png", (20, 20), 0)
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / "nose.png", lion)
        file.writestr("wildlife_reidentification-main/Nyala_Data_Zero/readme.txt", "to be removed")
    monkeypatch.setattr(wildlife.LionData, "url", archive.as_uri())
    folder = raw_data.fetch(find("LionData"), tmp_path / "raw", download=True)
    assert (folder / lion).is_file()
    assert wildlife.LionData(str(folder)).df["identity"].tolist() == ["Leo"]


def test_a_failed_download_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(wildlife.LionData, "url", (tmp_path / "absent.zip").as_uri())
    with pytest.raises(UserError, match="LionData") as caught:
        raw_data.fetch(find("LionData"), tmp_path / "raw", download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("leaves", [[], ["readme.txt"]])
def test_a_download_that_brought_no_picture_is_refused_and_tried_again(
    tmp_path, monkeypatch, leaves
):
    """As of a loader that does not look at the exit code of the program it calls."""
    tried = []

    def download(cls):
        tried.append(cls)
        for name in leaves:
            Path(name).write_text("no picture")

    monkeypatch.setattr(wildlife.LionData, "_download", classmethod(download))
    monkeypatch.setattr(wildlife.LionData, "_extract", classmethod(lambda cls: None))
    for _ in range(2):
        with pytest.raises(UserError, match="cannot fetch LionData into ") as caught:
            raw_data.fetch(find("LionData"), tmp_path / "raw", download=True)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "raw" / "LionData").exists()
    assert len(tried) == 2


@pytest.mark.parametrize("name", pd.read_csv(DATA / "by_hand.csv")["dataset"])
def test_what_a_person_must_fetch_is_said_before_anything_is_tried(tmp_path, name):
    with pytest.raises(UserError, match=rf"{name} must be .* by hand.*#{name.lower()} .*{name}"):
        raw_data.fetch(find(name), tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_behind_an_account_says_which(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no command-line client of Kaggle here
    with pytest.raises(UserError, match="needs a Kaggle account and the competition's terms"):
        raw_data.fetch(find("HappyWhale"), tmp_path / "raw", download=True)


def test_access_of_all_datasets_follows_their_loaders():
    for dataset in catalogue.CATALOGUE.values():
        if dataset.by_hand:
            assert loaders.access(dataset) == "by hand"
        elif not dataset.is_drawn:
            kaggle = "DownloadKaggle" in {
                base.__name__ for base in loaders.loader_of(dataset).__mro__
            }
            assert ("Kaggle" in loaders.access(dataset)) == kaggle


def test_segmented_datasets_lie_where_wildlife_datasets_unpacks_them(tmp_path):
    assert find("SealID").folder(tmp_path) == tmp_path / "SealIDSegmented"


@pytest.fixture
def albums(tmp_path):
    """Two animals with four pictures each, one picture of a stranger."""
    for name in ("Ada", "Bo"):
        for number in range(4):
            write_image(tmp_path / "pets" / name / f"{number}.JPG", (40, 30), number)
    write_image(tmp_path / "pets" / "who.png", (40, 30), 9)
    return tmp_path / "pets"


def test_a_folder_per_individual_is_prepared_like_a_dataset(albums, run):
    pets = find("Pets", {"Pets": str(albums)})
    metadata = prepare(pets, raw_data.fetch(pets, albums, download=False), run, [16])
    assert metadata["identity"].value_counts().to_dict() == {"Ada": 4, "Bo": 4, "unknown": 1}
    assert metadata["split"].value_counts().to_dict() == {"train": 6, "test": 2}
    assert all((run.images(16, "Pets") / path).is_file() for path in metadata["path"])
    assert "no published split" in proof.compare_with_published("Pets", metadata)


def test_a_csv_file_may_name_boxes_and_dates(albums, run):
    rows = [
        ("Ada/0.JPG", "Ada", "0, 0, 20, 10", "2024-05-01"),
        ("Ada/0.JPG", "Bo", "[20, 10, 20, 20]", "2024-05-01"),
        ("Ada/1.JPG", "Ada", None, "2024-05-02"),
        ("Bo/1.JPG", "Bo", None, "2024-05-03"),
        ("Bo/absent.JPG", None, None, None),
    ]
    table = albums / "pets.csv"
    pd.DataFrame(rows, columns=["path", "identity", "bbox", "date"]).to_csv(table, index=False)
    pets = find("Pets", {"Pets": str(table)})
    assert (pets.crop, pets.keeps_date) == ("bbox", True)
    folder = raw_data.fetch(pets, albums, download=False)
    metadata = prepare(pets, folder, run, [10])
    assert sorted(metadata["identity"]) == ["Ada", "Ada", "Bo", "Bo"]
    days = metadata.groupby("identity")["date"].apply(sorted)
    assert days["Ada"] == ["2024-05-01", "2024-05-02"]
    assert days["Bo"] == ["2024-05-01", "2024-05-03"]
    problems = read_problems(run, "Pets")
    assert problems[["raw_path", "reason"]].values.tolist() == [
        ["Bo/absent.JPG", "file is missing"]
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cake,identity\na.jpg,Ada", "lacks the column path; it has 'cake', 'identity'"),
        ("path,identity\n,Ada", "line 2: the path is empty"),
        ("path,identity\n../a.jpg,Ada", "line 2: .* outside"),
        ("path,identity\n..\\\\a.jpg,Ada", "line 2: .* outside"),
        ('path,identity,bbox\na.jpg,Ada,"1, 2, 3"', "line 2: a box is x, y, width, height"),
    ],
)
def test_a_mistake_in_a_csv_file_is_told_with_its_line(tmp_path, text, message):
    table = tmp_path / "pets.csv"
    table.write_text(text + "\n", encoding="latin-1")
    pets = find("Pets", {"Pets": str(table)})
    with pytest.raises(UserError, match=message) as caught:
        loaders.open_raw(pets, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_csv_file_of_windows_is_read(albums, run):
    table = albums / "pets.csv"
    rows = ["path,identity,image_id", "Ada\\0.JPG,Ada,a-0", "Ada\\1.JPG,None,a.1", "who.png,,w_2"]
    table.write_text("\r\n".join(rows), encoding="utf-8-sig")
    pets = find("Pets", {"Pets": str(table)})
    metadata = prepare(pets, albums, run, [10])
    assert metadata["path"].tolist() == ["Ada/0_a-0.JPG", "Ada/1_a.1.JPG", "who_w_2.png"]
    assert metadata["identity"].tolist() == ["Ada", "unknown", "unknown"]


def test_what_is_left_out_of_a_list_is_among_the_problems(albums, run):
    table = albums / "pets.csv"
    rows = ['Ada/0.JPG,Ada,"30,25,40,30"', 'Ada/1.JPG,Ada,"0,0,41,30"', "Ada/2.JPG,Ada,"]
    table.write_text("\n".join(["path,identity,bbox", *rows]))
    pets = find("Pets", {"Pets": str(table)})
    assert len(prepare(pets, albums, run, [10])) == 2
    problems = read_problems(run, "Pets")
    assert problems["raw_path"].tolist() == ["Ada/0.JPG"]
    assert problems["reason"][0] == (
        "line 2: most of the box (30, 25, 40, 30) is outside the picture of 40 x 30 pixels"
    )


def test_files_that_are_left_out_are_counted_by_kind(albums):
    for name in ("a.NEF", "b.nef", "c.pdf", ".hidden", "notes", "d.MP4"):
        (albums / "Ada" / name).touch()
    pets = find("Pets", {"Pets": str(albums)})
    source = loaders.open_raw(pets, albums)
    assert len(source) == 9
    told = loaders.understood(pets, source)
    for line in (
        "2 left out, of a camera's raw format: save it as JPEG first: 'Ada/a.NEF', 'Ada/b.nef'",
        "1 left out, no picture (.pdf): 'Ada/c.pdf'",
        "1 left out, no picture (no ending): 'Ada/notes'",
        "1 left out, hidden: 'Ada/.hidden'",
        "1 left out, a video: take pictures out of it first",
    ):
        assert line in told


def test_the_digest_changes_with_what_is_in_the_folder(albums):
    table = albums.parent / "pets.csv"
    table.write_text("path,identity\npets\\Ada\\0.JPG,Ada\npets/gone.jpg,Bo\n")
    for source, picture in ((albums, albums / "Ada" / "0.JPG"), (table, albums / "Ada" / "0.JPG")):
        first = changes.digest(source)
        assert changes.digest(source) == first
        os.utime(picture, (1, 1))
        second = changes.digest(source)
        assert second != first
        write_image(picture, (41, 30), 5)
        assert changes.digest(source) not in (first, second)
    table.write_text("path,identity\na.jpg\n,b,c,d\n")  # a mistake is told when it is read
    assert changes.digest(table) != second
    before = changes.digest(albums)
    (albums / "Bo" / "0.JPG").unlink()
    assert changes.digest(albums) != before


def test_pictures_in_no_sub_folder_are_not_taken_for_individuals(tmp_path):
    write_image(tmp_path / "a.png", (8, 8), 0)
    with pytest.raises(UserError, match="make one per individual"):
        loaders.open_raw(find("Pets", {"Pets": str(tmp_path)}), tmp_path)


@pytest.mark.parametrize("name", ["LionData", "my/pets", "..", ""])
def test_a_name_for_own_pictures_is_no_path_and_not_taken(tmp_path, name):
    with pytest.raises(UserError, match=r"choose a name|the catalogue has that name"):
        find(name, {name: str(tmp_path)})


def test_own_pictures_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder or list .*absent"):
        find("Pets", {"Pets": str(tmp_path / "absent")})


# Tiny folders laid out as three raw datasets unpack, for the real wildlife of wildlife-datasets.


def test_the_loader_of_smalst_its_mask_and_the_kept_names(tmp_path, run):
    """Rows that the mask leaves black are cut off; the loader strips "zebra_" and "frame_"."""
    folder = tmp_path / "SMALST" / "zebra_training_set"
    mask = np.zeros((30, 40, 3), np.uint8)
    mask[5:25, 10:35] = 255
    names = [f"zebra_A_frame_{number}.png" for number in (1, 2, 3)]
    for number, name in enumerate(names):
        write_image(folder / "images" / name, (40, 30), number)
        (folder / "bgsub").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "bgsub" / name)
    raw = raw_data.fetch(find("SMALST"), tmp_path, download=False)
    metadata = prepare(find("SMALST"), raw, run, [19])
    assert metadata["image_id"].tolist() == [1, 2, 3]
    assert metadata["path"].tolist() == [f"zebra_training_set/images/{name}" for name in names]
    picture = np.asarray(Image.open(folder / "images" / names[0]))
    made = Image.open(run.images(19, "SMALST") / metadata["path"][0])
    assert made.size == (24, 19)
    np.testing.assert_array_equal(np.asarray(made), picture[5:24, 10:34])  # 19 high: not resized


def test_the_loader_of_sealid_and_the_black_margin(tmp_path, run):
    folder = tmp_path / "SealIDSegmented" / "full images"
    rows = ["file,class_id,reid_split,segmentation_split"]
    for number in range(4):
        part = "database" if number % 2 else "query"
        rows.append(f"{number}.jpg,{number % 2},{part},training")
        picture = np.zeros((32, 48, 3), np.uint8)
        picture[8:24, 8:40] = 200  # whole blocks of a JPEG, so that nothing spills over
        target = folder / f"segmented_{part}" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(target, quality=100, subsampling=0)
    (folder / "annotation.csv").write_text("\n".join(rows))
    raw = raw_data.fetch(find("SealID"), tmp_path, download=False)
    metadata = prepare(find("SealID"), raw, run, [15])
    assert metadata["path"].tolist() == [
        f"full images/segmented_{'database' if number % 2 else 'query'}/{number}_{number}.jpg"
        for number in range(4)
    ]
    made = np.asarray(Image.open(run.images(15, "SealID") / metadata["path"][0]))
    assert made.shape == (15, 31, 3)  # without the last row and column, as published
    assert made.min() > 190


def test_the_loader_of_atrw_and_tigers_in_one_picture(tmp_path, run):
    """Pictures of one tiger from two parts, and one picture of two tigers in the wild."""
    folder = tmp_path / "ATRW"
    texts = {
        "atrw_anno_reid_train/reid_list_train.csv": "7,000001.jpg\n7,000002.jpg\n",
        "atrw_anno_reid_train/reid_keypoints_train.json": {
            name: [0, 1, 2] for name in ("000001.jpg", "000002.jpg")
        },
        "atrw_anno_reid_test/reid_list_test.csv": "000003.jpg\n",
        "atrw_anno_reid_test/reid_keypoints_test.json": {"000003.jpg": [0, 1, 2]},
        "eval_script/ATRWEvalScript-main/annotations/gt_test_plain.json": [
            {"imgid": 3, "entityid": 8, "query": "a", "frame": 1}
        ],
        "eval_script/ATRWEvalScript-main/annotations/gt_test_wild.json": {
            "4": [{"bbox": [0, 0, 9, 9], "eid": 8}, {"bbox": [9, 9, 20, 20], "eid": 9}]
        },
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text if isinstance(text, str) else json.dumps(text))
    pictures = {
        "atrw_reid_train/train/000001.jpg": (30, 24),
        "atrw_reid_train/train/000002.jpg": (30, 24),
        "atrw_reid_test/test/000003.jpg": (30, 24),
        "atrw_detection_test/test/0004.jpg": (60, 40),
    }
    for number, (name, size) in enumerate(pictures.items()):
        write_image(folder / name, size, number)
    raw = raw_data.fetch(find("ATRW"), tmp_path, download=False)
    metadata = prepare(find("ATRW"), raw, run, [20])
    assert sorted(metadata["identity"]) == [7, 7, 8, 8, 9]
    wild = metadata[metadata["path"].str.startswith("atrw_detection_test/test/0004_")]
    assert sorted(wild["identity"]) == [8, 9]
    first, second = (run.images(20, "ATRW") / path for path in wild["path"])
    assert first.read_bytes() == second.read_bytes()
    assert Image.open(first).size == (30, 20)  # the whole picture
