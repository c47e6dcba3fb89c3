"""The page of candidates: what it says, that names stay text, and that images tell no place."""

import base64
import json
import re
from itertools import pairwise

import numpy as np
from bs4 import BeautifulSoup
from PIL import Image

from megalib import stamp
from megalib.identify.page import cards, gallery, thumbnails
from megalib.identify.page.cards import Extras, Whole
from megalib.identify.page.thumbnails import Wanted
from tests.identify import album

PLACE = b"52.5163 N 13.3777 E"  # what no page may hold


def written(tmp_path, new, known, **how):
    """The page as text, and as its elements."""
    file = tmp_path / "page" / "candidates.html"
    gallery.write_page(file, "Cats & more", album.table_of(new, known), new, known, **how)
    text = file.read_text(encoding="utf-8")
    return text, BeautifulSoup(text, "html.parser")


def images_of(text):
    """All images that a page holds, as bytes."""
    return [
        base64.b64decode(data) for data in re.findall(r"data:image/jpeg;base64,([\w+/=]+)", text)
    ]


def facts_of(soup):
    return json.loads(soup.find(id="facts").string)


def test_each_new_animal_has_a_section_with_its_candidates(tmp_path):
    known, new = album.small(tmp_path, ("a.jpg", "two.jpg", "two.jpg"))
    text, soup = written(tmp_path, new, known, expected="38% (its precision)")
    names = [section.h2.get_text() for section in soup.find_all("section")]
    assert names == ["a.jpg", "two.jpg, animal 1", "two.jpg, animal 2"]
    table = album.table_of(new, known)
    asked = table.groupby(["photograph", "animal"], sort=False)
    for query, (section, (_, rows)) in enumerate(zip(soup.find_all("section"), asked, strict=True)):
        buttons = section.find_all("button", class_="confirm")
        assert [button.strong.get_text() for button in buttons] == rows["candidate"].tolist()
        for item, row in zip(section.ol.find_all("li"), rows.itertuples(), strict=True):
            own = known.metadata["identity"] == row.candidate
            places = sorted(
                np.flatnonzero(own), key=lambda n: -album.cosine(known.rows[n], new.rows[query])
            )
            nearest = known.metadata["photograph"].iloc[places[:4]].tolist()
            alts = [image["alt"] for image in item.find_all("img")]
            assert alts == [f"{row.candidate}, known photograph {name}" for name in nearest]
    first, second, _ = soup.find_all("section")
    assert first.find(class_="figures").get_text().startswith("50%, similarity ")
    assert second.find(class_="figures").get_text().startswith("similarity ")
    assert "look here first" in first.get_text() and "look here first" not in second.get_text()
    assert "its precision" in text and soup.h1.get_text() == "Cats & more"
    # A known photograph that several animals have as a candidate is there once.
    facts = facts_of(soup)
    assert len(images_of(text)) == 3 + len(facts["images"]) <= 3 + 18
    shown = {image["data-from"] for image in soup.find_all("img") if "data-from" in image.attrs}
    assert shown == {str(number) for number in range(len(facts["images"]))}
    assert not (tmp_path / "page" / "candidates").exists()


