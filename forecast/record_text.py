"""The canonical text of a record's tables: what is written, and what its fingerprint is made from."""

from __future__ import annotations

import csv
import io
from datetime import date

import pandas as pd

from forecast.record_tables import TABLES
from forecast.sheets import as_cells


def row_order(name: str, cells: pd.DataFrame) -> list:
    """Return the index of ``cells`` in canonical order: by the table's own columns, then by all others."""
    first = TABLES[name].order
    rest = [column for column in TABLES[name].columns if column not in first]
    rows = zip(*(cells[column] for column in (*first, *rest)), cells.index, strict=True)
    return [row[-1] for row in sorted(rows)]


def csv_text(name: str, frame: pd.DataFrame, complete_until: date) -> str:
    """Return the canonical CSV text of a table: columns and rows in their order, days observed only where they differ.

    ``observed_until`` is empty where it is ``complete_until``, which is what an empty cell means.
    """
    if name == "proceedings":
        days = frame["observed_until"]
        frame = frame.assign(observed_until=days.where(days != pd.Timestamp(complete_until)))
    cells = as_cells(frame[list(TABLES[name].columns)])
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(cells.columns)
    writer.writerows(cells.loc[row_order(name, cells)].itertuples(index=False))
    return buffer.getvalue()
