"""From a YAML file to its nodes, within stated limits: a regular file, its size, the number and depth of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.nodes import Node

from forecast.files import InputError, Problem, read_regular

MOST_BYTES = 512 * 1024
"""Largest file that is read: sixteen times the packaged prior file on X."""
MOST_NODES = 20_000
"""Most keys, values and items of lists in one file, together: five times those of the packaged prior file on X."""
MOST_DEPTH = 20
"""Most levels of mappings and lists inside one another; a prior file has eight."""


class _RefusedError(Exception):
    """A document that is valid YAML and not accepted all the same."""

    def __init__(self, mark: StringMark, what: str):
        self.mark, self.what = mark, what
        super().__init__(what)


class _Composer(Composer):
    """Composes nodes as ruamel does, remembers which have a tag written out, and stops at the limits."""

    def __init__(self, loader: Any = None):
        super().__init__(loader)
        self.warn_double_anchors = False
        self.tagged: dict[int, str] = {}
        self.count = self.level = 0

    def compose_document(self) -> Node:
        start = self.parser.peek_event()
        if start.version is not None or start.tags:
            raise _RefusedError(start.start_mark, "directives are not allowed: begin with the first key")
        return super().compose_document()

    def compose_node(self, parent: Any, index: Any) -> Node:
        event = self.parser.peek_event()
        self.count += 1
        if self.count > MOST_NODES:
            raise _RefusedError(event.start_mark, f"has more than {MOST_NODES:,} keys and values, too many to read")
        if self.level > MOST_DEPTH:
            raise _RefusedError(event.start_mark, f"mappings and lists stand more than {MOST_DEPTH} deep in each other")
        self.level += 1
        node = super().compose_node(parent, index)
        self.level -= 1
        if (tag := getattr(event, "ctag", None)) is not None:
            self.tagged[id(node)] = str(tag)
        return node


@dataclass(frozen=True)
class Tree:
    """A composed file: its root (``None``: empty), the tags written out, by ``id`` of the node, and the reader."""

    root: Node | None
    tagged: dict[int, str]
    yaml: YAML


def compose(path: Path) -> Tree:
    """Return the nodes of the YAML file ``path``; a file that cannot be read so is an `InputError` with its line."""
    content = read_regular(path, MOST_BYTES)
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    try:
        root = yaml.compose(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(Problem(f"{path.name} line {line}", "is no UTF-8 text: save it as UTF-8")) from error
    except _RefusedError as error:
        raise InputError(Problem(f"{path.name} line {error.mark.line + 1}", error.what)) from None
    except RecursionError:
        raise InputError(Problem(path.name, "is no valid YAML: nested too deeply")) from None
    except MarkedYAMLError as error:
        raise InputError(_syntax_problem(path.name, error)) from error
    except (YAMLError, ValueError, OverflowError) as error:  # the latter two: odd escapes in a quoted text
        raise InputError(Problem(path.name, f"is no valid YAML: {' '.join(str(error).split())}")) from error
    return Tree(root, yaml.composer.tagged, yaml)


def _syntax_problem(name: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = f"{name} line {mark.line + 1}" if mark else name
    since = f" from line {error.context_mark.line + 1} on" if error.context and error.context_mark else ""
    what = ", ".join(filter(None, (f"{error.context}{since}" if error.context else "", error.problem)))
    return Problem(where, f"is no valid YAML: {what}")
