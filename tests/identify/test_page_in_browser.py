"""The page of candidates as a person works on it: opened by a double click, with keys and mouse."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.files import spreadsheet
from megalib.identify import decisions
from megalib.identify.page import gallery, thumbnails
from megalib.identify.page.cards import Extras
from tests.book.built_book import IN_CI
from tests.book.test_browser import CHROMIUM, DESKTOP, PHONE, barriers, listen
from tests.identify import album

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not IN_CI and not CHROMIUM, reason="needs chromium"),
]

FILES = ["a.jpg", "card 2/=b.jpg", "two.jpg", "two.jpg", *[f"{name}.jpg" for name in album.HOSTILE]]
ENCOUNTERS = ["e1", "e1", None, None, "e1", *[None] * 6]


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Known individuals, some of hostile names, and new photographs."""
    folder = tmp_path_factory.mktemp("album")
    who = [*album.HOSTILE, "Ada", "Bo"] * 2
    known = album.photographs(folder / "Known", [f"{name}/1.jpg" for name in who], who)
    new = album.photographs(
        folder / "New", FILES, ["unknown"] * len(FILES), 1, encounter=ENCOUNTERS
    )
    return known, new


@pytest.fixture(scope="module")
def file(photographs, tmp_path_factory):
    known, new = photographs
    file = tmp_path_factory.mktemp("page") / "my candidates.html"
    extras = Extras(lambda _: [(0.0, 0.0, 40.0, 32.0), (20.0, 16.0, 20.0, 16.0)])
    gallery.write_page(file, "Candidates", album.table_of(new, known), new, known, extras=extras)
    return file


@pytest.fixture
def page(chromium, file):
    """The page in a fresh browser; it may load nothing else, and make no mistake."""
    context = chromium.new_context(viewport=DESKTOP, color_scheme="light")
    page = context.new_page()
    page.mistakes, page.asked = listen(page), []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    loaded = {address for address in page.asked if not address.startswith(("data:", "blob:"))}
    assert page.mistakes == [] and loaded <= {file.as_uri()}
    assert page.evaluate("window.hurt") is None
    context.close()


def progress(page):
    return page.locator("#progress").inner_text()


def current(page):
    return page.evaluate("current")


def saved(page) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "decisions.csv"
    return Path(download.value.path())


def candidates(photographs, place):
    known, new = photographs
    table = album.table_of(new, known)
    own = table[table["image_id"] == new.metadata["image_id"].iloc[place]]
    return own["candidate"].tolist()


