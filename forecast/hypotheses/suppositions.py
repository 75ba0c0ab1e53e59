"""What is supposed, read from short texts: events that have not come, silence, mitigations at work.

An event is ``DATE CASE TYPE [AMOUNT_EUR]``, the scope of an order after a colon: ``2026-06-15 ie-dsa-x-2025
compliance_order:extensive``. Every mistake of every text is named at once.

Supposed events are appended to the record in memory, and its proceedings are taken as watched up to the supposed
origin, so that silence counts: those of the matters spoken of, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.additions import append
from forecast.files import InputError, Problem, did_you_mean
from forecast.outcomes import Intervention
from forecast.quantities import IMPACTS
from forecast.record import Record, as_day
from forecast.record_tables import FINES, ORDERS
from forecast.specification import Specification
from forecast.vocabulary import EVENT_TYPES, FAMILIES, FAMILY_TYPES, SCOPES

FORM = "DATE CASE TYPE [AMOUNT_EUR]"
EXAMPLE = "2026-06-15 fr-crim-x-2025 executive_charged"


class Supposed(NamedTuple):
    """One supposed event, public on its day; ``scope`` is empty and ``amount`` missing where none is supposed."""

    day: date
    case: str
    kind: str
    scope: str = ""
    amount: float | None = None

    def __str__(self) -> str:
        what = self.kind + (f":{self.scope}" if self.scope else "")
        return f"{self.day} {self.case} {what}" + ("" if self.amount is None else f" {self.amount:.12g}")


@dataclass(frozen=True)
class Suppositions:
    """Supposed ``events``; ``day``: up to which nothing else happens; ``levers``; ``record``: with the events."""

    events: tuple[Supposed, ...]
    day: date
    levers: tuple[str, ...]
    record: Record


def read_suppositions(
    record: Record,
    specification: Specification,
    origin: date,
    events: Sequence[str] = (),
    silence_until: date | str | None = None,
    levers: Sequence[str] = (),
) -> Suppositions:
    """Return what is supposed after ``origin``; raise ``InputError`` with every mistake of every text."""
    problems = list(_lever_problems(specification, levers))
    read: dict[str, Supposed] = {}
    for text in events:
        event, wrong = _event(text, record, origin)
        problems += [Problem(f"event {text!r}", what) for what in wrong]
        if event is not None and event in read.values():
            problems.append(Problem(f"event {text!r}", "is supposed twice"))
        elif event is not None:
            read[text] = event
    supposed, wrong_rows = _supposed(record, read)
    day, wrong_day = _last_day(origin, specification.as_of, [e.day for e in read.values()], silence_until)
    problems += wrong_rows + wrong_day
    if not events and not levers and silence_until is None:
        problems.append(Problem("whatif", f"nothing is supposed; name an event ({FORM}), silence or a lever"))
    if problems:
        raise InputError(problems)
    return Suppositions(tuple(sorted(read.values(), key=lambda e: (e.day, e.case))), day, tuple(levers), supposed)


def with_events(record: Record, events: Sequence[Supposed]) -> Record:
    """Return a record with these events; a supposed closing closes its proceeding, no other event does.

    That nothing else happens up to the last of them is supposed too.
    """
    columns = ["case_id", "date", "published_on", "type", "scope", "amount_eur"]
    rows = pd.DataFrame([(e.case, e.day, e.day, e.kind, e.scope, e.amount) for e in events], columns=columns)
    closed = [(e.case, e.day) for e in events if e.kind in FAMILY_TYPES["closure"]]
    cases = pd.DataFrame(closed, columns=["case_id", "closed_on"])
    until = max((e.day for e in events), default=record.complete_until)
    return append(record, {"events": rows, "proceedings": cases}, max(until, record.complete_until))


def watched(record: Record, known: Record, matters: Collection[str], day: date) -> Record:
    """Return ``record`` with every open proceeding of some matters watched up to ``day``, all others as long as known.

    ``known``: the record of the forecast, cut to its origin; ``record`` has the same proceedings, and events up to
    ``day`` besides.
    """
    cases, origin = record.proceedings, known.as_of_date or known.complete_until
    own = cases["matter_id"].isin(matters)
    last = {case: pd.Timestamp(day) for case in cases.loc[own, "case_id"]}
    until = [last.get(case) or known.counted_until(case, origin) for case in cases["case_id"]]
    seen = cases.assign(observed_until=pd.Series(until, cases.index).astype("datetime64[us]"))
    return replace(record, proceedings=seen, complete_until=day, as_of_date=None)


def _supposed(record: Record, read: dict[str, Supposed]) -> tuple[Record, list[Problem]]:
    """Return the record with the events, and what the rules of a record refuse, under the texts' own names."""
    if not read:
        return record, []
    texts, events = list(read), list(read.values())
    closings = [t for t, e in read.items() if e.kind in FAMILY_TYPES["closure"]]
    try:
        return with_events(record, events), []
    except InputError as error:
        rows = {"events": texts, "proceedings": closings}
        problems = []
        for problem in error.problems:
            place = re.fullmatch(r"new (events|proceedings) row ([0-9]+), column (.*)", problem.where)
            where = f"event {rows[place[1]][int(place[2]) - 1]!r}" if place else problem.where
            problems.append(Problem(where, problem.what))
        return record, problems


