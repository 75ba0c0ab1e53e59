"""What was public by a day, corrections included, and so what is news after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from forecast.record import Record


def public_ids(record: Record, day: date) -> frozenset[str]:
    """Return the ids of events public by the end of ``day``, and of all later corrections of these: no news either."""
    events = record.events
    public = set(events.loc[events["published_on"] <= pd.Timestamp(day), "event_id"])
    while more := set(events.loc[events["supersedes"].isin(public), "event_id"]) - public:
        public |= more
    return frozenset(public)


def put_right(record: Record, day: date) -> Record:
    """Return the record with corrections of what was public by ``day`` public since then: history, put right."""
    events, end = record.events, pd.Timestamp(day)
    late = events["event_id"].isin(public_ids(record, day)) & (events["published_on"] > end)
    return replace(record, events=events.assign(published_on=events["published_on"].mask(late, end)))
