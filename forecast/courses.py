"""What a record knows of one proceeding: when it was at risk, in which phase and stage, and what happened in it.

Hazards are step functions of phase (months since ``opened_on``) and stage (before findings, after findings, after
a first decision, as they stood at the start of the day), so months at risk and counts per *cell* are sufficient::

    cell = phase * len(STAGES) + stage                                   9 cells

A proceeding is observed from its first sourced event on or after ``opened_on``. That event, and all others of that
day, carry no likelihood: they are why the case is in the record. One whose first known step is its decision says
nothing about hazards.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.record import Record
from forecast.vocabulary import (
    CLOSING_FAMILIES,
    DAYS_PER_MONTH,
    DECISION_FAMILIES,
    FAMILIES,
    PHASE_STARTS,
    STAGES,
    family_of,
)

CELLS = len(PHASE_STARTS) * len(STAGES)
FAMILY_INDEX = {family: index for index, family in enumerate(FAMILIES)}


class Segment(NamedTuple):
    """A stretch of time in one phase and stage; ``start`` and ``end`` in months since the proceeding opened."""

    start: float
    end: float
    cell: int


@dataclass(frozen=True)
class Course:
    """What a record knows of one proceeding: when it was at risk, in which cell, and what happened in it."""

    opened_on: pd.Timestamp
    segments: tuple[Segment, ...]
    events: tuple[tuple[str, float, int, int], ...]
    """(event_id, months since opening, family index, cell) of each event that carries likelihood."""
    is_open: bool
    stage: int
    is_observed: bool
    """False where the first known step was its decision: such a case is neither observed nor simulated."""


def phase_of(age: np.ndarray | float) -> np.ndarray:
    """Return the phase index at ``age`` months since opening; a boundary belongs to the phase that it ends."""
    return np.maximum(np.searchsorted(PHASE_STARTS, age, side="left") - 1, 0)


def course(record: Record, case: str, until: date) -> Course:
    """Return the course of one proceeding, from its first sourced event to its closing or to the end of ``until``.

    An open proceeding is at risk no longer than it was looked at (`Record.counted_until`).
    """
    opened_on, closed_on, log = record.logs[case]
    last = pd.Timestamp(until)
    dated = [event for event in log if opened_on <= event[0] <= last]
    age_end = age_at(opened_on, record.counted_until(case, until) if pd.isna(closed_on) else min(closed_on, last))
    stage, start, segments, events = 0, np.nan, [], []
    decided_at_entry = False
    for day, same_day in itertools.groupby(dated, key=itemgetter(0)):
        age = age_at(opened_on, day)
        named = [(event_id, family_of(kind, scope)) for _, event_id, kind, scope in same_day]
        if np.isnan(start):
            decided_at_entry = any(family in CLOSING_FAMILIES for _, family in named)
        elif age <= age_end:
            segments += cut(start, age, stage)
            cell = int(phase_of(age)) * len(STAGES) + stage
            events += [(event_id, age, FAMILY_INDEX[family], cell) for event_id, family in named if family]
        else:
            break  # an appeal or commitments after the closing: no longer the authority's own procedure
        start = age
        stage = max([stage, *(_stage_after(family) for _, family in named if family)])
    segments += cut(start, age_end, stage)
    if decided_at_entry:
        segments, events = [], []
    is_open = bool(pd.isna(closed_on))
    return Course(opened_on, tuple(segments), tuple(events), is_open, stage, not decided_at_entry)


def _stage_after(family: str) -> int:
    return 2 if family in DECISION_FAMILIES else int(family == "findings")


def cut(start: float, end: float, stage: int) -> list[Segment]:
    """Split a stretch in one stage at the phase boundaries."""
    edges = [start, *(p for p in PHASE_STARTS[1:] if start < p < end), end]
    return [Segment(a, b, int(phase_of(b)) * len(STAGES) + stage) for a, b in itertools.pairwise(edges) if b > a]


def months_in(segments: tuple[Segment, ...], after: float = -np.inf, until: float = np.inf) -> np.ndarray:
    """Months per cell of the parts of ``segments`` that lie in ``(after, until]`` (months since opening)."""
    months = np.zeros(CELLS)
    for segment in segments:
        months[segment.cell] += max(0.0, min(segment.end, until) - max(segment.start, after))
    return months


def age_at(opened_on: pd.Timestamp, day: date | pd.Timestamp) -> float:
    """Return months from ``opened_on`` to ``day``."""
    return (pd.Timestamp(day) - opened_on).days / DAYS_PER_MONTH
