"""Strict YAML at the file edge: what was read, where each key stands, and every problem at once.

`read_yaml` reads a file into plain values and remembers lines, `check_document` turns them into a pydantic
model or one `InputError`. Paths are written ``fines.share.limited.low`` and
``statements.families.fine.limited[0].value``. Strict means: a regular file of limited size, depth and number of
values (`forecast.yaml_nodes`), UTF-8, one document, a mapping on top, keys that are text and occur once, no anchors,
aliases, merges, directives or tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from forecast.files import InputError, Problem, did_you_mean
from forecast.yaml_nodes import Tree, compose

type KeyPath = tuple[str | int, ...]
"""Keys and positions from the top of a document to one of its values."""

EXPECTED = {
    "bool_type": "true or false",
    "date_type": "a date such as 2026-02-03",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "model_type": "a mapping",
    "string_too_short": "some text",
    "string_type": "text",
    "tuple_type": "a list",
}
LONGEST_KEY = 200
"""Most characters of a key; the longest path that a reading sets has half as many."""
LONGEST_SHOWN = 80
"""Characters up to which a value is shown in a message."""
MOST_PROBLEMS = 100
"""Problems of one file that are listed; of more, the first ones and their number."""
PLAIN_KEY = re.compile(r"[^.\[\]\s]+")
STEP = re.compile(r'(?:^|\.)([^.\[\]\s"]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as text, such as ``scenarios.limited.probability`` or ``readings.eur.set["a.b"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif PLAIN_KEY.fullmatch(step) and step.isprintable():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def key_path(text: str) -> KeyPath:
    """Return the path that `dotted` writes as ``text``; an empty path if it is none."""
    steps = list(STEP.finditer(text))
    if not text or "".join(step[0] for step in steps) != text or text.startswith(".") or text[0] == "[":
        return ()
    try:
        return tuple(step[1] or (int(step[2]) if step[2] else json.loads(step[3])) for step in steps)
    except ValueError:  # an escape that is none, or more digits than a number may have
        return ()


@dataclass(frozen=True)
class Document:
    """The plain values of one YAML file, the line (from 1) of every key path, and what was wrong already."""

    name: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...] = ()
    lost: frozenset[KeyPath] = frozenset()
    """Paths whose value could not be read, as ``problems`` says."""

    def where(self, path: KeyPath) -> str:
        """Return ``x.yaml line 41, fines.ceiling.value``, with the line of the closest key there is."""
        known = path
        while known not in self.lines:
            known = known[:-1]
        return f"{self.name} line {self.lines[known]}" + (f", {dotted(path)}" if path else "")


@dataclass
class _Reader:
    """Walks a tree of YAML nodes once, collecting lines and problems."""

    name: str
    tree: Tree
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    problems: list[Problem] = field(default_factory=list)
    lost: set[KeyPath] = field(default_factory=set)

    def refuse(self, line: int, path: KeyPath, what: str) -> None:
        """Note what is wrong on a line, at a path."""
        place = f", {dotted(path)}" if path else ""
        self.problems.append(Problem(f"{self.name} line {line}{place}", what))

    def lose(self, path: KeyPath, what: str) -> None:
        """Note why the value at a path cannot be read."""
        self.refuse(self.lines[path], path, what)
        self.lost.add(path)

    def value(self, node: Node, path: KeyPath) -> Any:
        if node.anchor is not None:
            return self.lose(path, "anchors and aliases are not allowed: write the value out")
        if id(node) in self.tree.tagged:
            return self.lose(path, f"the tag {shortened(self.tree.tagged[id(node)])} is not allowed: no tags are")
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return tuple(self.item(child, (*path, place)) for place, child in enumerate(node.value))
        return self.scalar(node, path)

    def scalar(self, node: Node, path: KeyPath) -> Any:
        if not _is_unicode(node.value):
            return self.lose(path, "holds a character that is no Unicode text (half of a surrogate pair)")
        try:
            return self.tree.yaml.constructor.construct_object(node)
        except (ValueError, OverflowError, LookupError, YAMLError) as error:
            reason = " ".join(str(error).split())
            return self.lose(path, f"{shortened(node.value)} cannot be read: {reason}")

    def item(self, node: Node, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or str(key.tag) != "tag:yaml.org,2002:str":
                written = shortened(key.value) if isinstance(key, ScalarNode) else "this one"
                self.refuse(line, path, f"a key must be text, not {written}")
                continue
            if id(key) in self.tree.tagged or not _is_unicode(key.value) or len(key.value) > LONGEST_KEY:
                self.refuse(line, path, f"a key must be plain text without a tag, not {shortened(key.value)}")
                continue
            below = (*path, key.value)
            if key.value in values:
                self.refuse(line, below, f"duplicate key {key.value!r}, first on line {self.lines[below]}")
            else:
                self.lines[below] = line
                values[key.value] = self.value(child, below)
        return values


def read_yaml(path: Path) -> Document:
    """Read the YAML file ``path``; whatever keeps it from being one mapping is an `InputError`."""
    tree = compose(path)
    node = tree.root
    if node is None:
        raise InputError(Problem(path.name, "is empty: expected a mapping of keys to values"))
    if not isinstance(node, MappingNode):
        where = f"{path.name} line {node.start_mark.line + 1}"
        raise InputError(Problem(where, "expected a mapping of keys to values at the top"))
    reader = _Reader(path.name, tree)
    data = reader.value(node, ())
    return Document(path.name, data or {}, reader.lines, tuple(reader.problems), frozenset(reader.lost))


def refusal(*problems: tuple[KeyPath, str]) -> PydanticCustomError:
    """Return the error for a validator to raise: what is wrong at each path below the validated value."""
    return PydanticCustomError("refused", "{text}", {"text": problems[0][1], "problems": problems})


def check_document[M: BaseModel](model: type[M], document: Document) -> M:
    """Return the document as a ``model``, or raise one `InputError` with every problem in order of lines."""
    problems = list(document.problems)
    try:
        checked = model.model_validate(document.data)
    except ValidationError as error:
        found = ((path, what) for path, what in model_problems(model, error) if path not in document.lost)
        problems += [Problem(document.where(path), what) for path, what in found]
    else:
        if not problems:
            return checked
    listed = sorted(problems, key=_line)
    if len(listed) > MOST_PROBLEMS:
        rest = f"{len(listed) - MOST_PROBLEMS:,} more problems are not listed"
        listed = [*listed[:MOST_PROBLEMS], Problem(document.name, rest)]
    raise InputError(listed)


def _line(problem: Problem) -> int:
    found = re.search(r" line (\d+)", problem.where)
    return int(found[1]) if found else 0


def model_problems(model: type[BaseModel], error: ValidationError) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and wording of each thing that pydantic found wrong with the data of a ``model``."""
    for found in error.errors(include_url=False):
        path = tuple(step for step in found["loc"] if step != "[key]")
        kind, context = found["type"], found.get("ctx", {})
        if kind == "refused":
            yield from (((*path, *below), what) for below, what in context["problems"])
        elif kind == "missing":
            yield path[:-1], f"missing key {path[-1]!r}"
        elif kind == "extra_forbidden":
            near = did_you_mean(str(path[-1]), _keys(_schema(model), path[:-1]))
            yield path, f"unknown key {path[-1]!r}{near}"
        else:
            expected = context.get("expected") or EXPECTED.get(kind) or _bare(found["msg"])
            yield path, f"expected {expected}, not {_shown(found['input'])}"


def _bare(message: str) -> str:
    return message.removeprefix("Input should be ")


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _keys(schema: dict[str, Any], path: KeyPath) -> list[str]:
    """Return the keys that a JSON Schema knows at ``path``."""

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in node:
            node = node["anyOf"][0]
        return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node

    node = resolve(schema)
    for step in path:
        inside = node["items"] if isinstance(step, int) else node.get("properties", {}).get(step)
        node = resolve(inside or node["additionalProperties"])
    return list(node.get("properties", {}))


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    return "nothing" if value is None else shortened(value) if isinstance(value, str | float | int) else str(value)


def shortened(value: str | float) -> str:
    """Return a value as Python writes it, cut where it is long; some whole numbers cannot be written at all."""
    if isinstance(value, int) and abs(value) >= 10**LONGEST_SHOWN:
        return f"a whole number of more than {LONGEST_SHOWN} digits"
    text = repr(value[: LONGEST_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_SHOWN + 2 else f"{text[:LONGEST_SHOWN]}..."


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
