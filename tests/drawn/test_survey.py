"""The survey: what pictures are to show, decided in advance and independent of the animal."""

from collections import Counter
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from megalib.drawn.animals.species import SPECIES
from megalib.drawn.survey import HIDING, ON_LAND, PAIR_ACROSS, beside, plan
from megalib.drawn.world import World

WORLD = World()
# Enough animals for shares to come out.
MANY = {species: plan(7, species, 200, 10, WORLD) for species in SPECIES}
EASY = replace(
    WORLD, pairs=0, bursts=0, yaw=0, pitch=0, bend=0, far_away=0, night=0, shade=0, overcast=0,
    season=0, wet=0, muddy=0, scars=0, obstructed=0, moved=0,
)  # fmt: skip


def by_encounter(shots):
    meetings = {}
    for shot in shots:
        meetings.setdefault(shot.encounter, []).append(shot)
    return list(meetings.values())


def share(shots, holds):
    firsts = [burst[0] for burst in by_encounter(shots)]
    return np.mean([holds(shot) for shot in firsts])


@pytest.mark.parametrize("species", SPECIES)
def test_the_same_seed_decides_the_same(species):
    assert plan(7, species, 200, 10) == MANY[species]
    assert plan(8, species, 200, 10) != MANY[species]


def test_an_animal_is_met_alike_however_many_others_there_are():
    """But for those who come along, and the number of the encounter."""
    left_out = ("companion_scars", "encounter", "across", "motion")
    few, many = (
        [replace(shot, **dict.fromkeys(left_out, 0), companion=None) for shot in shots]
        for shots in (plan(7, "zebra", 5, 10), MANY["zebra"])
    )
    assert few[:50] == many[:50]


@pytest.mark.parametrize("species", SPECIES)
def test_everybody_has_the_pictures_and_a_quarter_more_are_strangers(species):
    pictures = Counter(shot.individual for shot in MANY[species])
    assert sorted(pictures) == list(range(250))
    assert all(pictures[number] == (10 if number < 200 else 3) for number in pictures)
    numbers = [shot.picture for shot in MANY[species] if shot.individual == 3]
    assert numbers == list(range(10))
    assert len({shot.individual for shot in plan(1, species, 30, 2)}) == 38


@pytest.mark.parametrize("species", SPECIES)
def test_pictures_of_an_encounter_share_all_but_small_turns(species):
    lengths = []
    for burst in by_encounter(MANY[species]):
        lengths.append(len(burst))
        first = burst[0]
        for shot in burst:
            for name in ("individual", "companion", "day", "station", "flank", "light", "wet"):
                assert getattr(shot, name) == getattr(first, name), name
            for name in ("mud", "scars", "tint", "quality", "hidden_by"):
                assert getattr(shot, name) == getattr(first, name), name
            assert abs(shot.yaw - first.yaw) <= 0.1 * WORLD.yaw
            assert abs(shot.across / first.across - 1) <= 0.11
    assert max(lengths) == WORLD.longest_burst
    # The last encounter of an animal may be cut short.
    assert np.mean([length > 1 for length in lengths]) == pytest.approx(WORLD.bursts, abs=0.03)


@pytest.mark.parametrize("species", SPECIES)
def test_encounters_are_numbered_by_their_days_and_an_animal_has_one_a_day(species):
    bursts = by_encounter(MANY[species])
    assert sorted(burst[0].encounter for burst in bursts) == list(range(len(bursts)))
    days = [burst[0].day for burst in sorted(bursts, key=lambda burst: burst[0].encounter)]
    assert days == sorted(days) and min(days) >= 0 and max(days) < WORLD.days
    assert len({(burst[0].individual, burst[0].day) for burst in bursts}) == len(bursts)
    for number in range(20):
        own = [shot.day for shot in MANY[species] if shot.individual == number]
        assert own == sorted(own) and len(set(own)) >= 4


def test_an_animal_comes_to_few_stations_and_mostly_to_one():
    places = {}
    for burst in by_encounter(MANY["leopard"]):
        places.setdefault(burst[0].individual, []).append(burst[0].station)
    named = [places[number] for number in range(200)]
    assert max(len(set(stations)) for stations in named) == WORLD.visited
    assert {station for stations in named for station in stations} == set(range(WORLD.stations))
    most = [Counter(stations).most_common(1)[0][1] / len(stations) for stations in named]
    assert WORLD.home - 0.05 < np.mean(most) < WORLD.home + 0.15
    homes = Counter(Counter(stations).most_common(1)[0][0] for stations in named)
    assert max(homes.values()) < 3 * min(homes.values()), "no station is everybody's"