def test_the_page_asks_nobody_for_anything(tmp_path):
    known, new = album.small(tmp_path)
    text, soup = written(tmp_path, new, known)
    assert not soup.find_all(["link", "iframe", "object", "base"])
    assert all("src" not in script.attrs for script in soup.find_all("script"))
    assert all(image["src"].startswith("data:") for image in soup.find_all("img", src=True))
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_names_of_strangers_stay_text(tmp_path):
    known = album.photographs(tmp_path / "Known", album.HOSTILE, album.HOSTILE)
    files = [f"{name}.jpg" for name in album.HOSTILE]
    new = album.photographs(
        tmp_path / "New", files, ["unknown"] * len(files), 1, encounter=album.HOSTILE
    )
    extras = Extras(encounters={name: name for name in album.HOSTILE})
    text, soup = written(tmp_path, new, known, extras=extras)
    harmless = album.small(tmp_path / "other")
    _, expected = written(tmp_path / "other", *reversed(harmless))
    assert {tag.name for tag in soup.find_all()} == {tag.name for tag in expected.find_all()}
    assert len(soup.find_all("script")) == len(expected.find_all("script"))
    assert "<b>" not in text and "49" not in {tag.get_text() for tag in soup.find_all("strong")}
    facts = facts_of(soup)
    assert [one["photograph"] for one in facts["animals"]] == files
    assert facts["known"] == sorted(album.HOSTILE)
    candidates = {strong.get_text() for strong in soup.select(".confirm strong")}
    assert candidates <= set(album.HOSTILE) and len(candidates) > 3


def with_place(file, size=(60, 40), turned=1):
    """A JPEG that says where it was taken, in its EXIF and in a comment."""
    image = Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = turned
    exif[0x010E] = PLACE.decode()
    exif.get_ifd(0x8825)[1] = "N"
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, exif=exif, comment=PLACE)
    assert PLACE in file.read_bytes()


def test_no_image_of_the_page_says_where_it_was_taken(tmp_path, monkeypatch):
    known, new = album.small(tmp_path)
    for folder, path in ((new.folder, "0.png"), (known.folder, "3.png")):
        with_place(folder / path)
    with_place(tmp_path / "raw.jpg")
    extras = Extras(wholes={"New-0": Whole(tmp_path / "raw.jpg", (1, 2, 30, 20))})
    text, _ = written(tmp_path, new, known, extras=extras)
    held = images_of(text)
    monkeypatch.setattr(thumbnails, "IN_PAGE", 2)
    written(tmp_path, new, known, extras=extras)
    held += [file.read_bytes() for file in (tmp_path / "page/candidates").iterdir()]
    assert len(held) > 8
    assert not any(PLACE in data or b"Exif" in data for data in held)


