import pytest

from megalib.errors import UserError, choose


def test_a_valid_name_is_returned():
    assert choose("fruit", "pear", ["apple", "pear"]) == "pear"


def test_an_unknown_name_is_refused_with_the_nearest_and_all_valid_ones():
    with pytest.raises(UserError) as caught:
        choose("flavour", "megadescriptor-t224", ["MegaDescriptor-T-224", "MegaDescriptor-L-384"])
    message = str(caught.value)
    assert "did you mean 'MegaDescriptor-T-224'?" in message
    assert "MegaDescriptor-L-384" in message
    assert "\n" not in message


def test_a_name_far_from_all_gets_no_guess():
    with pytest.raises(UserError, match=r"unknown fruit 'zzz': valid are apple, pear"):
        choose("fruit", "zzz", ["apple", "pear"])


def test_jupyter_shows_the_message_alone():
    assert UserError("no such thing")._render_traceback_() == ["UserError: no such thing"]
