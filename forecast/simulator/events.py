"""How proceedings live: day by day, each with at most one event a day.

On a day on which a proceeding is at risk an event of family e comes with probability ``h[e] / DAYS_PER_MONTH`` (times
what the statements say of a first event), and none with the rest: the day's families exclude each other. So the
expected number of events of a family is exactly the sum of its hazard over the days at risk. That is where the
likelihood's Poisson score, ``count - months * hazard``, has mean zero, so parameters fitted to a world are centred at
its truth. Survival, ``prod(1 - p)``, lies below ``exp(-sum p)`` by at most ``p / (2 e)`` for a
constant p: by 0.005 at ten events a year, by 0.0005 at one.

Of a focal matter at most one first event of a stated family comes on one day: where two proceedings draw one on the
same day, the one with the lower number keeps it. That, too, is of second order in a day's probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from forecast.regime import Regime
from forecast.simulator.design import Openings
from forecast.simulator.hazards import Law, Lives, Truth, hazards, year_of
from forecast.vocabulary import DAYS_PER_MONTH


class Event(NamedTuple):
    """One event: its day (an ordinal), its proceeding (position in the lives), and its family's index."""

    day: int
    row: int
    family: int


@dataclass
class Level:
    """Where first events of stated families stand, for independent copies of one focal matter.

    ``ends``: family -> last days (ordinals) of the intervals of its statement; the last interval goes on for ever.
    ``multiplier``: family -> multipliers of the reference hazard, shape copy, interval. ``tempo``: one per copy.
    ``happened``: copy, family. ``raised_until``: last day of a raised opening rate, by copy (0: not raised).
    ``as_of``: day of the statements (ordinal). First events of stated families know of no trend after it.
    """

    ends: dict[int, np.ndarray]
    multiplier: dict[int, np.ndarray]
    tempo: np.ndarray
    happened: np.ndarray
    raised_until: np.ndarray
    as_of: int

    def factors(self, day: int, trend: float = 1.0) -> np.ndarray:
        """Return by what each copy's hazards are multiplied on a day, shape copy, family.

        ``trend``: by how much the trend has changed hazards since ``as_of``; it is taken out of first events.
        """
        factor = np.ones(self.happened.shape)
        for family, ends in self.ends.items():
            interval = min(int(np.sum(ends < day)), len(ends) - 1)
            first = self.tempo * self.multiplier[family][:, interval] / trend
            factor[:, family] = np.where(self.happened[:, family], 1.0, first)
        return factor


def live(
    lives: Lives,
    truth: Truth,
    regime: Regime,
    days: tuple[int, int],
    rng: np.random.Generator,
    *,
    level: Level | None = None,
    openings: Openings | None = None,
    held_from: int | None = None,
) -> list[Event]:
    """Let proceedings live on the days after ``days[0]`` up to ``days[1]``; return their events and move them on.

    ``truth``: the hazards' parameters, and ``closing``: the probability that an event which may close a proceeding
    does. With ``level``, proceedings of focal matters follow the statements, and new ones open as ``openings`` say.
    """
    events: list[Event] = []
    law = Law.of(regime)
    for day in range(days[0] + 1, days[1] + 1):
        rows = lives.at_risk(day)
        opening = _opening(level, openings, day, rng) if level is not None and openings is not None else []
        if len(rows):
            chance = hazards(truth, law, lives.take(rows), day, held_from) / DAYS_PER_MONTH
            if level is not None:
                focal = lives.copy[rows] >= 0
                years = year_of(regime, day, held_from) - year_of(regime, level.as_of)
                trend = float(np.exp(truth["trend"] * years))
                chance[focal] *= level.factors(day, trend)[lives.copy[rows[focal]]]
            came = _drawn(rows, chance, day, rng)
            if level is not None:
                came = _one_first_event(came, lives, level, openings, regime)
            for event in came:
                move(lives, event, regime, float(truth["closing"]), rng)
            events += came
        for copy in opening:
            _open(lives, copy, day, openings, regime, rng)
    return events


def _drawn(rows: np.ndarray, chance: np.ndarray, day: int, rng: np.random.Generator) -> list[Event]:
    """Draw at most one event for each proceeding; where the chances sum to more than one, they are scaled to one."""
    total = chance.sum(axis=1)
    place = rng.random(len(rows)) * np.maximum(total, 1.0)
    return [
        Event(day, int(rows[i]), int(np.searchsorted(np.cumsum(chance[i]), place[i], side="right")))
        for i in np.flatnonzero(place < total)
    ]


def _one_first_event(
    came: list[Event], lives: Lives, level: Level, openings: Openings | None, regime: Regime
) -> list[Event]:
    """Keep one first event of each stated family of a copy, and note what has happened."""
    before, kept = level.happened.copy(), []
    for event in came:
        copy = lives.copy[event.row]
        if copy >= 0:
            if event.family in level.ends and level.happened[copy, event.family] and not before[copy, event.family]:
                continue
            level.happened[copy, event.family] = True
            if openings is not None and regime.family_names[event.family] in openings.raised_by:
                until = event.day + round(openings.raised_months * DAYS_PER_MONTH)
                level.raised_until[copy] = max(level.raised_until[copy], until)
        kept.append(event)
    return kept


def move(lives: Lives, event: Event, regime: Regime, closing: float, rng: np.random.Generator) -> None:
    """Move a proceeding on by an event: its stage, its marks, and whether it closes."""
    row, family = event.row, list(regime.families.values())[event.family]
    procedure = regime.classes[regime.class_names[lives.authority_class[row]]].procedure
    if target := family.moves_to.get(procedure):
        reached = regime.stage_names.index(target)
        if reached > lives.stage[row]:
            lives.stage[row], lives.since[row] = reached, event.day
    lives.marks[row] |= marks_of(regime, family.types[-1])
    if family.closes == "always" or (family.closes == "may" and rng.random() < closing):
        lives.closed[row] = event.day


def marks_of(regime: Regime, event_type: str) -> int:
    """Return the marks, as bits, that an event of a type sets."""
    return sum(2**i for i, types in enumerate(regime.marks.values()) if event_type in types)


def _opening(level: Level, openings: Openings, day: int, rng: np.random.Generator) -> list[int]:
    """Return the copies in which a new proceeding opens on a day: at most one each."""
    rate = np.where(level.raised_until >= day, openings.raised, openings.usual)
    return np.flatnonzero(rng.random(len(rate)) < rate / DAYS_PER_MONTH).tolist()


def _open(
    lives: Lives, copy: int, day: int, openings: Openings | None, regime: Regime, rng: np.random.Generator
) -> None:
    """Add a new proceeding, known from its opening."""
    share = dict(openings.share) if openings else {}
    weights = np.array(list(share.values()), dtype=float)
    kind = list(share)[rng.choice(len(share), p=weights / weights.sum())]
    first = regime.stage_names.index(regime.procedures[regime.classes[kind].procedure][0])
    lives.add(
        authority_class=regime.class_names.index(kind),
        tags=0,
        opened=day,
        entry=day,
        stage=first,
        since=day,
        marks=marks_of(regime, "opened"),
        closed=0,
        is_observed=True,
        copy=copy,
    )