def test_decisions_are_made_by_keys_kept_and_saved(page, photographs):
    assert progress(page) == f"decided 0 of {len(FILES)}"
    for key in ("2", "s", "u"):
        page.keyboard.press(key)
    assert progress(page) == f"decided 2 of {len(FILES)}, 1 skipped" and current(page) == 3
    page.keyboard.press("n")
    page.locator("#name").fill(" Zoë  <i>; ")
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    page.locator("#name").fill("ada")  # of a known individual
    page.keyboard.press("Enter")
    assert "taken for Ada" in page.locator("#said").inner_text()
    page.keyboard.press("1")
    page.keyboard.press("z")
    assert progress(page) == f"decided 4 of {len(FILES)}, 1 skipped" and current(page) == 5
    expected = [
        (*("a.jpg", "1", "confirmed"), candidates(photographs, 0)[1], "2"),
        ("card 2/=b.jpg", "1", "skipped", "", ""),
        ("two.jpg", "1", "unknown", "", ""),
        ("two.jpg", "2", "new", "Zoë <i>;", ""),
        (FILES[4], "1", "confirmed", "Ada", _rank("Ada", candidates(photographs, 4))),
    ]
    page.reload()
    assert progress(page) == f"decided 4 of {len(FILES)}, 1 skipped" and current(page) == 5
    page.reload()
    file = saved(page)
    table = decisions.read(file)
    columns = ["photograph", "animal", "decision", "identity", "rank"]
    assert list(map(tuple, table[columns].to_numpy())) == expected
    assert table["decided_at"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
    known, new = photographs
    done = decisions.apply(table, known, new)
    assert len(done.new.metadata) == len(FILES) - 4
    assert done.known.metadata["identity"].tolist()[-3:] == [expected[0][3], "Zoë <i>;", "Ada"]
    assert spreadsheet.read(file).shape == (5, len(decisions.COLUMNS))  # of which none is a formula


def _rank(name, names):
    return str(names.index(name) + 1) if name in names else ""


def test_decisions_are_made_by_mouse_and_for_an_encounter(page, photographs):
    first = page.locator("section").nth(0)
    first.locator(".confirm").nth(2).click()
    assert first.locator(".state").inner_text() == f"{candidates(photographs, 0)[2]}, confirmed"
    assert first.locator("[aria-pressed=true]").count() == 1
    first.get_by_role("button", name="Same for the encounter").click()
    assert progress(page) == f"decided 3 of {len(FILES)}"
    page.get_by_role("button", name="Undo").click()
    assert progress(page) == f"decided 1 of {len(FILES)}" and current(page) == 1
    page.locator("section").nth(2).get_by_role("button", name="Unknown").click()
    page.locator("#filter").select_option("done")
    assert page.locator("section:visible").count() == 2
    page.locator("#filter").select_option("flagged")
    assert page.locator("section:visible h2").all_inner_texts() == ["a.jpg"]
    page.locator("#filter").select_option("open")
    assert page.locator("section:visible").count() == len(FILES) - 2


def test_two_photographs_are_compared_with_their_matched_points(page, photographs):
    page.keyboard.press("c")
    dialog = page.locator("#compare")
    assert dialog.locator("svg image").count() == 2
    [line, _] = dialog.locator("svg line").all()
    box = dialog.locator("svg").evaluate("svg => svg.viewBox.baseVal.height")
    assert [float(line.get_attribute(name)) for name in ("x1", "y1", "y2")] == [0, 0, box]
    assert line.is_visible()
    page.keyboard.press("l")
    assert not line.is_visible()
    page.keyboard.press("ArrowRight")  # the next photograph of the same candidate has none
    assert dialog.locator("svg line").count() == 0
    page.keyboard.press("ArrowRight")
    name = candidates(photographs, 0)[1]
    dialog.get_by_role("button", name=f"It is {name}", exact=True).click()
    assert progress(page) == f"decided 1 of {len(FILES)}" and not dialog.is_visible()


def test_a_file_of_decisions_is_loaded(page, photographs, tmp_path):
    file = tmp_path / "decisions.csv"
    look = page.evaluate("animals[0].look")
    other = "x" + "".join(f"{15 - int(digit, 16):x}" for digit in look[1:])
    lines = [
        "photograph;decision;identity;look",
        f"a.jpg;new;'=Zoë;{look}",
        f"card 2/=b.jpg;new;Y;{other}",
        "two.jpg;sure;Ada;",
        '"other;.jpg";unknown;;',
    ]
    file.write_text("\r\n".join(lines), encoding="utf-8-sig")
    page.locator("#load").set_input_files(file)
    page.wait_for_function("document.getElementById('said').textContent.includes('were read')")
    assert page.locator("#said").inner_text().startswith("1 decisions were read, 2 lines were not")
    assert progress(page) == f"decided 1 of {len(FILES)}, 1 before"
    table = decisions.read(saved(page))
    assert table["photograph"].tolist() == ["other;.jpg", "a.jpg"]
    assert table["identity"].tolist() == ["", "=Zoë"]


def test_earlier_decisions_are_saved_again(page, photographs, tmp_path):
    known, new = photographs
    earlier = pd.DataFrame(
        [
            ["gone.jpg", "1", "x", "new", "=N001", "2024-05-31T00:00:00Z", "me", "", ""],
            ["a.jpg", "1", "New-0", "skipped", "", "2024-05-31T00:00:00Z", "me", "", ""],
        ],
        columns=decisions.COLUMNS,
    )
    file = tmp_path / "later.html"
    gallery.write_page(file, "Later", album.table_of(new, known), new, known, earlier=earlier)
    page.goto(file.as_uri())
    page.asked.clear()
    assert progress(page) == f"decided 0 of {len(FILES)}, 1 skipped, 1 before"
    page.keyboard.press("n")
    assert page.locator("#name").input_value() == "N001"  # "=N001" is another name
    page.keyboard.press("Escape")
    table = decisions.read(saved(page))
    earlier.loc[1, "look"] = page.evaluate("animals[0].look")
    assert table[list(decisions.COLUMNS)].to_numpy().tolist() == earlier.to_numpy().tolist()


def test_a_browser_that_keeps_nothing_is_told(page, file):
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('no', 'SecurityError') };"
    )
    page.goto(file.as_uri())
    assert "save decisions.csv before" in " ".join(page.locator("#warning").inner_text().split())
    page.keyboard.press("1")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    assert progress(page) == f"decided 0 of {len(FILES)}"