def test_many_images_lie_in_a_folder_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnails, "IN_PAGE", 5)
    known, new = album.small(tmp_path)
    folder = tmp_path / "page/candidates"
    text, soup = written(tmp_path, new, known)
    assert "data:image" not in text
    shown = {tmp_path / "page" / image["src"] for image in soup.find_all("img")}
    assert shown == set(folder.iterdir())
    before = {file: file.stat().st_mtime_ns for file in shown}
    damaged = min(shown)
    damaged.write_bytes(damaged.read_bytes()[:100])
    # The next page: one animal less, whose images go; a damaged one is made anew, the rest stays.
    one = gallery.Photographs(new.metadata[:1], new.rows[:1], new.folder)
    written(tmp_path, one, known)
    after = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert after.keys() < before.keys()
    assert {file for file in after if after[file] != before[file]} <= {damaged}
    assert all(Image.open(file).load() for file in after)
    # A page that holds its images needs no folder; what is not its own stays there.
    monkeypatch.setattr(thumbnails, "IN_PAGE", 400)
    (folder / "notes.txt").touch()
    (folder / f".{damaged.name}.part1").touch()  # of a run that was killed
    text, _ = written(tmp_path, new, known)
    assert "data:image" in text and [file.name for file in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    written(tmp_path, new, known)
    assert not folder.exists()


def test_the_whole_picture_is_upright_and_has_its_box(tmp_path):
    """A picture that lies on its side by its EXIF: black, with a white animal in the box."""
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[100:180, 40:100] = 255  # of the stored picture, 400 x 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right: 200 x 400, the animal at 20, 40
    Image.fromarray(pixels).save(tmp_path / "raw.jpg", exif=exif, quality=95)
    wanted = Wanted(tmp_path / "raw.jpg", 200, True, (20, 40, 80, 60))
    small = thumbnails._small(wanted)
    assert small.size == (100, 200)
    drawn = np.asarray(small).astype(int)
    orange = (drawn[:, :, 0] > 180) & (drawn[:, :, 2] < 120)
    rows, columns = np.nonzero(orange)
    box = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert np.abs(np.array(box) - [10, 20, 50, 50]).max() <= 1
    inside = drawn[25:45, 15:45]
    assert inside.min() > 200 and drawn[60:].max() < 40


def test_a_whole_picture_of_more_bits_or_of_none(tmp_path):
    ramp = (np.arange(64 * 64).reshape(64, 64)).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.tif")
    small = np.asarray(thumbnails._small(Wanted(tmp_path / "deep.tif", 64, True)))
    assert small.max() == 255 and np.abs(small[32, 0].astype(int) - 127).max() <= 2
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    known, new = album.small(tmp_path)
    broken = {
        f"New-{number}": Whole(tmp_path / name)
        for number, name in enumerate(["broken.jpg", "gone.jpg"])
    }
    text, soup = written(tmp_path, new, known, extras=Extras(wholes=broken))
    assert text.count("The whole picture cannot be read") == 2
    assert not soup.find("figcaption")


def test_matched_points_are_parts_of_both_images(tmp_path):
    known, new = album.small(tmp_path)
    asked = []

    def points(pair):
        asked.append(pair)
        return [(0.0, 0.0, 40.0, 32.0), (10.0, 16.0, 20.0, 8.0)] if len(asked) == 1 else []

    _, soup = written(tmp_path, new, known, extras=Extras(points))
    table = album.table_of(new, known)
    assert asked == [
        (new.folder / row.path, known.folder / row.known_path) for row in table.itertuples()
    ]
    [button] = soup.find_all("button", attrs={"data-points": True})
    assert button["data-points"].split() == ["0,0,1000,1000", "250,500,500,250"]
    assert [button.get_text() for button in soup.find_all("button", class_="shared")] == [
        "2 matched points"
    ]


def test_an_encounter_with_two_animals_is_not_decided_as_one(tmp_path):
    known, new = album.small(tmp_path, ("a.jpg", "two.jpg", "two.jpg", "c.jpg"))
    new.metadata["encounter"] = ["e1", "e2", "e2", "e2"]
    extras = Extras(encounters={"e1": "all say Ada"})
    _, soup = written(tmp_path, new, known, extras=extras)
    assert [one["encounter"] for one in facts_of(soup)["animals"]] == ["e1", "", "", ""]
    assert "encounter e1: all say Ada" in soup.section.get_text()


def test_an_album_without_new_animals_makes_a_page(tmp_path):
    known, new = album.small(tmp_path)
    none = gallery.Photographs(new.metadata[:0], new.rows[:0], new.folder)
    file = tmp_path / "candidates.html"
    gallery.write_page(file, "Cats", album.table_of(new, known)[:0], none, known)
    assert "There is no animal to decide about." in file.read_text()


def test_a_look_stays_with_a_smaller_copy_and_not_with_another_photograph():
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (12, 15, 3)).astype(np.uint8)).resize((400, 300))
        for _ in range(20)
    ]
    for one, other in pairwise(pictures):
        look = thumbnails.look(one)
        assert re.fullmatch("x[0-9a-f]{16}", look)
        assert not thumbnails.looks_different(look, thumbnails.look(one.resize((90, 70))))
        assert thumbnails.looks_different(look, thumbnails.look(other))
        assert not thumbnails.looks_different(look, "")
        assert not thumbnails.looks_different(look, "2.21216E+15")  # what a spreadsheet left of it


def test_figures_are_told_as_they_are_known():
    row = type("Row", (), {"similarity": 0.814, "probability": 0.66})
    assert cards.figures(row) == "66%, similarity 0.81"
    row.probability = float("nan")
    assert cards.figures(row) == "similarity 0.81"


def test_what_uses_the_page_depends_on_its_template():
    assert gallery.PAGE in stamp.files_of("from megalib.identify import answer")
