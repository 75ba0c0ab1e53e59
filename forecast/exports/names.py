"""What print calls things: proceedings by provider, authority and instrument, scenarios by the analyst's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from forecast.descriptions import of_target
from forecast.labels import names_of

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

RESOLVED = "resolved_scenario:"


def proceedings(record_of: pd.DataFrame) -> dict[str, str]:
    """Return the name of every proceeding, by its identifier: ``provider, authority, instrument``.

    Where several share it, the day of opening is added, then the subject, then the identifier, as far as it needs.
    """
    cases = record_of.assign(day="opened " + record_of["opened_on"].dt.strftime("%Y-%m-%d"))
    names = cases["case_id"].map(names_of(cases))
    for more in ("day", "subject", "case_id"):
        names = names.where(~names.duplicated(keep=False), _joined(pd.concat([names, cases[more]], axis=1)))
    return dict(zip(cases["case_id"].astype(str), names, strict=True))


def _joined(parts: pd.DataFrame) -> pd.Series:
    rows = [", ".join(str(v) for v in row if pd.notna(v) and v != "") for row in parts.itertuples(index=False)]
    return pd.Series(rows, index=parts.index, dtype=object)


def target(name: str, labels: dict[str, str]) -> str:
    """Return what print calls a target; ``labels`` are those of the scenarios."""
    if name.startswith(RESOLVED):
        what = name.removeprefix(RESOLVED)
        return f"resolved as {labels[what]}" if what in labels else f"resolution {what}"
    return of_target(name)["long_name"]


def named(forecast: Forecast, column: pd.Series) -> pd.Series:
    """Return the names of the proceedings in a column of identifiers; one that the record does not know stays."""
    known = proceedings(forecast.record.proceedings)
    return column.map(lambda case: known.get(case, case))
