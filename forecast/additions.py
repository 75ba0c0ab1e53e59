"""Adding to a record without editing it: new rows beside the old ones, checked together, every mistake named.

A correction is a new event whose ``supersedes`` names the old one. A proceeding that ended is named again with its
``closed_on`` filled, one that was looked at again with a later ``observed_until``, and with nothing else changed: the
only columns of a known row that time may fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from forecast.files import InputError, Problem
from forecast.record import Record, as_day, ordered
from forecast.record_checks import End, Sheet, as_cells, check, no_rows, parse, read_sheet
from forecast.record_tables import KINDS, OPTIONAL_COLUMNS, TABLES

SAME_EVENT = ("case_id", "date", "type", "scope", "amount_eur")
"""Columns in which no two events agree, unless one corrects the other."""


def append(
    record: Record,
    additions: Mapping[str, Path | str | pd.DataFrame],
    complete_until: date | str | None = None,
) -> Record:
    """Return a record with the rows of ``additions`` (table name: file or frame) beside those of ``record``.

    A new table may leave out columns that may be empty. An event without ``event_id`` is numbered after those of its
    proceeding: ``<case_id>-e<number>``. Neither the old record nor any file is changed; ``as_of_date`` is reset.

    New rows say what came in their own proceedings, and not that somebody looked at the others. So an event moves
    ``observed_until`` of its proceeding to its date, if that is later, and no other proceeding's; a row of
    ``proceedings`` may give a later day. The record's own ``complete_until`` becomes the last of these days and of the
    new events' days of publication. ``complete_until`` says more: that every open proceeding has been looked at up to
    that day, but for those whose new row gives an ``observed_until`` of its own.

    Raises ``InputError`` with every problem of every table: what ``load_record`` refuses, an event that is there
    already, a known proceeding of which more than an empty ``closed_on`` or a later ``observed_until`` would change,
    and a ``complete_until`` before that of ``record``.
    """
    expected = f"is no table; one of {', '.join(TABLES)} was expected"
    problems = [Problem(name, expected) for name in sorted(additions.keys() - TABLES)]
    sheets, new = {}, {}
    for name in TABLES:
        old = as_cells(getattr(record, name))
        sheets[name] = Sheet(name, f"{name} header", old.set_axis(range(-len(old), 0)))
    for name, rows in ((name, additions[name]) for name in TABLES if name in additions):
        sheet, wrong = _sheet(name, rows)
        problems += wrong
        if sheet is not None:
            new[name] = sheet.cells
            sheets[name], wrong = _joined(name, sheets[name].cells, sheet)
            problems += wrong
    stated = None if complete_until is None else as_day(complete_until)
    if stated is not None and stated < record.complete_until:
        what = f"{stated} lies before {record.complete_until}, to which the record is complete already"
        problems.append(Problem("complete_until", f"{what}; that day or a later one was expected"))
        stated = record.complete_until
    until = stated or max([record.complete_until, *_last_days(new)])
    sheets["proceedings"] = _looked_at(sheets["proceedings"], new, everywhere=stated is not None)
    return ordered(check(sheets, problems, end=End(until, "complete_until")), until, record.title)


def _last_days(new: Mapping[str, pd.DataFrame]) -> list[date]:
    """Return the last days on which new events were published and proceedings were looked at, where there are any."""
    columns = (("events", "published_on"), ("proceedings", "observed_until"))
    given = [parse(KINDS["day"], new[name][c]) for name, c in columns if name in new and c in new[name]]
    return [days.max().date() for days in given if days.notna().any()]


def _looked_at(cases: Sheet, new: Mapping[str, pd.DataFrame], *, everywhere: bool) -> Sheet:
    """Return the joined proceedings with the day on which each was last looked at, as ``append`` says.

    ``everywhere``: every open proceeding was looked at up to the end of the record, which an empty cell stands for.
    """
    cells, rows = cases.cells.copy(), new.get("events", pd.DataFrame())
    if not {"case_id", "observed_until"} <= set(cells):
        return cases
    if {"case_id", "date"} <= set(rows):
        days = parse(KINDS["day"], rows["date"])
        latest = days.groupby(rows["case_id"]).max().reindex(cells["case_id"]).set_axis(cells.index)
        later = latest.notna() & ~(parse(KINDS["day"], cells["observed_until"]) >= latest)
        own = _own_days(cells, new)
        moved = later & ~own
        cells.loc[moved, "observed_until"] = latest[moved].dt.strftime("%Y-%m-%d")
    if everywhere:
        is_open = cells["closed_on"].eq("") if "closed_on" in cells else True
        cells.loc[~_own_days(cells, new) & is_open, "observed_until"] = ""
    return Sheet(cases.source, cases.header, cells, cases.whole)


def _own_days(cells: pd.DataFrame, new: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Return which of the joined proceedings have an ``observed_until`` of their own among the new rows."""
    rows = new.get("proceedings", pd.DataFrame())
    if not {"case_id", "observed_until"} <= set(rows):
        return pd.Series(False, cells.index)
    return cells["case_id"].isin(rows.loc[rows["observed_until"].str.strip() != "", "case_id"])


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
        old, problems = _filled(new.source, cells[known], old)
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


def _filled(source: str, again: pd.DataFrame, old: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the old proceedings with what ``again`` fills in, at its rows, and what else it would change."""
    old, problems = old.copy(), []
    rows = {case: row for row, case in old["case_id"].items()}
    for place, named in again.iterrows():
        row = rows[named["case_id"]]
        for column, value in named.items():
            was = old.at[row, column] if column in old else value
            if value in ("", was):
                continue
            if (column == "closed_on" and not was) or (column == "observed_until" and not _is_earlier(value, was)):
                old.at[row, column] = value
            else:
                may = (
                    "a later observed_until can be given"
                    if column == "observed_until"
                    else ("an empty closed_on can be filled")
                )
                what = f"{named['case_id']!r} is on record with {was!r}: only {may}"
                problems.append(Problem(f"{source} row {place}, column {column}", what))
    named_at = {rows[case]: place for place, case in reversed(list(again["case_id"].items()))}
    return old.rename(index=named_at), problems


def _is_earlier(value: str, was: str) -> bool:
    """Return whether one day lies before another; what is no day lies nowhere, and is refused as such elsewhere."""
    one, other = parse(KINDS["day"], pd.Series([value, was], dtype="str"))
    return bool(one < other)
