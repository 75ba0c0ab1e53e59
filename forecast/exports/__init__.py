"""A forecast in the formats of other programs: ``export`` writes them, ``read_export`` reads them back.

CSV, Parquet, JSON, Excel and netCDF hold every number of the forecast's tables and of its joint draws, exactly; LaTeX
(tables for a document to read by ``\\input``) and Markdown are for print, rounded, without draws and parameters, with
names instead of identifiers. The prior's own draws stay in the forecast's folder.
Every file says what it is of: origin, units, kind and level of intervals, fingerprints. The same forecast gives the
same bytes. Text comes from records that anybody may have written: none of it can become a formula, a link or markup.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from forecast.exports.printed import latex, markdown
from forecast.exports.sheets import Tables, read_csv, write_csv, write_plain, write_xlsx
from forecast.exports.tables import (
    CONTENT,
    LAYOUTS,
    draws_table,
    from_arrays,
    joint_draws,
    metadata,
    tidy,
    to_arrays,
    typed,
)
from forecast.files import InputError, Problem, did_you_mean, whole_file, whole_folder
from forecast.folders import MANIFEST, read_json, write_json

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

FORMATS = {
    "csv": "-csv",
    "parquet": "-parquet",
    "json": ".json",
    "xlsx": ".xlsx",
    "netcdf": ".nc",
    "latex": ".tex",
    "markdown": ".md",
}
"""Format -> what follows the name of the forecast's folder in the name of its export."""
FOLDERS = ("csv", "parquet")
"""Formats that are a folder with a file for each table."""
METADATA = "metadata.json"


def default_path(folder: Path | str, format: str) -> Path:
    """Return where the export of a forecast goes: beside its folder, under its name."""
    known(format)
    folder = Path(folder)
    folder = folder if folder.name not in ("", "..") else folder.resolve()
    return folder.with_name(folder.name + FORMATS[format])


def known(format: str) -> None:
    """Raise ``InputError`` if there is no such format."""
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS) or f"; one of {', '.join(FORMATS)} was expected"
        raise InputError(Problem("format", f"unknown format {format!r}{hint}"))


def export(forecast: Forecast, format: str, out: Path | str) -> Path:
    """Write a forecast in one of ``FORMATS`` to ``out``, whole or not at all, and return the path.

    A file that stands there is replaced; a folder only if it is an export. ``InputError`` if the path cannot be
    written, or the format cannot hold the forecast.
    """
    known(format)
    out = Path(out)
    try:
        _refuse(out, format)
        about, tables = metadata(forecast.manifest), tidy(forecast)
        with (whole_folder if format in FOLDERS else whole_file)(out) as scratch:
            if format in PRINT:
                scratch.write_text(PRINT[format](forecast), encoding="utf-8", newline="")
            else:
                WRITERS[format](scratch, about, tables)
            if format in FOLDERS:
                write_json(scratch / METADATA, about)
    except OSError as error:
        raise InputError(Problem(str(out), f"cannot be written: {error.strerror or error}")) from error
    return out


def write_table(table: pd.DataFrame, out: Path | str) -> Path:
    """Write a table that is no forecast's as a CSV file, whole or not at all; what stands there is replaced.

    ``InputError`` if the path cannot be written, or lies in the folder of a forecast.
    """
    out = Path(out)
    try:
        _refuse(out, "json")  # one file, as a JSON export is
        with whole_file(out) as scratch:
            write_plain(scratch, table)
    except OSError as error:
        raise InputError(Problem(str(out), f"cannot be written: {error.strerror or error}")) from error
    return out


def _refuse(out: Path, format: str) -> None:
    """Raise ``InputError`` if what stands at ``out`` is not ours to replace."""
    wrong = None
    blocked = next((p for p in out.parents if p.exists() and not p.is_dir()), None)
    if blocked:
        wrong = f"{blocked} is a file, not a folder"
    elif any(map(_is_forecast, out.absolute().parents)):
        wrong = "lies in the folder of a forecast: choose another place"
    elif format not in FOLDERS and out.is_dir():
        wrong = "is a folder; expected a file to write"
    elif format in FOLDERS and out.exists() and not out.is_dir():
        wrong = "is a file; expected a folder to write"
    elif format in FOLDERS and out.exists():
        names = {p.name for p in out.iterdir()}
        ours = {METADATA, *(f"{t}.{f}" for t in (*LAYOUTS, "draws") for f in FOLDERS)}
        if names and (METADATA not in names or read_json(out / METADATA).get("content") != CONTENT):
            wrong = "is not empty and holds no export: choose another folder"
        elif names - ours:
            wrong = f"holds {min(names - ours)!r} beside an export: choose another folder"
    if wrong:
        raise InputError(Problem(str(out), wrong))


