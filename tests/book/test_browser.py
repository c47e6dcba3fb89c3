"""Every page of the built demo book, opened in a headless Chromium."""

import gzip
import shutil
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.book.built_book import HTML, IN_CI, needs_book, pages

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MOST_BYTES = 3_000_000  # that a page and all it loads take on their way to the reader
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
SETTLING = 600  # milliseconds; half of them after a change of width, the theme looks what scrolls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not IN_CI and not CHROMIUM, reason="needs chromium"),
    needs_book,
]


FORMULAS_ARE_DRAWN = """
    [...document.querySelectorAll("article .math")].every(
        formula => formula.querySelector("mjx-container")
    )
"""


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
    """A browser that finds no host but this one, and keeps what several pages load."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        options.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser.new_context(viewport=DESKTOP, color_scheme="light")
        browser.close()


@pytest.fixture
def page(browser, site):
    """A page that notes what it asks for: files of the book, and addresses of other hosts."""
    page = browser.new_page()
    page.files, page.elsewhere = set(), []

    def note(request):
        if request.url.startswith(site):
            page.files.add(request.url.removeprefix(f"{site}/").partition("?")[0])
        elif not request.url.startswith("data:"):
            page.elsewhere.append(request.url)

    page.on("request", note)
    yield page
    page.close()


@pytest.mark.parametrize("address", pages())
def test_a_page_passes_the_gates(page, site, address):
    """One visit: loads whole, asks nobody else, is accessible in both modes, fits a telephone."""
    mistakes = listen(page)
    page.set_viewport_size(PHONE)
    response = page.goto(f"{site}/{address}", wait_until="load")
    assert response.ok
    page.wait_for_function(FORMULAS_ARE_DRAWN)  # they come after the page, and may be wide
    assert page.locator("article h1").count() == 1
    broken = "images => images.filter(image => !image.naturalWidth).map(image => image.src)"
    assert page.eval_on_selector_all("article img", broken) == []
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(DESKTOP)
    page.wait_for_timeout(SETTLING)
    assert mistakes == [] and page.elsewhere == []
    assert sum(map(sent_bytes, page.files)) < MOST_BYTES
    assert barriers(page) == {}
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    page.wait_for_function("document.getAnimations().length == 0")  # colours fade from mode to mode
    assert barriers(page, "color-contrast") == {}  # all else is the same as in light mode
    assert mistakes == [] and page.elsewhere == []  # nor did anything come later


@cache
def sent_bytes(name: str) -> int:
    """Size of a page, script, style, font or image as GitHub Pages sends it, text compressed."""
    content = (HTML / name).read_bytes()
    return min(len(content), len(gzip.compress(content)))


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


def barriers(page, *rules: str) -> dict[str, list[str]]:
    """What axe finds serious or critical, by all rules or by some: rule, and some places."""
    from axe_playwright_python.sync_playwright import Axe

    # Without preloading, which looks for imported style sheets beside the page.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options | ({"runOnly": rules} if rules else {}))
    return {
        violation["id"]: [node["html"][:120] for node in violation["nodes"][:3]]
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical"}
    }


def test_search_finds_arcface(page, site):
    page.goto(f"{site}/search.html?q=ArcFace")
    found = page.locator("ul.search li a", has_text="Training the flavours")
    found.first.wait_for(timeout=30_000)  # results come one by one
    assert page.elsewhere == []


def test_formulas_are_drawn_without_a_network(page, site):
    page.goto(f"{site}/book/training.html")
    page.wait_for_selector("article .math mjx-container", timeout=30_000)
    page.wait_for_function(FORMULAS_ARE_DRAWN)
    assert page.elsewhere == []
