"""Resolving: every issued target against a record, again and again; what changed becomes a new version, named with why.

Nothing is ever overwritten. An answer that a correction, a ruling, a late publication or a better source changes gets
the next version, which holds the old answer beside the new one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from forecast.files import InputError, Problem, fingerprint, read_regular
from forecast.ledger.answers import asked, read_answers
from forecast.ledger.chain import Clock, Draft, Entry, Ledger, append, newest_number, open_ledger, utc_now
from forecast.ledger.issuing import LEDGER
from forecast.ledger.log import Log, Rule
from forecast.ledger.packaged import own_ledger
from forecast.ledger.rules import Answer, answer
from forecast.ledger.tables import COLUMNS, newest, parquet, targets_issued
from forecast.progress import working
from forecast.record import Record, as_day, load_record
from forecast.sheets import MOST_BYTES

BY_HAND = "by hand"
FIRST, DUE, REOPENED, CORRECTION, RULING, LATE = (
    "first", "deadline", "reopened", "correction", "ruling", "late publication",
)  # fmt: skip
"""Why a version came: the first answer; the deadline of an early one passed; the record no longer decides it; an event
that it rested on was corrected; a court ruled on a fine; something was published late. And ``by hand``."""
Key = tuple[int, str, int, str]
"""Number of the issuing entry, target, horizon, location."""


@dataclass(frozen=True, repr=False)
class Resolution:
    """What one run of ``resolve`` found. ``entry`` is ``None`` where nothing had changed; ``changes``: new versions."""

    ledger: Ledger
    entry: Entry | None
    known_on: date
    changes: pd.DataFrame

    def __repr__(self) -> str:
        return f"<Resolution as known on {self.known_on}: {len(self.changes)} changes>"


class _Version(NamedTuple):
    """The newest version of an answer."""

    version: int
    answer: Answer
    change: str


NEVER = _Version(0, Answer("open"), "")


@working("Resolving the ledger")
def resolve(
    ledger: Path | str = LEDGER,
    record: Record | Path | str | None = None,
    *,
    as_of: date | str | None = None,
    answers: Path | str | None = None,
    until: int | None = None,
    clock: Clock = utc_now,
) -> Resolution:
    """Answer every issued target from a record, and enter what changed against the newest versions.

    ``ledger``: a folder, or ``track-record``: a copy of the packaged one in the working directory.
    ``record``: a value or a folder; ``None`` takes the packaged one. ``as_of``: what was public by the end of that day
    counts; the record's last publication if none is given, and no later day, for the record says nothing of it.
    ``answers``: a CSV file of answers to manual targets (``forecast.ledger.answers``). ``until``: number of the last
    entry that is read; where there are later ones nothing is entered, and what would have changed is returned.

    Raises ``InputError`` where the ledger was tampered with; where the record lacks proceedings that were asked about,
    or ends before an origin or before what an earlier resolution knew; and with every mistake in ``answers``.
    """
    place = own_ledger(ledger)
    whole = record if isinstance(record, Record) else load_record(record)
    known_on = _known_on(whole, as_of)
    read = open_ledger(place, until=until)
    _require_fit(read, whole, known_on)
    log, made = Log.of(whole, known_on), pd.DataFrame(columns=list(COLUMNS["resolutions"]))

    if until is not None and until < newest_number(place):
        return Resolution(read, None, known_on, _changes(read, log, answers, clock().date()))

    def build(known: Ledger, now: datetime) -> Draft | None:
        nonlocal made
        _require_fit(known, whole, known_on)
        made = _changes(known, log, answers, now.date())
        if made.empty:
            return None
        said = {
            "known_on": str(known_on),
            "record_fingerprint": log.record.fingerprint,
            "answers_sha256": fingerprint(read_regular(Path(answers), MOST_BYTES)) if answers else None,
            "changes": len(made),
            "by_change": dict(sorted(Counter(made["change"]).items())),
            "by_status": dict(sorted(Counter(made["status"]).items())),
        }
        return Draft("resolution", said, dict([parquet("resolutions", made.itertuples(index=False, name=None))]))

    entry = append(place, build, clock)
    return Resolution(open_ledger(place), entry, known_on, made)


def _known_on(record: Record, as_of: date | str | None) -> date:
    last = record.complete_until
    if record.events.empty:
        raise InputError(Problem("record", "has no events: nothing can be answered from it"))
    day = last if as_of is None else as_day(as_of)
    if day > last:
        what = f"{day} lies after the record's last complete day, {last}: it cannot say what had not happened by then"
        raise InputError(Problem("as-of", what))
    return day


def _require_fit(ledger: Ledger, record: Record, known_on: date) -> None:
    """Raise ``InputError`` where a record is another one, or older than the ledger."""
    problems, cases = [], set(record.proceedings["case_id"])
    for entry in ledger.of("issue"):
        origin, place = entry.body["origin_date"], f"entry {entry.index}, origin {entry.body['origin_date']}"
        if str(known_on) < origin:
            what = f"the record is older than this forecast: it is read as of {known_on}"
            problems.append(Problem(place, what))
    targets = targets_issued(ledger)
    for number, rows in targets.groupby("entry"):
        missing = sorted({case for rule in rows["rule"] for case in json.loads(rule).get("cases", ())} - cases)
        if missing:
            some = ", ".join(missing[:5]) + (" and others" if len(missing) > 5 else "")
            what = f"asks about {len(missing)} proceedings that are not in the record: {some}"
            problems.append(Problem(f"entry {number}", what))
    for entry in ledger.of("resolution")[-1:]:
        if str(known_on) < entry.body["known_on"]:
            what = f"knew the record as of {entry.body['known_on']}; this one is read as of {known_on}, which is older"
            problems.append(Problem(f"entry {entry.index}", what))
    if problems:
        raise InputError(problems)


def _changes(ledger: Ledger, log: Log, file: Path | str | None, today: date) -> pd.DataFrame:
    """Return a row for every target whose answer is not what its newest version says."""
    targets = targets_issued(ledger)
    rules = [json.loads(rule) for rule in targets["rule"]]
    by_place = [asked(row, rule) for row, rule in zip(targets.itertuples(), rules, strict=True)]
    given = read_answers(file, by_place, today) if file else {}
    versions = _versions(newest(ledger))
    rows = []
    for row, rule, place in zip(targets.itertuples(), rules, by_place, strict=True):
        key: Key = (int(row.entry), row.target, int(row.horizon), row.location)
        old, hand = versions.get(key, NEVER), given.get(place.place)
        if hand is None and old.change == BY_HAND:
            continue
        new, known_on = (answer(rule, log), log.known_on) if hand is None else (hand, today)
        if not _same(old.answer, new):
            change = _change(rule, old, new, log) if hand is None else BY_HAND
            rows.append(_row(key, row.origin_date.date(), old, new, change, known_on))
    return pd.DataFrame(rows, columns=list(COLUMNS["resolutions"]))


def _versions(rows: pd.DataFrame) -> Mapping[Key, _Version]:
    found = {}
    for row in rows.itertuples():
        known = Answer(row.status, row.outcome, row.value, tuple(row.evidence.split("; ")) if row.evidence else ())
        found[int(row.entry), row.target, int(row.horizon), row.location] = _Version(row.version, known, row.change)
    return found


def _same(old: Answer, new: Answer) -> bool:
    values = old.value == new.value or (pd.isna(old.value) and pd.isna(new.value))
    return old.status == new.status and old.outcome == new.outcome and bool(values)


def _change(rule: Rule, old: _Version, new: Answer, log: Log) -> str:
    """Say what kind of change it is."""
    if old.version == 0:
        return FIRST
    if new.status == "open":
        return REOPENED
    was, now = set(old.answer.evidence), set(new.evidence)
    if old.answer.status == "early" and new.status == "resolved" and was == now:
        return DUE
    if was - now - set(log.record.events["event_id"]) - _rulings(rule, was | now):
        return CORRECTION
    return RULING if _rulings(rule, was ^ now) else LATE


def _rulings(rule: Rule, evidence: Iterable[str]) -> set[str]:
    """Return the rows of evidence that are rulings: of fines left alone, each after the fine that it is about."""
    return {row for row in evidence if " " in row} if rule.get("left") else set()


def _row(key: Key, origin: date, old: _Version, new: Answer, change: str, known_on: date) -> tuple[Any, ...]:
    return (
        key[0], origin, *key[1:], old.version + 1, new.status, new.outcome, new.value, old.answer.status,
        old.answer.outcome, old.answer.value, change, new.reason or _reason(new), "; ".join(new.evidence), known_on,
    )  # fmt: skip


def _reason(new: Answer) -> str:
    if new.evidence:
        return "by " + "; ".join(new.evidence[:3]) + (" and others" if len(new.evidence) > 3 else "")
    return "nothing in the record by the deadline" if new.status == "resolved" else "no longer decided by the record"
