"""The record: proceedings, dated events, fines and figures, and what of it was public on a given day.

`load_record` reads and checks a folder, `Record.as_of` cuts a record to a day, `save_record` writes it.
Amounts are in EUR unless the column says otherwise, users in millions a month, ceilings in shares of the
worldwide turnover of a year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path

import pandas as pd

from forecast.files import InputError, Problem, did_you_mean, fingerprint, whole_folder
from forecast.record_checks import End, Sheet, as_cells, check, no_rows, read_sheet
from forecast.record_cuts import APPEAL_DEADLINE_DAYS, known_cases, known_fines, until_day
from forecast.record_tables import REQUIRED_TABLES, TABLES
from forecast.record_text import csv_text, row_order

__all__ = ["APPEAL_DEADLINE_DAYS", "Record", "as_day", "load_record", "ordered", "save_record", "validate_record"]

ABOUT = "about.yaml"
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Nine tables, one frame each, the day to which they are complete, and the day to which they were cut.

    Days are ``datetime64[us]`` (missing: NaT), numbers ``float64`` (missing: NaN), years and counts among
    them; texts are ``str`` and a missing text is ``""``, never NaN. The frames have a plain range index and,
    after `load_record`, the same order of rows whatever the order in the files. ``events.supersedes`` is
    always there. Treat the frames as values: copy one before changing it.

    ``complete_until``: last day on which anybody looked for what was published. ``proceedings.observed_until``: the
    same of one proceeding, at most ``complete_until``; that nothing happened is known up to this day and no further.
    It is always filled: where nothing is given, and in closed proceedings, which need no looking at, it is
    ``complete_until``.

    Two records are equal if their fingerprints are; ``as_of_date`` and ``title`` are no part of that.
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
    complete_until: date
    as_of_date: date | None = None
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "proceedings", _observed(self.proceedings, self.complete_until))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of ``complete_until`` and the canonical text of all tables, which no order of rows changes."""
        texts = (f"{name}\n{csv_text(name, getattr(self, name), self.complete_until)}" for name in TABLES)
        return fingerprint("\n".join((f"complete_until {self.complete_until}", *texts)).encode())

    @cached_property
    def logs(self) -> dict[str, tuple[pd.Timestamp, pd.Timestamp, list[list]]]:
        """``opened_on``, ``closed_on`` and events (date, event_id, type, scope; in this order) of each proceeding."""
        cases = (self.proceedings[name] for name in ("case_id", "opened_on", "closed_on"))
        logs: dict = {case: (opened, closed, []) for case, opened, closed in zip(*cases, strict=True)}
        events = (self.events[name] for name in ("date", "event_id", "type", "scope", "case_id"))
        for *event, case in sorted(zip(*events, strict=True)):
            logs[case][-1].append(event)
        return logs

    @cached_property
    def _observed(self) -> dict[str, pd.Timestamp]:
        return dict(zip(self.proceedings["case_id"], self.proceedings["observed_until"], strict=True))

    def counted_until(self, case: str, origin: date) -> pd.Timestamp:
        """Return the last day on which it counts, at an origin, that nothing happened in an open proceeding.

        That is ``observed_until``, and never after the origin. An origin after ``complete_until`` is only taken where
        silence is assumed (`forecast.silence.require_covered`): there it is the origin.
        """
        day = pd.Timestamp(origin)
        return day if origin > self.complete_until else min(day, self._observed[case])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        cases, days = self.proceedings, self.events["date"]
        still_open = int(cases["closed_on"].isna().sum())
        span = f" from {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}" if len(days) else ""
        cut = f", as of {self.as_of_date}" if self.as_of_date else ""
        complete = f"complete until {self.complete_until}, "
        return (
            f"<Record{cut}: {cases['matter_id'].nunique()} matters, {len(cases)} proceedings "
            f"({still_open} open, {len(cases) - still_open} closed), {len(days)} events{span}, "
            f"{complete}fingerprint {self.fingerprint[:12]}>"
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
        - ``complete_until`` and ``observed_until`` are cut to ``day``: nobody had looked any further.
        - A service is known from its ``designated_on``; a later ``ended_on`` is emptied. Ceilings are law.

        A record that was cut before stays cut: ``as_of(a).as_of(b)`` equals ``as_of(min(a, b))``. A day
        before anything was known gives a record without proceedings.

        ``day`` is a date, a datetime (its calendar day counts) or a text YYYY-MM-DD; else `InputError`.
        """
        last = as_day(day) if self.as_of_date is None else min(as_day(day), self.as_of_date)
        end = pd.Timestamp(last)
        events, proceedings = known_cases(self.events, self.proceedings, end)
        observed = proceedings["observed_until"]
        services = until_day(self.designated_services, end, "designated_on")
        services["ended_on"] = services["ended_on"].where(services["ended_on"] <= end)
        dated = ("users", "valuations", "moderation", "turnover")
        return replace(
            self,
            **{name: until_day(getattr(self, name), end) for name in dated},
            proceedings=proceedings.assign(observed_until=observed.where(observed <= end, end)),
            events=events,
            fines=known_fines(self.fines, events, end),
            designated_services=services,
            complete_until=min(last, self.complete_until),
            as_of_date=last,
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


def _observed(proceedings: pd.DataFrame, complete_until: date) -> pd.DataFrame:
    """Return the proceedings with ``observed_until`` filled as `Record` says."""
    end = pd.Timestamp(complete_until)
    given = proceedings.get("observed_until", pd.Series(pd.NaT, proceedings.index)).astype("datetime64[us]")
    days = given.where(given.notna() & proceedings["closed_on"].isna(), end)
    return proceedings.assign(observed_until=days)[list(TABLES["proceedings"].columns)]


def load_record(folder: Path | str | None = None) -> Record:
    """Read and check the record in ``folder``; without one, the record that comes with the package.

    A folder holds ``<table>.csv`` or ``<table>.parquet`` for every table. ``proceedings`` and ``events`` must
    be there; any other table may be absent and is empty then. CSV files are UTF-8 with a header; an empty
    field is missing, and "NA", "None" or "null" are texts like any other. ``about.yaml`` may say the record's title
    and to which day it is complete (see `forecast.record_about`; default: the day of the last published event).

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
    end, title = _about(place, problems)
    return ordered(check(sheets, problems, end=end), end.day if end else None, title)


def _about(place: Path | Traversable, problems: list[Problem]) -> tuple[End | None, str]:
    """Return what ``about.yaml`` says (no end where it cannot be read); what is wrong with it goes to ``problems``."""
    if not (place / ABOUT).is_file():
        return End(None, ABOUT), ""
    from forecast.record_about import read_about  # noqa: PLC0415 - reading YAML is slow to import, and few records need it

    with as_file(place / ABOUT) as path:
        about, where, wrong = read_about(path)
    problems += wrong
    return (End(about.complete_until, where), about.title or "") if about else (None, "")


def validate_record(record: Record) -> None:
    """Check a record that was put together in memory as `load_record` checks files.

    Rows are counted from 1. Raises `InputError` with every problem; a record without proceedings is valid.
    """
    sheets = {}
    for name in TABLES:
        cells = as_cells(getattr(record, name))
        sheets[name] = Sheet(name, f"{name} header", cells.set_axis(range(1, len(cells) + 1)))
    check(sheets, end=End(record.complete_until, "complete_until"))


def save_record(record: Record, folder: Path | str) -> None:
    """Write the record as canonical CSV files and ``about.yaml``: the whole folder or, after an error, nothing of it.

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
    from forecast.record_about import about_text  # noqa: PLC0415 - as in `_about`

    allowed = {ABOUT, *(f"{name}{suffix}" for name in TABLES for suffix in SUFFIXES)}
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in allowed) if path.exists() else []
    if foreign:
        raise InputError(Problem(str(folder), f"holds {foreign[0]!r}, which is no part of a record: not replaced"))
    with whole_folder(path) as scratch:
        for name in TABLES:
            text = csv_text(name, getattr(record, name), record.complete_until)
            (scratch / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
        (scratch / ABOUT).write_text(about_text(record.title, record.complete_until), encoding="utf-8", newline="")


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


def ordered(frames: dict[str, pd.DataFrame], complete_until: date | None = None, title: str = "") -> Record:
    """Return the record of checked frames, their rows in canonical order.

    ``complete_until`` is by default the day of the last published event, of which there must be one then.
    """
    sorted_ = {name: frame.loc[row_order(name, as_cells(frame))] for name, frame in frames.items()}
    plain = {name: frame.reset_index(drop=True) for name, frame in sorted_.items()}
    until = frames["events"]["published_on"].max().date() if complete_until is None else complete_until
    return Record(**plain, complete_until=until, title=title)
