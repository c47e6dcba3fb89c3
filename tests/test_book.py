"""What the pages of the built demo book say, and where their links lead."""

from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from .built_book import HTML, needs_book, pages

pytestmark = needs_book
MOST_BYTES = 3_000_000  # of a page and its images


@cache
def article(address: str) -> BeautifulSoup:
    """The part of a page that is its own, without what the theme puts around it."""
    return BeautifulSoup((HTML / address).read_text(), "lxml").select_one("article")


@pytest.mark.parametrize("address", [name for name in pages() if "/run/" in name])
def test_no_demo_figure_can_be_taken_for_a_published_one(address):
    text = " ".join(article(address).get_text(" ").split())
    assert "Made by" in text
    if any(stage in address for stage in ("2_flavours", "4_published", "6_colophon")):
        assert "Drawn animals" not in text
        return
    assert "Drawn animals" in text
    if not any(stage in address for stage in ("0_datasets", "1_prepare", "3_sift", "w0_setup")):
        assert "demo scale" in text
        assert "not results of the published MegaDescriptors" in text


@pytest.mark.parametrize("address", pages())
def test_a_page_is_light_and_its_images_are_described(address):
    images = article(address).select("img")
    assert [image["src"] for image in images if not image.get("alt")] == []
    file = HTML / address
    files = {(file.parent / image["src"]).resolve() for image in images}
    assert file.stat().st_size + sum(image.stat().st_size for image in files) < MOST_BYTES


def test_charts_are_vectors_and_photographs_are_not():
    charts = article("book/run/4_published/published.html").select("img")
    assert charts and all(image["src"].endswith(".svg") for image in charts)
    photographs = article("book/run/1_prepare/DemoZebra.html").select("img")
    assert any(image["src"].endswith(".png") for image in photographs)


def test_titles_are_all_different():
    titles = [article(address).h1.get_text() for address in pages()]
    assert len(set(titles)) == len(titles), titles
    assert sum("Training MegaDescriptor" in title for title in titles) == 5
    assert sum("Inference with MegaDescriptor" in title for title in titles) == 5


@pytest.mark.parametrize("address", pages())
def test_links_inside_the_book_lead_somewhere(address):
    lost = []
    for link in {a["href"] for a in article(address).select("a[href]")}:
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (HTML / address).parent / target if target else HTML / address
        if not file.is_file() or (anchor and f'id="{anchor}"' not in file.read_text()):
            lost.append(link)
    assert lost == []


def test_the_table_of_contents_is_complete():
    assert len(pages()) == 48, pages()
    assert all(Path(HTML, name).is_file() for name in pages())
