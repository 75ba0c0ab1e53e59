"""A world as a record: what would have been logged of it by a day, each event public on its day.

A world has proceedings and events. Fines' sizes, users, turnover and appeals are not drawn: those tables are empty, or
the ones of a record that is given.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from forecast.record import Record, ordered
from forecast.record_checks import check, no_rows
from forecast.record_tables import TABLES
from forecast.simulator.design import Row
from forecast.simulator.worlds import World


def to_record(world: World, until: date | None = None, given: Record | None = None) -> Record:
    """Return the record of a world as it stands at the end of ``until``, by default its design's origin.

    What happened to a proceeding after the day until which it was watched is not in it. ``given``: a record whose
    other tables (without fines and users) are kept.
    """
    day = (until or world.design.origin).toordinal()
    empty = ordered(check({name: no_rows(name) for name in TABLES}))
    known = [i for i, row in enumerate(world.rows) if row.entry <= day]
    proceedings = pd.DataFrame([_proceeding(world, i, day) for i in known])
    events = pd.DataFrame([e for i in known for e in _entry(world.rows[i])] + _events(world, known, day))
    base = empty if given is None else replace(given, fines=empty.fines, users=empty.users)
    return replace(
        base,
        proceedings=_typed(proceedings, empty.proceedings),
        events=_typed(events, empty.events),
        as_of_date=None,
        complete_until=date.fromordinal(day),
    )


def _seen(row: Row, day: int) -> int:
    """Return the last day of which the record knows about a proceeding."""
    return day if row.watched is None else max(row.entry, min(day, row.watched))


def _proceeding(world: World, number: int, day: int) -> dict[str, object]:
    row, closed = world.rows[number], int(world.closed[number])
    is_closed = 0 < closed <= _seen(row, day)
    return {
        "case_id": row.case,
        "matter_id": row.matter,
        "provider": row.provider,
        "provider_group": row.provider,
        "authority": row.authority,
        "authority_class": row.authority_class,
        "jurisdiction": "any",
        "instrument": "any",
        "opened_on": _stamp(row.opened),
        "closed_on": _stamp(closed) if is_closed else pd.NaT,
        "observed_until": pd.NaT if is_closed else _stamp(_seen(row, day)),
    }


def _entry(row: Row) -> list[dict[str, object]]:
    return [_event(f"{row.case}-e{i}", row.case, row.entry, *step) for i, step in enumerate(row.steps)]


def _events(world: World, known: list[int], day: int) -> list[dict[str, object]]:
    """Return the events of the world that were seen by a day."""
    families, logged = list(world.design.regime.families.values()), []
    seen = {i: _seen(world.rows[i], day) for i in known}
    for number, event in enumerate(world.events):
        if event.row in seen and event.day <= seen[event.row]:
            family, case = families[event.family], world.rows[event.row].case
            scope = family.scopes[0] if family.scopes else ""
            logged.append(_event(f"{case}-w{number:06d}", case, event.day, family.types[-1], scope))
    return logged


def _event(name: str, case: str, day: int, kind: str, scope: str) -> dict[str, object]:
    when = _stamp(day)
    return {
        "event_id": name,
        "case_id": case,
        "date": when,
        "published_on": when,
        "type": kind,
        "scope": scope,
        "confidence": "high",
    }


def _typed(rows: pd.DataFrame, empty: pd.DataFrame) -> pd.DataFrame:
    """Return rows with every column of a table, in its types."""
    texts = [name for name in empty if empty[name].dtype.kind not in "Mf" and name not in rows]
    return rows.assign(**dict.fromkeys(texts, "")).reindex(columns=list(empty)).astype(empty.dtypes.to_dict())


def _stamp(day: int) -> pd.Timestamp:
    return pd.Timestamp(date.fromordinal(day))
