"""Reading the file of a table as text: CSV or Parquet, regular files of moderate size alone.

A `Sheet` holds the cells of one file as text; what is wrong with a file comes back as problems, each with its place.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.files import InputError, Problem, read_regular, size_text

MOST_BYTES = 64 * 2**20
"""Largest file of a table that is read."""
SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""What spreadsheets put between columns in place of commas."""
MOST_ROWS, MOST_COLUMNS = 200_000, 200
"""Most rows and columns of a table: a record of enforcement has some thousands of rows, and every row is checked."""


@dataclass(frozen=True)
class Sheet:
    """The cells of one file as text, indexed by the row where they stand.

    ``header`` names the place of the column names; ``whole`` is false if a row could not be read.
    """

    source: str
    header: str
    cells: pd.DataFrame
    whole: bool = True


INDEX_COLUMN = re.compile("__index_level_[0-9]+__")
"""What pandas calls the column of an index without a name."""


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


def read_sheet(path: Path | Traversable) -> tuple[Sheet | None, list[Problem]]:
    """Return the cells of a CSV or Parquet file and what was wrong; no sheet where nothing could be read.

    Rows are counted as they stand in the file: the header of a CSV file is row 1, the first row of a Parquet
    file is row 1. CSV files are UTF-8, with or without a byte order mark, with any line ends.
    """
    try:
        content = read_regular(path, MOST_BYTES) if isinstance(path, Path) else path.read_bytes()
    except InputError as error:
        return None, [Problem(path.name, problem.what) for problem in error.problems]
    except OSError as error:
        return None, [Problem(path.name, f"cannot be read: {error.strerror or error}")]
    return (csv_sheet if path.name.endswith(".csv") else _parquet_sheet)(path.name, content)


def _parquet_sheet(source: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    """Return the cells of a Parquet file; what pandas wrote of its own frame beside them is not looked at."""
    from pyarrow import ArrowException  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        file = ParquetFile(io.BytesIO(content))
        problems = _parquet_problems(source, file)
        if problems:
            return None, problems
        frame = file.read().replace_schema_metadata(None).to_pandas(ignore_metadata=True, date_as_object=True)
    except (ArrowException, OSError, ValueError, ArithmeticError, MemoryError, RecursionError) as error:
        what = (str(error) or type(error).__name__).splitlines()[0]
        return None, [Problem(source, f"is not a Parquet file that can be read: {what[:200]}")]
    frame = frame.loc[:, [not INDEX_COLUMN.fullmatch(name) for name in frame]]
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return Sheet(source, f"{source} header", as_cells(frame)), []


def _parquet_problems(source: str, file: Any) -> list[Problem]:
    """Return what keeps a Parquet file from being a plain table of moderate size."""
    from pyarrow import types  # noqa: PLC0415

    about, schema = file.metadata, file.schema_arrow
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if about.num_rows > MOST_ROWS:
        return [Problem(source, f"has {about.num_rows} rows; at most {MOST_ROWS} are read")]
    if len(schema) > MOST_COLUMNS:
        return [Problem(source, f"has {len(schema)} columns; at most {MOST_COLUMNS} are read")]
    if size > MOST_BYTES:
        return [Problem(source, f"unpacks to {size_text(size)}; at most {size_text(MOST_BYTES)} are read")]
    header, names = f"{source} header", list(schema.names)
    plain = ("is_string", "is_large_string", "is_integer", "is_floating", "is_boolean", "is_date", "is_timestamp",
             "is_decimal", "is_null")  # fmt: skip
    problems = [
        Problem(f"{header}, column {name}", "the column stands twice")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    for field in schema:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not any(getattr(types, name)(kind) for name in plain):
            what = f"holds values of the type {str(field.type)[:80]}; text, numbers or days were expected"
            problems.append(Problem(f"{header}, column {field.name}", what))
    return problems


def csv_sheet(source: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    """Return the cells in the bytes of a CSV file and what was wrong; no sheet where nothing could be read."""
    try:
        text = _text(source, content)
    except InputError as error:
        return None, list(error.problems)
    rows, problems = _csv_rows(source, text)
    if not rows:
        return None, problems or [Problem(source, "is empty; a header and rows were expected")]
    (first, names), *body = _without_empty_columns(rows)
    header = f"{source} row {first}"
    if wrong := _header_problems(header, names):
        return None, problems + wrong
    problems += [
        Problem(f"{source} row {row}", f"{len(fields)} fields where the header has {len(names)}")
        for row, fields in body
        if len(fields) != len(names)
    ]
    even = {row: fields for row, fields in body if len(fields) == len(names)}
    cells = pd.DataFrame(list(even.values()), list(even), names, dtype="str")
    return Sheet(source, header, cells, whole=not problems), problems


def _text(source: str, content: bytes) -> str:
    """Return the text of a file in UTF-8, without the byte order mark; raise ``InputError`` where it is none."""
    mark = len(b"\xef\xbb\xbf") if content.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = content[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = mark + error.start
        row = content.count(b"\n", 0, offset) + 1
        wrong = f"is not UTF-8 text: byte 0x{content[offset]:02x} at offset {offset}; save the file as UTF-8"
        raise InputError(Problem(f"{source} row {row}", wrong)) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(Problem(f"{source} row {row}", "holds a NUL byte: it is no text; save the file as UTF-8"))
    return text


def _without_empty_columns(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return rows, the header first, without columns at the end that hold nothing, as spreadsheets leave them."""
    header = rows[0][1]
    width = len(header)
    while width > 1 and not header[width - 1].strip() and not any("".join(row[width - 1 :]).strip() for _, row in rows):
        width -= 1
    return [(place, row[:width] if len(row) == len(header) else row) for place, row in rows]


def _header_problems(header: str, names: list[str]) -> list[Problem]:
    """Return why columns cannot be told apart by the names in a header."""
    if len(names) > MOST_COLUMNS:
        return [Problem(header, f"has {len(names)} columns; at most {MOST_COLUMNS} are read")]
    mark = next((mark for mark in SEPARATORS if mark in names[0]), None)
    if len(names) == 1 and mark is not None:
        return [Problem(header, f"separates columns by {SEPARATORS[mark]}; save the file with commas between columns")]
    return [
        Problem(f"{header}, column {name}", "the column stands twice")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def _csv_rows(source: str, text: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Return the rows that hold anything, each with the line where it starts."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, start = [], 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                rows.append((start, fields))
            if len(rows) > MOST_ROWS + 1:
                return [], [Problem(source, f"has more than {MOST_ROWS} rows; no more are read")]
            start = reader.line_num + 1
    except csv.Error as error:
        return rows, [Problem(f"{source} row {start}", f"cannot be read as CSV: {error}")]
    return rows, []
