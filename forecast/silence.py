"""Days that a record says nothing of: a forecast made after them takes them as days on which nothing came.

A record is complete to the day of its last publication and says nothing of later ones. An origin after it counts days
on which nobody looked as evidence that nothing happened, so it is refused unless silence is assumed in so many words.
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
    """Days without any publication up to an origin, and the proceedings open then.

    ``last_publication``: the day of the record's last publication, or a later one to which a longer record was cut.
    ``days``: from it to the origin. ``open_proceedings``: open at the origin as the record knows them.
    """

    last_publication: date
    days: int
    open_proceedings: int

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in a manifest, under ``assumed_silence``."""
        return {
            "last_publication": str(self.last_publication),
            "days": self.days,
            "open_proceedings": self.open_proceedings,
        }


def silence_of(record: Record, day: date) -> Silence | None:
    """Return what an origin on ``day`` would assume about the days after the record's end; ``None`` within it."""
    last = record.last_covered
    if last is None or day <= last:
        return None
    return Silence(last, (day - last).days, int(record.as_of(day).proceedings["closed_on"].isna().sum()))


def require_covered(record: Record, day: date, place: str, *, assume_silence: bool = False) -> None:
    """Raise ``InputError`` where ``day`` lies after the record's end, unless silence is assumed.

    ``place``: what gave the day, such as ``origin``.
    """
    silence = silence_of(record, day)
    if silence is None or assume_silence:
        return
    published = record.events["published_on"].max()
    cut = pd.isna(published) or published.date() < silence.last_publication
    end = "the day to which the record was cut" if cut else "the record's last publication"
    what = (
        f"{day} lies {in_words(silence.days, 'day')} after {end}, {silence.last_publication}: the record does not say "
        f"what happened since in {in_words(silence.open_proceedings, 'open proceeding')}. Add what was published "
        f"since, choose a day up to {silence.last_publication}, or assume that nothing happened (--assume-silence; in "
        "Python assume_silence=True)"
    )
    raise InputError(Problem(place, what))


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
    until = date.fromisoformat(told["last_publication"]) + timedelta(days=told["days"])
    return (
        f"Assumed silence: the record's last publication is of {told['last_publication']}; that nothing came in the "
        f"{in_words(told['days'], 'day')} from then to {until} in "
        f"{in_words(told['open_proceedings'], 'open proceeding')} is an assumption."
    )


def in_words(number: int, thing: str) -> str:
    """Return a count with its noun: ``1 day``, ``297 days``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
