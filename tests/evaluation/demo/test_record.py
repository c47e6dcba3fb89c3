"""What is recorded comes back, and says when it is no longer true."""

from pathlib import Path

import pandas as pd
import pytest

from megalib import flavours
from megalib.errors import UserError
from megalib.evaluation.demo import record
from megalib.files.places import ROOT
from megalib.flavours import POCKET, RECIPES
from tests.evaluation.demo.conftest import SPECIES, world_table

needs_record = pytest.mark.skipif(
    not record.file().is_file(), reason=f"nothing is recorded yet: {record.command(record.SEEDS)}"
)


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables hold the same rows, in whatever order."""
    keys = [*record.KEYS, "species"]
    tables = [table.sort_values(keys).reset_index(drop=True) for table in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_dtype=False)
    return True


def test_without_a_record_there_are_no_rows(folder):
    assert record.read().empty
    assert list(record.read()) == record.COLUMNS
    assert record.outdated() == "drawn animals, pocket networks"


def test_a_record_comes_back(folder, table):
    record.keep(table)
    assert same(record.read(), table)
    assert record.outdated() == ""
    assert record.read()["training_seed"].isna().sum() == table["training_seed"].isna().sum() > 0


def test_a_world_that_is_measured_again_takes_its_own_place(folder, table):
    record.keep(table)
    again = world_table(2, 3)
    record.keep(again)
    assert same(record.read(), pd.concat([table[table["world_seed"] == 1], again]))


def test_worlds_of_other_code_are_not_kept(folder, table, monkeypatch):
    record.keep(table)
    monkeypatch.setattr(record, "today", lambda: {"drawn animals": "other"})
    assert record.outdated() == "drawn animals, pocket networks"
    record.keep(world_table(3))
    assert same(record.read(), world_table(3))


def test_worlds_on_which_something_was_chosen_are_not_recorded(folder):
    with pytest.raises(UserError, match="chosen on seed 7: record other worlds"):
        record.keep(world_table(1, 7))
    assert record.read().empty


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\xff"])
def test_a_damaged_record_says_how_to_measure_again(folder, text):
    folder.mkdir()
    record.file().write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"measure again, by .* --seed 1 --seed 2 --record"):
        record.read()


@pytest.mark.parametrize(
    ("file", "decides"),
    [
        ("drawn/animals/coats.py", True),
        ("drawn/world.py", True),
        ("drawn/drawing.py", True),
        ("drawn/croissant.py", False),
        ("training/loop.py", False),
        ("flavours.py", False),  # its facts count, not its code
    ],
)
def test_only_what_draws_makes_a_record_outdated(monkeypatch, file, decides):
    read, before = Path.read_text, record.today()

    def edited(path, *how, **more):
        changed = path == ROOT / "megalib" / file
        return read(path, *how, **more) + ("\nmore = 1\n" if changed else "")

    monkeypatch.setattr(Path, "read_text", edited)
    assert (record.today() != before) == decides


def test_another_network_or_recipe_makes_a_record_outdated(monkeypatch):
    before, name = record.today(), "pocket-B"
    with monkeypatch.context() as patch:
        patch.setitem(POCKET, name, flavours.get(name, image_size=100))
        assert record.today() != before
    with monkeypatch.context() as patch:
        patch.setitem(RECIPES, name, flavours.recipe(name, epochs=9))
        assert record.today() != before
    with monkeypatch.context() as patch:  # those of the MegaDescriptors are not asked
        patch.setitem(RECIPES, "MegaDescriptor-T-224", flavours.recipe(name))
        assert record.today() == before


def test_means_are_those_of_the_species(table):
    means = record.means(table)
    chosen = (means["method"] == "pocket-T") & (means["weights"] == "trained")
    chosen &= (means["condition"] == "random split") & (means["world_seed"] == 2)
    assert means.loc[chosen, "top_1"].tolist() == pytest.approx([60, 61, 62])
    assert means.loc[chosen, "training_seed"].tolist() == [0, 1, 2]
    thumbnails = means[means["method"] == "thumbnails"]
    assert len(thumbnails) == 8 and thumbnails["training_seed"].isna().all()


@needs_record
def test_the_record_is_of_the_code_of_today():
    seeds = sorted(set(record.read()["world_seed"]))
    assert record.outdated() == "", f"measure the worlds again: {record.command(seeds)}"


@needs_record
def test_the_record_holds_whole_worlds_on_which_nothing_was_chosen():
    table = record.read()
    seeds = sorted(set(table["world_seed"]))
    assert seeds and not set(seeds) & set(record.TUNING_SEEDS)
    whole = world_table(*seeds)
    # A species that is never near and flat in a world is not asked about that.
    asked = set(table.loc[table["condition"] == "near and flat", "species"])
    assert len(asked) >= 2
    whole = whole[(whole["condition"] != "near and flat") | whole["species"].isin(asked)]
    keys = [*record.KEYS, "species"]
    assert set(whole["species"]) == set(SPECIES)
    assert same(table[keys].assign(n=0), whole[keys].assign(n=0))
    assert (table["n"] > 0).all() and table["top_1"].between(0, 1).all()
    assert table["commit"].str.fullmatch(r"[0-9a-f]{7,}(-dirty)?|.+-\d+-g[0-9a-f]+(-dirty)?").all()
