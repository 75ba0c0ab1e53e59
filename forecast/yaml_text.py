"""Writing plain values as YAML: whole numbers without a point, millions as ``40.0e+6``, odd characters as escapes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter


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
