"""Rows of the log that enter no likelihood of hazards, each with the reason: what the model does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pandas as pd

from forecast.evidence.episodes import Episode, episodes
from forecast.record import Record
from forecast.regime import Regime

NOT_STATED = "the brief states no probability of it: it acts alike in all scenarios"
LATER = "not the first of its family, and the brief speaks of first events"
"""Why an event that does enter the hazards' likelihood tells nothing of the scenarios."""
SEPARATOR = "; "
"""Between events of one day, and between the reasons why they tell nothing."""
CORRECTED = "a later row of the log corrects it"
COLUMNS = ("matter_id", "case_id", "event_id", "date", "type", "reason")


def unused_rows(record: Record, lives: Iterable[Episode]) -> pd.DataFrame:
    """Return the unused rows of the log, in its order, with the columns ``COLUMNS``; days are ISO texts.

    ``record`` is what was public by an origin, ``lives`` its episodes up to there. Unused rows still set the stage and
    the marks of their proceedings; some speak in other likelihoods, such as that of appeals.
    """
    reasons = {row.event_id: row.reason for life in lives for row in life.unused}
    corrected = set(record.events["event_id"]) - set(record.in_force().events["event_id"])
    reasons |= dict.fromkeys(corrected, CORRECTED)
    rows = record.events.loc[record.events["event_id"].isin(set(reasons))]
    matters = dict(zip(record.proceedings["case_id"], record.proceedings["matter_id"], strict=True))
    table = rows.assign(
        matter_id=rows["case_id"].map(matters),
        date=rows["date"].dt.strftime("%Y-%m-%d"),
        reason=rows["event_id"].map(reasons),
    )
    return table[list(COLUMNS)].reset_index(drop=True)


def unused_of_record(record: Record, regime: Regime, day: date) -> pd.DataFrame:
    """Return the rows of a record that are unused in a forecast from ``day``; see ``unused_rows``."""
    known = record.as_of(day)
    return unused_rows(known, episodes(known.in_force(), regime, day))
