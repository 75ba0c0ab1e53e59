"""Long tables for spreadsheets, CSV and Excel: every digit of every number, and no text that becomes a formula.

CSV has no types: text that a spreadsheet could take for a formula gets one more ``'`` in front, and ``unguard`` takes
it off. Excel files have types: there text is text as it stands.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import pandas as pd

from forecast.exports.tables import TYPES, typed
from forecast.files import InputError, Problem

EXCEL_ROWS, EXCEL_TEXT = 1_048_576, 32_767
"""Most rows of a sheet, and most UTF-16 units of a cell."""
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What could begin a formula: OWASP's characters and their full-width forms, behind any number of ``'``."""
Tables = dict[str, pd.DataFrame]


def guard(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: with one more ``'`` before what could begin one."""
    return f"'{text}" if FORMULA.match(text) else text


def unguard(text: str) -> str:
    """Return the text that ``guard`` was given."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _mapped(frame: pd.DataFrame, change: Any) -> pd.DataFrame:
    """Apply ``change`` to each text of a table, once for each different one."""
    texts = {c: frame[c].map({v: change(v) for v in frame[c].unique()}) for c in frame.columns if c not in TYPES}
    return typed(frame.assign(**texts))


def write_csv(folder: Path, about: dict[str, str], tables: Tables) -> None:
    """Lines ``# key: value`` and the table: all text in quotes, so that a ``#`` in it begins no comment."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv  # noqa: PLC0415

    lines = (f"# {k}: {re.sub('[%,;"]', lambda m: f'%{ord(m[0]):02X}', v)}\n" for k, v in about.items())
    head = "".join(lines).encode()
    for name, frame in tables.items():
        with (folder / f"{name}.csv").open("wb") as stream:
            stream.write(head)
            csv.write_csv(pa.Table.from_pandas(_mapped(frame, guard), preserve_index=False), stream)


def write_plain(path: Path, frame: pd.DataFrame) -> None:
    """Write one table of any columns as CSV without metadata: days as YYYY-MM-DD, text guarded as in ``guard``."""
    texts = {c: frame[c].map(guard) for c in frame.select_dtypes("str")}
    told = {"index": False, "lineterminator": "\n", "date_format": "%Y-%m-%d", "encoding": "utf-8"}
    frame.assign(**texts).to_csv(path, **told)


def read_csv(path: Path) -> tuple[dict[str, str], pd.DataFrame]:
    """Return the metadata and the table of one exported CSV file."""
    from pyarrow import csv  # noqa: PLC0415

    about = {}
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            if not line.startswith("# "):
                names = json.loads(f"[{line}]")
                break
            key, _, value = line[2:].rstrip("\n").partition(": ")
            about[key] = unquote(value)
    options = csv.ConvertOptions(
        column_types={n: {"int64": "int64", "float64": "float64"}.get(TYPES.get(n, ""), "string") for n in names},
        strings_can_be_null=False,
        null_values=[""],
    )
    table = csv.read_csv(
        path,
        csv.ReadOptions(skip_rows=len(about)),
        csv.ParseOptions(newlines_in_values=True),
        options,
    )
    return about, _mapped(typed(table.to_pandas()), unguard)


class _Exact(float):
    """A number that is written with all its digits where 16 are asked for."""

    def __format__(self, form: str) -> str:
        return repr(float(self))


def write_xlsx(path: Path, about: dict[str, str], tables: Tables) -> None:
    """Write a sheet of metadata, and a sheet for each table."""
    import xlsxwriter  # noqa: PLC0415
    from xlsxwriter.exceptions import XlsxWriterException  # noqa: PLC0415

    sheets = {"metadata": pd.DataFrame({"key": list(about), "text": list(about.values())}), **tables}
    for name, frame in sheets.items():
        texts = (text for c in frame if c not in TYPES for text in frame[c].unique())
        if len(frame) >= EXCEL_ROWS or any(len(text.encode("utf-16-le")) // 2 > EXCEL_TEXT for text in texts):
            what = f"has more than {EXCEL_ROWS - 1} rows, or a text of more than {EXCEL_TEXT} characters"
            raise InputError(Problem(f"table {name}", f"{what}, too many for Excel: export csv or parquet instead"))
    never = {f"strings_to_{kind}": False for kind in ("formulas", "urls", "numbers")}
    whole = BytesIO()  # xlsxwriter leaves an archive open, and files behind, where the disk is full
    try:
        with (
            TemporaryDirectory() as parts,
            xlsxwriter.Workbook(whole, {"constant_memory": True, "tmpdir": parts, **never}) as book,
        ):
            book.set_properties({"title": about["content"], "created": datetime.fromisoformat(about["origin"])})
            formats = book.add_format({"bold": True}), book.add_format()
            for name, frame in sheets.items():
                _fill(book.add_worksheet(name), frame, *formats)
    except XlsxWriterException as error:
        raise OSError(str(error)) from error
    path.write_bytes(whole.getvalue())


def _fill(sheet: Any, frame: pd.DataFrame, bold: Any, usual: Any) -> None:
    """Write a table row by row; what is empty or undefined is no cell.

    Text in ``<r>`` and ``</r>`` would go into the file as it is: it is written in two fragments instead.
    """
    sheet.freeze_panes(1, 0)
    for i, name in enumerate(frame):
        longest = frame[name].str.len().max() if name not in TYPES else 16
        sheet.set_column(i, i, min(60, max(longest, len(name))) + 2)
        sheet.write_string(0, i, name, bold)
    for row, cells in enumerate(zip(*(_cells(frame[name]) for name in frame), strict=True), start=1):
        for i, cell in enumerate(cells):
            if isinstance(cell, str):
                if cell.startswith("<r>"):
                    sheet.write_rich_string(row, i, cell[0], usual, cell[1:])
                elif cell:
                    sheet.write_string(row, i, cell)
            elif cell is not None:
                sheet.write_number(row, i, cell)


def _cells(column: pd.Series) -> list[Any]:
    if column.name not in TYPES or column.dtype.kind == "i":
        return column.tolist()
    values = column.tolist()
    return [None if v != v else v if float(f"{v:.16G}") == v else _Exact(v) for v in values]  # noqa: PLR0124