def _event(text: str, record: Record, origin: date) -> tuple[Supposed | None, list[str]]:
    """Return the event of a text and what is wrong with it; none where anything is."""
    parts = text.split()
    if len(parts) not in (3, 4):
        return None, [f"expected {FORM}, as in {EXAMPLE!r}"]
    wrong, day = [], origin
    try:
        day = as_day(parts[0])
        if day <= origin:
            wrong.append(f"{day} is not after the forecast's origin, {origin}")
    except InputError as error:
        wrong.append(error.problems[0].what)
    cases = record.proceedings["case_id"]
    if parts[1] not in set(cases):
        wrong.append(f"{parts[1]!r} is no proceeding of the record{did_you_mean(parts[1], cases)}")
    kind, _, scope = parts[2].partition(":")
    wrong += _wrong_kind(kind, scope)
    amount = None
    if len(parts) == 4:
        plain = re.fullmatch(r"[0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?", parts[3].replace("_", ""))
        amount = float(parts[3].replace("_", "")) if plain else None
        if amount is None or not np.isfinite(amount):
            wrong.append(f"{parts[3]!r} is no amount; EUR in digits expected, as in 250e6")
        elif kind not in FINES:
            wrong.append(f"an amount stands on {kind!r}; only {' and '.join(FINES)} have one")
    return None if wrong else Supposed(day, parts[1], kind, scope, amount), wrong


def _wrong_kind(kind: str, scope: str) -> Iterator[str]:
    if kind not in EVENT_TYPES:
        near = did_you_mean(kind, EVENT_TYPES)
        near = f"; of that family are {', '.join(FAMILY_TYPES[kind])}" if kind in FAMILIES else near
        yield f"{kind!r} is no type of event{near or f'; expected one of {", ".join(EVENT_TYPES)}'}"
    elif scope and kind not in ORDERS:
        yield f"a scope stands on {kind!r}; only {' and '.join(ORDERS)} have one"
    elif kind in ORDERS and scope not in SCOPES:
        found = f"{scope!r} is no scope{did_you_mean(scope, SCOPES)}" if scope else f"{kind!r} needs a scope"
        yield f"{found}; expected one of {', '.join(SCOPES)}, as in {kind}:{SCOPES[0]}"


def _last_day(
    origin: date, as_of: date, days: list[date], silence_until: date | str | None
) -> tuple[date, list[Problem]]:
    last = max([origin, *days])
    if silence_until is None:
        day, place = last, "event"
    else:
        place = "silence_until"
        try:
            day = as_day(silence_until)
        except InputError as error:
            return last, [Problem(place, error.problems[0].what)]
        if day <= origin:
            return last, [Problem(place, f"{day} is not after the forecast's origin, {origin}")]
        if day < last:
            return last, [Problem(place, f"{day} lies before the last supposed event, {last}")]
    if origin < as_of <= day:
        what = f"{day} crosses the brief's date, {as_of}: its own effect would be mixed with what is supposed"
        return last, [Problem(place, f"{what}; forecast at {as_of} first")]
    return day, []


def _lever_problems(specification: Specification, names: Sequence[str]) -> Iterator[Problem]:
    known = specification.levers
    for place, name in enumerate(names):
        if name not in known:
            listed = f"expected one of {', '.join(known)}" if known else "the prior file has none"
            yield Problem(f"lever {name!r}", f"is no lever{did_you_mean(name, known) or f'; {listed}'}")
        elif name in names[:place]:
            yield Problem(f"lever {name!r}", "is named twice")


def intervention(specification: Specification, levers: Sequence[str]) -> Intervention:
    """Return the joint multipliers of levers: products over them, 1 where none acts."""
    chosen = [specification.levers[name] for name in levers]

    def product(name: str, part: str) -> float:
        stated = (getattr(lever, part) for lever in chosen)
        return float(np.prod([numbers[name].value for numbers in stated if name in numbers]))

    return Intervention(
        hazards=np.array([product(name, "hazards") for name in FAMILIES]),
        impacts=np.array([product(name, "impacts") for name in IMPACTS]),
    )


def in_words(specification: Specification, supposed: Suppositions, origin: date, matters: Sequence[str]) -> list[str]:
    """Say in plain words what is supposed, and what is not."""
    lines = [f"{e}: supposed, public that day" for e in supposed.events]
    if any(e.kind in FAMILY_TYPES["fine"] and not e.amount for e in supposed.events):
        lines.append("a fine without an amount says nothing of its size; the resolution rule counts it as zero EUR")
    if supposed.day > origin:
        lines.append(f"from {origin} to {supposed.day} nothing else happens in {', '.join(matters)}")
        lines.append("all other matters stay as known at the forecast's own origin")
    for name in supposed.levers:
        lever = specification.levers[name]
        factors = [f"{what} hazards x {n.value:g}" for what, n in lever.hazards.items()]
        factors += [f"{what} at full size x {n.value:g}" for what, n in lever.impacts.items()]
        lines.append(f"do({name}), an assumption and no evidence: {', '.join(factors)} from {supposed.day} on")
    return lines
