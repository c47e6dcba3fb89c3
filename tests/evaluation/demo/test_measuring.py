"""The command that measures: its divisions, what it counts, and how it goes on."""

import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import truth_table as command
from benchmarks.truth_table import Part
from megalib import flavours, stamp
from megalib.data import catalogue, drawn_by, truth
from megalib.data.images import load
from megalib.data.metadata import read_metadata
from megalib.drawn import drawing
from megalib.evaluation import masks
from megalib.evaluation.demo import expectations, record
from megalib.evaluation.judging import days
from megalib.files.places import Run
from megalib.models import networks
from tests.conftest import DRAWN

SEED = os.environ.get("TRUTH_SEED", "")
NAMES = [entry.name for entry in catalogue.DRAWN]
FLANKS = [name for name in NAMES if name != "DemoTurtle"]


def metadata_of(identities: list[str], **known: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metadata and truth of a few images."""
    ids = [str(number) for number in range(len(identities))]
    metadata = pd.DataFrame({"image_id": ids, "identity": identities})
    metadata = metadata.assign(path=[f"{one}.jpg" for one in ids], split=None)
    return metadata, pd.DataFrame(known, index=metadata.index)


def test_one_flank_is_asked_among_the_other():
    who = ["a", "a", "a", "b", "c", "unknown", "unknown", "b"]
    flank = ["right", "left", "left", "right", "left", "left", "right", "top"]
    divided = command.one_flank(*metadata_of(who, flank=flank))
    # Nothing is known of the right flank of c; strangers are neither known nor asked about.
    assert divided["split"].fillna("").tolist() == ["train", "test", "test", "train", *4 * [""]]


def test_a_species_without_flanks_is_trained_on_and_not_asked_about():
    metadata, known = metadata_of(["a", "a", "unknown"], flank=["top"] * 3)
    metadata["split"] = ["train", "test", None]
    divided = command.one_flank(metadata, known)["split"]
    assert divided[0] == "train" and divided[1:].isna().all()


def near_and_flat(rng: np.random.Generator, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images of three animals and a stranger, near and flat or not, at random."""
    who = rng.choice(["a", "b", "c", "unknown"], number, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    return metadata_of(
        who,
        flank=rng.choice(["left", "right"], number).tolist(),
        pixels=rng.choice([record.NEAR - 1, record.NEAR], number, p=[0.2, 0.8]).tolist(),
        hidden=rng.choice([0.0, 0.06], number, p=[0.8, 0.2]).tolist(),
        yaw=rng.choice([-20.5, -20.0, 20.0], number, p=[0.1, 0.4, 0.5]).tolist(),
        pitch=rng.choice([15.0, 15.5], number, p=[0.9, 0.1]).tolist(),
        bend=rng.choice([-20.5, 0.0, 20.0], number, p=[0.1, 0.4, 0.5]).tolist(),
        encounter=rng.integers(0, 25, number).tolist(),
    )


@pytest.mark.parametrize("seed", range(6))
def test_near_and_flat_photographs_are_asked_among_each_other(seed):
    metadata, known = near_and_flat(np.random.default_rng(seed), 60 if seed < 3 else 30)
    plain = [
        who != "unknown"
        and one.pixels >= 180
        and one.hidden <= 0.05
        and max(abs(one.yaw), abs(one.bend)) <= 20
        and abs(one.pitch) <= 15
        for who, one in zip(metadata["identity"], known.itertuples(), strict=True)
    ]
    asked, parts = [], command.near_and_flat(metadata, known)
    for part in parts:
        queries = np.flatnonzero(part["split"] == "test")
        database = np.flatnonzero(part["split"] == "train")
        meetings = set(known["encounter"][queries])
        assert not meetings & set(known["encounter"][database])
        assert all(plain[place] for place in [*queries, *database])
        for place in range(len(metadata)):
            held = [
                other
                for other in database
                if metadata["identity"][other] == metadata["identity"][place]
                and known["flank"][other] == known["flank"][place]
            ]
            if plain[place] and known["encounter"][place] in meetings:
                assert (place in queries) == bool(held)
        asked += queries.tolist()
    assert len(asked) == len(set(asked)) > 2


def test_no_near_photographs_are_no_question():
    metadata, known = near_and_flat(np.random.default_rng(0), 20)
    assert command.near_and_flat(metadata, known.assign(pixels=100)) == []


@pytest.fixture
def world(run, drawn_animals, monkeypatch, capsys):
    """A small world that has been drawn already; its run."""
    target = Run(f"world-5-{DRAWN['individuals']}x{DRAWN['pictures']}")
    for entry in catalogue.DRAWN:
        folder = entry.folder(target.raw())
        shutil.copytree(drawn_animals[entry.species], folder)
        stamp.write(drawn_by.file(folder), drawn_by.today())
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", lambda *what, **how: pytest.fail("drawn again"))
        assert command.make_world(5, **DRAWN) == target
    return target


def test_only_the_background_of_queries_is_another(world, monkeypatch):
    other = command.swapped(world)
    assert other.prepared() == sorted(FLANKS)
    for name in FLANKS:
        metadata = read_metadata(world.metadata(name))
        assert read_metadata(other.metadata(name)).equals(metadata)
        tested = metadata[metadata["split"] == "test"]
        for row in metadata.itertuples():
            before, after = (one.images(256, name) / row.path for one in (world, other))
            if row.split != "test":
                assert before.read_bytes() == after.read_bytes()
                continue
            # It is the background of the image of another animal, whichever that is.
            shown = np.asarray(load(after))
            mask = truth.mask(world, name, row.image_id, 256)
            theirs = tested[tested["identity"] != row.identity]
            found = [
                masks.swap_background(
                    load(before),
                    mask,
                    load(world.images(256, name) / one.path),
                    truth.mask(world, name, one.image_id, 256),
                )
                for one in theirs.itertuples()
            ]
            assert any((np.asarray(one) == shown).all() for one in found)
    monkeypatch.setattr(masks, "swap_background", lambda *_: pytest.fail("swapped again"))
    command.make_world(5, **DRAWN)


def cosine_answers(rows: np.ndarray, metadata: pd.DataFrame) -> list[bool]:
    """Whether the nearest image of the database is right, for each query."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    train, test = (np.flatnonzero(metadata["split"] == part) for part in ("train", "test"))
    names = metadata["identity"].to_numpy()
    return [names[train[(unit[train] @ unit[one]).argmax()]] == names[one] for one in test]


def test_thumbnails_are_asked_under_all_conditions(world):
    rows = pd.DataFrame(command.measured(Part("thumbnails"), world)).set_index(
        ["condition", "species"]
    )
    for name in NAMES:
        species = catalogue.find(name).species.replace("_", " ")
        metadata = read_metadata(world.metadata(name))
        right = cosine_answers(days.thumbnails(world, name), metadata)
        row = rows.loc["random split", species]
        assert (row["n"], row["top_1"]) == (len(right), pytest.approx(np.mean(right), abs=1e-6))
        database = metadata.loc[metadata["split"] == "train", "identity"]
        shares = [
            (database == who).mean() for who in metadata["identity"][metadata["split"] == "test"]
        ]
        assert row["chance"] == pytest.approx(np.mean(shares), abs=1e-6)
        assert ("other background", species) in rows.index or name == "DemoTurtle"
    assert set(rows.index.get_level_values(0)) == set(record.CONDITIONS) - {"near and flat"}
    assert rows["training_seed"].isna().all()


@pytest.mark.slow
def test_a_network_is_trained_and_asked_as_its_part_says(world, monkeypatch):
    short = flavours.recipe("pocket-T", epochs=1, batch_size=8)
    monkeypatch.setattr(flavours, "recipe", lambda name: replace(short))
    for division, conditions in {
        "random split": {"random split", "other background"},
        "later days": {"later days"},
        "other flank": {"other flank"},
    }.items():
        part = Part("pocket-T", "trained", 3, division)
        rows = pd.DataFrame(command.measured(part, world))
        assert set(rows["condition"]) == conditions
        assert set(rows["training_seed"]) == {3} and set(rows["weights"]) == {"trained"}
        asked = rows[rows["condition"] == division].set_index("species")
        for name in NAMES:
            found = command.divided(world, name, division)[0]["split"]
            species = catalogue.find(name).species.replace("_", " ")
            number = int(asked["n"].get(species, 0))
            assert number == (found == "test").sum()
        own = Run(f"{world.profile}/{division.replace(' ', '-')}-3")
        assert not own.weights("pocket-T").exists(), "only its figures are kept"


@pytest.mark.slow
def test_before_training_a_network_is_asked_as_it_is(world):
    parts = [
        Part("pocket-T", "random", 1),
        Part("pocket-T", "random", 2),
        Part("pocket-T", "imagenet"),
    ]
    for part in parts:
        network = (
            networks.untrained_network(flavours.get("pocket-T"), part.seed)
            if part.seed
            else networks.pretrained(flavours.get("pocket-T"))
        )
        rows = pd.DataFrame(command.measured(part, world))
        rows = rows[rows["condition"] == "random split"].set_index("species")["top_1"]
        for name in NAMES:
            metadata = read_metadata(world.metadata(name))
            how = (network, flavours.get("pocket-T"), metadata, world, name, torch.device("cpu"))
            right = cosine_answers(command.extraction.embed(*how), metadata)
            species = catalogue.find(name).species.replace("_", " ")
            assert rows[species] == pytest.approx(np.mean(right), abs=1e-6)


@pytest.mark.slow
def test_sift_is_asked_about_all_and_about_near_photographs(world):
    rows = pd.DataFrame(command.measured(Part("SIFT"), world))
    assert set(rows["condition"]) <= {"random split", "near and flat"}
    everybody = rows[rows["condition"] == "random split"]
    assert len(everybody) == 4 and everybody["top_1"].between(0, 1).all()


def test_all_parts_are_measured_and_the_longest_first():
    parts = command.parts_of(["pocket-T", "pocket-S"], [0, 1])
    assert len(parts) == len(set(parts)) == 2 * 2 * 3 + 2 * 2 + 2 + 2
    assert parts[0] == Part("pocket-S", "trained", 0, "random split")
    assert len({str(part) for part in parts}) == len(parts)


def test_what_is_kept_is_not_measured_again(run, monkeypatch):
    parts = [Part("thumbnails"), Part("SIFT")]
    monkeypatch.setattr(
        command,
        "measured",
        lambda part, _: [
            {"training_seed": part.seed, "method": part.method, "weights": "", "top_1": 0.5}
            | {"condition": "random split", "species": "zebra", "n": 9, "chance": 0.1}
        ],
    )
    for part in parts:
        assert command.read_kept(command.kept(run, part)) is None
        command.measure_and_keep(part, run)
    table = command.measure_world(run, parts, workers=1)
    assert table["method"].tolist() == ["thumbnails", "SIFT"]
    assert table["training_seed"].isna().all() and table["weights"].tolist() == ["", ""]
    assert set(table["commit"]) == {command.notebook.commit()}, "that measured the part"
    monkeypatch.setattr(record, "today", lambda: {"drawn animals": "other"})
    assert command.read_kept(command.kept(run, parts[0])) is None, "of other code"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seed", "7", "--record"], "chosen on seed 7"),
        (["--seed", "1", "--record", "--individuals", "6"], "--record is for whole worlds"),
        (["--seed", "1", "--record", "--flavours", "pocket-T"], "--record is for whole worlds"),
        (["--seed", "1", "--flavours", "pocket-X"], "unknown pocket network 'pocket-X'"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(monkeypatch, arguments, told):
    monkeypatch.setattr(sys, "argv", ["truth_table.py", *arguments])
    monkeypatch.setattr(command, "measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(SystemExit, match=told):
        command.main()


@pytest.mark.truth
@pytest.mark.skipif(not SEED, reason="measures for about an hour: TRUTH_SEED=5 pytest -m truth")
def test_a_new_world_is_as_expected(run):
    assert int(SEED) not in record.TUNING_SEEDS
    judged = expectations.judged(expectations.worlds(command.measure([int(SEED)])))
    assert set(judged["number"]) == set(range(len(expectations.EXPECTED)))
    missed = judged[~judged["is_met"]]
    told = [
        f"{expectations.EXPECTED[row.number]}: {row.row} {row.value}" for row in missed.itertuples()
    ]
    assert told == []
