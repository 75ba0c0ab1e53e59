"""What truly happened in a world after a day: to the focal matter, and to every proceeding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from forecast.simulator.worlds import World
from forecast.vocabulary import DAYS_PER_MONTH


@dataclass(frozen=True)
class FocalTruth:
    """What happened to the focal matter after a day, in months from it; what never came is infinite.

    ``first``: by family, its first event. ``fines``: months of all fines. ``all_closed``: when first no proceeding was
    open. ``openings``: months of its new proceedings.
    """

    first: np.ndarray
    fines: np.ndarray
    all_closed: float
    openings: np.ndarray

    def within(self, months: float) -> np.ndarray:
        """Return by family whether its first event came within so many months."""
        return self.first <= months


def focal_truth(world: World, after: date, fine: str = "fine") -> FocalTruth:
    """Return what happened to the focal matter after the end of a day, up to the last day of the world."""
    day, focal = after.toordinal(), set(world.focal)
    names = world.design.regime.family_names
    own = [e for e in world.events if e.row in focal and e.day > day]
    first = np.full(len(names), np.inf)
    for event in reversed(own):
        first[event.family] = (event.day - day) / DAYS_PER_MONTH
    fines = [(e.day - day) / DAYS_PER_MONTH for e in own if names[e.family] == fine]
    opened = [(world.rows[i].opened - day) / DAYS_PER_MONTH for i in focal if world.rows[i].opened > day]
    return FocalTruth(first, np.array(fines), _all_closed(world, day), np.sort(opened))


def _all_closed(world: World, day: int) -> float:
    """Return when first no proceeding of the focal matter was open after a day on which one was; infinite: never."""
    observed = _observed(world)
    spans = [(world.rows[i].entry, int(world.closed[i]) or np.inf) for i in world.focal if observed[i]]
    for end in sorted(close for _, close in spans if day < close < np.inf):
        if not any(entry <= end < close for entry, close in spans):
            return float((end - day) / DAYS_PER_MONTH)
    return np.inf


def first_events(world: World, after: date, windows: tuple[float, ...]) -> np.ndarray:
    """Return whether a first event came to each proceeding within each window (months) after a day.

    Shape proceeding, family, window; proceedings that are not at risk on the day have none.
    """
    day = after.toordinal()
    came = np.zeros((len(world.rows), len(world.design.regime.families), len(windows)), dtype=bool)
    for event in world.events:
        if world.rows[event.row].entry <= day < event.day:
            came[event.row, event.family] |= event.day - day <= np.round(np.array(windows) * DAYS_PER_MONTH)
    return came


def at_risk(world: World, after: date) -> np.ndarray:
    """Return by proceeding whether it was observed, known and open at the end of a day."""
    day = after.toordinal()
    entered = np.array([row.entry <= day for row in world.rows])
    return _observed(world) & entered & ((world.closed == 0) | (world.closed > day))


def _observed(world: World) -> np.ndarray:
    """Return by proceeding whether its first known step was no decision."""
    families = world.design.regime.families.values()
    closing = {kind for family in families if family.closes != "never" for kind in family.types}
    return np.array([not any(kind in closing for kind, _ in row.steps) for row in world.rows])
