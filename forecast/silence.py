"""Days that nobody looked at: a forecast made after them would take them as days on which nothing came.

In each open proceeding silence counts up to its ``observed_until`` and no further. The record as a whole says nothing
of days after ``complete_until``. An origin after it is refused unless silence is assumed in so many words; it is then
assumed in every open proceeding, from the day on which it was last looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from forecast.files import InputError, Problem
from forecast.record import Record


@dataclass(frozen=True)
class Silence:
    """Days that nobody looked at, up to an origin after the record's last complete day.

    ``complete_until``: that day. ``days``: from it to the origin. ``open_proceedings``: open at the origin as the
    record knows them. ``proceeding_days``: days from ``observed_until`` to the origin, summed over these.
    """

    complete_until: date
    days: int
    open_proceedings: int
    proceeding_days: int

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in a manifest, under ``assumed_silence``."""
        return {
            "complete_until": str(self.complete_until),
            "days": self.days,
            "open_proceedings": self.open_proceedings,
            "proceeding_days": self.proceeding_days,
        }


def silence_of(record: Record, day: date) -> Silence | None:
    """Return what an origin on ``day`` would assume about days that nobody looked at; ``None`` within the record."""
    last = record.complete_until
    if day <= last:
        return None
    cases = record.as_of(day).proceedings
    observed = cases.loc[cases["closed_on"].isna(), "observed_until"]
    return Silence(last, (day - last).days, len(observed), int((pd.Timestamp(day) - observed).dt.days.sum()))


def require_covered(record: Record, day: date, place: str, *, assume_silence: bool = False) -> None:
    """Raise ``InputError`` where ``day`` lies after the record's last complete day, unless silence is assumed.

    ``place``: what gave the day, such as ``origin``.
    """
    silence = silence_of(record, day)
    if silence is None or assume_silence:
        return
    last = silence.complete_until
    what = (
        f"{day} lies {in_words(silence.days, 'day')} after {last}, to which the record is complete: it does not say "
        f"what happened since in {in_words(silence.open_proceedings, 'open proceeding')}, which were last looked at "
        f"{_on_average(silence)} before {day} on average. Add what was published since, choose a day up to {last}, or "
        "assume that nothing happened (--assume-silence; in Python assume_silence=True)"
    )
    raise InputError(Problem(place, what))


def _on_average(silence: Silence) -> str:
    return in_words(round(silence.proceeding_days / max(silence.open_proceedings, 1)), "day")


def require_past(day: date, place: str, today: date | None = None) -> None:
    """Raise ``InputError`` where an origin lies in the future, as a misspelt year in a new event makes it.

    A day is allowed beyond ``today`` (by default that of this machine's clock), for time zones. In Python the records
    of simulated worlds may reach further; the command line reads records of what happened.
    """
    now = today or date.today()
    if day > now + timedelta(days=1):
        what = f"{day} lies in the future: today is {now}, and nothing published later can be known"
        raise InputError(Problem(place, f"{what}; forecast whatif takes supposed events"))


def assumption(manifest: Mapping[str, Any]) -> str:
    """Return the sentence that says which silence a result assumes, from its manifest; empty where it assumes none."""
    told = manifest.get("assumed_silence")
    if not told:
        return ""
    until = date.fromisoformat(told["complete_until"]) + timedelta(days=told["days"])
    return (
        f"Assumed silence: the record is complete to {told['complete_until']}; that nothing came since in "
        f"{in_words(told['open_proceedings'], 'open proceeding')}, up to {until}, is an assumption about "
        f"{in_words(told['proceeding_days'], 'day')} of proceedings that nobody looked at."
    )


def in_words(number: int, thing: str) -> str:
    """Return a count with its noun: ``1 day``, ``297 days``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
