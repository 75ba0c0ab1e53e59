"""Checking every cell and every rule of a record's tables at once.

A `Sheet` (`forecast.sheets`) holds the cells of one file as text. `check` turns sheets into typed frames, or raises one
`InputError` that names every problem of every file with its row and its column, as lazy pandera schemas
collect them from the rules that `forecast.record_tables` declares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

import pandas as pd

from forecast.files import InputError, Problem, did_you_mean
from forecast.record_tables import CASE_RULES, OBSERVED_RULES, OPTIONAL_COLUMNS, REFERENCES, TABLES, Column, Rule
from forecast.sheets import Sheet, as_cells, cell_text, csv_sheet, read_sheet

__all__ = [
    "End",
    "Sheet",
    "as_cells",
    "cell_text",
    "check",
    "check_table",
    "no_rows",
    "parse",
    "read_sheet",
    "with_case_days",
]

Frames = dict[str, pd.DataFrame]


class End(NamedTuple):
    """The day to which a record is complete (``None``: that of its last published event), and where it was given."""

    day: date | None
    place: str


def no_rows(name: str) -> Sheet:
    """Return the sheet of a table that nobody supplied."""
    return Sheet(name, name, pd.DataFrame({column: pd.Series(dtype="str") for column in TABLES[name].columns}))


def parse(column: Column, cells: pd.Series) -> pd.Series:
    """Return the cells of one column in its dtype; what is empty or impossible becomes NaT, NaN or ``""``."""
    if column.dtype == "str":
        return cells.where(cells.isin(column.options), "") if column.options else cells
    if column.dtype == "float64":
        plain = cells.str.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
        numbers = [float(cell) if ok else float("nan") for cell, ok in zip(cells, plain, strict=True)]
        values = pd.Series(numbers, cells.index, "float64") + 0.0
    else:
        plain = cells.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}")
        values = pd.to_datetime(cells.where(plain, ""), format="%Y-%m-%d", errors="coerce")
        values = values.astype("datetime64[us]")
    return values.where(column.holds(values)) if column.holds else values


def check(
    sheets: Mapping[str, Sheet],
    problems: Iterable[Problem] = (),
    *,
    references: bool = True,
    end: End | None = None,
) -> Frames:
    """Return the typed frames of ``sheets``, one per table, indexed as the sheets are.

    Without ``references``, names that stand for rows elsewhere are not looked up, and without ``end`` no day is held
    against the end of the record: for one table alone.

    Raises
    ------
    InputError
        With ``problems``, those of the reading, and every one found here.
    """
    found, frames = list(problems), {}
    complete = set()
    for name, sheet in sheets.items():
        header = list(_header_problems(sheet, TABLES[name].columns, OPTIONAL_COLUMNS))
        found += header
        if not header:
            complete.add(name)
        frames[name] = _typed(TABLES[name].columns, sheet)
    for name, sheet in sheets.items():
        usable = {other: frames[other] for other in complete if sheets[other].whole or other == name}
        frame, rules = frames[name], _rules(name, usable, references) if name in complete else []
        if name == "events" and "proceedings" in usable:
            frame = with_case_days(frame, usable["proceedings"])
        elif name == "proceedings" and "events" in usable and end is not None:
            frame, late = _with_last_days(frame, usable["events"], end)
            found += late
            rules = [*rules, *OBSERVED_RULES]
        found += _broken(TABLES[name].columns, sheet, frame, rules)
    if found:
        names = list(TABLES)
        stems = [problem.where.split(" ")[0].split(".")[0] for problem in found]
        places = [names.index(stem) if stem in names else -1 for stem in stems]
        raise InputError(problem for _, problem in sorted(zip(places, found, strict=True), key=lambda x: x[0]))
    return frames


def check_table(
    columns: dict[str, Column], rules: list[Rule], source: str, content: bytes
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the typed frame of a CSV file that is no table of a record, and every problem found in it."""
    sheet, problems = csv_sheet(source, content)
    if sheet is None:
        return pd.DataFrame(columns=list(columns)), problems
    problems += _header_problems(sheet, columns, ())
    frame = _typed(columns, sheet)
    return frame, problems + _broken(columns, sheet, frame, [] if problems else rules)


def _typed(columns: dict[str, Column], sheet: Sheet) -> pd.DataFrame:
    nothing = pd.Series("", sheet.cells.index, "str")
    return pd.DataFrame({c: parse(kind, sheet.cells.get(c, nothing)) for c, kind in columns.items()})


