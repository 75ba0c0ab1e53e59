"""What a record holds by a day, as the rules of a ledger look at it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from forecast.opening_counts import eu_openings
from forecast.record import Record
from forecast.vocabulary import DAYS_PER_MONTH, family_of

Rule = dict[str, Any]
APPEAL = "appeal"
"""What the filing of an appeal counts as, beside the families."""


class Event(NamedTuple):
    """A row of the log; ``family`` also ``appeal``."""

    day: date
    event_id: str
    family: str
    amount: float


@dataclass(frozen=True)
class Log:
    """What a record holds by the end of ``known_on``, corrections in force, as the rules need it."""

    record: Record
    known_on: date

    @classmethod
    def of(cls, record: Record, known_on: date) -> Log:
        """Cut a record to a day."""
        return cls(record.as_of(known_on).in_force(), known_on)

    @cached_property
    def events(self) -> dict[str, list[Event]]:
        """Events that count towards something, by proceeding, in order of day and id."""
        found: dict[str, list[Event]] = {case: [] for case in self.record.proceedings["case_id"]}
        columns = (self.record.events[c] for c in ("date", "event_id", "type", "scope", "amount_eur", "case_id"))
        for day, event_id, kind, scope, amount, case in sorted(zip(*columns, strict=True)):
            family = APPEAL if kind == "appeal_filed" else family_of(kind, scope)
            if family:
                found[case].append(Event(day.date(), event_id, family, float(amount)))
        return found

    @cached_property
    def closed(self) -> dict[str, date]:
        """Day of closing of every closed proceeding."""
        ended = self.record.proceedings.dropna(subset="closed_on")
        return {case: day.date() for case, day in zip(ended["case_id"], ended["closed_on"], strict=True)}

    @cached_property
    def decisions(self) -> dict[str, dict[str, Any]]:
        """Rows of the table of fines, by the event that they belong to."""
        rows = self.record.fines.loc[self.record.fines["event_id"] != ""]
        return {row["event_id"]: row for row in rows.to_dict("records")}

    @cached_property
    def openings(self) -> list[tuple[date, str, str]]:
        """Day, provider and proceeding of every counted opening in the EU."""
        rows = eu_openings(self.record)
        days = [day.date() for day in rows["date"]]
        return list(zip(days, rows["provider_group"], rows["case_id"], strict=True))

    def within(self, rule: Rule, cases: Iterable[str], *families: str) -> list[Event]:
        """Return the events of these families in these proceedings within the rule's window, by day and id."""
        after, until = window(rule)
        events = (event for case in cases for event in self.events.get(case, ()))
        return sorted(e for e in events if e.family in families and after < e.day <= until)

    def is_due(self, rule: Rule) -> bool:
        """Return whether the window is over, with its grace: from then on silence is an answer."""
        return self.known_on >= window(rule)[1] + timedelta(days=rule["grace_days"])


def window(rule: Rule) -> tuple[date, date]:
    """Return the days of a rule: an event counts if it lies after the first, and on the second at the latest."""
    return date.fromisoformat(rule["after"]), date.fromisoformat(rule["until"])


def deadline(origin: date, months: float) -> date:
    """Return the last day within so many months of ``origin``; a month has 30.4375 days."""
    return origin + timedelta(days=math.floor(months * DAYS_PER_MONTH))
