"""By what a target resolves: a small rule, written when the forecast is issued, that a record answers without a judge.

A rule is plain JSON: its name under ``rule``, the window ``after`` < day <= ``until`` in which days of events count
(not days of publication), ``grace_days`` left for publication after it, and what else it needs. ``answer`` applies one
to what a record holds by a day, and says

=============  ======================================================================================================
``open``       the window, with its grace, is not over by that day, or a proceeding that it is about was not looked at
               up to its end (``observed_until``), and nothing has decided the target
``early``      decided before its window is over: yes, or the severest class. Not to be scored yet: among targets whose
               time has not come only such answers can be known, and scoring them alone would favour bold forecasts
``resolved``   decided, and its time has come
``void``       its condition was not met: the size of a fine where there was none
``unanswered`` its time has come, and the record does not say: a figure that nobody published or entered
=============  ======================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd
from pydantic import TypeAdapter

from forecast.baselines import ORDER
from forecast.ledger.log import Event, Log, Rule, window
from forecast.record_tables import RULINGS
from forecast.resolution import DECISIVE, PENDING, RESOLUTIONS, Clauses, classify, happened
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES

YES, NO = "yes", "no"
STATUSES = ("open", "early", "resolved", "void", "unanswered")
CLOSED = "all_closed"
"""What may come besides an event: the last of the proceedings closed."""
USERS_WAIT_DAYS = 365
"""Days after a deadline in which a count of users that covers it may still be published."""


class Answer(NamedTuple):
    """What a rule says: ``outcome`` of a class or yes/no target, ``value`` of a quantity, the rows it rests on."""

    status: str
    outcome: str = ""
    value: float = math.nan
    evidence: tuple[str, ...] = ()
    reason: str = ""


def answer(rule: Rule, log: Log) -> Answer:
    """Return what the record says of a target."""
    return RULES[rule["rule"]](rule, log)


def problem_of(rule: Rule) -> str:
    """Return what makes a rule unusable, or an empty string; a forecast with such a rule must not be issued."""
    name = rule.get("rule")
    if name not in RULES:
        return f"has no resolution rule that can be checked: {name!r} is none of {', '.join(RULES)}"
    missing = {"after", "until", "grace_days", *NEEDS.get(str(name), ())} - rule.keys()
    if missing:
        return f"its rule {name!r} lacks {', '.join(sorted(missing))}"
    after, until = window(rule)
    return "" if after < until else f"its window is empty: after {after}, until {until}"


def _decided(rule: Rule, log: Log, **what: Any) -> Answer:
    return Answer("resolved" if log.is_due(rule, rule["cases"]) else "early", **what)


def _event(rule: Rule, log: Log) -> Answer:
    """Yes with the first event of the family in the proceedings, no when the time is over without one."""
    events = log.within(rule, rule["cases"], rule["family"])
    if events:
        return _decided(rule, log, outcome=YES, evidence=(events[0].event_id,))
    return Answer("resolved", NO) if log.is_due(rule, rule["cases"]) else Answer("open")


def _last_closing(rule: Rule, log: Log) -> date | None:
    """Return the day when the last of the proceedings closed, if all did in time."""
    days = [log.closed.get(case) for case in rule["cases"]]
    closed = [day for day in days if day is not None and day <= window(rule)[1]]
    return max(closed) if closed and len(closed) == len(days) else None


def _closing_rows(rule: Rule, log: Log) -> tuple[str, ...]:
    return tuple(f"{case} closed {log.closed[case]}" for case in sorted(rule["cases"]))


def _all_closed(rule: Rule, log: Log) -> Answer:
    if _last_closing(rule, log):
        return _decided(rule, log, outcome=YES, evidence=_closing_rows(rule, log))
    return Answer("resolved", NO) if log.is_due(rule, rule["cases"]) else Answer("open")


def _months_to(rule: Rule, log: Log) -> Answer:
    """Months from the window's beginning to the first event; void where none came."""
    if rule["family"] == CLOSED:
        day = _last_closing(rule, log)
        rows = _closing_rows(rule, log) if day else ()
    else:
        events = log.within(rule, rule["cases"], rule["family"])
        day, rows = (events[0].day, (events[0].event_id,)) if events else (None, ())
    if day is not None:
        months = (day - window(rule)[0]).days / DAYS_PER_MONTH
        return _decided(rule, log, value=months, evidence=rows)
    return Answer("void", reason="it did not come") if log.is_due(rule, rule["cases"]) else Answer("open")


