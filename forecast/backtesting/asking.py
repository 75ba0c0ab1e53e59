"""What is asked at each origin, from what was public that day, and what the record answered later.

Asked of every proceeding that is known, open and observed at the origin: does an event of a family come within a
window (orders of any scope are one family); when do findings come, and a first decision; how large is the next fine,
given one. Answers are events in force in the final record, dated after the origin and up to the window's end, and not
after the proceeding closed. An event dated before the origin and published after it is no answer: nobody could forecast
it, and it was not to come. A proceeding that had closed by the origin, unknown to anybody, is asked about like any
other: its answers are no.

A window that reaches beyond the day to which its proceeding was looked at (``observed_until``) has no answer, neither
no nor yes: where nobody looked, only events can be known, and to count them alone would favour bold forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.baselines import DECISION, TARGETS
from forecast.files import InputError, Problem
from forecast.leaks import require_no_leak
from forecast.record import Record, as_day
from forecast.replaying import origins
from forecast.vocabulary import DAYS_PER_MONTH, family_of

START, EVERY, WINDOWS = "2024-08-03", "3M", (3, 6, 9)
LONGEST = 120
"""Months of the longest window that may be asked for."""
WAITED = {"findings": ("findings", DECISION), DECISION: (DECISION,)}
"""Waiting time -> the targets of which a proceeding must have seen none: findings are awaited before any decision."""


class Window(NamedTuple):
    """Calendar months after an origin, the day they end on, and their exact length in model months."""

    months: int
    end: date
    exact_months: float


@dataclass(frozen=True)
class Question:
    """One origin: its day, what was public by then, the windows that end inside the record, and months to its end."""

    day: date
    known: Record
    windows: tuple[Window, ...]
    horizon: float


def questions(
    whole: Record,
    start: date | str = START,
    end: date | str | None = None,
    every: str = EVERY,
    windows: Sequence[int] = WINDOWS,
) -> tuple[Question, ...]:
    """Return the origins from ``start`` on, every so often, that have a window ending by ``end``.

    ``end`` is the last day of the record that counts (default: its last one). Raises ``InputError`` for a step, day or
    window that is none, for an ``end`` after the record's, and where no window ends in time; ``LeakError`` if what was
    cut to an origin holds anything later.
    """
    last = last_day(whole)
    first, final = as_day(start), last if end is None else as_day(end)
    problems = [
        Problem("windows", f"{months!r} is no window: expected months from 1 to {LONGEST}")
        for months in windows
        if not 1 <= months <= LONGEST
    ]
    if not windows or len(set(windows)) < len(windows):
        problems.append(Problem("windows", "expected one or more numbers of months, each once"))
    if final > last:
        problems.append(Problem("end", f"{final} lies after {last}, the last day of the record"))
    if problems:
        raise InputError(problems)
    found = []
    for day in origins(first, max(first, final), every):
        inside = tuple(w for w in (window(day, months) for months in sorted(windows)) if w.end <= final)
        if inside:
            found.append(Question(day, _known(whole, day), inside, months_to(day, final)))
    if not found:
        reason = f"no window of {min(windows)} months from {first} on ends by {final}, the last day that counts"
        raise InputError(Problem("start", f"{reason}; start earlier"))
    return tuple(found)


def last_day(whole: Record) -> date:
    """Return the day up to which a record answers (``Record.complete_until``); later days answer nothing."""
    if whole.events.empty:
        raise InputError(Problem("record", "has no events: nothing can be answered from it"))
    return whole.complete_until


def window(day: date, months: int) -> Window:
    """Return the window of so many calendar months; a day that a month does not have is its last one."""
    end = (pd.Timestamp(day) + pd.DateOffset(months=months)).date()
    return Window(months, end, months_to(day, end))


def months_to(day: date, end: date) -> float:
    """Return the model months from one day to another."""
    return (end - day).days / DAYS_PER_MONTH


def _known(whole: Record, day: date) -> Record:
    known = whole.as_of(day)
    require_no_leak(known, whole, day)
    return known


def waited(known: Record, case: str) -> tuple[str, ...]:
    """Return the waiting times that are asked for at an origin: of targets that a proceeding has not seen yet.

    ``known``: what was public, without superseded events.
    """
    opened, _, log = known.logs[case]
    seen = {family_of(kind, scope) for day, _, kind, scope in log if day >= opened}
    return tuple(t for t, unseen in WAITED.items() if not seen & {f for name in unseen for f in TARGETS[name]})


def answers(whole: Record, end: date) -> pd.DataFrame:
    """Return every event that can be an answer, as public by ``end``: ``case_id, date, family, amount_eur``."""
    final = whole.as_of(end).in_force()
    events = final.events.merge(final.proceedings[["case_id", "opened_on", "closed_on"]], on="case_id")
    events["family"] = [family_of(kind, scope) for kind, scope in zip(events["type"], events["scope"], strict=True)]
    own = events["closed_on"].isna() | (events["date"] <= events["closed_on"])
    counted = own & events["family"].notna() & (events["date"] >= events["opened_on"])
    return events.loc[counted, ["case_id", "date", "family", "amount_eur"]]


def looked_at(whole: Record, end: date) -> dict[str, date]:
    """Return the last day on which it counts that nothing happened in each proceeding, as known by ``end``."""
    final = whole.as_of(end)
    return {case: final.counted_until(case, end).date() for case in final.proceedings["case_id"]}


class Answer(NamedTuple):
    """A target's first event after an origin: months until it comes, the sum of that day's amounts (EUR), the day."""

    months: float
    amount: float
    day: str = ""


NEVER = Answer(np.inf, np.nan)
"""What the record says of a target that has not come by its end."""


def first_answers(found: pd.DataFrame, day: date) -> dict[tuple[str, str], Answer]:
    """Return the first event after ``day`` of every proceeding and target that has one, from a table of ``answers``."""
    later = found.loc[found["date"] > pd.Timestamp(day)]
    first = {}
    for target, families in TARGETS.items():
        own = later.loc[later["family"].isin(families)]
        days = own.groupby(["case_id", "date"], as_index=False)["amount_eur"].sum(min_count=1)
        for case, when, amount in days.drop_duplicates("case_id").itertuples(index=False):
            first[case, target] = Answer(months_to(day, when.date()), float(amount), str(when.date()))
    return first
