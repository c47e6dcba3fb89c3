"""What the pages of the built demo book say, and where their links lead."""

import re
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book.built_book import HTML, needs_book, pages

pytestmark = needs_book
EXECUTED = [name for name in pages() if "/run/" in name]
# Pages without results of the run: how they open instead.
KINDS = {"2_flavours": "Facts.", "4_published": "Published results.", "6_colophon": "Facts."}


@cache
def page(address: str) -> BeautifulSoup:
    """A whole page, with what the theme puts around its text."""
    return BeautifulSoup((HTML / address).read_text(), "lxml")


def article(address: str) -> BeautifulSoup:
    """The part of a page that is its own."""
    return page(address).select_one("article")


@cache
def anchors(file: Path) -> set[str]:
    """All places of a page that a link can lead to."""
    return {tag["id"] for tag in BeautifulSoup(file.read_text(), "lxml").select("[id]")}


def text_of(address: str) -> str:
    return " ".join(article(address).get_text(" ").split())


@pytest.mark.parametrize("address", EXECUTED)
def test_no_demo_result_can_be_taken_for_a_published_one(address):
    text = text_of(address)
    stage = address.split("/")[2]
    assert "Made by" in text
    if stage in KINDS:
        assert article(address).blockquote.get_text().strip().startswith(KINDS[stage])
        assert "Drawn animals" not in text
        return
    assert "Drawn animals" in text
    if stage not in {"0_datasets", "1_prepare", "3_sift", "w0_setup", "w1_data"}:
        assert "pocket networks." in text
        assert "not those of the released MegaDescriptors" in text


@pytest.mark.parametrize("address", pages())
def test_a_page_opens_with_what_one_learns_and_needs_and_how_long_it_takes(address):
    box = article(address).select_one(".admonition").get_text(" ")
    assert "You learn" in box and "You need" in box
    assert re.search(r"Time: +\d+ min to read", box)


@pytest.mark.parametrize("address", pages())
def test_images_are_described(address):
    for image in article(address).select("img"):
        told = image.get("alt", "")
        # Without an alternative text, docutils writes the address of the image.
        assert len(told) >= 20 and " " in told and not told.endswith((".png", ".svg")), image["src"]


@pytest.mark.parametrize("address", EXECUTED)
def test_images_of_executed_pages_have_a_caption(address):
    bare = [
        image.get("alt")
        for image in article(address).select("img")
        if not (image.find_parent("figure") and image.find_parent("figure").figcaption)
    ]
    assert bare == []


def test_charts_are_vectors_and_photographs_are_not():
    charts = article("book/run/4_published/published.html").select("img")
    assert charts and all(image["src"].endswith(".svg") for image in charts)
    photographs = article("book/run/1_prepare/DemoZebra.html").select("img")
    assert any(image["src"].endswith(".png") for image in photographs)


def test_titles_are_all_different():
    titles = [article(address).h1.get_text() for address in pages()]
    assert len(set(titles)) == len(titles), titles
    assert sum("Training pocket-" in title for title in titles) == 5
    assert sum("Inference with pocket-" in title for title in titles) == 5


@pytest.mark.parametrize("address", pages())
def test_links_inside_the_book_lead_somewhere(address):
    """Those of the text, of the navigation and of the contents at the side."""
    lost = []
    for link in {a["href"] for a in page(address).select("a[href]")}:
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = ((HTML / address).parent / target if target else HTML / address).resolve()
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            lost.append(link)
    assert lost == []


def test_the_table_of_contents_is_complete():
    assert len(pages()) == 63, pages()
    assert all(Path(HTML, name).is_file() for name in pages())