@pytest.mark.parametrize("species", SPECIES)
def test_chances_are_those_of_the_world(species):
    shots, on_land = MANY[species], species in ON_LAND
    expected = {
        lambda shot: shot.across <= WORLD.far[1]: WORLD.far_away,
        lambda shot: shot.light == "infrared": WORLD.night * on_land,
        lambda shot: shot.light == "shade": WORLD.shade * (1 - WORLD.night * on_land),
        lambda shot: shot.wet > 0: WORLD.wet * on_land,
        lambda shot: shot.mud > 0: WORLD.muddy,
        lambda shot: bool(shot.hidden_by): WORLD.obstructed,
        lambda shot: shot.companion is not None: WORLD.pairs * SPECIES[species].pairs,
        lambda shot: shot.flank == "right": WORLD.right * SPECIES[species].flanks,
    }
    for holds, chance in expected.items():
        assert share(shots, holds) == pytest.approx(chance, abs=0.04)
    assert np.mean([shot.motion > 0 for shot in shots]) == pytest.approx(WORLD.moved, abs=0.04)


@pytest.mark.parametrize("species", SPECIES)
def test_all_values_lie_in_their_ranges(species):
    flanks = {"left", "right"} if SPECIES[species].flanks else {"top"}
    assert {shot.flank for shot in MANY[species]} == flanks
    assert {shot.hidden_by for shot in MANY[species]} == {"", *HIDING[species]}
    for shot in MANY[species]:
        assert abs(shot.yaw) <= WORLD.yaw and abs(shot.bend) <= WORLD.bend
        assert 0 <= shot.pitch <= WORLD.pitch
        # Within a burst, the distance changes a little.
        assert 0.89 * WORLD.far[0] <= shot.across <= 1.11 * WORLD.near[1]
        assert 0 <= shot.motion <= WORLD.motion * shot.across
        assert 0 <= shot.wet <= 1 and 0 <= shot.mud <= WORLD.mud
        assert all(1 - WORLD.season <= factor <= 1 + WORLD.season for factor in shot.tint)
        assert WORLD.quality[0] <= shot.quality <= WORLD.quality[1]
        if shot.hidden_by:
            assert WORLD.hidden[0] <= shot.hidden <= WORLD.hidden[1]
        else:
            assert shot.hidden == 0
        if shot.companion is not None:
            assert shot.companion < 200 and shot.companion != shot.individual
            assert shot.across <= 1.1 * PAIR_ACROSS
    # Of the triangle's turns, half are below 0.29 of the most, and 16 % above 0.6 of it.
    turns = np.abs([shot.yaw for shot in MANY[species]]) / WORLD.yaw
    assert np.median(turns) == pytest.approx(0.29, abs=0.03)
    assert (turns > 0.6).mean() == pytest.approx(0.16, abs=0.03)


def test_the_second_animal_is_met_with_the_first():
    shot = next(shot for shot in MANY["zebra"] if shot.companion is not None)
    other = beside(shot)
    assert (other.individual, other.companion) == (shot.companion, shot.individual)
    same = ("day", "encounter", "station", "flank", "light", "across", "tint")
    assert all(getattr(other, name) == getattr(shot, name) for name in same)
    assert abs(other.yaw) <= abs(shot.yaw) and other.hidden == 0


def test_both_animals_of_a_picture_have_as_many_scars_as_alone():
    alone, pairs = {}, 0
    for shot in MANY["zebra"]:
        alone.setdefault(shot.individual, []).append((shot.day, shot.scars))
    for shot in MANY["zebra"]:
        if shot.companion is None:
            assert shot.companion_scars == 0
            continue
        other = beside(shot)
        before = [scars for day, scars in alone[other.individual] if day <= shot.day]
        after = [scars for day, scars in alone[other.individual] if day >= shot.day]
        assert max(before, default=0) <= other.scars <= min(after, default=other.scars)
        pairs += max(before, default=0) != shot.scars
    assert pairs > 100, "often another number than that of the first animal"


