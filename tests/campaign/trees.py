"""What a stage leaves: its files by name, and how they differ from those of another time."""

import json
import shutil
from io import BytesIO
from pathlib import Path, PurePosixPath

import pandas as pd

CLOCKS = ("images_per_second", "seconds", "memory")  # columns that no two runs share


def snapshot(root: Path) -> dict[str, bytes]:
    """The content of all files below a folder, without clocks; folders end in a slash."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_dir():
            found[f"{name}/"] = b""
        else:
            found[name] = normalised(name, path.read_bytes())
    return found


def normalised(name: str, content: bytes) -> bytes:
    """The content of a file without fields of wall-clock time; damaged files stay as they are.

    Args:
        name: of the file below the runs, which tells what it holds.
        content: its bytes.
    """
    path = PurePosixPath(name)
    try:
        if "features" in path.parts and path.suffix == ".safetensors":
            return _without_seconds(content)
        if {"results", "logs"} & set(path.parts) and path.suffix == ".csv":
            table = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
            kept = table.drop(columns=[column for column in CLOCKS if column in table])
            return kept.to_csv(index=False).encode()
    except ValueError:  # not what its name says
        return content
    return content


def _without_seconds(content: bytes) -> bytes:
    """A file of features without the time that they took, which the header may say."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.get("__metadata__", {}).pop("seconds", None)
    return json.dumps(header).encode() + content[8 + length :]


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """What is missing or differs, and what is left behind; of whole folders only their names.

    Args:
        expected: of a run that was never disturbed.
        found: of the other one.
    """
    differing = [f"{name} is missing" for name in expected if name not in found]
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            differing.append(f"{name}: {_how(expected[name], found[name])}")
    left = {name for name in found if name not in expected}
    tops = [name for name in left if not left & _folders_of(name)]
    return sorted(differing), sorted(tops)


def _folders_of(name: str) -> set[str]:
    return {f"{parent}/" for parent in PurePosixPath(name).parents}


def _how(expected: bytes, found: bytes) -> str:
    if len(expected) != len(found):
        return f"{len(found)} bytes instead of {len(expected)}"
    pairs = enumerate(zip(expected, found, strict=True))
    first = next(place for place, (one, other) in pairs if one != other)
    return f"{len(found)} bytes, other ones from byte {first}"


def restore(base: Path, runs: Path) -> None:
    """Make a folder what another one is; the folder itself stays, since it may be a disk."""
    for path in runs.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(base, runs, dirs_exist_ok=True)