def _class(rule: Rule, log: Log) -> Answer:
    """The prior file's resolution rule, on all proceedings of the matter, as the forecast applies it to its draws."""
    after, until = window(rule)
    own = log.record.proceedings.loc[log.record.proceedings["matter_id"] == rule["matter"], "case_id"]
    rows = log.record.events
    rows = rows.loc[rows["case_id"].isin(own) & (rows["date"] > pd.Timestamp(after))]
    rows = rows.loc[rows["date"] <= pd.Timestamp(until)]
    seen, clauses = happened(rows), clauses_from(rule["clauses"])
    related = SCOPED in rule["clauses"] or seen.related(clauses)
    families = {family: family in seen.families for family in FAMILIES}
    index = int(classify(clauses, families, seen.fine_total, related, _last_closing(rule, log) is not None))
    evidence = tuple(event.event_id for event in log.within(rule, own, *DECISIVE))
    if log.is_due(rule, own):
        final = RESOLUTIONS[0] if rule["is_last"] and index == PENDING else RESOLUTIONS[index]
        return Answer("resolved", final, evidence=evidence)
    severest = index == RESOLUTIONS.index("crackdown")
    return Answer("early", RESOLUTIONS[index], evidence=evidence) if severest else Answer("open")


def _amounts(rule: Rule, log: Log) -> tuple[list[Event], Answer | None]:
    """Return the fines in the window once its time is over, or what to answer instead."""
    if not log.is_due(rule, rule["cases"]):
        return [], Answer("open")
    fines = log.within(rule, rule["cases"], "fine")
    unknown = [event.event_id for event in fines if math.isnan(event.amount)]
    if unknown:
        return [], Answer("unanswered", evidence=tuple(unknown), reason="the record has no amount of this fine")
    return fines, None


def _fine_sum(rule: Rule, log: Log) -> Answer:
    """Sum of the fines, EUR, or as a share of the turnover in the rule; ``left``: after rulings by the deadline."""
    fines, instead = _amounts(rule, log)
    if instead:
        return instead
    total, rows = 0.0, []
    for event in fines:
        kept, ruling = _kept(event, log, window(rule)[1]) if rule["left"] else (1.0, "")
        if math.isnan(kept):
            return Answer("unanswered", evidence=(event.event_id, ruling), reason="what the ruling left is not known")
        total += event.amount * kept
        rows += [event.event_id, *([ruling] if ruling else [])]
    return Answer("resolved", value=total / (rule["turnover_eur"] or 1.0), evidence=tuple(rows))


def _kept(event: Event, log: Log, until: date) -> tuple[float, str]:
    """Return the share of a fine that rulings by ``until`` left, NaN if unknown, and the ruling."""
    row = log.decisions.get(event.event_id)
    if row is None or row["outcome"] not in RULINGS or pd.isna(row["outcome_on"]) or row["outcome_on"].date() > until:
        return 1.0, ""
    left = {"upheld": 1.0, "annulled": 0.0}.get(row["outcome"], row["amount_after_eur"] / row["amount_eur"])
    return float(left), f"{row['decision_id']} {row['outcome']} {row['outcome_on']:%Y-%m-%d}"


def _largest_fine(rule: Rule, log: Log) -> Answer:
    fines, instead = _amounts(rule, log)
    if instead:
        return instead
    if not fines:
        return Answer("void", reason="there was no fine")
    largest = max(fines, key=lambda event: event.amount)
    return Answer("resolved", value=largest.amount, evidence=(largest.event_id,))


