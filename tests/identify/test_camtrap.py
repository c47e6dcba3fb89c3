"""Observations for Camtrap DP: what is required is there, and nothing is guessed."""

import re

import numpy as np
import pandas as pd
import pytest

from megalib.errors import UserError
from megalib.identify import camtrap, decisions
from tests.identify import album

TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})"


@pytest.fixture
def decided(tmp_path):
    """Five new photographs, of which two are decided, and the table of the others."""
    known, new = album.small(tmp_path, ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"))
    new.metadata["date"] = ["2024-05-31", "2024-05-31", "2024-06", np.nan, "2024-06-02"]
    new.metadata["moment"] = ["2024-05-31T23:40:00", *[np.nan] * 4]
    new.metadata["station"] = ["north", *[np.nan] * 4]
    new.metadata["encounter"] = ["e1", *[np.nan] * 4]
    file = tmp_path / "decisions.csv"
    file.write_text(
        "photograph,decision,identity,decided_at,decided_by\n"
        "a.jpg,confirmed,=Ada,2024-07-01T08:00:00Z,me\ne.jpg,unknown,,1.7.24 8:00,me\n"
    )
    done = decisions.apply(decisions.read(file), known, new)
    return done, album.table_of(done.new, done.known)


def test_there_is_one_observation_per_animal(decided, tmp_path):
    done, table = decided
    table["probability"] = 0.25
    table["unlike_all_known"] = "no"
    observed = camtrap.observations(
        table, done.new.metadata, done.animals, "network", "Panthera leo", "+02:00"
    )
    [file] = camtrap.write(tmp_path, observed)
    read = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert tuple(read) == camtrap.FIELDS and len(camtrap.FIELDS) == 28
    assert read["mediaID"].tolist() == ["a.jpg", "e.jpg", "b.jpg"]
    for name in ("eventStart", "eventEnd"):
        assert read[name].str.fullmatch(TIME).all()
    confirmed, unknown, ranked = read.to_dict("records")
    assert confirmed["eventStart"] == confirmed["eventEnd"] == "2024-05-31T23:40:00+02:00"
    assert (confirmed["individualID"], confirmed["classificationMethod"]) == ("=Ada", "human")
    assert confirmed["deploymentID"] == "north" and confirmed["eventID"] == "e1"
    assert confirmed["classificationTimestamp"] == "2024-07-01T08:00:00Z"
    assert confirmed["classificationProbability"] == ""
    assert (unknown["individualID"], unknown["classifiedBy"]) == ("", "me")
    assert unknown["classificationTimestamp"] == ""  # what a spreadsheet wrote is no such time
    assert (ranked["eventStart"], ranked["eventEnd"]) == (
        "2024-05-31T00:00:00+02:00",
        "2024-05-31T23:59:59+02:00",
    )
    first = table[(table["photograph"] == "b.jpg") & (table["rank"] == 1)]["candidate"].item()
    assert (ranked["individualID"], ranked["classificationMethod"]) == (first, "machine")
    assert ranked["classificationProbability"] == "0.25" and ranked["classifiedBy"] == "network"
    assert set(read["observationLevel"]) == {"media"} and set(read["count"]) == {"1"}
    assert set(read["scientificName"]) == {"Panthera leo"} and read["observationID"].is_unique
    assert observed.in_words == (
        "Camtrap DP: 3 observations, 2 of them by a person; 2 animals without a day are left out; "
        "2 name no station as their deployment"
    )


def test_nobody_is_named_where_the_flag_is_and_nobody_decided(decided):
    done, table = decided
    table["unlike_all_known"] = "yes"
    row = camtrap.observations(table, done.new.metadata, None, "network").table.iloc[0]
    assert row["individualID"] == "" and np.isnan(row["classificationProbability"])
    assert row["observationComments"] == "unlike all known individuals"


def test_without_days_there_are_no_observations(tmp_path):
    known, new = album.small(tmp_path)
    observed = camtrap.observations(album.table_of(new, known), new.metadata, None, "network")
    assert re.match("no observations for Camtrap DP", observed.in_words)
    (tmp_path / "observations.csv").touch()
    assert camtrap.write(tmp_path, observed) == []
    assert not (tmp_path / "observations.csv").exists()


@pytest.mark.parametrize("offset", ["2", "+2:00", "", "Z\n", "UTC"])
def test_an_offset_is_like_plus_two_hours(offset, tmp_path):
    known, new = album.small(tmp_path)
    with pytest.raises(UserError, match=r"utc_offset must be like \+02:00, or Z, not"):
        camtrap.observations(album.table_of(new, known), new.metadata, None, "x", "", offset)
