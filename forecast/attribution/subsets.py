"""A record with some of its new events left out, as if they had not come, and everything else as it is.

What one event brought goes with it: corrections of it, its row among the fines, the closing of its proceeding on that
day, and the proceeding itself if nothing else tells of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import pandas as pd

from forecast.record import Record
from forecast.record_tables import TABLES
from forecast.vocabulary import OPENING_TYPES

FIGURES = tuple(name for name in TABLES if name not in ("proceedings", "events"))
"""Tables of figures: everything but proceedings and their events."""


@dataclass(frozen=True)
class Newcomer:
    """A new event, with the corrections of it that came with it."""

    ids: tuple[str, ...]
    case: str
    matter: str
    day: date
    published: date
    kind: str

    @property
    def label(self) -> str:
        """The event in words."""
        return f"{self.day} {self.case} {self.kind}"


@dataclass(frozen=True)
class Growth:
    """How one record grew out of another: ``old`` and ``new`` as they were public at two origins, ``since`` the first.

    Corrections of what was known by ``since`` count as public since then.
    """

    old: Record
    new: Record
    since: date

    @cached_property
    def newcomers(self) -> tuple[Newcomer, ...]:
        """The new events in force, in the order of their publication."""
        events = self.new.events.loc[self._is_new]
        corrects = dict(zip(events["event_id"], events["supersedes"], strict=True))
        earlier = {name: tuple(_line(name, corrects)) for name in corrects}
        last = events.loc[~events["event_id"].isin(events["supersedes"])].sort_values(["published_on", "event_id"])
        matter = self.new.proceedings.set_index("case_id")["matter_id"]
        return tuple(
            Newcomer(
                earlier[row.event_id],
                row.case_id,
                matter[row.case_id],
                row.date.date(),
                row.published_on.date(),
                row.type,
            )
            for row in last.itertuples()
        )

    @property
    def _is_new(self) -> pd.Series:
        """Events that move a forecast: not known before, no correction of a known one, no past of a new case."""
        events, known = self.new.events, set(self.old.events["event_id"])
        past = ~events["case_id"].isin(self.old.proceedings["case_id"]) & (
            events["published_on"] <= pd.Timestamp(self.since)
        )
        return ~events["event_id"].isin(known | self._corrections) & ~past

    def public(self, figures: date) -> Record:
        """Return the new record with its tables of figures as they were public by ``figures``."""
        cut = self.new.as_of(figures)
        return replace(self.new, **{name: getattr(cut, name) for name in FIGURES}, as_of_date=figures)

    def without(self, absent: Collection[Newcomer], public: Record) -> Record:
        """Return ``public`` (of this growth) without ``absent`` events and what came with them."""
        gone = {name for newcomer in absent for name in newcomer.ids}
        events, fines = self._backdated, public.fines
        return replace(
            public,
            as_of_date=self.new.as_of_date,
            proceedings=self._reopened(gone, public),
            events=events.loc[~events["event_id"].isin(gone)].reset_index(drop=True),
            fines=_unlinked(fines, gone, set(self.old.fines["decision_id"])),
        )

    def _reopened(self, gone: set[str], public: Record) -> pd.DataFrame:
        """Open again what only an absent event closed, and what closed without an event after the figures' day."""
        cases, closing = self.new.proceedings.copy(), self._closing
        told, still = set(closing["case_id"]), set(closing.loc[~closing["event_id"].isin(gone), "case_id"])
        opened = cases["case_id"].isin(told - still)
        opened |= ~cases["case_id"].isin(told) & (cases["closed_on"] > pd.Timestamp(public.as_of_date))
        cases["closed_on"] = cases["closed_on"].mask(opened)
        return cases

    @cached_property
    def _closing(self) -> pd.DataFrame:
        """Events on the day on which their proceeding closed."""
        events = self.new.events.merge(self.new.proceedings[["case_id", "closed_on"]], on="case_id")
        return events.loc[(events["date"] == events["closed_on"]) & ~events["type"].isin(OPENING_TYPES)]

    @cached_property
    def _backdated(self) -> pd.DataFrame:
        """The new events; corrections of known ones, and corrections of these, are public since ``since``."""
        events, since = self.new.events, pd.Timestamp(self.since)
        late = events["event_id"].isin(self._corrections) & (events["published_on"] > since)
        return events.assign(published_on=events["published_on"].mask(late, since))

    @cached_property
    def _corrections(self) -> set[str]:
        """New events that correct known ones, or corrections of these."""
        known = set(self.old.events["event_id"])
        fresh = self.new.events.loc[~self.new.events["event_id"].isin(known)]
        return set(fresh.loc[_corrects(fresh, known), "event_id"])


def of_matters(record: Record, matters: Collection[str]) -> Record:
    """Return the proceedings of some matters and their events; every other table as it is."""
    cases = record.proceedings.loc[record.proceedings["matter_id"].isin(matters)].reset_index(drop=True)
    events = record.events.loc[record.events["case_id"].isin(cases["case_id"])].reset_index(drop=True)
    return replace(record, proceedings=cases, events=events)


def _unlinked(fines: pd.DataFrame, gone: set[str], known: set[str]) -> pd.DataFrame:
    """Return the fines without those of absent events; one that was known before its event loses the event alone."""
    bare = fines["event_id"].isin(gone)
    kept = fines.assign(event_id=fines["event_id"].mask(bare, "")).loc[~bare | fines["decision_id"].isin(known)]
    return kept.reset_index(drop=True)


def _line(name: str, corrects: dict[str, str]) -> list[str]:
    """Return an event and what it corrects, latest first."""
    line = [name]
    while corrects.get(line[-1], "") in corrects:
        line.append(corrects[line[-1]])
    return line


def _corrects(events: pd.DataFrame, known: set[str]) -> pd.Series:
    """Whether each event corrects a known one, or a correction of one, and so on."""
    corrects = dict(zip(events["event_id"], events["supersedes"], strict=True))
    ends = {name: corrects[_line(name, corrects)[-1]] for name in corrects}
    return events["event_id"].map(ends).isin(known)
