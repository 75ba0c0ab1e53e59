"""The Parquet files of a ledger, and the questions that DuckDB answers from them.

Forecasts are in the long format of the hubverse (https://docs.hubverse.io), with its ``model_id`` in front: the
forecast itself, the analyst's brief and the plain baselines are models of the same targets. A yes/no target is a
``pmf`` over ``yes`` and ``no``, a class one over its classes; an amount, count or date has ``quantile`` levels. Files
are read by the names that verified entries give them, never by a pattern: what no entry names is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.files import fingerprint
from forecast.ledger.chain import Ledger
from forecast.ledger.schema import COLUMNS

__all__ = [
    "COLUMNS", "KEY", "LEVELS", "Question", "Row", "newest", "parquet", "pmf", "quantiles", "resolved_rows", "standing",
    "targets_issued",
]  # fmt: skip

KEY = ("target", "horizon", "location")
"""What names a target within one issued forecast; ``horizon`` in months after the origin date."""


class Question(NamedTuple):
    """One target: its place, unit, and the rule by which it resolves (``forecast.ledger.rules``)."""

    target: str
    horizon: int
    location: str
    matter_id: str
    unit: str
    output_type: str
    rule: dict[str, Any]


class Row(NamedTuple):
    """One number of a forecast."""

    model_id: str
    target: str
    horizon: int
    location: str
    output_type: str
    output_type_id: str
    value: float


LEVELS = (0.01, 0.025, *(round(0.05 * k, 2) for k in range(1, 20)), 0.975, 0.99)
"""Levels at which quantiles of joint draws are issued: the 23 that forecast hubs ask for."""


def pmf(model_id: str, question: Question, counts: Mapping[str, int]) -> list[Row]:
    """Return the probabilities of a target's categories from counts of draws: ``(count + 1/2) / (n + K/2)``.

    The mean under Jeffreys's prior over K categories: no probability that draws can show is ever 0 or 1, so no score is
    ever infinite; the difference from the share of draws is less than ``1 / n``.
    """
    total = sum(counts.values()) + len(counts) / 2
    return [Row(model_id, *question[:3], "pmf", name, (n + 0.5) / total) for name, n in counts.items()]


def quantiles(model_id: str, question: Question, draws: np.ndarray, levels: Sequence[float] = LEVELS) -> list[Row]:
    """Return the quantiles of a target's draws."""
    values = np.quantile(draws, levels)
    return [Row(model_id, *question[:3], "quantile", f"{q:g}", float(v)) for q, v in zip(levels, values, strict=True)]


def parquet(place: str, rows: Iterable[Iterable[Any]], origin: date | None = None) -> tuple[str, bytes]:
    """Return name and bytes of a Parquet file: named by its content, the same bytes for the same rows.

    ``rows`` in the order of ``COLUMNS[place]``.
    """
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet as pq  # noqa: PLC0415

    kinds = {"string": pa.string(), "date32": pa.date32(), "int32": pa.int32(), "float64": pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS[place].items()])
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    folder = f"{place}/origin_date={origin}" if origin else place
    return f"{folder}/{fingerprint(content)[:16]}.parquet", content


LATEST = """
    SELECT * FROM read_parquet($resolutions, hive_partitioning = false)
    QUALIFY row_number() OVER (PARTITION BY entry, target, horizon, location ORDER BY version DESC) = 1
"""
ASKED = """
    SELECT e.entry, e.issued_on, t.* EXCLUDE (filename)
    FROM read_parquet($targets, filename = true, hive_partitioning = false) t
    JOIN entries e ON e.targets = parse_filename(t.filename)
"""
SAID = """
    SELECT e.entry, f.* EXCLUDE (filename)
    FROM read_parquet($forecasts, filename = true, hive_partitioning = false) f
    JOIN entries e ON e.forecasts = parse_filename(f.filename)
"""
STANDING = f"""
    WITH asked AS ({ASKED}), latest AS ({LATEST})
    SELECT a.*, coalesce(l.status, 'open') AS status, l.outcome, l.value AS observed, l.evidence, l.version, l.known_on
    FROM asked a LEFT JOIN latest l USING (entry, target, horizon, location)
    ORDER BY a.entry, a.target, a.horizon, a.location
"""
SCORED = f"""
    WITH said AS ({SAID}), asked AS ({ASKED}), latest AS ({LATEST})
    SELECT s.entry, a.issued_on, s.origin_date, s.target, s.horizon, s.location, a.matter_id, a.unit, a.until,
           s.model_id, s.output_type, s.output_type_id, s.value, l.outcome, l.value AS observed, l.evidence
    FROM said s JOIN asked a USING (entry, target, horizon, location)
                JOIN latest l USING (entry, target, horizon, location)
    WHERE l.status = 'resolved'
    ORDER BY s.entry, s.target, s.horizon, s.location, s.model_id, s.output_type, s.output_type_id
"""


def targets_issued(ledger: Ledger) -> pd.DataFrame:
    """Return every issued target, with the number of its entry and the day of its issue."""
    return _asked(f"{ASKED} ORDER BY e.entry, t.target, t.horizon, t.location", ledger)


def newest(ledger: Ledger) -> pd.DataFrame:
    """Return the newest version of every resolution; no rows where nothing was ever resolved."""
    return _asked(f"{LATEST} ORDER BY entry, target, horizon, location", ledger)


def standing(ledger: Ledger) -> pd.DataFrame:
    """Return every issued target with the newest version of its resolution: ``open`` where there is none."""
    return _asked(STANDING, ledger)


def resolved_rows(ledger: Ledger) -> pd.DataFrame:
    """Return every number that was issued of a target that has resolved, beside what came."""
    return _asked(SCORED, ledger)


def _asked(query: str, ledger: Ledger) -> pd.DataFrame:
    """Return the answer to a query over the files that the ledger's entries name."""
    import duckdb  # noqa: PLC0415

    issues = ledger.of("issue")
    places = {place: [entry.file(place) for entry in issues] for place in ("forecasts", "targets")}
    entries = pd.DataFrame({"entry": [e.index for e in issues], "issued_on": [e.body["issued_on"] for e in issues]})
    entries = entries.assign(**{place: [Path(name).name for name in names] for place, names in places.items()})
    places["resolutions"] = [entry.file("resolutions") for entry in ledger.of("resolution")]
    # Two entries may bring the same targets and so name one file: it is read once, and joined to both.
    files = {p: sorted({_literal(str(ledger.folder / name)) for name in names}) for p, names in places.items()}
    with duckdb.connect() as connection:
        connection.register("entries", entries)
        if not files["resolutions"]:
            connection.execute(f"CREATE TABLE nothing ({', '.join(f'{c} {k}' for c, k in _sql_types())})")
            query = query.replace("read_parquet($resolutions, hive_partitioning = false)", "nothing")
        wanted = {name: names for name, names in files.items() if f"${name}" in query}
        return connection.execute(query, wanted).df()


def _literal(name: str) -> str:
    """Return a name that DuckDB reads as it stands, and not as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _sql_types() -> list[tuple[str, str]]:
    kinds = {"string": "VARCHAR", "date32": "DATE", "int32": "INTEGER", "float64": "DOUBLE"}
    return [(name, kinds[kind]) for name, kind in COLUMNS["resolutions"].items()]
