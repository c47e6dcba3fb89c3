"""Folders and lists as people in the field keep them: each kind of fault with the right value."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from megalib.errors import UserError
from megalib.own import listing, names, pixels
from megalib.own.lists import boxes, dates
from megalib.own.lists.boxes import Frame
from megalib.own.options import Options
from megalib.own.report import Notes
from tests.conftest import write_image

SIZE = (240, 160)
PEOPLE = ("Ada", "Bo", "Cleo")


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Three individuals with two photographs each, one folder each."""
    root = tmp_path_factory.mktemp("album")
    for number, name in enumerate(PEOPLE):
        for picture in range(2):
            write_image(root / name / f"{picture}.jpg", SIZE, 10 * number + picture)
    return root


@pytest.fixture
def read(album, tmp_path):
    """Reads a list of the album's photographs; `list.csv` may have any content."""

    def of(content, named=True, options=None, file="list.csv"):
        table = album / file
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return listing.read(table, named, options)
        finally:
            table.unlink()

    return of


def lines(*cells):
    return "\n".join(cells) + "\n"


# Folders


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / ".hidden above" / "known"
    for number, name in enumerate(PEOPLE):
        write_image(root / name / "0.jpg", SIZE, number)
    return root


@pytest.mark.parametrize(
    "junk",
    [
        "Ada/@eaDir/0.jpg/SYNOFILE_THUMB_M.jpg",
        ".ipynb_checkpoints/1-checkpoint.jpg",
        ".Trash-1000/files/gone.jpg",
        "__MACOSX/Ada/._1.jpg",
        "Ada/._0.jpg",
        "Ada/Thumbnails/0.jpg",
        "#recycle/0.jpg",
        "$RECYCLE.BIN/0.jpg",
        "Archive/0.jpg",
    ],
)
def test_what_programs_keep_is_no_photograph(folder, junk):
    write_image(folder / junk, SIZE, 9)
    found = listing.read(folder, True)
    assert sorted(found.rows["identity"]) == list(PEOPLE)
    (left_out,) = found.left_out
    assert left_out.path == junk and left_out.is_usual
    assert "1 left out, " in found.report()


@pytest.mark.parametrize("word", ["Unidentified", "unknown", "_UNKNOWN ", "new_individual", "?"])
def test_a_folder_for_nobody_is_no_individual(folder, word):
    write_image(folder / word / "x.jpg", SIZE, 9)
    found = listing.read(folder, True)
    assert sorted(found.rows["identity"]) == [*PEOPLE, "unknown"]
    assert "3 individuals, 1 of nobody known" in found.report()


@pytest.mark.parametrize(
    ("paths", "level"),
    [
        (["2023/Ada/0.jpg", "2023/Bo/0.jpg", "2024/Ada/1.jpg"], 2),
        (["known/Ada/0.jpg", "known/Bo/0.jpg", "new/x/0.jpg"], 2),
        (["North/2023/Ada/0.jpg", "North/2024/Bo/0.jpg", "South/2023/Cy/0.jpg"], 3),
        (["North/Ada/0.jpg", "North/Bo/0.jpg", "South/Cy/0.jpg", "South/Di/0.jpg"], 2),
    ],
)
def test_folders_that_may_be_years_or_sites_raise_a_doubt(tmp_path, paths, level):
    for number, path in enumerate(paths):
        write_image(tmp_path / path, SIZE, number)
    (doubt, *_) = listing.read(tmp_path, True).doubts
    assert f"give -p individual_level {level}" in doubt
    right = listing.read(tmp_path, True, Options(individual_level=level))
    assert set(right.rows["identity"]) == {path.split("/")[level - 1] for path in paths}
    assert not any("individual_level" in doubt for doubt in right.doubts)


@pytest.mark.parametrize(
    "paths",
    [
        ["Ada/0.jpg", "Bo/0.jpg"],
        ["Ada/2023/0.jpg", "Bo/2024/0.jpg", "Bo/2023/0.jpg"],
        ["Ada/0.jpg", "Ada/close/1.jpg", "Bo/0.jpg"],
    ],
)
def test_individuals_with_folders_of_their_own_raise_none(tmp_path, paths):
    for number, path in enumerate(paths):
        write_image(tmp_path / path, SIZE, number)
    assert not any("individual_level" in doubt for doubt in listing.read(tmp_path, True).doubts)


