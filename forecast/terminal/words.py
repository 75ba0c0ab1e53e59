"""The words of a record and of a prior file, each with what it means."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.terminal.look import table_of
from forecast.vocabulary import (
    AUTHORITY_CLASSES,
    AUTHORITY_MEANINGS,
    EVENT_TYPES,
    FAMILIES,
    FAMILY_MEANINGS,
    FAMILY_OF_TYPE,
    SCOPE_MEANINGS,
    SCOPES,
    TYPE_MEANINGS,
)


def words_screen() -> Group:
    """Return what ``forecast types`` prints: a table each of event types, families, authority classes and scopes."""
    types = table_of("Event types (column type of events)", "type", "family", "what it means")
    for name in EVENT_TYPES:
        types.add_row(name, FAMILY_OF_TYPE.get(name, "none"), TYPE_MEANINGS[name])
    tables = [
        types,
        _meanings("Families of events", "family", FAMILIES, FAMILY_MEANINGS),
        _meanings("Classes of authorities (column authority_class of proceedings)", "class", AUTHORITY_CLASSES,
                  AUTHORITY_MEANINGS),
        _meanings("Scopes of orders (column scope of events)", "scope", SCOPES, SCOPE_MEANINGS),
    ]  # fmt: skip
    parts = [part for table in tables for part in (table, Text(""))]
    return Group(*parts, Text("Family none: openings and appeals are modelled on their own; the rest changes no rate."))


def _meanings(title: str, column: str, names: tuple[str, ...], meanings: dict[str, str]) -> Table:
    table = table_of(title, column, "what it means")
    for name in names:
        table.add_row(name, meanings[name])
    return table