@settings(max_examples=1, deadline=None)
@given(st.lists(st.text(alphabet="=+-@'\"\t\r\n; a1.e\uff1d\uff20🐆", max_size=9), min_size=200))
def test_cells_are_guarded_as_by_the_library(chromium, file, texts):
    page = chromium.new_page()
    page.goto(file.as_uri())
    both = "texts => texts.map(text => [guarded(text), unguarded(text), unguarded(guarded(text))])"
    found = page.evaluate(both, texts)
    page.close()
    assert found == [
        [spreadsheet.guarded(text), spreadsheet.unguarded(text), text] for text in texts
    ]


def test_the_page_is_accessible_and_fits_a_telephone(page):
    page.keyboard.press("1")
    page.keyboard.press("k")
    assert barriers(page) == {}
    page.emulate_media(color_scheme="dark")
    assert barriers(page, "color-contrast") == {}
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for key, dialog in (("c", "compare"), ("n", "naming"), ("?", "keys")):
        page.keyboard.press(key)
        assert page.locator(f"#{dialog}").is_visible()
        assert barriers(page) == {}
        page.keyboard.press("Escape")
        assert not page.locator(f"#{dialog}").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_hundreds_of_animals_stay_usable(chromium, photographs, tmp_path, monkeypatch):
    """Few sections are elements at a time, and their images are files that load when needed."""
    monkeypatch.setattr(thumbnails, "IN_PAGE", 20)
    monkeypatch.setattr(gallery, "FILLED", 10)
    known, _ = photographs
    names = [f"{number}.jpg" for number in range(200)]
    many = album.photographs(tmp_path / "New", ["0.jpg"] * 4, ["unknown"] * 4, 2)
    metadata = pd.concat([many.metadata] * 50, ignore_index=True)
    metadata = metadata.assign(photograph=names, image_id=names, animal=1)
    many = gallery.Photographs(metadata, many.rows.repeat(50, axis=0), many.folder)
    file = tmp_path / "100% of #1.html"
    gallery.write_page(file, "Many", album.table_of(many, known), many, known)
    page = chromium.new_page(viewport=DESKTOP)
    mistakes = listen(page)
    page.goto(file.as_uri())
    for place in range(0, 200, 7):
        page.evaluate("place => go(place)", place)
        page.wait_for_timeout(20)
    assert page.locator(".body").count() <= 20
    page.evaluate("go(0)")
    first = page.locator("section").nth(0)
    first.locator(".confirm").nth(0).click()
    assert progress(page) == "decided 1 of 200"
    page.wait_for_function("sections[1].querySelector('img').naturalWidth > 0")
    kept = json.loads(page.evaluate("localStorage.getItem(facts.key)"))
    assert [one["image_id"] for one in kept["decisions"]] == ["0.jpg"]
    assert mistakes == []
    page.close()
