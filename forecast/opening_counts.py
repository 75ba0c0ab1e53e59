"""New proceedings against designated providers in the EU: how many opened, in how many months at risk."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH, EU_JURISDICTIONS, OPENING_TYPES, family_of


def openings_of(known: Record, specification: Specification, origin: date) -> dict[str, Any]:
    """Months at risk and openings in the EU per designated provider, usual and within a year of an escalation."""
    services = known.designated_services
    since = services.groupby("provider_group")["designated_on"].min()
    until = services["ended_on"].fillna(pd.Timestamp(origin)).groupby(services["provider_group"]).max()
    providers = tuple(sorted(since.index))
    counts, months = np.zeros((len(providers), 2)), np.zeros((len(providers), 2))
    left = np.full(len(providers), -1.0)
    openings = eu_openings(known)
    raising = raising_days(known, specification)
    width = pd.Timedelta(days=specification.openings.raised_months.value * DAYS_PER_MONTH)
    for i, provider in enumerate(providers):
        start, end = since[provider], min(until[provider], pd.Timestamp(origin))
        days = list(raising.get(provider, []))
        raised = _union_months(days, width, start, end)
        months[i] = (end - start).days / DAYS_PER_MONTH - raised, raised
        if end == pd.Timestamp(origin):  # else no longer designated: its past counts, its future does not
            left[i] = max([0.0, *((d + width - end) / pd.Timedelta(days=DAYS_PER_MONTH) for d in days)])
        for day in openings.loc[openings["provider_group"] == provider, "date"]:
            if start < day <= end:
                counts[i, int(any(d < day <= d + width for d in days))] += 1
    return {
        "opening_providers": providers,
        "opening_count": counts,
        "opening_months": months,
        "opening_raised_left": left,
        "opening_classes": opening_classes(known),
    }


def opening_classes(known: Record) -> dict[str, float]:
    """Return the share of each class of authorities among the openings in the EU."""
    opened = eu_openings(known).merge(known.proceedings[["case_id", "authority_class"]], on="case_id")
    counts = opened["authority_class"].value_counts().sort_index()
    return {str(name): float(count) / float(counts.sum()) for name, count in counts.items()}


def eu_openings(known: Record) -> pd.DataFrame:
    """Return logged openings in the EU against designated providers.

    Same-day openings of one matter count once, against the first of its designated providers by name.
    """
    opened = known.events.loc[known.events["type"].isin(OPENING_TYPES), ["case_id", "date"]]
    opened = opened.merge(known.proceedings[["case_id", "matter_id", "provider_group", "jurisdiction"]], on="case_id")
    opened = opened.loc[opened["jurisdiction"].isin(EU_JURISDICTIONS)]
    opened = opened.loc[opened["provider_group"].isin(known.designated_services["provider_group"])]
    return opened.sort_values(["date", "matter_id", "provider_group"]).drop_duplicates(["matter_id", "date"])


def raising_days(known: Record, specification: Specification) -> dict[str, list[pd.Timestamp]]:
    """Return the days of escalations against each provider, of the families that the prior file names."""
    events = known.events.merge(known.proceedings[["case_id", "provider_group"]], on="case_id")
    family = [family_of(t, s) for t, s in zip(events["type"], events["scope"], strict=True)]
    events = events.loc[pd.Series(family, index=events.index).isin(specification.openings.raised_by)]
    return {str(group): sorted(set(rows["date"])) for group, rows in events.groupby("provider_group")}


def _union_months(days: list[pd.Timestamp], width: pd.Timedelta, start: pd.Timestamp, end: pd.Timestamp) -> float:
    total, reached = 0.0, start
    for day in days:
        low, high = max(day, reached), min(day + width, end)
        if high > low:
            total += (high - low) / pd.Timedelta(days=DAYS_PER_MONTH)
            reached = high
    return total
