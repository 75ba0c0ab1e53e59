"""The record: proceedings, dated events, fines and figures, and what of it was public on a given day.

`load_record` reads and checks a folder, `Record.as_of` cuts a record to a day, `save_record` writes it.
Amounts are in EUR unless the column says otherwise, users in millions a month, ceilings in shares of the
worldwide turnover of a year.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import pandas as pd

from forecast.files import InputError, Problem, did_you_mean, fingerprint, whole_folder
from forecast.record_checks import Sheet, as_cells, check, no_rows, read_sheet, with_case_days
from forecast.record_tables import REQUIRED_TABLES, RULINGS, TABLES

APPEAL_DEADLINE_DAYS = 90
"""Days after its publication during which a fine's outcome without a date counts as unknown."""

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Nine tables, one frame each, and the day to which they were cut.

    Days are ``datetime64[us]`` (missing: NaT), numbers ``float64`` (missing: NaN), years and counts among
    them; texts are ``str`` and a missing text is ``""``, never NaN. The frames have a plain range index and,
    after `load_record`, the same order of rows whatever the order in the files. ``events.supersedes`` is
    always there. Treat the frames as values: copy one before changing it.

    Two records are equal if their fingerprints are; ``as_of_date`` and ``complete_to`` are no part of that.
    """

    proceedings: pd.DataFrame
    events: pd.DataFrame
    fines: pd.DataFrame
    users: pd.DataFrame
    valuations: pd.DataFrame
    moderation: pd.DataFrame
    turnover: pd.DataFrame
    caps: pd.DataFrame
    designated_services: pd.DataFrame
    as_of_date: date | None = None
    complete_to: date | None = None

    @property
    def last_covered(self) -> date | None:
        """Day of the last event published, or a later one to which a longer record was cut; ``None`` without either."""
        days = [*self.events["published_on"].dropna().dt.date, self.complete_to]
        return max((day for day in days if day is not None), default=None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical CSV text of all tables, which the order of rows does not change."""
        texts = (f"{name}\n{_csv_text(name, getattr(self, name))}" for name in TABLES)
        return fingerprint("\n".join(texts).encode())

    @cached_property
    def logs(self) -> dict[str, tuple[pd.Timestamp, pd.Timestamp, list[list]]]:
        """``opened_on``, ``closed_on`` and events (date, event_id, type, scope; in this order) of each proceeding."""
        cases = (self.proceedings[name] for name in ("case_id", "opened_on", "closed_on"))
        logs: dict = {case: (opened, closed, []) for case, opened, closed in zip(*cases, strict=True)}
        events = (self.events[name] for name in ("date", "event_id", "type", "scope", "case_id"))
        for *event, case in sorted(zip(*events, strict=True)):
            logs[case][-1].append(event)
        return logs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        cases, days = self.proceedings, self.events["date"]
        still_open = int(cases["closed_on"].isna().sum())
        span = f" from {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}" if len(days) else ""
        cut = f", as of {self.as_of_date}" if self.as_of_date else ""
        return (
            f"<Record{cut}: {cases['matter_id'].nunique()} matters, {len(cases)} proceedings "
            f"({still_open} open, {len(cases) - still_open} closed), {len(days)} events{span}, "
            f"fingerprint {self.fingerprint[:12]}>"
        )

    def as_of(self, day: date | str) -> Record:
        """Return what was public by the end of ``day``, judged by ``published_on``.

        - A proceeding is known once an event dated on or after its ``opened_on`` is public; until then it and
          all its events are absent. Events published later are absent.
        - ``closed_on`` is emptied while no event dated on that day (other than ``opened``) is public; where
          there is none at all, the closing counts as public on the day itself.
        - A fine is known from its ``published_on``; its ``event_id`` is emptied while that event is absent.
          An outcome dated later than ``day`` reads ``under_appeal``. The record has no date for the filing
          of an appeal, or for a deadline that passed, so up to `APPEAL_DEADLINE_DAYS` after publication
          every outcome without a public ``outcome_on`` reads ``unknown``. So does, on every day, a ruling
          whose date is not recorded. Where the outcome is withheld, ``amount_after_eur`` is emptied.
        - A service is known from its ``designated_on``; a later ``ended_on`` is emptied. Ceilings are law.

        A record that was cut before stays cut: ``as_of(a).as_of(b)`` equals ``as_of(min(a, b))``. A day
        before anything was known gives a record without proceedings.

        ``day`` is a date, a datetime (its calendar day counts) or a text YYYY-MM-DD; else `InputError`.
        """
        last = as_day(day) if self.as_of_date is None else min(as_day(day), self.as_of_date)
        end = pd.Timestamp(last)
        events, proceedings = _known_cases(self.events, self.proceedings, end)
        services = _until(self.designated_services, end, "designated_on")
        services["ended_on"] = services["ended_on"].where(services["ended_on"] <= end)
        dated = ("users", "valuations", "moderation", "turnover")
        return replace(
            self,
            **{name: _until(getattr(self, name), end) for name in dated},
            proceedings=proceedings,
            events=events,
            fines=_known_fines(self.fines, events, end),
            designated_services=services,
            as_of_date=last,
            complete_to=min(last, self.last_covered or last),
        )

    def in_force(self) -> Record:
        """Return the record without the events that a correction in it supersedes."""
        superseded = self.events["event_id"].isin(self.events["supersedes"])
        return replace(self, events=self.events[~superseded].reset_index(drop=True))


