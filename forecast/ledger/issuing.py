"""Issuing a forecast: from a saved folder to an entry, once and for good."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

from forecast.files import InputError, Problem, fingerprint
from forecast.folders import MANIFEST
from forecast.forecasting import load
from forecast.ledger.chain import Clock, Draft, Entry, Ledger, append, utc_now
from forecast.ledger.packaged import own_ledger
from forecast.ledger.questions import Material, material
from forecast.ledger.tables import parquet
from forecast.progress import working
from forecast.settings import is_whole

LEDGER = "ledger"
"""Folder of a ledger where none is named."""
MOST_GRACE = 3650
"""Most days that may be left for publication."""


@working("Issuing")
def issue(folder: Path | str, ledger: Path | str = LEDGER, *, grace_days: int = 0, clock: Clock = utc_now) -> Entry:
    """Enter a saved forecast into a ledger, which is begun where there is none, and return its entry.

    What is entered: every number with its target, every target with its rule, and what the brief and the plain
    baselines say of the same targets. ``ledger``: as in ``resolve``. ``grace_days``: days after a deadline until
    silence counts as an answer, for publication. ``clock`` gives the time of the entry; a forecast may be issued late,
    and the entry says how late.

    Raises ``InputError`` if the folder holds no whole forecast, if a target has no usable rule, if the ledger was
    tampered with, or if the same numbers were issued before.
    """
    if not is_whole(grace_days) or not 0 <= grace_days <= MOST_GRACE:
        raise InputError(Problem("grace", f"{grace_days!r} days; a whole number from 0 to {MOST_GRACE} was expected"))
    forecast = load(folder)
    issued = material(forecast, grace_days)
    origin = date.fromisoformat(forecast.manifest["origin"])
    files = dict([_forecasts(issued, origin), _targets(issued, origin)])
    said = [forecast.manifest["matter"], str(origin), *(row for row in issued.rows if row.model_id == "forecast")]
    identity = fingerprint(json.dumps(said, allow_nan=False).encode())
    about = {
        "matter": forecast.manifest["matter"],
        "origin_date": str(origin),
        "view": forecast.manifest["view"],
        "forecast_sha256": identity,
        "manifest_sha256": fingerprint((Path(folder) / MANIFEST).read_bytes()),
        "manifest": forecast.manifest,
        "grace_days": grace_days,
        "models": sorted({row.model_id for row in issued.rows}),
        "not_issued": list(issued.skipped),
    }

    def build(known: Ledger, now: datetime) -> Draft:
        _refuse_twice(known, identity, folder)
        return Draft("issue", about | _timing(issued, origin, now.date()), files)

    entry = append(own_ledger(ledger), build, clock)
    assert entry is not None  # a build that always makes a draft
    return entry


def _refuse_twice(ledger: Ledger, identity: str, folder: Path | str) -> None:
    for entry in ledger.of("issue"):
        if entry.body["forecast_sha256"] == identity:
            what = f"was issued before: entry {entry.index} of {entry.time} holds the same numbers, {identity[:12]}"
            raise InputError(Problem(str(folder), what))


def _timing(issued: Material, origin: date, today: date) -> dict[str, Any]:
    """Say how late a forecast is issued, and how many answers could be known already."""
    until = [date.fromisoformat(question.rule["until"]) for question in issued.questions]
    return {
        "issued_on": str(today),
        "days_after_origin": (today - origin).days,
        "targets": len(until),
        "manual_targets": sum(question.rule["rule"] == "manual" for question in issued.questions),
        "targets_past_deadline": sum(day < today for day in until),
        "first_deadline": str(min(until)),
        "last_deadline": str(max(until)),
    }


def _forecasts(issued: Material, origin: date) -> tuple[str, bytes]:
    return parquet("forecasts", ((row.model_id, origin, *row[1:]) for row in issued.rows), origin)


def _targets(issued: Material, origin: date) -> tuple[str, bytes]:
    rows = (
        (origin, *question[:-1], date.fromisoformat(question.rule["until"]), json.dumps(question.rule, sort_keys=True))
        for question in issued.questions
    )
    return parquet("targets", rows, origin)