def _is_forecast(folder: Path) -> bool:
    manifest = folder / MANIFEST
    return manifest.is_file() and "record_fingerprint" in manifest.read_text(encoding="utf-8", errors="replace")


def _write_parquet(folder: Path, about: dict[str, str], tables: Tables) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    for name, frame in tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({**table.schema.metadata, **about})
        parquet.write_table(table, folder / f"{name}.parquet", compression="zstd")


def _write_json(path: Path, about: dict[str, str], tables: Tables) -> None:
    """Columns as arrays, a line each; what is undefined is null."""

    def column(cells: pd.Series) -> str:
        values = cells.astype(object).where(cells.notna(), None).tolist()
        return f"{json.dumps(cells.name)}: {json.dumps(values, ensure_ascii=False, allow_nan=False)}"

    written = (
        f"{json.dumps(name)}: {{\n" + ",\n".join(column(frame[c]) for c in frame) + "\n}"
        for name, frame in tables.items()
    )
    text = (
        f'{{"metadata": {json.dumps(about, indent=2, ensure_ascii=False)},\n"tables": {{\n'
        + ",\n".join(written)
        + "\n}}\n"
    )
    path.write_text(text, encoding="utf-8", newline="")


def _write_netcdf(path: Path, about: dict[str, str], tables: Tables) -> None:
    """A group for each table, as an array with labels; ``draws``: an array (draw, horizon) for each target."""
    import xarray as xr  # noqa: PLC0415

    groups = {name: to_arrays(frame, LAYOUTS[name].dims) for name, frame in tables.items() if name != "draws"}
    groups["draws"] = joint_draws(about, tables)
    for group in groups.values():
        for variable in group.data_vars.values():
            variable.encoding = {"zlib": True, "complevel": 4}
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs=about), **groups})
    tree.to_netcdf(path, engine="netcdf4")


PRINT = {"latex": latex, "markdown": markdown}
WRITERS = {
    "csv": write_csv,
    "parquet": _write_parquet,
    "json": _write_json,
    "xlsx": write_xlsx,
    "netcdf": _write_netcdf,
}


def read_export(path: Path | str) -> tuple[dict[str, str], Tables]:
    """Return metadata and long tables of an export as CSV, Parquet, JSON or netCDF.

    ``forecast.exports.tables.restore`` makes the forecast's own tables and draws of them. The sheets of an Excel file
    are read by ``pandas.read_excel(path, sheet_name=None, keep_default_na=False)``.
    """
    path = Path(path)
    try:
        about, tables = _read(path)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror or error}")) from error
    if about.get("content") != CONTENT:
        raise InputError(Problem(str(path), "is no export as csv, parquet, json or netcdf"))
    return about, tables


def _read(path: Path) -> tuple[dict[str, str], Tables]:
    if path.is_dir():
        return read_json(path / METADATA), {p.stem: _read_file(p) for p in _files(path)}
    with path.open("rb") as stream:
        first = stream.read(4)
    if first == b"\x89HDF":
        return _read_netcdf(path)
    whole = read_json(path) if first[:1] == b"{" else {}
    tables = {name: typed(pd.DataFrame(columns)) for name, columns in whole.get("tables", {}).items()}
    return whole.get("metadata", {}), tables


def _files(folder: Path) -> list[Path]:
    named = (folder / f"{name}.{format}" for name in (*LAYOUTS, "draws") for format in FOLDERS)
    return [path for path in named if path.exists()]


def _read_file(path: Path) -> pd.DataFrame:
    return read_csv(path)[1] if path.suffix == ".csv" else typed(pd.read_parquet(path))


def _read_netcdf(path: Path) -> tuple[dict[str, str], Tables]:
    import xarray as xr  # noqa: PLC0415

    with xr.open_datatree(path, engine="netcdf4") as tree:
        groups = {name: node.to_dataset().load() for name, node in tree.children.items()}
        about = {str(key): str(value) for key, value in tree.attrs.items()}
        return about, {k: draws_table(v) if k == "draws" else from_arrays(v) for k, v in groups.items()}
