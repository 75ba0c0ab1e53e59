"""How matters live: competing hazards in continuous time, one event after the other (Gillespie 1977).

Between events and boundaries (phases, entries, intervals of the statements) all hazards are constant: the next event
comes after an exponential time, of a kind drawn in proportion to the hazards, doi:10.1021/j100540a008. Times are in
months since ``as_of``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from forecast.simulate.design import Row
from forecast.vocabulary import CLOSING_FAMILIES, DECISION_FAMILIES, FAMILIES, PHASE_STARTS, STAGES

EPSILON = 1e-9
"""Months within which a boundary counts as reached: sums of months round."""


# What the model says that a hazard depends on. Where the model's clock, stages or effects change, these four functions
# change, and nothing else of the story does.


def reference_hazards(effects: Mapping[str, np.ndarray], rows: tuple[Row, ...]) -> np.ndarray:
    """Return hazards per month at severity 0 and frailty 1, shape proceeding, family, cell.

    ``exp(log_rate + phase + stage + authority + pace)``; the first phase and the first stage are the reference.
    """
    base = np.empty((len(FAMILIES), len(PHASE_STARTS), len(STAGES)))
    for p in range(len(PHASE_STARTS)):
        for k in range(len(STAGES)):
            later = effects["phase"][:, p - 1] if p else 0.0
            moved = effects["stage"][:, k - 1] if k else 0.0
            base[:, p, k] = effects["log_rate"] + later + moved
    own = np.array([effects["authority"][row.authority] + effects["pace"][row.provider] for row in rows])
    return np.exp(own[:, :, None] + base.reshape(1, len(FAMILIES), -1))


def clock_zero(opened: float, last: float) -> float:
    """Return when the phase clock of a proceeding was last set to zero: when it opened, whatever came ``last``."""
    return opened


def cell_of(elapsed: float, stage: int) -> tuple[int, float]:
    """Return the cell of a proceeding from ``elapsed`` months on its clock on, and the months to its next phase."""
    phase = sum(start <= elapsed + EPSILON for start in PHASE_STARTS[1:])
    ends = (*PHASE_STARTS[1:], np.inf)
    return phase * len(STAGES) + stage, ends[phase] - elapsed


def stage_after(stage: int, family: int) -> int:
    """Return the stage after an event: findings and decisions move it on, nothing moves it back."""
    name = FAMILIES[family]
    return 2 if name in DECISION_FAMILIES else max(stage, int(name == "findings"))


class Event(NamedTuple):
    """One event: when, in which proceeding (index of its row), of which family, and the cell in which it came."""

    time: float
    row: int
    family: int
    cell: int


@dataclass
class Standing:
    """One proceeding as its matter lives: its stage, its last event or entry, and when it closed."""

    index: int
    row: Row
    stage: int = field(init=False)
    last: float = field(init=False)
    closed: float = np.inf

    def __post_init__(self) -> None:
        self.stage, self.last = self.row.stage, self.row.entered

    def cell(self, now: float) -> tuple[int, float]:
        """Return the cell from ``now`` on, and the months to the next phase."""
        return cell_of(now - clock_zero(self.row.opened, self.last), self.stage)

    def take(self, event: Event, closes: bool) -> None:
        """Move on by an event."""
        self.stage, self.last = stage_after(self.stage, event.family), event.time
        if closes:
            self.closed = event.time


@dataclass
class Level:
    """By what the reference hazards of a matter are multiplied: ``usual`` by family, the brief's for first events.

    ``stated``: by family, (end of the interval in months, multiplier); the last one persists. A family that has
    ``happened`` has its usual hazards.
    """

    usual: np.ndarray
    stated: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    happened: set[int] = field(default_factory=set)

    def at(self, now: float) -> tuple[np.ndarray, float]:
        """Return the multipliers from ``now`` on, and when they next change."""
        levels, until = self.usual.copy(), np.inf
        for family, steps in self.stated.items():
            if family not in self.happened:
                ahead = [(end, m) for end, m in steps if end > now + EPSILON]
                levels[family] = (ahead or steps[-1:])[0][1]
                until = min(until, ahead[0][0] if len(ahead) > 1 else np.inf)
        return levels, until


def live(
    standings: list[Standing],
    hazards: np.ndarray,
    level: Level,
    closing: float,
    begin: float,
    end: float,
    rng: np.random.Generator,
) -> list[Event]:
    """Let the proceedings of one matter live from ``begin`` to ``end``; return their events and move them on.

    ``hazards``: reference hazards, proceeding (by ``Standing.index``), family, cell. ``closing``: probability that a
    fine or commitments close the proceeding. One that was decided at its entry is not observed, and does not live.
    """
    events: list[Event] = []
    now = begin
    while now < end:
        levels, until = level.at(now)
        until = min(until, end, *(s.row.entered for s in standings if s.row.entered > now + EPSILON), np.inf)
        at_risk = [s for s in standings if s.row.is_observed and s.row.entered <= now + EPSILON and now < s.closed]
        cells = [s.cell(now) for s in at_risk]
        until = min([until, *(now + left for _, left in cells)])
        rates = np.array([hazards[s.index, :, cell] * levels for s, (cell, _) in zip(at_risk, cells, strict=True)])
        total = rates.sum()
        wait = rng.exponential() / total if total > 0 else np.inf
        if now + wait >= until:
            now = until
            continue
        now += wait
        which, family = divmod(int(rng.choice(rates.size, p=(rates / total).ravel())), len(FAMILIES))
        standing = at_risk[which]
        event = Event(float(now), standing.index, family, cells[which][0])
        name = FAMILIES[family]
        standing.take(event, name in CLOSING_FAMILIES and (name not in DECISION_FAMILIES or rng.random() < closing))
        level.happened.add(family)
        events.append(event)
    return events