def test_scars_only_become_more():
    gained = []
    for number in range(200):
        own = [shot.scars for shot in MANY["zebra"] if shot.individual == number]
        assert own == sorted(own)
        gained.append(own[-1] - own[0])
    # From the first to the last of about eight days, of three years.
    assert 1.5 < np.mean(gained) / WORLD.scars < 3


def test_tints_drift_between_seasons_and_hardly_between_days():
    tints = dict(sorted({shot.day: shot.tint for shot in MANY["zebra"]}.items()))
    days, values = np.array(list(tints)), np.array(list(tints.values()))
    steps = np.abs(np.diff(values, axis=0)).max(axis=1) / np.diff(days)
    assert steps.max() < 2.01 * WORLD.season / 91
    assert values.std(axis=0).min() > 0.3 * WORLD.season
    others = {shot.day: shot.tint for shot in MANY["leopard"]}
    common = set(tints) & set(others)
    assert any(tints[day] != others[day] for day in common), "each species has its own"


def test_nothing_but_stations_and_scars_depends_on_the_animal():
    """Variation between animals is what chance makes of encounters: the F statistic is near 1."""
    for name in ("yaw", "pitch", "bend", "across", "wet", "mud", "hidden", "quality", "day"):
        groups = {}
        for burst in by_encounter(MANY["zebra"]):
            value = getattr(burst[0], name)
            groups.setdefault(burst[0].individual, []).append(value)
        values = [np.array(group) for group in groups.values() if len(group) > 2]
        everything = np.concatenate(values)
        between = sum(len(v) * (v.mean() - everything.mean()) ** 2 for v in values)
        within = sum(((v - v.mean()) ** 2).sum() for v in values)
        ratio = between / (len(values) - 1) / (within / (len(everything) - len(values)))
        assert 0.6 < ratio < 1.4, name


def test_an_effect_that_is_switched_off_is_gone():
    for shot in plan(7, "zebra", 20, 10, EASY):
        assert (shot.companion, shot.hidden_by, shot.light) == (None, "", "sun")
        values = (shot.yaw, shot.pitch, shot.bend, shot.wet, shot.mud, shot.motion, shot.scars)
        assert not any(values)
        assert shot.tint == (1, 1, 1) and shot.across >= WORLD.near[0]
    assert len(by_encounter(plan(7, "zebra", 20, 10, EASY))) == 20 * 10 + 5 * 3


@pytest.mark.parametrize(
    ("field", "value", "changed"),
    [
        ("far_away", 0.9, {"across", "motion", "soft"}),
        ("night", 0.9, {"light"}),
        ("muddy", 0.9, {"mud"}),
        ("obstructed", 0.9, {"hidden", "hidden_by"}),
        ("yaw", 10.0, {"yaw"}),
        ("season", 0.3, {"tint"}),
        ("pairs", 0.9, {"companion", "companion_scars", "across", "motion", "soft"}),
    ],
)
def test_one_field_changes_one_effect(field, value, changed):
    other = plan(7, "zebra", 200, 10, replace(WORLD, **{field: value}))
    differing = {
        name
        for one, two in zip(MANY["zebra"], other, strict=True)
        for name, before in asdict(one).items()
        if before != getattr(two, name)
    }
    assert differing == changed


def test_one_station_and_single_pictures_are_possible():
    world = replace(WORLD, stations=1, visited=1, longest_burst=1)
    shots = plan(7, "turtle", 3, 4, world)
    assert {shot.station for shot in shots} == {0}
    assert len(by_encounter(shots)) == len(shots)
    alone = plan(7, "zebra", 1, 4, replace(WORLD, pairs=1, strangers=0))
    assert {shot.companion for shot in alone} == {None}


def test_every_field_of_the_world_is_used():
    """A field that changes nothing would be a promise that is not kept."""

    def planned(world):  # on land and in water
        return [plan(7, species, 15, 10, world) for species in ("zebra", "turtle")]

    before = planned(WORLD)
    for field in fields(World):
        value = getattr(WORLD, field.name)
        if isinstance(value, tuple):
            other = tuple(part + (1 if isinstance(part, int) else 0.05) for part in value)
        else:
            other = value + 1 if isinstance(value, int) else 0.5 * value
        after = planned(replace(WORLD, **{field.name: other}))
        assert after != before, field.name
