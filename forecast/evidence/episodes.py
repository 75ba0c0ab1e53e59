"""What a record says of one proceeding: when it was at risk, in which state, and which of its events carry likelihood.

A proceeding is observed from its first sourced event on or after ``opened_on``. That day's events, its *entry*, are why
the proceeding is in the record: they set its stage and marks and carry no likelihood. It is at risk from the day after
until it closes or, while it is open, until nobody looked any more (``observed_until``) or until the origin. Of the
events of one later day only the one furthest down in the order of the procedure carries likelihood, for the others
follow from the same decision; they too set stage and marks. A proceeding whose entry is its decision says nothing about
hazards.

Days are ordinals of the calendar (``date.toordinal``); a state holds for whole days, as it stood at their start.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import pandas as pd

from forecast.record import Record
from forecast.regime import Regime
from forecast.vocabulary import DAYS_PER_MONTH

NO_FAMILY = "its type belongs to no family of the model"
OF_A_PERSON = "an order against a person is no operational order"
ENTRY = "it is the first known step of its proceeding, the reason why that is in the record"
DECIDED_AT_ENTRY = "its proceeding is known only from its decision on"
SAME_DAY = "another event of its proceeding on that day stands for the same decision"
BEFORE_OPENING = "it lies before its proceeding was opened"
AFTER_END = "it lies after the end of its proceeding"
UNSEEN = "it lies after the day until which its proceeding was watched"


class State(NamedTuple):
    """Stage (an index into ``regime.stage_names``), the day since when it holds, and marks as bits."""

    stage: int
    since: int
    marks: int


class Stretch(NamedTuple):
    """Days ``(start, end]`` of a proceeding in one state."""

    start: int
    end: int
    state: State


class Counted(NamedTuple):
    """An event that carries likelihood: its family's index, its day, and its place in ``Episode.stretches``."""

    event_id: str
    family: int
    day: int
    stretch: int


class Happened(NamedTuple):
    """An event of a family, whether it carries likelihood or not."""

    event_id: str
    family: int
    day: int


class Unused(NamedTuple):
    """A row of the log that enters no likelihood of hazards, and why."""

    event_id: str
    reason: str


@dataclass(frozen=True)
class Episode:
    """The observed life of one proceeding up to an origin; ``last`` is its state at the end of its last day."""

    case_id: str
    matter_id: str
    authority_class: int
    tags: int
    opened: int
    entry: int
    end: int
    is_open: bool
    is_observed: bool
    stretches: tuple[Stretch, ...]
    counted: tuple[Counted, ...]
    happened: tuple[Happened, ...]
    unused: tuple[Unused, ...]
    last: State

    @property
    def at_risk(self) -> bool:
        """Whether the proceeding is observed and open: whether forecasts speak of it."""
        return self.is_open and self.is_observed


class _Event(NamedTuple):
    event_id: str
    kind: str
    scope: str
    family: int | None


def episodes(record: Record, regime: Regime, until: date) -> tuple[Episode, ...]:
    """Return the episode of every proceeding that is public by the end of ``until``, in the record's order.

    ``record`` is cut to ``until`` (``Record.as_of``) and free of superseded events (``in_force``) beforehand.
    """
    columns = ["case_id", "matter_id", "authority_class", "authority"]
    watched = record.proceedings.get("observed_until", pd.Series(pd.NaT, index=record.proceedings.index))
    rows = zip(*(record.proceedings[name] for name in columns), watched, strict=True)
    return tuple(_episode(record, regime, until, *row) for row in rows)