def _first_fine(rule: Rule, log: Log) -> Answer:
    """Amount of the first fine in a proceeding, known as soon as it comes; void once none can come any more."""
    fines = log.within(rule, rule["cases"], "fine")
    if fines and not math.isnan(fines[0].amount):
        return Answer("resolved", value=fines[0].amount, evidence=(fines[0].event_id,))
    if fines:
        return Answer("unanswered", evidence=(fines[0].event_id,), reason="the record has no amount of this fine")
    if _last_closing(rule, log):
        return Answer("void", evidence=_closing_rows(rule, log), reason="closed without a fine")
    return Answer("void", reason="there was no fine") if log.is_due(rule, rule["cases"]) else Answer("open")


def _openings(rule: Rule, log: Log) -> Answer:
    if not log.is_due(rule):
        return Answer("open")
    after, until = window(rule)
    cases = [case for day, provider, case in log.openings if provider in rule["providers"] and after < day <= until]
    return Answer("resolved", value=float(len(cases)), evidence=tuple(cases))


def _user_change(rule: Rule, log: Log) -> Answer:
    """One minus the count whose period holds the deadline over the count at issue; its own drift is part of it."""
    until = pd.Timestamp(window(rule)[1])
    rows = log.record.users.loc[log.record.users["series_id"] == rule["series"]]
    rows = rows.loc[(rows["period_start"] <= until) & (rows["period_end"] >= until)]
    if len(rows):
        row = rows.sort_values("published_on").iloc[-1]
        change = 1 - float(row["monthly_active_millions"]) / rule["base_millions"]
        return Answer("resolved", value=change, evidence=(f"{rule['series']} to {row['period_end']:%Y-%m-%d}",))
    late = until.date() + timedelta(days=USERS_WAIT_DAYS + rule["grace_days"])
    return Answer("void", reason="no published count covers the day") if log.known_on >= late else Answer("open")


def _manual(rule: Rule, log: Log) -> Answer:
    return Answer("unanswered", reason=f"needs {rule['needs']}") if log.is_due(rule) else Answer("open")


RULES: dict[str, Callable[[Rule, Log], Answer]] = {
    "event": _event,
    CLOSED: _all_closed,
    "months_to": _months_to,
    "class": _class,
    "fine_sum": _fine_sum,
    "largest_fine": _largest_fine,
    "first_fine": _first_fine,
    "openings": _openings,
    "user_change": _user_change,
    "manual": _manual,
}
"""Name of a rule -> what it does. All but ``manual`` are answered by a record alone."""
NEEDS = {
    "event": ("family", "cases"),
    CLOSED: ("cases",),
    "months_to": ("family", "cases"),
    "class": ("matter", "cases", "clauses", "is_last"),
    "fine_sum": ("cases", "left", "turnover_eur"),
    "largest_fine": ("cases",),
    "first_fine": ("cases",),
    "openings": ("providers",),
    "user_change": ("series", "base_millions"),
    "manual": ("needs",),
}


SCOPED = "severe_scopes"
"""Key of clauses as version 0.1 wrote them: orders by scope, beside families in which they were one. Its executive
charge and fine need not belong together."""


def clauses_from(said: dict[str, Any]) -> Clauses:
    """Return the clauses that JSON holds, of this version or of 0.1; ``ValueError`` where it holds none."""
    given = dict(said)
    if SCOPED in given:
        scopes = {name: given.pop(name, None) for name in (SCOPED, "serious_scopes")}
        if not all(isinstance(value, list) for value in scopes.values()):
            raise ValueError("lists of scopes were expected")
        severe, serious = ([f"{ORDER}.{scope}" for scope in value] for value in scopes.values())
        given |= {"severe_families": [*given.get("severe_families", ()), *severe], "serious_families": serious}
    return TypeAdapter(Clauses).validate_python(given)


def clauses_json(clauses: Clauses) -> dict[str, Any]:
    """Return the clauses of a class rule as JSON has them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(clauses).items()}
