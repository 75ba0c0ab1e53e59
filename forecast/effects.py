"""Parts of the full effect of impacts that the log's events have set off, and how a part accrues."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from forecast.quantities import IMPACTS
from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH, family_of


def set_off(
    known: Record, specification: Specification, focal_cases: set[str], day: pd.Timestamp
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return, for each impact, (months before ``day``, share) of first events since ``as_of`` that set off a part."""
    stated = specification.impacts
    if stated is None:
        return dict.fromkeys(IMPACTS, ())
    events = known.events.loc[known.events["case_id"].isin(focal_cases)]
    events = events.loc[(events["date"] > pd.Timestamp(specification.as_of)) & (events["date"] <= day)]
    family = [family_of(t, s) for t, s in zip(events["type"], events["scope"], strict=True)]
    first = events["date"].groupby(pd.Series(family, index=events.index, dtype=object)).min()
    return {
        name: tuple(
            ((day - first[f]).days / DAYS_PER_MONTH, number.value)
            for f, number in getattr(stated.set_off, name).items()
            if f in first.index
        )
        for name in IMPACTS
    }


def felt(parts: Iterable[tuple[float, float]], half_life: float) -> float:
    """Return the part of an impact that is felt: shares set off so many months ago, accrued, together at most 1."""
    return float(min(sum(share * accrual(months, half_life) for months, share in parts if months > 0), 1.0))


def accrual(months: float | np.ndarray, half_life: float) -> float | np.ndarray:
    """Return the part of an impact that is felt ``months`` after it was set off: ``1 - 2^(-months / half_life)``."""
    return 1 - 2 ** (-np.maximum(months, 0.0) / half_life)
