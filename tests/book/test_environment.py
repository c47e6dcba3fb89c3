"""pyproject.toml, requirements.lock and environment.yml say the same."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

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


def make(*arguments):
    """What make says in a call of its own: `make test` would give it options and speak of it."""
    inherited = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TORCH")
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    command = ["make", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


def test_without_a_word_about_torch_the_lock_is_installed_as_it_is(tmp_path):
    _, composed, _ = make("-n", "env", f"VENV={tmp_path}")
    install = next(line for line in composed.splitlines() if "uv pip install" in line)
    assert " -r requirements.lock " in install
    assert "torch" not in install and "grep" not in install


def test_torch_for_the_cpu_leaves_out_what_only_cuda_needs(tmp_path):
    """The composed command, with a uv that says how it was called and what it was given."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, body in {"uv": 'echo "$@" >uv.args; cat >uv.input', "python": ":"}.items():
        (bin_folder / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{body}\n")
        (bin_folder / name).chmod(0o755)
    code, _, said = make("env", f"VENV={tmp_path}", "TORCH=cpu")
    assert code == 0, said
    arguments = (tmp_path / "uv.args").read_text()
    assert arguments.startswith("pip install --torch-backend cpu -r - ")
    assert "--no-deps" in arguments and arguments.endswith(" -e .\n")
    given = [Requirement(line) for line in (tmp_path / "uv.input").read_text().splitlines()]
    left_out = {pinned.name for pinned in LOCK} - {pinned.name for pinned in given}
    assert {"nvidia-cublas", "cuda-toolkit", "triton"} <= left_out
    assert all(re.match(r"cuda-|nvidia-|triton$", name) for name in left_out)
    assert {"torch", "torchvision"} <= {pinned.name for pinned in given}
    # Later calls need not say it again: the environment keeps its build, also with a new lock.
    _, composed, _ = make("-n", "-W", "requirements.lock", "env", f"VENV={tmp_path}")
    assert "--torch-backend cpu" in composed


def test_another_build_of_torch_is_refused_in_one_line(tmp_path):
    code, _, said = make("-n", "env", f"VENV={tmp_path}", "TORCH=cu126")
    assert code and "TORCH can be cpu" in said
    stamp = make("-n", "env", f"VENV={tmp_path}")[1].rpartition("touch ")[2].splitlines()[0]
    (tmp_path / Path(stamp).name).touch()
    assert make("env", f"VENV={tmp_path}") == (0, "", "")  # of before there was a choice
    code, told, _ = make("env", f"VENV={tmp_path}", "TORCH=cpu")
    assert code and "holds another build of torch" in told


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
    makes = [f"make {target} CI=1" for target in ("try", "book", "plan", "book", "test")]
    assert said[:3] == ["sudo", "apt-get -qq -y update", "sudo"]
    assert "chromium" in said[3] and said[4:] == makes


def test_this_environment_is_complete():
    assert [environment.problem(module) for module in environment.MODULES] == [None] * 7
