"""The baseline without a network, against two nested loops and on pictures that it must know."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from megalib.errors import UserError
from megalib.evaluation import results
from megalib.retrieval import sift
from tests.conftest import results_of

RATIOS = (0.5, 0.8, 0.9)


def descriptors(rng, number):
    return torch.from_numpy(rng.integers(0, 256, (number, 128)).astype(np.float32))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999), st.integers(0, 6), st.lists(st.integers(0, 6), max_size=4))
def test_correspondences_are_those_of_two_nested_loops(seed, points, sizes):
    rng = np.random.default_rng(seed)
    query = descriptors(rng, points)
    database = [descriptors(rng, size) for size in sizes]
    for entries in database:  # some points that are nearly the same
        shared = min(len(query), len(entries))
        noise = rng.integers(0, 3, (shared, 128)) * rng.integers(0, 30, (shared, 1))
        entries[:shared] = (query[:shared] + torch.from_numpy(noise)).clamp(0, 255)
    told = np.zeros((len(database), len(RATIOS)), dtype=int)
    for number, entries in enumerate(database):
        for point in query.numpy().astype(np.float64):
            distances = sorted(np.linalg.norm(point - entry) for entry in entries.numpy())
            if len(distances) >= 2:
                told[number] += [distances[0] < ratio * distances[1] for ratio in RATIOS]
    np.testing.assert_array_equal(sift.correspondences(query, database, RATIOS), told)


def texture(seed: int) -> Image.Image:
    """A picture full of corners."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8))
    return coarse.resize((160, 160), Image.Resampling.BICUBIC).convert("RGB")


@pytest.fixture
def textured(run):
    """Five individuals, each a texture, seen six times: turned, cut and with other light."""
    rows = []
    for number in range(5):
        for view in range(6):
            angle, left = 5 * view, 4 * view
            image = texture(number).rotate(angle, fillcolor=(128,) * 3)
            image = image.crop((left, 0, left + 130, 140)).point(lambda v, view=view: v - 6 * view)
            path = f"{number}_{view}.png"
            target = run.images(256, "Textures") / path
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target)
            rows.append((path, f"owl{number}", path, "test" if view == 3 else "train"))
    columns = ["image_id", "identity", "path", "split"]
    metadata = pd.DataFrame(rows, columns=columns)
    run.metadata("Textures").parent.mkdir(parents=True)
    metadata.to_csv(run.metadata("Textures"))
    return run


def test_turned_and_cut_pictures_are_recognised(textured):
    lines = []
    table, predictions = results_of(
        textured, sift.infer(["Textures"], textured, report=lines.append)
    )
    assert table.loc[0, "accuracy"] == 1
    assert table.loc[0, "ratio"] in sift.RATIOS
    assert table.loc[0, "images_per_second"] > 0
    assert lines[0].startswith("Textures: 5 of 5")
    found = predictions["Textures"]
    assert (found["rank"] == 0).all() and (found["similarity"] > 10).all()
    pd.testing.assert_frame_equal(
        results.read(textured, ["SIFT"]), table, check_dtype=False, check_exact=False
    )
    written = pd.read_csv(textured.predictions("SIFT", "Textures"))
    assert written["match_path"].tolist() == found["match_path"].tolist()


def test_twins_are_named(textured):
    folder, lines = textured.images(256, "Textures"), []
    (folder / "4_0.png").write_bytes((folder / "4_3.png").read_bytes())
    found = sift.infer(["Textures"], textured, report=lines.append)
    assert lines[1] == "Textures: warning, 1 test images have a twin in training: 4_3.png = 4_0.png"
    twin = found["Textures"].matches.set_index("path")["twin"].dropna()
    assert twin.to_dict() == {"4_3.png": "4_0.png"}


def test_the_number_of_threads_changes_nothing(textured):
    tables = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        tables.append(sift.infer(["Textures"], textured, report=lambda _: None)["Textures"].matches)
    torch.set_num_threads(1)
    pd.testing.assert_frame_equal(*tables)


def test_the_ratio_is_chosen_without_the_test_images(textured, monkeypatch):
    seen = []
    chosen = sift.choose_ratio
    monkeypatch.setattr(
        sift,
        "choose_ratio",
        lambda identity, images, *rest: (
            seen.append((len(identity), len(images))) or chosen(identity, images, *rest)
        ),
    )
    sift.infer(["Textures"], textured, report=lambda _: None)
    assert seen == [(25, 25)]


def test_an_image_never_chooses_itself_and_equal_ratios_give_the_smallest():
    rng = np.random.default_rng(0)
    views = [descriptors(rng, 6) for _ in range(2)]
    # Each image is a copy of one of another individual: every ratio is wrong alike.
    images = [views[0], views[1], views[0], views[1]]
    identity = np.array(["a", "a", "b", "b"])
    assert sift.choose_ratio(identity, images) == sift.RATIOS[0]
    with pytest.raises(UserError, match="two training images"):
        sift.choose_ratio(np.array(["a", "b"]), images[:2])


def test_equal_counts_give_the_first_image_and_blank_ones_do_no_harm(run):
    blank = torch.zeros(0, 128)
    metadata = pd.DataFrame(
        {
            "image_id": list("abcd"),
            "identity": ["x", "y", "x", "y"],
            "path": list("abcd"),
            "split": ["train", "train", "test", "test"],
        }
    )
    table, ranks = sift.match(metadata, [blank] * 4, 0.8)
    assert table["predicted"].tolist() == ["x", "x"]
    assert ranks.first_match.tolist() == [0, 1]


def test_a_blank_picture_has_no_descriptors(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "blank.png")
    assert sift.describe(tmp_path / "blank.png", 50).shape == (0, 128)
    texture(0).save(tmp_path / "texture.png")
    found = sift.describe(tmp_path / "texture.png", 50)
    assert 10 < len(found) <= 51  # OpenCV keeps equally strong points together
    assert found.max() < 256 and (found == found.round()).all()


def test_large_datasets_are_left_out_and_missing_images_named(textured):
    lines = []
    with pytest.raises(UserError, match="raise most_images"):
        sift.infer(["Textures"], textured, most_images=10, report=lines.append)
    assert lines == ["Textures: left out, 30 images are more than 10"]
    (textured.images(256, "Textures") / "0_0.png").unlink()
    with pytest.raises(UserError, match=r"0_0\.png"):
        sift.infer(["Textures"], textured)
