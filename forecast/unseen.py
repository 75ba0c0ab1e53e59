"""Where a record needs a look: open proceedings by how many events may have come unseen since each was last looked at.

Everything is counted from the record alone; no model is fitted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.record import Record, load_record
from forecast.specification import Specification, load_specification
from forecast.vocabulary import DAYS_PER_MONTH

POOLED_MONTHS = 12.0
"""Months at the rate of all classes that are added to those of each class, so that one with few is like the others."""
FOCAL_WEIGHT = 2.0
"""How much more an unseen event counts in a proceeding of the focal matter."""


def coverage(
    record: Record | str | Path | None = None, specification: Specification | str | Path | None = None
) -> pd.DataFrame:
    """Return one row for each open proceeding, those first that are most worth a look.

    ``record``: value or folder, the packaged one if ``None``. ``specification``: prior file whose matter counts more;
    ``None`` for no matter in particular. The order is by ``value``, the expected number of events unseen::

        value         = unseen_events * (2 if of the focal matter, else 1)
        unseen_events = unexamined_days / 30.4375 * events_per_month
        events_per_month = (n + 12 r) / (T + 12)        of the proceeding's class of authorities

    ``n``: events of all types in proceedings of the class, open and closed, after the day on which each was first
    observed (its first event on or after ``opened_on``) and up to its closing or ``observed_until``; ``T``: the months
    between these days, summed; ``r``: the same events over the same months of all classes. That one proceeding is
    quicker than others of its class, or slower the longer it lasts, is not looked at.

    ========================  ===================================================================================
    column                    what it says
    ========================  ===================================================================================
    case_id, matter_id        the proceeding; ``provider``, ``authority`` and ``authority_class`` as in the record
    focal                     whether it is of the specification's matter
    last_event, last_type     day and type of its last event (missing, and empty, without one)
    observed_until            last day to which somebody looked
    unexamined_days           days from ``observed_until`` to ``complete_until`` of the record
    events_per_month          see above; ``unseen_events`` and ``value`` too
    ========================  ===================================================================================

    Raises ``InputError`` for a record or a prior file that cannot be used.
    """
    known = (record if isinstance(record, Record) else load_record(record)).in_force()
    matter = _matter(specification)
    open_ = known.proceedings.loc[known.proceedings["closed_on"].isna()]
    last = known.events.sort_values(["date", "event_id"]).drop_duplicates("case_id", keep="last").set_index("case_id")
    days = (pd.Timestamp(known.complete_until) - open_["observed_until"]).dt.days
    rates = open_["authority_class"].map(event_rates(known)).astype("float64")
    names = ["case_id", "matter_id", "provider", "authority", "authority_class"]
    table = open_[names].assign(
        focal=open_["matter_id"].eq(matter) if matter else False,
        last_event=last["date"].reindex(open_["case_id"]).to_numpy(),
        last_type=last["type"].reindex(open_["case_id"]).fillna("").to_numpy(),
        observed_until=open_["observed_until"],
        unexamined_days=days,
        events_per_month=rates,
        unseen_events=days / DAYS_PER_MONTH * rates,
    )
    table["value"] = table["unseen_events"] * np.where(table["focal"], FOCAL_WEIGHT, 1.0)
    order = ["value", "unexamined_days", "case_id"]
    return table.sort_values(order, ascending=[False, False, True]).reset_index(drop=True)


def event_rates(known: Record) -> dict[str, float]:
    """Return the events per month of each class of authorities in a record, as ``coverage`` defines them."""
    cases = known.proceedings.set_index("case_id")
    events = known.events.loc[known.events["date"] >= known.events["case_id"].map(cases["opened_on"])]
    cases["entry"] = events.groupby("case_id")["date"].min().reindex(cases.index)
    cases["end"] = cases["observed_until"].where(cases["closed_on"].isna(), cases["closed_on"])
    own = cases.loc[events["case_id"]].set_axis(events.index)
    counted = events.loc[(events["date"] > own["entry"]) & (events["date"] <= own["end"])]
    months = ((cases["end"] - cases["entry"]).dt.days / DAYS_PER_MONTH).fillna(0.0).clip(lower=0.0)
    counts = counted.groupby("case_id").size().reindex(cases.index, fill_value=0)
    n, t = (values.groupby(cases["authority_class"]).sum() for values in (counts, months))
    pooled = n.sum() / t.sum() if t.sum() > 0 else 0.0
    return ((n + POOLED_MONTHS * pooled) / (t + POOLED_MONTHS)).to_dict()


def _matter(specification: Specification | str | Path | None) -> str:
    if specification is None:
        return ""
    return (specification if isinstance(specification, Specification) else load_specification(specification)).matter
