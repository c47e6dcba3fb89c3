"""Decisions about new photographs: read with plain errors, applied to both sides, told."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from megalib.data.images import load
from megalib.errors import UserError
from megalib.files import spreadsheet
from megalib.files.places import inside
from megalib.identify import decisions
from megalib.identify.page import thumbnails
from tests.identify import album

HEADER = "photograph,animal,decision,identity\n"


def written(tmp_path, text, name="decisions.csv"):
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_a_file_of_the_page_is_read(tmp_path):
    rows = [
        ["=a;-b.jpg", "2", "id", "confirmed", "Ada, =x", "2024-05-31T21:40:00Z", "me", "1", "00ff"],
        ["ü \n.jpg", "1", "", "Unknown", "", "", "", "", ""],
    ]
    cells = [[spreadsheet.guarded(cell) for cell in row] for row in rows]
    file = tmp_path / "decisions.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as content:
        csv.writer(content, quoting=csv.QUOTE_ALL).writerows([decisions.COLUMNS, *cells])
    table = decisions.read(file)
    assert list(table) == [*decisions.COLUMNS, "line"]
    assert table.iloc[0].tolist()[:-1] == rows[0]
    assert table["decision"].tolist() == ["confirmed", "unknown"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_written_by_hand_needs_three_columns(tmp_path, separator):
    lines = ["Photograph, Decision ,identity", "a.jpg,New,Bo", "", "a.jpg,new,Bo", "b.jpg,skipped,"]
    text = "\r\n".join(lines).replace(",", separator)
    table = decisions.read(written(tmp_path, text))
    assert table[["photograph", "animal", "decision", "identity"]].to_numpy().tolist() == [
        ["a.jpg", "1", "new", "Bo"],
        ["b.jpg", "1", "skipped", ""],
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("path,decision\n", "lacks the column photograph: take the file"),
        ("", "lacks the column photograph and decision"),
        (HEADER + "a.jpg,1,confirm,Ada\n", "line 2: .*'confirm'.*did you mean 'confirmed'"),
        (HEADER + "a.jpg,1,confirmed,\n", "line 2: confirmed, but identity names nobody"),
        (HEADER + "a.jpg,1,new,Unknown\n", "line 2: new, but identity names nobody"),
        (HEADER + "a.jpg,first,skipped,\n", "line 2: animal must be 1, 2, …, not 'first'"),
        (HEADER + ",1,skipped,\n", "line 2: names no photograph"),
        (
            HEADER + "a.jpg,,confirmed,Ada\nb.jpg,,new,X\na.jpg,1,confirmed,Bo\n",
            "line 4: 'a.jpg', animal 1, is confirmed Bo here and confirmed Ada in line 2",
        ),
        (HEADER.encode() + b"\xff.jpg,1,skipped,\n", "not UTF-8"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        decisions.read(written(tmp_path, text))
    assert "\n" not in str(caught.value) and "decisions.csv" in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the decisions .*none\.csv: No such file"):
        decisions.read(tmp_path / "none.csv")


def applied(tmp_path, known, new, text):
    return decisions.apply(decisions.read(written(tmp_path, text)), known, new)


def test_named_animals_are_added_to_the_known_ones(tmp_path):
    known, new = album.small(tmp_path, ("a.jpg", "two.jpg", "two.jpg", "c.jpg", "d.jpg"))
    text = HEADER + (
        "a.jpg,1,confirmed,Bo\ntwo.jpg,2,new,Zoë\nc.jpg,1,unknown,\nd.jpg,,skipped,\n"
        "gone.jpg,1,new,X\n"
    )
    done = applied(tmp_path, known, new, text)
    assert done.new.metadata["photograph"].tolist() == ["two.jpg", "d.jpg"]
    assert np.array_equal(done.new.rows, new.rows[[1, 4]])
    added = done.known.metadata[len(known.metadata) :]
    assert added["identity"].tolist() == ["Bo", "Zoë"]
    assert added["photograph"].tolist() == ["a.jpg", "two.jpg"]
    assert np.array_equal(done.known.rows, np.concatenate([known.rows, new.rows[[0, 2]]]))
    # All images are found where they are: none was copied.
    files = [inside(done.known.folder, path) for path in done.known.metadata["path"]]
    expected = [known.folder / path for path in known.metadata["path"]]
    assert files == [*expected, new.folder / "0.png", new.folder / "2.png"]
    assert done.animals["identity"].tolist() == ["Bo", "Zoë", ""]
    assert done.in_words == (
        "decisions: 1 animals are confirmed, 1 are called new (1 individuals), 1 stay unknown; "
        "1 were skipped and are asked about again; 1 lines are ignored, since their pictures are "
        "not among the new photographs: 'gone.jpg'"
    )
    assert len(done.file) == 5 and "line" not in done.file
    # The given photographs are as they were.
    assert len(known.metadata) == 18 and (new.metadata["identity"] == "unknown").all()


def test_photographs_of_one_id_stay_apart(tmp_path):
    known, new = album.small(tmp_path)
    new.metadata["image_id"] = known.metadata["image_id"][:2]
    done = applied(tmp_path, known, new, HEADER + "b.jpg,1,new,Ada\n")
    assert done.known.metadata["image_id"].is_unique
    assert "'Ada' were called new and are among the known ones" in done.in_words


def test_decisions_of_other_photographs_are_refused(tmp_path):
    known, new = album.small(tmp_path)
    with pytest.raises(UserError, match=r"none of the 1 photographs .* such as 'x\.jpg'"):
        applied(tmp_path, known, new, HEADER + "x.jpg,1,new,Zoë\n")
    assert applied(tmp_path, known, new, HEADER).known is known


def test_a_decision_about_another_picture_of_that_name_is_ignored(tmp_path):
    """Cameras count from IMG_0001 on every card."""
    known, new = album.small(tmp_path)
    rng = np.random.default_rng(3)
    for number in range(2):  # pictures with something on them, unlike the noise of the others
        pixels = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((200, 150)).save(new.folder / f"{number}.png")
    looks = [thumbnails.look(load(new.folder / f"{number}.png")) for number in range(2)]
    header = "photograph,decision,identity,image_id,look\n"
    same = header + f"a.jpg,new,Zoë,New-0,{looks[0]}\nb.jpg,new,Zoë,New-1,{looks[1]}\n"
    assert len(applied(tmp_path, known, new, same).new.metadata) == 0
    other = header + f"a.jpg,new,Zoë,New-0,{looks[1]}\nb.jpg,new,Zoë,New-1,{looks[0]}\n"
    done = applied(tmp_path, known, new, other)
    assert len(done.new.metadata) == 2 and done.known is known
    assert "2 lines are ignored, since their pictures look different today" in done.in_words


def test_known_and_new_may_lie_in_one_folder(tmp_path):
    known, new = album.small(tmp_path)
    new = replace(new, folder=known.folder)
    done = applied(tmp_path, known, new, HEADER + "a.jpg,1,new,Zoë\n")
    assert done.known.folder == known.folder.resolve()
    assert done.known.metadata["path"].iloc[-1] == "0.png"
