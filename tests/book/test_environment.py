"""pyproject.toml, requirements.lock and environment.yml say the same."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from megalib.book import environment
from megalib.files.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def test_the_lock_has_exact_versions_and_no_index_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--" not in text
    for pinned in LOCK:
        assert re.fullmatch(r"==[^*,]+", str(pinned.specifier)), pinned


def test_the_lock_satisfies_the_project():
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        pins = [pinned for pinned in LOCK if pinned.name == requirement.name]
        assert pins, f"{requirement.name} is not locked: make lock"
        for pinned in pins:
            version = str(pinned.specifier).removeprefix("==")
            assert requirement.specifier.contains(Version(version)), requirement


def test_only_the_headless_build_of_opencv_is_locked():
    assert [pinned.name for pinned in LOCK if "opencv" in pinned.name] == ["opencv-python-headless"]


def test_conda_and_binder_install_the_same_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    names = [re.split("[=<>]", entry)[0] for entry in conda["dependencies"]]
    assert set(names) == {"python", "pip", "make", "git"}, "Python packages belong into the lock"
    python = next(entry for entry in conda["dependencies"] if entry.startswith("python="))
    version = Version(python.removeprefix("python="))
    assert version in Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    assert "make env" in (ROOT / "postBuild").read_text()
    assert (ROOT / "postBuild").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("message", "package"),
    [
        ("libGL.so.1: cannot open shared object file", "libgl1"),
        ("libgthread-2.0.so.0: cannot open shared object file", "libglib2.0-0"),
    ],
)
def test_a_missing_system_library_is_named_with_its_package(monkeypatch, message, package):
    def fail(name):
        raise ImportError(message)

    monkeypatch.setattr(environment.importlib, "import_module", fail)
    told = environment.problem("cv2")
    assert package in told
    assert "\n" not in told


def test_make_lists_all_its_targets_and_variables():
    text = (ROOT / "Makefile").read_text()
    told = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    *targets, variables = told.splitlines()
    listed = {line.split()[0] for line in targets if len(line.split()) > 1}
    assert listed == set(re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)[1].split())
    for name in re.findall(r"^([A-Z]+) \?=", text, re.MULTILINE):
        assert name in variables


def test_ci_skips_no_gate_and_asks_nothing(tmp_path):
    """Run with commands that only say their names; a machine without a browser gets one."""
    for name in ("make", "git", "apt-get", "sudo", "id"):
        script = tmp_path / name
        body = {
            "sudo": 'echo "sudo" >>"$LOG"; exec "$@"',
            "id": "echo 1000",
            "make": 'echo "make $* CI=$CI" >>"$LOG"',
        }
        default = f'echo "{name} $*" >>"$LOG"'
        script.write_text(f"#!/bin/sh\n{body.get(name, default)}\n")
        script.chmod(0o755)
    for name in ("bash", "dirname", "env", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name))
    log = tmp_path / "log"
    subprocess.run(
        [shutil.which("bash"), ROOT / ".ci" / "run"],
        env={"PATH": str(tmp_path), "LOG": str(log)},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    said = log.read_text().splitlines()
    makes = [f"make {target} CI=1" for target in ("book", "plan", "book", "test")]
    assert said[:3] == ["sudo", "apt-get -qq -y update", "sudo"]
    assert "chromium" in said[3] and said[4:] == makes


def test_this_environment_is_complete():
    assert [environment.problem(module) for module in environment.MODULES] == [None] * 7