def test_links_are_followed_once_and_never_in_a_circle(folder, tmp_path):
    write_image(tmp_path / "disk" / "Di" / "0.jpg", SIZE, 7)
    (folder / "circle").symlink_to(".")
    (folder / "Ada" / "up").symlink_to("../..")
    (folder / "Di").symlink_to(tmp_path / "disk" / "Di")
    (folder / "Aaa").symlink_to("Ada")
    found = listing.read(folder, True)
    assert sorted(found.rows["path"]) == ["Ada/0.jpg", "Bo/0.jpg", "Cleo/0.jpg", "Di/0.jpg"]
    assert {one.path for one in found.left_out} == {"circle", "Ada/up", "Aaa"}


def test_names_that_are_not_utf8_are_left_out_and_told(folder):
    strange = Path(os.fsdecode(os.fsencode(folder) + b"/J\xf6rg/0.jpg"))
    write_image(folder / "tmp.jpg", SIZE, 8)
    strange.parent.mkdir()
    (folder / "tmp.jpg").rename(strange)
    found = listing.read(folder, True)
    assert len(found.rows) == 3
    assert found.left_out[0].path == "J\\udcf6rg/0.jpg"


def test_a_folder_without_pictures_names_what_it_holds(tmp_path):
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UserError, match="holds no picture: 1 a video: take pictures out of it"):
        listing.read(tmp_path, False)


def test_the_same_picture_is_told(folder):
    (folder / "Bo" / "again.jpg").write_bytes((folder / "Ada" / "0.jpg").read_bytes())
    assert (
        "the same picture 2 times: 'Ada/0.jpg', 'Bo/again.jpg'" in listing.read(folder, True).doubts
    )


# Names and headers


@pytest.mark.parametrize(
    "header",
    [
        *("path,identity", "Path,Identity", "path, identity", "path;identity", "path\tidentity"),
        *(
            "\ufeffpath,identity",
            "File Name,Individual ID",
            "filename,Animal",
            "sep=;\npath;identity",
        ),
        *("IMAGE_PATH|name", "Encounter.mediaAsset0,Encounter.individualID"),
    ],
)
def test_headers_are_read_whatever_they_are_called(read, header):
    mark = next(letter for letter in "|;\t," if letter in header.splitlines()[-1])
    found = read(lines(header, f"Ada/0.jpg{mark}Ada", f"Bo/0.jpg{mark}Bo"))
    assert found.rows[["path", "identity"]].values.tolist() == [
        ["Ada/0.jpg", "Ada"],
        ["Bo/0.jpg", "Bo"],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_of_spreadsheets_are_read(read, encoding):
    found = read(lines("path,identity", "Ada/0.jpg,Zoë", "Bo/0.jpg,Bo").encode(encoding))
    assert found.rows["identity"].tolist() == ["Zoë", "Bo"]
    assert ("Windows-1252" in found.report()) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *(("Ada ", "Ada"), (" Ada", "Ada"), ("Zoe\u0308", "Zo\u00eb"), ("Old  Cleo", "Old Cleo")),
        *(("Bo\u00a0", "Bo"), ("B\u200bo", "Bo"), ("07", "07"), ("7", "7"), ("ada", "ada")),
    ],
)
def test_a_name_is_the_same_however_it_is_typed(read, written, name):
    found = read(lines("path,identity", f"Ada/0.jpg,{written}"))
    assert found.rows["identity"].tolist() == [name]


def test_names_that_are_nearly_the_same_are_told(read):
    found = read(lines("path,identity", "Ada/0.jpg,Ada", "Ada/1.jpg,ada", "Bo/0.jpg,Bo-1"))
    assert "names that differ in case, blanks or marks alone: 'Ada', 'ada'" in found.doubts


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=12))
def test_cleaning_a_name_twice_changes_nothing(text):
    once = names.clean(text)
    assert names.clean(once) == once == unicodedata.normalize("NFC", once)
    assert once == once.strip() and "  " not in once


@pytest.mark.parametrize(
    "word",
    ["Unknown", "UNKNOWN", "nan", "?", "unknown ", "N/A", "-", "desconocido", "неизвестно", "不明"],
)
def test_words_for_nobody_are_told_and_counted(read, word):
    found = read(lines("path,identity", "Ada/0.jpg,Ada", f"Bo/0.jpg,{word}"))
    assert found.rows["identity"].tolist() == ["Ada", "unknown"]
    assert f"taken for nobody known: {word.strip()} (1)" in found.understood


