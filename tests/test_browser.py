"""Every page of the built demo book, opened in a headless Chromium."""

import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from megalib.files import ROOT

HTML = ROOT / "runs" / "demo" / "book" / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MOST_BYTES = 3_000_000  # of a page and its images
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
IN_CI = bool(os.environ.get("CI"))  # there, book and browser must be present

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not IN_CI and not CHROMIUM, reason="needs chromium"),
    pytest.mark.skipif(not IN_CI and not HTML.is_dir(), reason="needs the book: make book"),
]


def pages() -> list[str]:
    """All pages of the table of contents, as addresses below the book's root."""
    found = []

    def walk(node):
        for entry in node if isinstance(node, list) else [node]:
            if "file" in entry:
                found.append(entry["file"])
            if "glob" in entry:
                found.extend(str(path.relative_to(ROOT).with_suffix("")) for path in staged(entry))
            for key in ("parts", "chapters", "sections"):
                walk(entry.get(key, []))

    def staged(entry):
        return sorted(ROOT.glob(entry["glob"] + ".ipynb"))

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    walk(toc)
    return [f"{name}.html" for name in [toc["root"], *found]]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, site):
    """A page whose requests to other hosts are refused and noted."""
    page = browser.new_page(viewport=DESKTOP, color_scheme="light")
    page.elsewhere = []

    def only_here(route):
        if route.request.url.startswith((site, "data:")):
            route.continue_()
        else:
            page.elsewhere.append(route.request.url)
            route.abort()

    page.route("**/*", only_here)
    yield page
    page.close()


@pytest.mark.parametrize("address", pages())
def test_a_page_passes_the_gates(page, site, address):
    """One visit: loads whole, asks nobody else, is accessible in both modes, fits a telephone."""
    mistakes = listen(page)
    page.set_viewport_size(PHONE)
    response = page.goto(f"{site}/{address}", wait_until="load")
    assert response.ok
    assert page.locator("article h1").count() == 1
    assert incomplete_images(page) == []
    assert weight(address) < MOST_BYTES
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(DESKTOP)
    assert mistakes == [] and page.elsewhere == []
    assert barriers(page) == {}
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    page.wait_for_function("document.getAnimations().length == 0")  # colours fade from mode to mode
    assert barriers(page) == {}


def listen(page) -> list[str]:
    """Errors of scripts, of the console, and answers that are none, as they come."""
    mistakes = []
    # The theme declares the address of Thebe, which the book does not use, a second time.
    known = "Identifier 'THEBE_JS_URL' has already been declared"

    def note(text):
        if known not in text:
            mistakes.append(text)

    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda message: note(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: note(answer.url) if answer.status >= 400 else None)
    return mistakes


def incomplete_images(page) -> list[str]:
    """Images of a page that did not load, or say nothing to those who cannot see them."""
    return page.eval_on_selector_all(
        "article img", "images => images.filter(i => !i.naturalWidth || !i.alt).map(i => i.src)"
    )


def weight(address: str) -> int:
    """Bytes of a page and its images."""
    file = HTML / address
    text = file.read_text()
    images = {
        (file.parent / name).resolve() for name in re.findall(r'<img[^>]* src="([^"]+)"', text)
    }
    return file.stat().st_size + sum(image.stat().st_size for image in images if image.is_file())


def barriers(page) -> dict[str, list[str]]:
    """What axe finds serious or critical: rule, and some places."""
    from axe_playwright_python.sync_playwright import Axe

    # Without preloading, which looks for imported style sheets beside the page.
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    return {
        violation["id"]: [node["html"][:120] for node in violation["nodes"][:3]]
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical"}
    }


def test_search_finds_arcface(page, site):
    page.goto(f"{site}/search.html?q=ArcFace")
    page.wait_for_selector("ul.search li a", timeout=30_000)
    found = page.eval_on_selector_all("ul.search li a", "links => links.map(a => a.textContent)")
    assert any("Training" in title for title in found), found


def test_formulas_are_drawn_without_a_network(page, site):
    page.goto(f"{site}/book/training.html")
    page.wait_for_selector("mjx-container", timeout=30_000)
    assert page.elsewhere == []


@pytest.mark.parametrize("address", [name for name in pages() if "/run/" in name])
def test_no_demo_figure_can_be_taken_for_a_published_one(page, site, address):
    page.goto(f"{site}/{address}")
    text = page.locator("article").inner_text()
    if any(stage in address for stage in ("2_flavours", "4_published", "6_colophon")):
        assert "Made by" in text and "Drawn animals" not in text
        return
    assert "Drawn animals" in text
    assert "Made by" in text
    if not any(stage in address for stage in ("0_datasets", "1_prepare", "3_sift", "w0_setup")):
        assert "demo scale" in text
        assert "not results of the published MegaDescriptors" in text


def test_titles_are_all_different(page, site):
    titles = []
    for address in pages():
        page.goto(f"{site}/{address}")
        titles.append(page.locator("article h1").inner_text())
    assert len(set(titles)) == len(titles), titles
    assert sum("Training MegaDescriptor" in title for title in titles) == 5
    assert sum("Inference with MegaDescriptor" in title for title in titles) == 5


def test_links_inside_the_book_lead_somewhere(page, site):
    for address in pages():
        page.goto(f"{site}/{address}")
        for link in page.eval_on_selector_all("article a", "links => links.map(a => a.href)"):
            target, _, anchor = link.removeprefix(site + "/").partition("#")
            if link.startswith(site):
                file = HTML / target
                assert file.is_file(), f"{address}: {link}"
                assert not anchor or f'id="{anchor}"' in file.read_text(), f"{address}: {link}"


def test_the_table_of_contents_is_complete():
    assert len(pages()) == 48, pages()
    assert all(Path(HTML, name).is_file() for name in pages())
