"""Strict YAML at the file edge: what was read, where each key stands, and every problem at once.

`read_yaml` reads a file into plain values and remembers lines, `check_document` turns them into a pydantic
model or one `InputError`, `yaml_text` writes plain values back. Paths are written ``fines.share.limited.low``
and ``statements.families.fine.limited[0].value``. Strict means: UTF-8, one document, a mapping on top, keys
that are text and occur once, no anchors, aliases, merges or tags.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter

from forecast.files import InputError, Problem, did_you_mean

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
TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")}
PLAIN_KEY = re.compile(r"[^.\[\]\s]+")
STEP = re.compile(r"(?:^|\.)([^.\[\]\s]+)|\[(\d+)\]")


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as text, such as ``scenarios.limited.probability`` or ``readings.eur.set["a.b"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def key_path(text: str) -> KeyPath:
    """Return the path that `dotted` writes as ``text``, for plain keys; an empty path if it is none."""
    steps = list(STEP.finditer(text))
    if not text or "".join(step[0] for step in steps) != text or text.startswith(".") or text[0] == "[":
        return ()
    return tuple(step[1] if step[2] is None else int(step[2]) for step in steps)


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
    yaml: YAML
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
        if str(node.tag) not in TAGS:
            return self.lose(path, f"the tag {str(node.tag)!r} is not allowed")
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return tuple(self.item(child, (*path, place)) for place, child in enumerate(node.value))
        try:
            return self.yaml.constructor.construct_object(node)
        except ValueError as error:
            return self.lose(path, f"{node.value!r} cannot be read: {error}")

    def item(self, node: Node, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or str(key.tag) != "tag:yaml.org,2002:str":
                written = repr(key.value) if isinstance(key, ScalarNode) else "this one"
                self.refuse(line, path, f"a key must be text, not {written}")
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
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(Problem(str(path), "there is no such file")) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(Problem(f"{path.name} line {line}", "is no UTF-8 text: save it as UTF-8")) from error
    except RecursionError:
        raise InputError(Problem(path.name, "is no valid YAML: nested too deeply")) from None
    except MarkedYAMLError as error:
        raise InputError(_syntax_problem(path.name, error)) from error
    except YAMLError as error:
        raise InputError(Problem(path.name, f"is no valid YAML: {' '.join(str(error).split())}")) from error
    if node is None:
        raise InputError(Problem(path.name, "is empty: expected a mapping of keys to values"))
    if not isinstance(node, MappingNode):
        where = f"{path.name} line {node.start_mark.line + 1}"
        raise InputError(Problem(where, "expected a mapping of keys to values at the top"))
    reader = _Reader(path.name, yaml)
    data = reader.value(node, ())
    return Document(path.name, data or {}, reader.lines, tuple(reader.problems), frozenset(reader.lost))


def _syntax_problem(name: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = f"{name} line {mark.line + 1}" if mark else name
    since = f" from line {error.context_mark.line + 1} on" if error.context and error.context_mark else ""
    what = ", ".join(filter(None, (f"{error.context}{since}" if error.context else "", error.problem)))
    return Problem(where, f"is no valid YAML: {what}")


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
    raise InputError(sorted(problems, key=_line))


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
            near = did_you_mean(str(path[-1]), _keys(model.model_json_schema(), path[:-1]))
            yield path, f"unknown key {path[-1]!r}{near}"
        else:
            expected = context.get("expected") or EXPECTED.get(kind) or _bare(found["msg"])
            yield path, f"expected {expected}, not {_shown(found['input'])}"


def _bare(message: str) -> str:
    return message.removeprefix("Input should be ")


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
    return "nothing" if value is None else repr(value) if isinstance(value, str | float | int) else str(value)


class _Representer(RoundTripRepresenter):
    """Writes whole numbers without a point, millions as ``40.0e+6``, and odd characters as escapes."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')

    def represent_float(self, data: float) -> Any:
        text = _short(data)
        if text and float(text) == data:
            return self.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)
        return super().represent_float(data)


def _short(value: float) -> str:
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    power = 9 if abs(value) >= 1e9 else 6
    return f"{value / 10**power!r}e+{power}" if 1e6 <= abs(value) < 1e15 else ""


_Representer.add_representer(float, _Representer.represent_float)
_Representer.add_representer(str, _Representer.represent_str)


def yaml_text(data: Mapping[str, Any], flow: frozenset[str]) -> str:
    """Return plain values as YAML; a mapping that has one of the keys ``flow`` goes on one line."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 1_000_000
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(data, flow), stream)
    return stream.getvalue()


def _styled(value: Any, flow: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        styled = CommentedMap({key: _styled(inner, flow) for key, inner in value.items()})
        if flow & styled.keys():
            styled.fa.set_flow_style()
        return styled
    if isinstance(value, tuple | list):
        items = CommentedSeq([_styled(inner, flow) for inner in value])
        if not any(isinstance(inner, CommentedMap) for inner in items):
            items.fa.set_flow_style()
        return items
    return value
