"""Candidates of several methods stand side by side, and right ones are counted."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from megalib.retrieval import candidates, matching, ranking
from megalib.retrieval.found import CANDIDATES, Found


def metadata_of(rng, names: int, train: int, test: int) -> pd.DataFrame:
    """Images in no order; every name is on a training image, and some images are in no part."""
    known = np.concatenate([np.arange(names), rng.integers(0, names, train)])
    codes = np.concatenate([known, rng.integers(0, names, test), [0, 1]])
    parts = ["train"] * len(known) + ["test"] * test + [None] * 2
    rows = pd.DataFrame({"identity": codes.astype(str), "split": parts}).astype(object)
    rows["image_id"] = rng.permutation(len(rows)).astype(str)
    rows["path"] = rows["image_id"] + ".png"
    return rows.sample(frac=1, random_state=int(rng.integers(99)))


def found_by(rng, metadata: pd.DataFrame) -> Found:
    rows = rng.standard_normal((len(metadata), 6)).astype(np.float32)
    matches = matching.match(metadata, rows)
    return Found(metadata, matches, ranking.rank(metadata, rows), {}, {})


def by_hand(found: Found, metadata: pd.DataFrame) -> dict[str, list[str]]:
    """The names of the candidates of each query, out of the table."""
    table = candidates.table(found)
    assert table["image_id"].isin(metadata.loc[metadata["split"] == "test", "image_id"]).all()
    return table.groupby("image_id", sort=False)["candidate"].agg(list).to_dict()


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 12), st.integers(1, 9), st.integers(0, 99))
def test_counts_are_those_of_the_answers_one_by_one(names, train, test, seed):
    rng = np.random.default_rng(seed)
    parts = {"A": metadata_of(rng, names, train, test), "B": metadata_of(rng, 2, 3, 4)}
    answers = {
        method: {dataset: found_by(rng, part) for dataset, part in parts.items()}
        for method in ("one", "other")
    }
    counts = candidates.counted(answers)
    assert counts.index.tolist() == ["one", "other", "guessing"]
    for method, found in answers.items():
        first, among = 0, 0
        for dataset, part in parts.items():
            truth = part.set_index("image_id")["identity"]
            for image, told in by_hand(found[dataset], part).items():
                assert len(set(told)) == len(told) == min(CANDIDATES, part["identity"].nunique())
                first += told[0] == truth[image]
                among += truth[image] in told
        assert counts.loc[method].tolist() == [first, among]
        assert first == sum(one.matches["correct"].sum() for one in found.values())
    guess = test / names + 4 / 2, test * min(1, CANDIDATES / names) + 4
    assert counts.loc["guessing"].tolist() == pytest.approx(guess)


def answers_of_two() -> dict[str, dict[str, Found]]:
    """Two queries, "a" and "b", and three known images of "a", "b" and "<i>c</i>".

    "far" is right about the first query and finds the second at its second try, "near" the other
    way round.
    """
    metadata = pd.DataFrame({"identity": ["a", "b", "<i>c</i>", "a", "b"]})
    metadata["image_id"] = [str(number) for number in range(5)]
    metadata["path"] = metadata["image_id"] + ".png"
    metadata["split"] = ["train"] * 3 + ["test"] * 2
    orders = {"far": [[0, 1, 2], [2, 1, 0]], "near": [[1, 0, 2], [1, 2, 0]]}
    answers = {}
    for method, order in orders.items():
        ranks = ranking.ranks_of_order(np.array(order), np.arange(3), np.arange(2))
        answers[method] = {"X": Found(metadata, metadata[3:], ranks, {}, {})}
    return answers


def test_the_finding_is_one_sentence_with_all_counts():
    assert candidates.finding(answers_of_two()).data == (
        "**Of 2 new photographs, far names 1 correctly, near names 1 correctly, and guessing would "
        "name about 1.**"
    )


@pytest.fixture
def page(tmp_path):
    """The gallery of `answers_of_two`; each image has a side of its own."""
    for number in range(5):
        Image.new("RGB", (10 + number, 20)).save(tmp_path / f"{number}.png")
    return BeautifulSoup(candidates.gallery({"X": tmp_path}, answers_of_two(), 1).data, "lxml")


def width(image) -> int:
    return Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))).width - 10


def test_the_gallery_shows_every_query_once_with_the_candidates_of_all_methods(page):
    cards = page.select(".query")
    assert [card.b.get_text() for card in cards] == ["a", "b"]
    assert [width(card.img) for card in cards] == [3, 4]
    assert [p.get_text() for p in page.select(".answer p")] == ["far", "near"] * 2
    shown = [[width(image) for image in part.select("img")] for part in page.select(".answer")]
    assert shown == [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]]
    assert [len(part.select(".query")) for part in page.select("details")] == [1]


def test_the_gallery_marks_right_ones_and_first_ones_that_are_wrong(page):
    assert [li["class"] for li in page.select(".answer li")] == [
        *(["right"], ["other"], ["other"], ["wrong"], ["right"], ["other"]),
        *(["wrong"], ["right"], ["other"], ["right"], ["other"], ["other"]),
    ]
    told = {" ".join(li.get_text().split()) for li in page.select("li")}
    assert told == {"✓ a", "✗ b", "b", "<i>c</i>", "✗ <i>c</i>", "✓ b", "a"}  # names stay text


def test_images_of_the_gallery_are_described(page):
    assert page.figcaption.get_text().startswith("Large: a new photograph")
    known = {image["alt"] for image in page.select("li img")}
    assert known == {f"Known photograph of {name}" for name in ("a", "b", "<i>c</i>")}
    assert [image["alt"] for image in page.select(".asked img")] == [
        "New photograph of a",
        "New photograph of b",
    ]