@pytest.mark.parametrize("word", ["unknown_3", "Unidentified 2", "new"])
def test_words_that_may_mean_nobody_are_told_once(read, word):
    found = read(lines("path,identity", "Ada/0.jpg,Ada", f"Bo/0.jpg,{word}"))
    assert found.rows["identity"].tolist() == ["Ada", word]
    assert f"taken for individuals: {word!r}" in found.doubts


def test_columns_that_are_not_understood_are_named_with_a_guess(read):
    found = read(lines("path,identity,bboks,behaviour", "Ada/0.jpg,Ada,1,2"))
    assert "columns ignored: 'bboks' (did you mean bbox?), 'behaviour'" in found.understood


@pytest.mark.parametrize(
    ("written", "side"),
    [("L", "left"), ("Left side", "left"), ("rechts", "right"), ("dorsal", "above"), ("?", None)],
)
def test_sides_have_their_usual_names(read, written, side):
    found = read(lines("path,identity,viewpoint", f"Ada/0.jpg,Ada,{written}"))
    assert found.rows["orientation"].tolist() == [side]


# Paths


@pytest.mark.parametrize(
    "written",
    [
        *("Ada/0.jpg", "./Ada//0.jpg", "Ada\\0.jpg", "Ada/0.JPG", "E:\\owls\\Ada\\0.jpg"),
        *("https://owls.org/pictures/Ada/0.jpg?size=2", "../album/Ada/0.jpg", "ada/0.jpg"),
    ],
)
def test_paths_of_other_computers_are_found(read, written):
    found = read(lines("path,identity", f"{written},Ada"))
    assert found.rows["path"].tolist() == ["Ada/0.jpg"]


def test_a_name_that_several_folders_have_is_not_guessed(read):
    found = read(lines("path,identity", "E:\\x\\0.jpg,Ada", "Bo/1.jpg,Bo"))
    assert found.rows["path"].tolist() == ["Bo/1.jpg"]
    assert found.left_out[0].where == "line 2"


# Boxes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12, 10, 100, 80", [12, 10, 100, 80]),
        ("[12,10,100,80]", [12, 10, 100, 80]),
        (".5,.5,120.,80.", [0.5, 0.5, 120, 80]),
        ("1e1, 2e1, 1.5e2, 1e2", [10, 20, 150, 100]),
        ("[np.float64(12.0), np.float64(10.0), 100, 80]", [12, 10, 100, 80]),
        ("-1,0,241,160", [0, 0, 240, 160]),
        ("0,0,240.6,160", [0, 0, 240, 160]),
        ("20,0,240,160", [20, 0, 220, 160]),
        ("0.10,0.12,0.75,0.70", [24, 19.2, 180, 112]),
        ("0.2937,0.5083,0.5859,0.4388", [70.488, 81.328, 140.616, 70.208]),
        ("", None),
    ],
)
def test_a_box_is_read_however_it_is_written(read, text, expected):
    found = read(lines("path,identity,bbox", f'Ada/0.jpg,Ada,"{text}"'))
    assert found.rows["bbox"].tolist() == [pytest.approx(expected, abs=1e-3)]


@pytest.mark.parametrize(
    "header",
    ["x,y,width,height", "bboxX,bboxY,bboxWidth,bboxHeight", "Bbox_X,Bbox_Y,Bbox_W,Bbox_H"],
)
def test_a_box_may_have_four_columns(read, header):
    found = read(lines(f"path,identity,{header}", "Ada/0.jpg,Ada,12,10,100,80"))
    assert found.rows["bbox"].tolist() == [[12, 10, 100, 80]]


def test_a_decimal_comma_is_read_where_semicolons_separate(read):
    found = read(lines("path;identity;x;y;width;height", "Ada/0.jpg;Ada;0,5;10,25;100;80"))
    assert found.rows["bbox"].tolist() == [[0.5, 10.25, 100, 80]]


def test_corners_are_told_from_sizes_for_the_whole_file(read):
    texts = ["100,50,230,150", "120,60,239,159", "10,10,90,90", "150,20,200,100"]
    rows = [
        f'{name},Ada,"{text}"'
        for name, text in zip(
            ["Ada/0.jpg", "Ada/1.jpg", "Bo/0.jpg", "Bo/1.jpg"], texts, strict=True
        )
    ]
    found = read(lines("path,identity,bbox", *rows))
    assert found.rows["bbox"].tolist() == [
        [100, 50, 130, 100],
        [120, 60, 119, 99],
        [10, 10, 80, 80],
        [150, 20, 50, 80],
    ]
    assert "4 boxes in pixels, as two corners" in found.understood
    found = read(lines("path,identity,xmin,ymin,xmax,ymax", "Ada/0.jpg,Ada,10,20,110,100"))
    assert found.rows["bbox"].tolist() == [[10, 20, 100, 80]]


