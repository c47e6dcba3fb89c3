"""What the value of each parameter may be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megalib.book import limits, parameters
from megalib.errors import UserError
from megalib.evaluation import mistakes
from megalib.models import devices
from megalib.training.settings import Settings

KNOWN, TYPES = parameters.known(), parameters.types()
LONG = "x" * 10**6


def refusal(values) -> str:
    with pytest.raises(UserError) as caught:
        parameters.check(values)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_every_parameter_is_described():
    """A new parameter needs a line in one of the tables, or is a truth or checked by a list."""
    numbers = {name for name, kind in TYPES.items() if kind in {int, float}}
    assert numbers <= set(limits.FROM_TO) | set(limits.BETWEEN)
    described = {*limits.FROM_TO, *limits.BETWEEN, *limits.CHOICES, *limits.NAMES, *limits.PATHS}
    described |= {*limits.PATHS_OR_EMPTY, *limits.NOT_EMPTY}
    assert described <= set(KNOWN), "a table names a parameter that no notebook has"
    others = {name for name, kind in TYPES.items() if kind is not bool} - described
    assert others == {
        *("own", "dataset", "example_of", "flavour", "baselines", "device", "tracker"),
        *("utc_offset", "scientific_name"),
    }


@pytest.mark.parametrize("offset", ["+2", "2:00", "", "UTC"])
def test_an_offset_of_clocks_has_its_form(offset):
    assert parameters.check({"utc_offset": "-03:30"}) == {"utc_offset": "-03:30"}
    assert "must be like +02:00, or Z" in refusal({"utc_offset": offset})


def test_words_that_are_repeated_are_those_of_the_library():
    assert limits.CHOICES["precision"] == devices.PRECISIONS
    assert limits.CHOICES["projection"] == mistakes.PROJECTIONS
    for resume in limits.CHOICES["resume"]:
        for choice in limits.CHOICES["on_bad_image"]:
            Settings(resume=resume, on_bad_image=choice)


def test_the_defaults_are_allowed():
    assert parameters.check(KNOWN) == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_none_is_allowed_where_it_is_the_default_or_means_never(name):
    if KNOWN[name] is None or name == "validate_every":
        assert parameters.check({name: None}) == {name: None}
    else:
        assert f"parameter {name} must be of type" in refusal({name: None})


def test_a_number_names_a_folder_only_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "resolve", lambda path: tmp_path / path)
    (tmp_path / "2024").mkdir()
    assert parameters.check({"known": 2024, "new": ""}) == {"known": "2024", "new": ""}
    for values in ({"known": 202405}, {"known": 12e4}, {"profile": 2024}, {"dataset": 7}):
        (name,) = values
        assert f"write -r {name} in place of -p {name}" in refusal(values)
    assert "for 'Mine', not 2024: put it in quotes" in refusal({"own": {"Mine": 2024}})


@pytest.mark.parametrize("name", [name for name, kind in TYPES.items() if kind is int])
def test_whole_numbers_keep_their_range_and_a_truth_is_none(name):
    low, high = limits.FROM_TO[name]
    for value in (low, high):
        assert parameters.check({name: value}) == {name: value}
    for value in (low - 1, high + 1, -(2**70), 2**70, 10**5000, True, False, 1.0, "1", [1], LONG):
        message = refusal({name: value})
        assert f"parameter {name} must be" in message
        assert len(message) < 400


@pytest.mark.parametrize("name", [name for name, kind in TYPES.items() if kind is float])
def test_numbers_with_a_fraction_lie_between_their_bounds(name):
    low, high = limits.BETWEEN[name]
    assert parameters.check({name: (low + high) / 2})
    wrong = (low, high, -1, 7e6, 10**5000, float("nan"), "inf", "-inf", "", LONG, True, [0.5])
    for value in wrong:
        message = refusal({name: value})
        assert f"parameter {name} must" in message
        assert len(message) < 400


@pytest.mark.parametrize("name", limits.CHOICES)
def test_words_are_those_of_the_list(name):
    for value in limits.CHOICES[name]:
        assert parameters.check({name: value}) == {name: value}
    for value in ("", "x", LONG, limits.CHOICES[name][0] + "\n"):
        assert len(refusal({name: value})) < 400


HOSTILE = [
    *({"sizes": sizes} for sizes in (["a"], [True], [0], [-3], [4097], [1.5], [[1]], [256, 256])),
    *({"sizes": sizes} for sizes in ([], [None], "256", 256, {"a": 1}, [10**5000])),
    *({"datasets": names} for names in ([1], [], [True], ["DemoZebra"] * 2, "DemoZebra", [None])),
    *({"flavours": names} for names in ([], ["MegaDescriptor-T-224"] * 2, [["a"]], {})),
    *({"baselines": names} for names in (["SIFT", "SIFT"], [1], "SIFT")),
    *({"own": own} for own in ([], "a", {"A": 1}, {"A": None}, {"A": ["a"]}, {"A": ""}, {1: "a"})),
    *({"own": {name: "a"}} for name in ("a b", "../a", "", "A;touch x", "$(x)", LONG, "a/b")),
    *({"own": {"A": path}} for path in ("a\0b", "a\nb", LONG, "  ", "~nobody-here/a")),
    *({"profile": name} for name in ("", ".", "..", "../evil", "/abs", "demo/own", "a b", LONG)),
    *({"profile": name} for name in ("x$(touch PWNED)", "a\0", 1, True, ["demo"], "\udcff")),
    *({"workshop": name} for name in ("", "../evil", "a b", None)),
    *({"raw": path} for path in ("", "a\0b", "a\nb", 1, LONG)),
    *({"start": path} for path in ("", " ", "a\0", "a\nb")),
    *({"weights": path} for path in ("", " ", "a\0", "a\nb")),
    *({name: path} for name in ("known", "new") for path in ("a\0b", "a\nb", " ", LONG)),
    *({"device": name} for name in ("", "cuda:", "cuda:1:2", "CPU 1", "cpu\n", LONG, "cuda:99999")),
    *({"tracker": name} for name in ("", " ", "a\nb", LONG)),
    *({"download": value} for value in (1, "true", None, 0)),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_what_cannot_be_meant_is_refused(number):
    values = HOSTILE[number]
    message = refusal(values)
    assert len(message) < 400
    assert message.isprintable()


@pytest.mark.parametrize(
    "values",
    [
        {LONG: 1},
        {"dataset": LONG},
        {"datasets": ["DemoZebra", "a\nb"]},
        {"flavour": LONG},
        {"example_of": "Nothing"},
        {"baselines": [LONG]},
        {"a\nb": 1},
        {1: 2},
        {None: 2},
    ],
)
def test_an_unknown_name_is_cut_in_the_message(values):
    assert len(refusal(values)) < 1500  # all valid names, and eighty letters of the wrong one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(KNOWN)), VALUES)
def test_any_value_is_taken_as_it_is_or_refused_in_one_line(name, value):
    try:
        found = parameters.check({name: value})[name]
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert found == value or (TYPES[name] is float and found == float(value))
        assert found is None or type(found) is TYPES[name] or TYPES[name] is float
