"""Key points that photographs share, kept so that only what is new costs time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from megalib.identify.learning import candidates, key_points, shared_points
from megalib.identify.photographs import Photographs
from megalib.retrieval import sift
from tests.retrieval.test_sift import texture

VIEWS = 3


def album(folder, names, first=0):
    """Textures, each seen several times: turned a little, in other light."""
    rows = []
    for number, name in enumerate(names):
        for view in range(first, first + VIEWS):
            path = f"{name}_{view}.png"
            image = texture(number).rotate(7 * view, fillcolor=(128,) * 3)
            folder.mkdir(exist_ok=True)
            image.point(lambda v, view=view: v - 6 * view).save(folder / path)
            rows.append((path, name, path, path, 1))
    columns = ["image_id", "identity", "path", "photograph", "animal"]
    metadata = pd.DataFrame(rows, columns=columns)
    rows = np.random.default_rng(first).standard_normal((len(metadata), 8)).astype(np.float32)
    return Photographs(metadata, rows, folder, kept=folder.parent / "kept" / folder.name)


@pytest.fixture
def owls(tmp_path):
    names = ["Ada", "Bo", "Cleo", "Dot"]
    return album(tmp_path / "New", names, first=VIEWS), album(tmp_path / "Known", names)


def counted(new, known):
    apart = candidates.pairs(new.metadata, known.metadata)
    found = candidates.lists(new, known, apart)
    return found, shared_points.shared(new, known, found, apart)


def test_the_right_individual_shares_most_points(owls):
    new, known = owls
    found, shared = counted(new, known)
    best = shared.count.argmax(axis=1)
    rows = np.arange(len(best))
    assert (found.names[found.individual[rows, best]] == new.metadata["identity"]).all()
    # Against the library's own way, each photograph of each individual.
    points = {
        path: torch.from_numpy(
            sift.detect(np.asarray(Image.open(folder / path).convert("L")), key_points.KEYPOINTS)[1]
        )
        for folder, table in ((new.folder, new.metadata), (known.folder, known.metadata))
        for path in table["path"]
    }
    for query, path in enumerate(new.metadata["path"]):
        for column, individual in enumerate(found.individual[query]):
            own = known.metadata[known.metadata["identity"] == found.names[individual]]
            entries = [points[other] for other in own["path"]]
            told = sift.correspondences(points[path], entries, [key_points.RATIO])[:, 0]
            assert shared.count[query, column] == told.max()
            assert told[list(own.index).index(shared.place[query, column])] == told.max()


def test_what_was_found_is_kept_and_only_new_photographs_are_searched(owls, monkeypatch):
    new, known = owls
    _, before = counted(new, known)
    searched, compared = [], []
    detect, correspondences = sift.detect, sift.correspondences
    monkeypatch.setattr(sift, "detect", lambda *how: searched.append(1) or detect(*how))
    monkeypatch.setattr(
        sift,
        "correspondences",
        lambda query, entries, ratios: (
            compared.append(len(entries)) or correspondences(query, entries, ratios)
        ),
    )
    key_points._points_of.cache_clear()  # as another process
    _, again = counted(new, known)
    assert (again.count == before.count).all() and not searched and not compared
    more = album(known.folder.parent / "New", ["Ada", "Bo"], first=9)
    rows = np.concatenate([new.rows, more.rows])
    grown = replace(new, metadata=pd.concat([new.metadata, more.metadata]), rows=rows)
    _, grown_counts = counted(grown, known)
    assert (grown_counts.count[: len(before.count)] == before.count).all()
    assert len(searched) == len(more.metadata)
    assert sum(compared) == len(more.metadata) * len(known.metadata)


def test_a_changed_image_is_searched_anew(owls):
    new, known = owls
    _, before = counted(new, known)
    key_points._points_of.cache_clear()
    Image.new("RGB", (90, 90)).save(new.folder / new.metadata["path"][0])
    _, after = counted(new, known)
    assert before.count[0].max() > 0 and (after.count[0] == 0).all()
    assert (after.count[1:] == before.count[1:]).all()


@pytest.mark.parametrize("size", [(140, 120), (700, 600)])
def test_points_between_two_images_are_those_that_count(tmp_path, size):
    """Turned by a quarter, a place of the one is a known place of the other, in its own pixels."""
    image = texture(1).resize((140, 120))
    image.resize(size).save(tmp_path / "one.png")
    image.transpose(Image.Transpose.ROTATE_90).resize(size[::-1]).save(tmp_path / "two.png")
    rows = [(name, name, name, name, 1) for name in ("one.png", "two.png")]
    columns = ["image_id", "identity", "path", "photograph", "animal"]
    both = Photographs(pd.DataFrame(rows, columns=columns), np.eye(2, dtype=np.float32), tmp_path)
    lines = key_points.between_images(both, both)(tmp_path / "one.png", tmp_path / "two.png")
    assert len(lines) > 10
    one, two = both.some(np.array([0])), both.some(np.array([1]))
    assert counted(one, two)[1].count.tolist() == [[len(lines)]]
    x, y, x_turned, y_turned = np.array(lines).T
    scale = size[0] / 140
    assert np.median(np.abs(x_turned - y)) < 2 * scale
    assert np.median(np.abs(y_turned - (size[0] - x))) < 2 * scale


def test_nothing_in_common_is_no_line(tmp_path):
    Image.new("RGB", (90, 90)).save(tmp_path / "grey.png")
    table = pd.DataFrame({"path": ["grey.png"]})
    grey = Photographs(table, np.eye(1, dtype=np.float32), tmp_path)
    assert key_points.between_images(grey, grey)(*[tmp_path / "grey.png"] * 2) == []
