"""Texts in YAML or JSON that a user wrote: read in milliseconds, or refused in one line.

A profile may come from somebody else. So nothing in it is repeated by reference, which can make
gigabytes of a few letters, nothing is nested deeply, and nothing but plain values is made.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from megalib.errors import UserError, told
from megalib.files.names import check_path, kind_of
from megalib.files.places import shown

LARGEST = 64 * 1024  # bytes of a profile
DEEPEST = 5  # levels of lists and mappings
# What constructors of numbers and dates raise: 5000 digits, a thirteenth month, …
_MISTAKES = (ValueError, OverflowError, RecursionError, TypeError, AttributeError, KeyError)


def read(path: str | Path) -> dict[str, Any]:
    """The lines `parameter: value` of a YAML file; the values are not checked.

    Raises:
        UserError: there is no such file, or it is no short text of such lines.
    """
    path = Path(check_path("a profile", path))
    if kind_of(path) not in {"", "file"}:
        raise UserError(f"the profile {shown(path)} is not a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read the profile {shown(path)}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise UserError(f"the profile {shown(path)} is larger than {LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"the profile {shown(path)}, line {line}: not UTF-8") from error
    values = from_yaml(text, f"the profile {shown(path)}")
    if not isinstance(values, dict):
        raise UserError(f"the profile {shown(path)} must hold lines of `parameter: value`")
    return values


def from_yaml(text: str, what: str) -> Any:
    """The value of a YAML text.

    Args:
        text: what the user wrote.
        what: where, for the message: "the profile mine.yaml", …

    Raises:
        UserError: it is no YAML, or holds more than plain values, nested by `DEEPEST` levels.
    """
    try:
        _refuse_references(text, what)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _refuse_keys(node, what)
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise UserError(f"{what} is no valid YAML: {reason}") from error
    except _MISTAKES as error:
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise UserError(f"{what} holds a number or date that is none: {reason}") from error


def _refuse_references(text: str, what: str) -> None:
    """Refuse anchors, tags and depth while the text is scanned, before anything is made of it."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(f"{what}, line {line}: no anchors (&) and aliases (*), write it out")
        if getattr(event, "tag", None):
            raise UserError(f"{what}, line {line}: no tags, but {told(event.tag)}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UserError(f"{what}, line {line}: nested more than {DEEPEST} levels deep")


def _refuse_keys(node: yaml.Node | None, what: str) -> None:
    """Refuse keys that are no text, and those that stand there twice."""
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _refuse_keys(part, what)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag == "tag:yaml.org,2002:merge":
            raise UserError(f"{what}, line {line}: no merge keys (<<), write it out")
        if key.tag != "tag:yaml.org,2002:str":
            name = told(key.value) if isinstance(key.value, str) else "a list"
            raise UserError(
                f"{what}, line {line}: a name must be text, not {name}; put it in quotes"
            )
        if key.value in seen:
            raise UserError(f"{what}, line {line}: {told(key.value)} stands there twice")
        seen.add(key.value)
        _refuse_keys(value, what)


def from_json(text: str, what: str) -> dict[str, Any]:
    """The object of a JSON text.

    Args:
        text: what the user wrote.
        what: where, for the message.

    Raises:
        UserError: it is no JSON, or no object.
    """
    try:
        values = json.loads(text)
    except _MISTAKES as error:
        raise UserError(f"{what} is no valid JSON: {error}"[:200]) from error
    if not isinstance(values, dict):
        raise UserError(f'{what} must be an object such as {{"seed": 1}}, not {told(values)}')
    return values
