"""Reading a record's files as text, and checking every cell and every rule at once.

A `Sheet` holds the cells of one file as text. `check` turns sheets into typed frames, or raises one
`InputError` that names every problem of every file with its row and its column, as lazy pandera schemas
collect them from the rules that `forecast.record_tables` declares.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.files import InputError, Problem, did_you_mean
from forecast.record_tables import CASE_RULES, OPTIONAL_COLUMNS, REFERENCES, TABLES, Column, Rule

Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Sheet:
    """The cells of one file as text, indexed by the row where they stand.

    ``header`` names the place of the column names; ``whole`` is false if a row could not be read.
    """

    source: str
    header: str
    cells: pd.DataFrame
    whole: bool = True


def cell_text(value: Any) -> str:
    """Return the text of a value: days as YYYY-MM-DD, whole numbers without a point, missing as ``""``."""
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat()[:10] if value == pd.Timestamp(value.date()) else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def as_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with every cell as text."""

    def texts(cells: pd.Series) -> pd.Series:
        if cells.dtype == "str":
            return cells.fillna("")
        return pd.Series([cell_text(value) for value in cells], frame.index, "str")

    return pd.DataFrame({name: texts(cells) for name, cells in frame.items()}, frame.index)


def no_rows(name: str) -> Sheet:
    """Return the sheet of a table that nobody supplied."""
    return Sheet(name, name, pd.DataFrame({column: pd.Series(dtype="str") for column in TABLES[name].columns}))


def read_sheet(path: Path | Traversable) -> tuple[Sheet | None, list[Problem]]:
    """Return the cells of a CSV or Parquet file and what was wrong; no sheet where nothing could be read.

    Rows are counted as they stand in the file: the header of a CSV file is row 1, the first row of a Parquet
    file is row 1. CSV files are UTF-8, with or without a byte order mark, with any line ends.
    """
    try:
        content = path.read_bytes()
        return (_csv_sheet if path.name.endswith(".csv") else _parquet_sheet)(path.name, content)
    except OSError as error:
        return None, [Problem(path.name, f"cannot be read: {error.strerror or error}")]


def _parquet_sheet(source: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    try:
        frame = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except (OSError, ValueError) as error:
        return None, [Problem(source, f"is not a Parquet file that can be read: {str(error).splitlines()[0]}")]
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return Sheet(source, f"{source} header", as_cells(frame)), []


def _csv_sheet(source: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    mark = len(b"\xef\xbb\xbf") if content.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = content[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = mark + error.start
        row = content.count(b"\n", 0, offset) + 1
        wrong = f"is not UTF-8 text: byte 0x{content[offset]:02x} at offset {offset}; save the file as UTF-8"
        return None, [Problem(f"{source} row {row}", wrong)]
    rows, problems = _csv_rows(source, text)
    if not rows:
        return None, problems or [Problem(source, "is empty; a header and rows were expected")]
    (first, names), *body = rows
    header = f"{source} row {first}"
    problems += [
        Problem(f"{header}, column {name}", "the column stands twice")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if len(set(names)) < len(names):
        return None, problems
    ragged = [(row, fields) for row, fields in body if len(fields) != len(names)]
    problems += [
        Problem(f"{source} row {row}", f"{len(fields)} fields where the header has {len(names)}")
        for row, fields in ragged
    ]
    even = {row: fields for row, fields in body if len(fields) == len(names)}
    cells = pd.DataFrame(list(even.values()), list(even), names, dtype="str")
    return Sheet(source, header, cells, whole=not problems), problems


def _csv_rows(source: str, text: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Return the rows that are not blank, each with the line where it starts."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, start = [], 1
    try:
        for fields in reader:
            if fields:
                rows.append((start, fields))
            start = reader.line_num + 1
    except csv.Error as error:
        return rows, [Problem(f"{source} row {start}", f"cannot be read as CSV: {error}")]
    return rows, []


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


def check(sheets: Mapping[str, Sheet], problems: Iterable[Problem] = (), *, references: bool = True) -> Frames:
    """Return the typed frames of ``sheets``, one per table, indexed as the sheets are.

    Without ``references``, names that stand for rows elsewhere are not looked up: for one table alone.

    Raises
    ------
    InputError
        With ``problems``, those of the reading, and every one found here.
    """
    found, frames = list(problems), {}
    complete = set()
    for name, sheet in sheets.items():
        header = list(_header_problems(name, sheet))
        found += header
        if not header:
            complete.add(name)
        nothing = pd.Series("", sheet.cells.index, "str")
        frames[name] = pd.DataFrame(
            {c: parse(kind, sheet.cells.get(c, nothing)) for c, kind in TABLES[name].columns.items()}
        )
    for name, sheet in sheets.items():
        usable = {other: frames[other] for other in complete if sheets[other].whole or other == name}
        frame, rules = frames[name], _rules(name, usable, references) if name in complete else []
        if name == "events" and "proceedings" in usable:
            frame = with_case_days(frame, usable["proceedings"])
        found += _broken(name, sheet, frame, rules)
    if found:
        names = list(TABLES)
        stems = [problem.where.split(" ")[0].split(".")[0] for problem in found]
        places = [names.index(stem) if stem in names else -1 for stem in stems]
        raise InputError(problem for _, problem in sorted(zip(places, found, strict=True), key=lambda x: x[0]))
    return frames


def _header_problems(name: str, sheet: Sheet) -> Iterator[Problem]:
    known = TABLES[name].columns
    for column in sheet.cells.columns.astype(str):
        if column not in known:
            yield Problem(f"{sheet.header}, column {column}", f"unknown column{did_you_mean(column, known)}")
    for column in known:
        if column not in sheet.cells and column not in OPTIONAL_COLUMNS:
            yield Problem(f"{sheet.header}, column {column}", "the column is missing")


def with_case_days(events: pd.DataFrame, proceedings: pd.DataFrame) -> pd.DataFrame:
    """Return ``events`` with the ``opened_on`` and ``closed_on`` of their proceedings, NaT if unknown."""
    cases = proceedings.drop_duplicates("case_id")[["case_id", "opened_on", "closed_on"]]
    return events.merge(cases, on="case_id", how="left").set_axis(events.index)


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


def _broken(name: str, sheet: Sheet, frame: pd.DataFrame, rules: list[Rule]) -> list[Problem]:
    """Return the problems of one sheet, in the order of its rows and columns."""
    columns = TABLES[name].columns
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
