"""What of the tables of a record was public by the end of a day; `forecast.record` says by which rules."""

from __future__ import annotations

import pandas as pd

from forecast.record_checks import with_case_days
from forecast.record_tables import RULINGS
from forecast.vocabulary import OPENING_TYPES

APPEAL_DEADLINE_DAYS = 90
"""Days after its publication during which a fine's outcome without a date counts as unknown."""


def until_day(frame: pd.DataFrame, end: pd.Timestamp, column: str = "published_on") -> pd.DataFrame:
    """Return the rows whose ``column`` is not after ``end``."""
    return frame[frame[column] <= end].reset_index(drop=True)


def known_cases(
    events: pd.DataFrame, proceedings: pd.DataFrame, end: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the events and the proceedings that were public by ``end``."""
    dated = with_case_days(events, proceedings)
    public = events["published_on"] <= end
    observed = set(events.loc[public & (dated["date"] >= dated["opened_on"]), "case_id"])
    closing = (dated["date"] == dated["closed_on"]) & ~events["type"].isin(OPENING_TYPES)
    announced = set(events.loc[closing, "case_id"])
    ended = set(events.loc[closing & public, "case_id"])

    known = proceedings[proceedings["case_id"].isin(observed)].reset_index(drop=True)
    names = known["case_id"]
    is_public = (known["closed_on"] <= end) & (names.isin(ended) | ~names.isin(announced))
    known["closed_on"] = known["closed_on"].where(is_public)

    shown = events[public & events["case_id"].isin(observed)].reset_index(drop=True)
    shown["supersedes"] = shown["supersedes"].where(shown["supersedes"].isin(shown["event_id"]), "")
    return shown, known


def known_fines(fines: pd.DataFrame, events: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """Return the fines that were public by ``end``, with what was public of their outcomes."""
    known = until_day(fines, end)
    dated, pending = known["outcome_on"] <= end, known["outcome_on"] > end
    fresh = known["published_on"] >= end - pd.Timedelta(days=APPEAL_DEADLINE_DAYS)
    unplaced = ~dated & ~pending & known["outcome"].isin(RULINGS)
    unknown = unplaced | (fresh & ~dated)
    known["outcome"] = known["outcome"].mask(pending, "under_appeal").mask(unknown, "unknown")
    known["amount_after_eur"] = known["amount_after_eur"].mask(pending | unknown)
    known["outcome_on"] = known["outcome_on"].where(dated)
    known["event_id"] = known["event_id"].where(known["event_id"].isin(events["event_id"]), "")
    return known
