"""What is known of the computer."""

import pytest

from megalib.models import computer


@pytest.mark.parametrize(("text", "limit"), [("2147483648\n", 2**31), ("max\n", 8 * 2**30)])
def test_a_container_may_have_less_memory_than_its_host(tmp_path, monkeypatch, text, limit):
    file = tmp_path / "memory.max"
    file.write_text(text)
    monkeypatch.setattr(computer, "CONTAINER_LIMITS", (tmp_path / "missing", file))
    host = type("Memory", (), {"total": 8 * 2**30})()
    monkeypatch.setattr(computer.psutil, "virtual_memory", lambda: host)
    assert computer.memory_limit() == limit


def test_the_hardware_is_told_in_one_line():
    told = computer.hardware()
    assert "cores" in told and "\n" not in told
    assert computer.hardware(computer.torch.device("meta")) == f"meta; {told}"