def _episode(
    record: Record,
    regime: Regime,
    until: date,
    case: str,
    matter: str,
    kind: str,
    authority: str,
    watched: pd.Timestamp,
) -> Episode:
    opened_on, closed_on, log = record.logs[case]
    opened, origin = opened_on.toordinal(), until.toordinal()
    is_open = pd.isna(closed_on) or closed_on.toordinal() > origin
    seen = origin if pd.isna(watched) else min(origin, watched.toordinal())
    end = seen if is_open else min(closed_on.toordinal(), origin)
    early = [Unused(event_id, BEFORE_OPENING) for day, event_id, *_ in log if day < opened_on]
    days = [
        (day.toordinal(), [_named(regime, *event) for _, *event in same])
        for day, same in itertools.groupby([e for e in log if e[0] >= opened_on], key=lambda event: event[0])
    ]
    if not days:
        state = State(regime.first_stage(kind), opened, 0)
        days, is_observed, entry = [], False, end
    else:
        entry, first = days[0]
        state = _after(State(regime.first_stage(kind), opened, 0), entry, first, regime)
        is_observed = not any(e.family is not None and regime.closes[e.family] for e in first)
    walk = _Walk(regime, entry, end, AFTER_END if not is_open else UNSEEN, state, is_observed)
    for day, events in days[1:]:
        walk.take(day, events)
    walk.finish()
    entry_events = [Unused(e.event_id, ENTRY if is_observed else DECIDED_AT_ENTRY) for _, day in days[:1] for e in day]
    at_entry = [Happened(e.event_id, e.family, entry) for _, day in days[:1] for e in day if e.family is not None]
    return Episode(
        case, matter, regime.class_names.index(kind), regime.tag_bits(authority), opened, entry, max(end, entry),
        bool(is_open), is_observed, tuple(walk.stretches), tuple(walk.counted), (*at_entry, *walk.happened),
        (*early, *entry_events, *walk.unused), walk.state,
    )  # fmt: skip


def _named(regime: Regime, event_id: str, kind: str, scope: str) -> _Event:
    family = None if scope == "person" else regime.family_of(kind, scope)
    return _Event(event_id, kind, scope, family)


def _after(state: State, day: int, events: list[_Event], regime: Regime) -> State:
    """Return the state after the events of a day."""
    stage, marks = state.stage, state.marks
    for event in events:
        marks |= regime.bits(event.kind)
        if event.family is not None:
            stage = max(stage, int(regime.moves[stage, event.family]))
    return State(stage, day if stage != state.stage else state.since, marks)


class _Walk:
    """Goes through the days of a log after the entry, and collects stretches and events."""

    def __init__(self, regime: Regime, entry: int, end: int, beyond: str, state: State, is_observed: bool):
        self.regime, self.end, self.beyond, self.state, self.is_observed = regime, end, beyond, state, is_observed
        self.reached = entry
        self.stretches: list[Stretch] = []
        self.counted: list[Counted] = []
        self.happened: list[Happened] = []
        self.unused: list[Unused] = []

    def take(self, day: int, events: list[_Event]) -> None:
        """Take the events of one day after the entry."""
        if day > self.end:
            self.unused += [Unused(e.event_id, self.beyond) for e in events]
            return
        self._stretch(day)
        named = [e for e in events if e.family is not None]
        self.happened += [Happened(e.event_id, e.family, day) for e in named if e.family is not None]
        stands = max(named, key=lambda e: (e.family, e.event_id), default=None)
        for event in events:
            if event.family is None:
                self.unused.append(Unused(event.event_id, OF_A_PERSON if event.scope == "person" else NO_FAMILY))
            elif not self.is_observed:
                self.unused.append(Unused(event.event_id, DECIDED_AT_ENTRY))
            elif event is stands:
                self.counted.append(Counted(event.event_id, event.family, day, len(self.stretches) - 1))
            else:
                self.unused.append(Unused(event.event_id, SAME_DAY))
        self.state = _after(self.state, day, events, self.regime)

    def finish(self) -> None:
        """Close the last stretch."""
        self._stretch(self.end)

    def _stretch(self, day: int) -> None:
        if day > self.reached and self.is_observed:
            self.stretches.append(Stretch(self.reached, day, self.state))
        self.reached = max(self.reached, day)


def months_between(start: int, end: int) -> float:
    """Return the months from one day to another, in months of 365.25 / 12 days."""
    return (end - start) / DAYS_PER_MONTH
