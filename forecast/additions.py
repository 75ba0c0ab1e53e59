"""Adding to a record without editing it: new rows beside the old ones, checked together, every mistake named.

A correction is a new event whose ``supersedes`` names the old one. A proceeding that ended is named again with its
``closed_on`` filled, and with nothing else changed: the only column of a known row that time may fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from forecast.files import InputError, Problem
from forecast.record import Record, ordered
from forecast.record_checks import Sheet, as_cells, check, no_rows, parse, read_sheet
from forecast.record_tables import OPTIONAL_COLUMNS, TABLES

SAME_EVENT = ("case_id", "date", "type", "scope", "amount_eur")
"""Columns in which no two events agree, unless one corrects the other."""


def append(record: Record, additions: Mapping[str, Path | str | pd.DataFrame]) -> Record:
    """Return a record with the rows of ``additions`` (table name: file or frame) beside those of ``record``.

    A new table may leave out columns that may be empty. An event without ``event_id`` is numbered after those of its
    proceeding: ``<case_id>-e<number>``. Neither the old record nor any file is changed; ``as_of_date`` is reset.

    Raises ``InputError`` with every problem of every table: what ``load_record`` refuses, an event that is there
    already, and a known proceeding of which more than an empty ``closed_on`` would change.
    """
    expected = f"is no table; one of {', '.join(TABLES)} was expected"
    problems = [Problem(name, expected) for name in sorted(additions.keys() - TABLES)]
    sheets = {}
    for name in TABLES:
        old = as_cells(getattr(record, name))
        sheets[name] = Sheet(name, f"{name} header", old.set_axis(range(-len(old), 0)))
    for name, rows in ((name, additions[name]) for name in TABLES if name in additions):
        sheet, wrong = _sheet(name, rows)
        problems += wrong
        if sheet is not None:
            sheets[name], wrong = _joined(name, sheets[name].cells, sheet)
            problems += wrong
    return ordered(check(sheets, problems))


def check_alone(path: Path) -> tuple[str, int, tuple[str, ...]]:
    """Check one table's file by every rule that needs no other table; return table, rows, and columns left out.

    The table is the one that the file is named after, else the one whose columns its header has. What it names in
    other tables, or in a record that it is to be added to, is not looked up. Raises ``InputError``.
    """
    sheet, problems = read_sheet(path)
    if sheet is None:
        raise InputError(problems)
    given = list(sheet.cells.columns.astype(str))
    named = {name: set(table.columns) for name, table in TABLES.items()}
    name = path.stem if path.stem in TABLES else max(named, key=lambda name: len(named[name].intersection(given)))
    joined, more = _joined(name, no_rows(name).cells, sheet)
    frames = check({name: joined}, [*problems, *more], references=False)
    left_out = (c for c in TABLES[name].columns if c not in given and c not in OPTIONAL_COLUMNS)
    return name, len(frames[name]), tuple(left_out)


def _sheet(name: str, rows: Path | str | pd.DataFrame) -> tuple[Sheet | None, list[Problem]]:
    if isinstance(rows, pd.DataFrame):
        cells = as_cells(rows.reset_index(drop=True))
        return Sheet(f"new {name}", f"new {name} header", cells.set_axis(range(1, len(cells) + 1))), []
    path = Path(rows)
    if not path.is_file():
        return None, [Problem(str(path), f"is no file; rows of {name} were expected")]
    return read_sheet(path)


def _joined(name: str, old: pd.DataFrame, new: Sheet) -> tuple[Sheet, list[Problem]]:
    """Return old and new cells as one sheet under the new one's name, and what may not be added."""
    cells, problems = new.cells, []
    if name == "events":
        cells = _numbered(cells, old)
        problems = _repeated(new.source, cells, old)
    elif name == "proceedings" and "case_id" in cells:
        known = cells["case_id"].isin(old["case_id"])
        old, problems = _closed(new.source, cells[known], old)
        cells = cells[~known]
    both = pd.concat([old, cells]).fillna("").astype("str")
    return Sheet(new.source, new.header, both, new.whole), problems


def _numbered(cells: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """Fill empty ids: the next free number of the proceeding."""
    if "case_id" not in cells:
        return cells
    ids = cells.get("event_id", pd.Series("", cells.index, "str")).tolist()
    taken = {*old["event_id"], *ids}
    for place, (name, case) in enumerate(zip(ids, cells["case_id"], strict=True)):
        number = 1
        while not name.strip() and (free := f"{case}-e{number:02d}") in taken:
            number += 1
        if not name.strip():
            ids[place] = free
            taken.add(free)
    return cells.assign(event_id=ids)


def _repeated(source: str, cells: pd.DataFrame, old: pd.DataFrame) -> list[Problem]:
    """Name the new events that say what an old one says, and do not correct it."""
    known = dict(zip(zip(*(old[c] for c in SAME_EVENT), strict=True), old["event_id"], strict=True))
    problems = []
    new = cells.reindex(columns=[*SAME_EVENT, "supersedes"], fill_value="").fillna("")
    typed = as_cells(pd.DataFrame({c: parse(TABLES["events"].columns[c], new[c]) for c in SAME_EVENT}))
    columns = [typed[c] for c in SAME_EVENT]
    for place, supersedes, *said in zip(new.index, new["supersedes"], *columns, strict=True):
        same = known.get(tuple(said))
        if same is not None and supersedes != same:
            what = f"{said[2]} on {said[1]} is there already, as {same!r}"
            problems.append(Problem(f"{source} row {place}, column case_id", what))
    return problems


def _closed(source: str, again: pd.DataFrame, old: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the old proceedings with what ``again`` says of their closing, and what else it would change."""
    old, problems = old.copy(), []
    rows = {case: row for row, case in old["case_id"].items()}
    for place, named in again.iterrows():
        row = rows[named["case_id"]]
        for column, value in named.items():
            was = old.at[row, column] if column in old else value
            if value in ("", was):
                continue
            if column == "closed_on" and not was:
                old.at[row, column] = value
            else:
                what = f"{named['case_id']!r} is on record with {was!r}: only an empty closed_on can be filled"
                problems.append(Problem(f"{source} row {place}, column {column}", what))
    return old, problems