def as_day(day: date | str) -> date:
    """Return the calendar day of a date, a datetime or a text YYYY-MM-DD; else raise `InputError`."""
    if isinstance(day, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        try:
            return date.fromisoformat(day)
        except ValueError as error:
            raise InputError(Problem("day", f"{day!r} is not a day of the calendar: {error}")) from None
    if isinstance(day, datetime) and day is not pd.NaT:
        return day.date()
    if isinstance(day, date) and day is not pd.NaT:
        return day
    raise InputError(Problem("day", f"{day!r} is not a day; a date, or a text YYYY-MM-DD, was expected"))


def _until(frame: pd.DataFrame, end: pd.Timestamp, column: str = "published_on") -> pd.DataFrame:
    return frame[frame[column] <= end].reset_index(drop=True)


def _known_cases(
    events: pd.DataFrame, proceedings: pd.DataFrame, end: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the events and the proceedings that were public by ``end``."""
    dated = with_case_days(events, proceedings)
    public = events["published_on"] <= end
    observed = set(events.loc[public & (dated["date"] >= dated["opened_on"]), "case_id"])
    closing = (dated["date"] == dated["closed_on"]) & (events["type"] != "opened")
    announced = set(events.loc[closing, "case_id"])
    ended = set(events.loc[closing & public, "case_id"])

    known = proceedings[proceedings["case_id"].isin(observed)].reset_index(drop=True)
    names = known["case_id"]
    is_public = (known["closed_on"] <= end) & (names.isin(ended) | ~names.isin(announced))
    known["closed_on"] = known["closed_on"].where(is_public)

    shown = events[public & events["case_id"].isin(observed)].reset_index(drop=True)
    shown["supersedes"] = shown["supersedes"].where(shown["supersedes"].isin(shown["event_id"]), "")
    return shown, known


def _known_fines(fines: pd.DataFrame, events: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """Return the fines that were public by ``end``, with what was public of their outcomes."""
    known = _until(fines, end)
    dated, pending = known["outcome_on"] <= end, known["outcome_on"] > end
    fresh = known["published_on"] >= end - pd.Timedelta(days=APPEAL_DEADLINE_DAYS)
    unplaced = ~dated & ~pending & known["outcome"].isin(RULINGS)
    unknown = unplaced | (fresh & ~dated)
    known["outcome"] = known["outcome"].mask(pending, "under_appeal").mask(unknown, "unknown")
    known["amount_after_eur"] = known["amount_after_eur"].mask(pending | unknown)
    known["outcome_on"] = known["outcome_on"].where(dated)
    known["event_id"] = known["event_id"].where(known["event_id"].isin(events["event_id"]), "")
    return known


def load_record(folder: Path | str | None = None) -> Record:
    """Read and check the record in ``folder``; without one, the record that comes with the package.

    A folder holds ``<table>.csv`` or ``<table>.parquet`` for every table. ``proceedings`` and ``events`` must
    be there; any other table may be absent and is empty then. CSV files are UTF-8 with a header; an empty
    field is missing, and "NA", "None" or "null" are texts like any other.

    Raises
    ------
    InputError
        If the folder or a table is missing, a file is unknown or unreadable, or any cell or rule is violated:
        with every problem of every file, each with its row and column.
    """
    place = Path(folder) if folder is not None else files("forecast") / "data"
    if not place.is_dir():
        raise InputError(Problem(str(place), "is not a folder; the folder of a record was expected"))
    sources, problems = _sources(place)
    sheets: dict[str, Sheet] = {}
    for name in TABLES:
        if name in sources:
            sheet, wrong = read_sheet(sources[name])
            problems += wrong
            if sheet is not None:
                sheets[name] = sheet
                if name in REQUIRED_TABLES and sheet.cells.empty and not wrong:
                    problems.append(Problem(sheet.source, "has a header but no rows"))
        elif name not in REQUIRED_TABLES:
            sheets[name] = no_rows(name)
    return ordered(check(sheets, problems))


def validate_record(record: Record) -> None:
    """Check a record that was put together in memory as `load_record` checks files.

    Rows are counted from 1. Raises `InputError` with every problem; a record without proceedings is valid.
    """
    sheets = {}
    for name in TABLES:
        cells = as_cells(getattr(record, name))
        sheets[name] = Sheet(name, f"{name} header", cells.set_axis(range(1, len(cells) + 1)))
    check(sheets)


def save_record(record: Record, folder: Path | str) -> None:
    """Write the record as canonical CSV files: the whole folder or, after an error, nothing of it.

    `load_record` gives an equal record back; ``as_of_date`` is not written. An older record in ``folder`` is
    replaced as a whole.

    Raises
    ------
    InputError
        If ``folder`` is a file or holds anything but a record, or the record has no proceedings.
    """
    path = Path(folder).resolve()
    if record.proceedings.empty:
        raise InputError(Problem(str(folder), "a record without proceedings cannot be read again: not saved"))
    if path.exists() and not path.is_dir():
        raise InputError(Problem(str(folder), "is a file; a folder was expected"))
    allowed = {f"{name}{suffix}" for name in TABLES for suffix in SUFFIXES}
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in allowed) if path.exists() else []
    if foreign:
        raise InputError(Problem(str(folder), f"holds {foreign[0]!r}, which is no part of a record: not replaced"))
    with whole_folder(path) as scratch:
        for name in TABLES:
            text = _csv_text(name, getattr(record, name))
            (scratch / f"{name}.csv").write_text(text, encoding="utf-8", newline="")


def _sources(folder: Path | Traversable) -> tuple[dict[str, Path | Traversable], list[Problem]]:
    """Return the file of every table in ``folder``, and what is wrong with the names in it."""
    sources, problems = {}, []
    known = [f"{name}{suffix}" for name in TABLES for suffix in SUFFIXES]
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name, _, _ = entry.name.rpartition(".")
        if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
            continue
        if entry.name not in known:
            problems.append(Problem(entry.name, f"is no table of a record{did_you_mean(entry.name, known)}"))
        elif name in sources:
            problems.append(Problem(entry.name, f"{name}.csv is there too; one file per table was expected"))
        else:
            sources[name] = entry
    for name in REQUIRED_TABLES:
        if name not in sources:
            problems.append(Problem(f"{name}.csv", f"neither it nor {name}.parquet is in the folder"))
    return sources, problems


def ordered(frames: dict[str, pd.DataFrame]) -> Record:
    """Return the record of checked frames, their rows in canonical order."""
    sorted_ = {name: frame.loc[_row_order(name, as_cells(frame))] for name, frame in frames.items()}
    plain = {name: frame.reset_index(drop=True) for name, frame in sorted_.items()}
    return Record(**plain, as_of_date=None)


def _row_order(name: str, cells: pd.DataFrame) -> list:
    """Return the index of ``cells`` in canonical order: by the table's own columns, then by all others."""
    first = TABLES[name].order
    rest = [column for column in TABLES[name].columns if column not in first]
    rows = zip(*(cells[column] for column in (*first, *rest)), cells.index, strict=True)
    return [row[-1] for row in sorted(rows)]


def _csv_text(name: str, frame: pd.DataFrame) -> str:
    cells = as_cells(frame[list(TABLES[name].columns)])
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(cells.columns)
    writer.writerows(cells.loc[_row_order(name, cells)].itertuples(index=False))
    return buffer.getvalue()
