"""A truth table in which all is as expected, made of round numbers."""

import pandas as pd
import pytest

from megalib.evaluation.demo import record

SPECIES = ("leopard", "turtle", "whale shark", "zebra")
NETWORKS = {"pocket-T": 60, "pocket-S": 64, "pocket-B": 68, "pocket-L-224": 72, "pocket-L-384": 80}
CHANCE = 4.0


def row_of(world, training, method, weights, condition, species, top_1):
    return (world, training, method, weights, condition, species, 50, top_1, CHANCE / 100, "abc")


def world_table(*worlds: int) -> pd.DataFrame:
    """The table of some worlds; each training and each species has its own figure.

    The mean over trainings and species is the number that stands here; in the second world
    everything is a point higher.
    """
    rows = []

    def add(world, method, weights, condition, mean, trainings=(pd.NA,)):
        above = worlds.index(world)
        there = [one for one in SPECIES if "other" not in condition or one != "turtle"]
        for place, training in enumerate(trainings):
            for number, species in enumerate(there):
                # Symmetric around the mean: trainings by 1 point, species by 2.
                shift = place - (len(trainings) - 1) / 2 + 2 * (number - (len(there) - 1) / 2)
                figure = (mean + above + shift) / 100
                rows.append(row_of(world, training, method, weights, condition, species, figure))

    for world in worlds:
        add(world, "thumbnails", "", "random split", 14)
        add(world, "thumbnails", "", "later days", 10)
        add(world, "thumbnails", "", "other flank", 5)
        add(world, "thumbnails", "", "other background", 6)
        add(world, "SIFT", "", "random split", 45)
        add(world, "SIFT", "", "near and flat", 75)
        for name, mean in NETWORKS.items():
            add(world, name, "random", "random split", 10, range(3))
            add(world, name, "imagenet", "random split", mean - 30)
            add(world, name, "imagenet", "near and flat", mean - 15)
            add(world, name, "trained", "random split", mean, range(3))
            add(world, name, "trained", "later days", mean - 12, range(3))
            add(world, name, "trained", "other flank", 6, range(3))
            add(world, name, "trained", "other background", mean - 5, range(3))
    return pd.DataFrame(rows, columns=record.COLUMNS).astype({"training_seed": "Int64"})


def shifted(table: pd.DataFrame, method: str, weights: str, condition: str, points: float, world=2):
    """The same table, in which the figures of one row are higher in one world."""
    chosen = table["world_seed"] == world
    for column, value in (("method", method), ("weights", weights), ("condition", condition)):
        chosen &= table[column] == value
    assert chosen.any()
    return table.assign(top_1=table["top_1"] + chosen * points / 100)


@pytest.fixture
def table() -> pd.DataFrame:
    """Two worlds, in which all is as expected."""
    return world_table(1, 2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in the place of `data/demo/`."""
    monkeypatch.setattr(record, "FOLDER", tmp_path / "demo")
    return tmp_path / "demo"
