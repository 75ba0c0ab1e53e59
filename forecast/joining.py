"""What an update joins to a forecast: new rows of the record, and a later origin that they cover."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from forecast.additions import append
from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.record import Record, as_day
from forecast.record_checks import as_cells
from forecast.record_tables import TABLES
from forecast.requests import Request
from forecast.silence import require_covered


def joined(
    forecast: Forecast,
    additions: Mapping[str, Path | str | pd.DataFrame],
    origin: date | str | None = None,
    *,
    late: bool = False,
    assume_silence: bool = False,
    complete_until: date | str | None = None,
) -> Request:
    """Return prior file, joined record and new origin of an update, checked; arguments as in ``updating.update``.

    Raises ``InputError`` for rows that cannot be added, an origin before the old one or, unless silence is assumed,
    after the last complete day of the joined record, and rows that are not public between the two origins.
    """
    old, was = forecast.record, date.fromisoformat(forecast.manifest["origin"])
    record = append(old, additions, complete_until)
    day = _later_origin(old, record, was, origin, late)
    require_covered(record, day, "origin", assume_silence=assume_silence)
    return Request(forecast.specification, record, day)


def silent_time(known: Record, since: date, origin: date) -> tuple[int, int]:
    """Return the proceedings open at ``since`` that were looked at later and had no event, and their days of silence.

    ``known``: what is public by the origin. The days go from ``since`` to the day up to which silence counts at the
    origin, or to the closing, and are summed over these proceedings.
    """
    start = pd.Timestamp(since)
    cases = known.proceedings.loc[
        (known.proceedings["opened_on"] <= start)
        & (known.proceedings["closed_on"].isna() | (known.proceedings["closed_on"] > start))
    ]
    events = known.in_force().events
    silent = cases.loc[~cases["case_id"].isin(events.loc[events["date"] > start, "case_id"])]
    ends = [known.counted_until(case, origin) for case in silent["case_id"]]
    closed = silent["closed_on"].fillna(pd.Timestamp(origin))
    days = [(min(end, last) - start).days for end, last in zip(ends, closed, strict=True)]
    return sum(d > 0 for d in days), sum(d for d in days if d > 0)


def _later_origin(old: Record, new: Record, was: date, origin: date | str | None, late: bool) -> date:
    """Return the new origin, or refuse one that is earlier, and new rows that are not public between the two."""
    rows = [(name, *row) for name in TABLES for row in _new_rows(getattr(old, name), getattr(new, name))]
    last = max([was, new.complete_until, *(published for *_, published in rows)])
    day = last if origin is None else as_day(origin)
    if day < was:
        raise InputError(Problem("origin", f"{day} lies before the forecast's own, {was}; run a new forecast instead"))
    missed = f"was public by the forecast's origin, {was}; add it as a late discovery (late) if it was missed then"
    unknown = f"becomes public after the new origin, {day}; move the origin or leave it out"
    wrong = [
        Problem(f"{name}, {first!r} published {published}", unknown if published > day else missed)
        for name, first, published in rows
        if published > day or (published <= was and not late)
    ]
    if wrong:
        raise InputError(wrong)
    return day


def _new_rows(old: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, date]]:
    """Return the first cell and the day of publication of every row that ``new`` has and ``old`` has not."""
    if "published_on" not in new or new.equals(old):
        return []
    known = set(as_cells(old).itertuples(index=False, name=None))
    fresh = [row not in known for row in as_cells(new).itertuples(index=False, name=None)]
    rows = new.loc[fresh]
    return list(zip(rows.iloc[:, 0], rows["published_on"].dt.date, strict=True))
