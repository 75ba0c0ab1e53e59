"""What the command line prints of a record's coverage: which proceedings to look at next."""

from __future__ import annotations

from datetime import date

import pandas as pd
from rich.console import Group
from rich.text import Text

from forecast.silence import in_words
from forecast.terminal.look import table_of

MARK = "*"
"""Stands behind proceedings of the focal matter."""


def coverage_screen(table: pd.DataFrame, complete_until: date, rows: int | None) -> Group:
    """Return what ``forecast coverage`` prints: the first ``rows`` proceedings (``None``: all), and what they mean."""
    shown = table if rows is None else table.head(rows)
    behind = int((table["unexamined_days"] > 0).sum())
    title = (
        f"{in_words(len(table), 'open proceeding')}, record complete until {complete_until}; {behind} last looked at "
        f"before that day, {in_words(int(table['unexamined_days'].sum()), 'day')} unexamined in all"
    )
    printed = table_of(title, "look next at", "last event", "observed until", "days", "unseen events")
    for row in shown.itertuples(index=False):
        last = "-" if pd.isna(row.last_event) else f"{row.last_event:%Y-%m-%d}"
        name = f"{row.case_id} {MARK}" if row.focal else row.case_id
        days, events = f"{row.unexamined_days:,}", f"{row.unseen_events:.2f}"
        printed.add_row(name, last, f"{row.observed_until:%Y-%m-%d}", days, events)
    lines = [
        "days: from the day on which the proceeding was last looked at to the record's last complete day. unseen "
        "events: days times the rate of all recorded events in its class of authorities.",
    ]
    if table["focal"].any():
        lines.append(f"{MARK} of the focal matter: counts twice in the order.")
    if len(shown) < len(table):
        lines.append(f"{in_words(len(table) - len(shown), 'proceeding')} more: --all.")
    return Group(printed, Text(""), *map(Text, lines))