def test_a_fraction_in_a_file_of_pixels_costs_its_line(read):
    found = read(
        lines(
            "path,identity,bbox",
            'Ada/0.jpg,Ada,"12,10,100,80"',
            'Bo/0.jpg,Bo,"0.1,0.1,0.5,0.5"',
            'Bo/1.jpg,Bo,"10,10,100,80"',
        )
    )
    assert found.rows["path"].tolist() == ["Ada/0.jpg", "Bo/1.jpg"]
    assert found.left_out[0].reason == "the box is smaller than a pixel"


def test_small_and_clipped_boxes_are_counted(read):
    found = read(
        lines(
            "path,identity,bbox",
            'Ada/0.jpg,Ada,"12,10,8,80"',
            'Bo/0.jpg,Bo,"-3,10,100,80"',
        )
    )
    assert "1 box left the picture and was clipped ('line 3')" in found.understood
    assert "1 box of less than 16 pixels ('line 2')" in found.report()


def test_two_animals_on_one_picture_are_two_rows(read):
    content = lines("path,bbox", 'Ada/0.jpg,"0,0,120,160"', 'Ada/0.jpg,"120,0,120,160"')
    found = read(content, named=False)
    assert found.rows["bbox"].tolist() == [[0, 0, 120, 160], [120, 0, 120, 160]]
    assert found.rows["unique"].nunique() == 2
    assert "1 photograph, 2 animals on them" in found.understood


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_unturned_pictures_are_turned_with_them(tmp_path, orientation):
    """The box is drawn into the picture as the camera keeps it, and found in the upright one."""
    before = np.zeros((100, 300, 3), np.uint8)
    before[60:90, 180:290] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(before).save(tmp_path / "a.png", exif=exif)
    (tmp_path / "list.csv").write_text('path,bbox\na.png,"180,60,110,30"\n')
    found = listing.read(tmp_path / "list.csv", False)
    x, y, width, height = found.rows["bbox"][0]
    upright = np.asarray(pixels.picture_of(tmp_path / "a.png"))
    rows, columns, _ = np.nonzero(upright)
    assert [columns.min(), rows.min()] == [x, y]
    assert [columns.max() + 1, rows.max() + 1] == [x + width, y + height]
    assert "of a picture before it is turned upright" in found.report()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_fractions_and_pixels_of_one_box_agree(data):
    width, height = data.draw(st.integers(50, 4000)), data.draw(st.integers(50, 4000))
    x, y = data.draw(st.integers(2, width // 2)), data.draw(st.integers(2, height // 2))
    box = [x, y, data.draw(st.integers(2, width - x)), data.draw(st.integers(2, height - y))]
    sizes = np.array([width, height, width, height])
    frame, place = [Frame(width, height)], ["line 2"]
    (in_pixels,), _ = boxes.in_pixels([box], frame, place, False, Notes())
    fractions = (np.array(box) / sizes).tolist()
    (in_fractions,), _ = boxes.in_pixels([fractions], frame, place, False, Notes())
    assert in_pixels == pytest.approx(box)
    assert in_fractions == pytest.approx(box, abs=0.01)


# Dates


@pytest.mark.parametrize(
    ("text", "day", "moment"),
    [
        ("2024-05-01", "2024-05-01", ""),
        ("2024-05-01 23:40:00", "2024-05-01", "2024-05-01T23:40:00"),
        ("2024-05-01T23:40", "2024-05-01", "2024-05-01T23:40:00"),
        ("2024-05-01T23:40:10+02:00", "2024-05-01", "2024-05-01T23:40:10"),
        ("2024-05-01T23:40:10.123Z", "2024-05-01", "2024-05-01T23:40:10"),
        ("2024:05:01 12:00:00", "2024-05-01", "2024-05-01T12:00:00"),
        ("0000:00:00 00:00:00", "", ""),
        ("", "", ""),
        ("2014", "2014", ""),
        ("2011.0", "2011", ""),
        ("2014-05", "2014-05", ""),
        ("31.5.2024", "2024-05-31", ""),
        ("31/05/2024 7:05 PM", "2024-05-31", "2024-05-31T19:05:00"),
        ("20240501", "2024-05-01", ""),
        ("20240501_120000", "2024-05-01", "2024-05-01T12:00:00"),
        ("1 May 2024", "2024-05-01", ""),
        ("45413", "2024-05-01", ""),
    ],
)
def test_dates_are_read_as_cameras_and_people_write_them(text, day, moment):
    notes = Notes()
    assert dates.read([text], ["line 2"], notes) == [(day, moment)]
    assert not notes.doubts


@pytest.mark.parametrize(
    "text", ["2024-13-01", "soon", "2024-02-30", "2024-05-01 99:00", "1/13/99"]
)
def test_a_date_that_cannot_be_read_is_left_empty_and_told(text):
    notes = Notes()
    assert dates.read([text, "2024-05-01"], ["line 2", "line 3"], notes)[0] == ("", "")
    assert f"line 2: {text}" in notes.doubts[0]


def test_day_or_month_first_is_decided_for_all_dates_together():
    notes = Notes()
    places = ["line 2", "line 3"]
    assert dates.read(["5/6/2024", "5/31/2024"], places, notes)[0][0] == "2024-05-06"
    assert dates.read(["5/6/2024", "31/5/2024"], places, notes)[0][0] == "2024-06-05"
    assert not notes.doubts
    assert dates.read(["5/6/2024", "5/5/2024"], places, notes)[0] == ("", "")
    assert "may begin with the day or with the month" in notes.doubts[0]


# Pixels


def test_pictures_of_twelve_bits_are_stretched(tmp_path):
    values = np.linspace(0, 4095, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert pixels.needs_care(tmp_path / "a.tif")
    made = np.asarray(pixels.picture_of(tmp_path / "a.tif"))
    assert np.abs(made[..., 0] - values / 4095 * 255).max() <= 0.5


@pytest.mark.parametrize("under", [0, 200])
def test_what_is_under_transparency_does_not_matter(tmp_path, under):
    image = np.full((20, 30, 4), under, np.uint8)
    image[..., 3] = 0
    image[5:15, 5:25] = (10, 20, 30, 255)
    Image.fromarray(image).save(tmp_path / "a.png")
    made = np.asarray(pixels.picture_of(tmp_path / "a.png"))
    assert (made[0, 0] == 0).all() and (made[10, 10] == (10, 20, 30)).all()
    found = listing.read(tmp_path, False)
    assert "1 picture with transparent parts" in found.report()


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_pictures_of_telephones_are_read(tmp_path, name):
    pixels_of = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    heif = pillow_heif.from_pillow(Image.fromarray(pixels_of))
    heif.save(tmp_path / "made.heic", quality=100)
    (tmp_path / "made.heic").rename(tmp_path / name)
    assert len(listing.read(tmp_path, False).rows) == 1
    assert pixels.needs_care(tmp_path / name)
    assert np.abs(np.asarray(pixels.picture_of(tmp_path / name)).astype(int) - pixels_of).max() < 8


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixels.picture_of(tmp_path / "a.gif").getpixel((5, 5))[0] > 200
    assert "1 picture animated" in listing.read(tmp_path, False).report()


# Formats of the trade


def test_a_workbook_is_read(album):
    book = openpyxl.Workbook()
    for row in (["Path", "Identity", "Date"], ["Ada/0.jpg", 7, pd.Timestamp("2024-05-01")]):
        book.active.append(row)
    file = album / "list.xlsx"
    book.save(file)
    found = listing.read(file, True)
    file.unlink()
    assert found.rows.loc[0, ["path", "identity", "date"]].tolist() == [
        *("Ada/0.jpg", "7", "2024-05-01")
    ]


MEGADETECTOR = {
    "detection_categories": {"1": "animal", "2": "person"},
    "images": [
        {
            "file": "Ada/0.jpg",
            "detections": [
                {"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.5, 0.5]},
                {"category": "1", "conf": 0.6, "bbox": [0.5, 0.5, 0.5, 0.5]},
                {"category": "1", "conf": 0.1, "bbox": [0.0, 0.0, 0.1, 0.1]},
                {"category": "2", "conf": 0.9, "bbox": [0.0, 0.0, 0.1, 0.1]},
            ],
        },
        {"file": "Bo/0.jpg", "detections": []},
        {"file": "Cleo/0.jpg", "failure": "Failure image access"},
    ],
}


@pytest.mark.parametrize("whole", [True, False])
def test_detections_of_megadetector_are_read(read, whole):
    content = json.dumps(MEGADETECTOR if whole else MEGADETECTOR["images"])
    found = read(content, named=False, file="detections.json")
    assert found.rows["bbox"].tolist()[:2] == [[24, 16, 120, 80], [120, 80, 120, 80]]
    assert [one.reason for one in found.left_out] == [
        "no animal with a confidence of 0.2",
        "MegaDetector failed: 'Failure image access'",
    ]
    found = read(content, named=False, options=Options(detection_threshold=0.7), file="a.json")
    assert len(found.rows) == 1 if whole else 2
    named = read(content, named=True, file="detections.json")
    assert set(named.rows["identity"]) == {"Ada"}
    assert "individuals are named by the folders of level 1" in named.understood


def test_camera_traps_of_coco_are_read(read):
    content = {
        "images": [
            {"id": 1, "file_name": "Ada/0.jpg", "datetime": "2024-05-01 10:00:00", "location": 4},
            {"id": 2, "file_name": "Bo/0.jpg", "seq_id": "s"},
        ],
        "annotations": [
            {"image_id": 1, "category_id": 3, "bbox": [10, 10, 50, 50], "individual_id": "Ada"},
            {"image_id": 2, "category_id": 0},
        ],
        "categories": [{"id": 0, "name": "empty"}, {"id": 3, "name": "lynx"}],
    }
    found = read(json.dumps(content), file="coco.json")
    facts = ["identity", "bbox", "date", "station"]
    assert found.rows[facts].values.tolist() == [["Ada", [10, 10, 50, 50], "2024-05-01", "4"]]
    assert found.left_out[0].reason == "no animal is annotated"


def test_a_camtrap_dp_is_read(tmp_path):
    for number, name in enumerate(("a", "b", "c")):
        write_image(tmp_path / "media" / f"{name}.jpg", SIZE, number)
    (tmp_path / "media.csv").write_text(
        "mediaID,deploymentID,timestamp,filePath\n"
        "m1,d1,2024-05-01T10:00:00Z,media/a.jpg\n"
        "m2,d1,2024-05-01T10:00:05Z,media/b.jpg\n"
        "m3,d2,2024-05-02T10:00:00Z,media/c.jpg\n"
    )
    (tmp_path / "observations.csv").write_text(
        "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,"
        "observationType,individualID,bboxX,bboxY,bboxWidth,bboxHeight\n"
        "o1,d1,m1,e1,,,media,animal,Ada,0.1,0.1,0.5,0.5\n"
        "o2,d1,,e1,2024-05-01T10:00:01Z,2024-05-01T10:01:00Z,event,animal,Ada,,,,\n"
        "o3,d2,m3,e2,,,media,human,,,,,\n"
    )
    found = listing.read(tmp_path, True)
    facts = ["path", "identity", "bbox", "encounter", "station"]
    assert found.rows[facts].values.tolist() == [
        ["media/a.jpg", "Ada", [24, 16, 120, 80], "e1", "d1"],
        ["media/b.jpg", "Ada", None, "e1", "d1"],
    ]
    assert "1 observation of no animals left out (human)" in found.understood


def test_a_sheet_of_wildbook_is_read(read):
    content = lines(
        "Encounter.mediaAsset0,Encounter.mediaAsset1,Encounter.individualID,Encounter.year,"
        "Encounter.month,Encounter.day,Encounter.locationID",
        "Ada/0.jpg,Ada/1.jpg,Ada,2024,5,1,North",
        "Bo/0.jpg,,Bo,2023,,,South",
    )
    facts = ["path", "identity", "date", "station"]
    assert read(content).rows[facts].values.tolist() == [
        ["Ada/0.jpg", "Ada", "2024-05-01", "North"],
        ["Ada/1.jpg", "Ada", "2024-05-01", "North"],
        ["Bo/0.jpg", "Bo", "2023", "South"],
    ]


def test_a_split_that_a_list_gives_is_respected(read):
    content = lines(
        "image_id,identity,path,date,orientation,species,split,dataset",
        "1,Ada,Ada/0.jpg,2019-08-01,top,lynx,database,Lynx",
        "2,Bo,Bo/0.jpg,2019-08-02,,lynx,database,Lynx",
        "3,,Cleo/0.jpg,,,lynx,query,Lynx",
    )
    found = read(content)
    assert found.rows["split"].tolist() == ["train", "train", "test"]
    assert found.rows["image_id"].tolist() == ["1", "2", "3"]
    assert "columns ignored: 'species', 'dataset'" in found.understood
    query = read(content, named=False, options=Options(part="test"))
    assert query.rows["path"].tolist() == ["Cleo/0.jpg"]
