"""What a record holds by a day, as the rules of a ledger look at it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from forecast.baselines import ORDER, ORDERS
from forecast.opening_counts import eu_openings
from forecast.record import Record
from forecast.vocabulary import DAYS_PER_MONTH, family_of

Rule = dict[str, Any]
APPEAL, OLD_APPEAL, NEW_APPEAL = "appeal", "appeal_of_old_fine", "appeal_of_new_fine"
"""What the filing of an appeal counts as, beside the families: any; against a fine of the origin's day or before it;
against a later one. An appeal is against the latest fine of its proceeding before it; without one it is neither."""
COMPOSED = {ORDER: ORDERS}
"""Names in rules that stand for several families: an order of any scope."""


class Event(NamedTuple):
    """A row of the log; ``family`` also ``appeal``. ``fined``: day of the latest fine before it in its proceeding."""

    day: date
    event_id: str
    family: str
    amount: float
    fined: date | None = None


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
                fined = next((e.day for e in reversed(found[case]) if e.family == "fine"), None)
                found[case].append(Event(day.date(), event_id, family, float(amount), fined))
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
        wanted = {family for name in families for family in COMPOSED.get(name, (name,))}
        of_appeals = {NEW_APPEAL: True, OLD_APPEAL: False}
        newer = {of_appeals[name] for name in families if name in of_appeals}
        return sorted(
            (
                e
                for case in cases
                for e in self.events.get(case, ())
                if after < e.day <= until
                and (e.family in wanted or (e.family == APPEAL and e.fined is not None and (e.fined > after) in newer))
            ),
            key=lambda event: event[:2],
        )

    @cached_property
    def seen(self) -> dict[str, date]:
        """The last day on which it counts that nothing happened, by proceeding: nobody looked any further."""
        return {
            case: self.record.counted_until(case, self.known_on).date() for case in self.record.proceedings["case_id"]
        }

    def is_due(self, rule: Rule, cases: Iterable[str] = ()) -> bool:
        """Return whether the window is over, with its grace, and these proceedings were looked at up to its end.

        From then on silence is an answer.
        """
        until = window(rule)[1]
        is_over = self.known_on >= until + timedelta(days=rule["grace_days"])
        return is_over and all(self.seen.get(case, self.known_on) >= until for case in cases)


def window(rule: Rule) -> tuple[date, date]:
    """Return the days of a rule: an event counts if it lies after the first, and on the second at the latest."""
    return date.fromisoformat(rule["after"]), date.fromisoformat(rule["until"])


def deadline(origin: date, months: float) -> date:
    """Return the last day within so many months of ``origin``; a month has 30.4375 days."""
    return origin + timedelta(days=math.floor(months * DAYS_PER_MONTH))
