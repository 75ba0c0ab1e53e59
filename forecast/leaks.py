"""Whether a record that was cut to a day holds anything of the future: an examination that cuts nothing itself.

``Record.as_of`` decides what was public by a day. Here its result is looked at from outside, row by row: every day and
year in it, every row that another one names, and what the whole record says about when closings and rulings came.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from forecast.files import InputError, Problem
from forecast.record import Record
from forecast.record_tables import REFERENCES, RULINGS, TABLES
from forecast.vocabulary import OPENING_TYPES

YEARS = ("year", "turnover_year")
MAY_LIE_AHEAD = ("period_end",)
"""Days after a row's own publication: a count may be published before its period ends."""
WITHHELD = ("under_appeal", "unknown")
"""Outcomes of a fine that say nothing of a later ruling."""


class LeakError(InputError):
    """A record that was cut to a day holds something that was not public by then; the message names each row."""


def require_no_leak(known: Record, whole: Record, origin: date) -> None:
    """Raise ``LeakError`` with table, row and day of everything in ``known`` that was not public by ``origin``.

    ``known`` is what is used at the origin, ``whole`` the record that it was cut from.
    """
    end = pd.Timestamp(origin)
    problems = [problem for name in TABLES for problem in _late(name, getattr(known, name), end)]
    problems += _named(known, whole, end) + _unheard(known, whole, end) + _ruled(known, whole, end)
    if problems:
        raise LeakError(problems)


def _problem(table: str, name: object, what: str, end: pd.Timestamp) -> Problem:
    return Problem(f"{table}, {name}", f"{what}; nothing after the origin, {end:%Y-%m-%d}, may be known there")


def _late(table: str, frame: pd.DataFrame, end: pd.Timestamp) -> list[Problem]:
    """Name every row with a day after ``end``, or a year that had not begun."""
    days = [c for c in frame.select_dtypes("datetime") if c not in MAY_LIE_AHEAD]
    names = TABLES[table].key or TABLES[table].order
    found = []
    for column in (*days, *(c for c in YEARS if c in frame)):
        late = frame[column] > (end if column in days else end.year)
        for number, row in frame.loc[late].iterrows():
            value = f"{row[column]:%Y-%m-%d}" if column in days else f"{row[column]:.0f}"
            name = " ".join(str(row[c].date() if isinstance(row[c], pd.Timestamp) else row[c]) for c in names)
            found.append(_problem(table, f"row {number} ({name})", f"{column} is {value}", end))
    return found


def _named(known: Record, whole: Record, end: pd.Timestamp) -> list[Problem]:
    """Name every row that names a row of which nothing was public."""
    published = dict(zip(whole.events["event_id"], whole.events["published_on"], strict=True))
    found = []
    for table, references in REFERENCES.items():
        frame = getattr(known, table)
        for column, (other, key) in references.items():
            absent = (frame[column] != "") & ~frame[column].isin(getattr(known, other)[key])
            for name, value in zip(frame.loc[absent].iloc[:, 0], frame.loc[absent, column], strict=True):
                since = published.get(value)
                what = "is not public by then" if since is None else f"was published on {since:%Y-%m-%d}"
                found.append(_problem(table, name, f"{column} {value!r} {what}", end))
    return found


def _unheard(known: Record, whole: Record, end: pd.Timestamp) -> list[Problem]:
    """Name every proceeding of which no event was public, and every closing that was announced later."""
    found = []
    for _, case in known.proceedings.iterrows():
        name, closed = case["case_id"], case["closed_on"]
        own, all_own = (r.events.loc[r.events["case_id"] == name] for r in (known, whole))
        if not (own["date"] >= case["opened_on"]).any():
            first = all_own.loc[all_own["date"] >= case["opened_on"], "published_on"].min()
            what = "no event of it is known" if pd.isna(first) else f"its first event was published on {first:%Y-%m-%d}"
            found.append(_problem("proceedings", name, what, end))
        told = all_own.loc[(all_own["date"] == closed) & ~all_own["type"].isin(OPENING_TYPES), "published_on"].min()
        if told > end:
            found.append(_problem("proceedings", name, f"closed_on was announced on {told:%Y-%m-%d}", end))
    return found


def _ruled(known: Record, whole: Record, end: pd.Timestamp) -> list[Problem]:
    """Name every fine that shows a ruling, or what it left of the fine, before the day of the ruling."""
    days = dict(zip(whole.fines["decision_id"], whole.fines["outcome_on"], strict=True))
    found = []
    for _, fine in known.fines.iterrows():
        name, outcome, day = fine["decision_id"], fine["outcome"], days.get(fine["decision_id"], pd.NaT)
        if day > end and (outcome not in WITHHELD or pd.notna(fine["amount_after_eur"])):
            found.append(_problem("fines", name, f"outcome {outcome!r} is of {day:%Y-%m-%d}", end))
        elif outcome in RULINGS and pd.isna(fine["outcome_on"]):
            found.append(_problem("fines", name, f"outcome {outcome!r} has no day", end))
    return found