def _header_problems(sheet: Sheet, known: Collection[str], optional: Collection[str]) -> Iterator[Problem]:
    for column in sheet.cells.columns.astype(str):
        if column not in known:
            yield Problem(f"{sheet.header}, column {column}", f"unknown column{did_you_mean(column, known)}")
    for column in known:
        if column not in sheet.cells and column not in optional:
            yield Problem(f"{sheet.header}, column {column}", "the column is missing")


def with_case_days(events: pd.DataFrame, proceedings: pd.DataFrame) -> pd.DataFrame:
    """Return ``events`` with the ``opened_on`` and ``closed_on`` of their proceedings, NaT if unknown."""
    cases = proceedings.drop_duplicates("case_id")[["case_id", "opened_on", "closed_on"]]
    return events.merge(cases, on="case_id", how="left").set_axis(events.index)


def _with_last_days(cases: pd.DataFrame, events: pd.DataFrame, end: End) -> tuple[pd.DataFrame, list[Problem]]:
    """Return ``cases`` with the day of their last event and that of the record's end, and an end that is too early."""
    problems, published = [], events["published_on"]
    until = published.max() if end.day is None else pd.Timestamp(end.day)
    if published.max() > until:
        last = events.loc[published.idxmax(), "event_id"]
        what = f"{until:%Y-%m-%d} lies before the last published event, {last!r} of {published.max():%Y-%m-%d}"
        problems = [Problem(end.place, f"{what}; that day or a later one was expected")]
        until = published.max()  # days up to this one are not named one by one
    days = events.groupby("case_id")["date"].max().reindex(cases["case_id"]).set_axis(cases.index)
    return cases.assign(last_event=days, complete_until=until), problems


def _rules(name: str, usable: Frames, references: bool) -> list[Rule]:
    """Return the rules of a table that can be judged with the tables at hand."""
    rules = list(TABLES[name].rules)
    for column, (table, key) in REFERENCES.get(name, {}).items():
        if references and table in usable:
            names = frozenset(usable[table][key])
            message = f"{{{column}!r}} is no {key} of {table}"
            rules.append(Rule(column, message, _names_one_of(column, names), names))
    return [*rules, *CASE_RULES] if name == "events" and "proceedings" in usable else rules


def _names_one_of(column: str, names: frozenset[str]) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: frame[column].isin([*names, ""])


def _broken(columns: dict[str, Column], sheet: Sheet, frame: pd.DataFrame, rules: list[Rule]) -> list[Problem]:
    """Return the problems of one sheet, in the order of its rows and columns."""
    places = {}
    for row, checked, number in _failures(columns, sheet.cells, frame, rules):
        values = {c: cell_text(frame.at[row, c]) for c in frame} | {c: str(sheet.cells.at[row, c]) for c in sheet.cells}
        if number is None:
            column, what = checked, _expected(columns[checked], values[checked])
        else:
            rule = rules[number]
            column = rule.column
            what = rule.message.format_map(values) + did_you_mean(values[column], rule.options)
        place = row, list(columns).index(column), what
        places[place] = Problem(f"{sheet.source} row {row}, column {column}", what)
    return [places[place] for place in sorted(places)]


def _expected(column: Column, value: str) -> str:
    if not value.strip():
        return f"must not be empty; {column.expected} was expected"
    return f"{value!r} is not {column.expected}{did_you_mean(value, column.options)}"


def _failures(
    columns: dict[str, Column], cells: pd.DataFrame, frame: pd.DataFrame, rules: list[Rule]
) -> Iterator[tuple[int, str, int | None]]:
    """Yield row, column and, for a rule between columns, its number, wherever a check fails."""
    given = [(c, kind) for c, kind in columns.items() if c in cells and (kind.filled or kind != Column())]
    fits = {c: ~_empty(frame[c]) | (_empty(cells[c]) & (not kind.filled)) for c, kind in given}
    holds = [rule.holds(frame) for rule in rules]
    if all(passed.all() for passed in (*fits.values(), *holds)):
        return  # before pandera is imported, which costs half a second

    import pandera.pandas as pa  # noqa: PLC0415

    schema = pa.DataFrameSchema(
        {c: pa.Column(checks=pa.Check(lambda _, passed=passed: passed)) for c, passed in fits.items()},
        checks=[pa.Check(lambda _, passed=passed: passed, error=str(n)) for n, passed in enumerate(holds)],
    )
    try:
        schema.validate(cells, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        between = cases["schema_context"] == "DataFrameSchema"
        places = zip(cases["index"], cases["column"], cases["check"], between, strict=True)
        for row, column, number, is_rule in places:
            yield int(row), str(column), int(number) if is_rule else None


def _empty(cells: pd.Series) -> pd.Series:
    return cells.isna() if cells.dtype.kind in "Mf" else cells.str.strip() == ""
