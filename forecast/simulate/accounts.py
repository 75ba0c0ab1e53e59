"""Exposure of a simulated world in continuous time: months at risk and event counts by cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.courses import CELLS
from forecast.exposure import Exposure
from forecast.observations import Observations
from forecast.simulate.design import Design, Row
from forecast.simulate.observed import observations_of
from forecast.simulate.story import Event, Standing, cell_of, clock_zero, stage_after
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES

if TYPE_CHECKING:
    from forecast.simulate.worlds import World

Stretch = tuple[float, float, int]
"""From when to when (months since ``as_of``) a proceeding was in which cell."""


def stretches(row: Row, events: list[Event], closed: float, end: float) -> Iterator[Stretch]:
    """Cut a proceeding's time at risk, up to its closing or ``end``, at its own events and the phases' boundaries."""
    if not row.is_observed:
        return
    stage, last, end = row.stage, row.entered, min(closed, end)
    for event in (*events, None):
        until = min(event.time, end) if event else end
        yield from pieces(clock_zero(row.opened, last), last, until, stage)
        if event is None or event.time > end:
            return
        stage, last = stage_after(stage, event.family), event.time


def pieces(zero: float, start: float, end: float, stage: int) -> Iterator[Stretch]:
    """Cut a stretch in one stage at the phases' boundaries."""
    while start < end:
        cell, left = cell_of(start - zero, stage)
        stop = min(end, start + left)
        yield start, stop, cell
        start = stop


def overlap(stretch: Stretch, start: float, end: float) -> float:
    """Return the months of a stretch that lie between two moments."""
    return max(0.0, min(stretch[1], end) - max(stretch[0], start))


def stated_months(design: Design, standings: list[Standing]) -> np.ndarray:
    """Return what the analyst foresaw at ``as_of``, shape focal proceeding, group, cell: nothing closes or moves on."""
    groups = design.exposure.groups
    months = np.zeros((len(standings), len(groups), CELLS))
    for r, s in enumerate(standings):
        if s.row.is_observed and s.closed > 0:
            for g, group in enumerate(groups):
                for a, b, cell in pieces(clock_zero(s.row.opened, s.last), group.start, group.end, s.stage):
                    months[r, g, cell] += b - a
    return months


def evidence_of(world: World, until: float) -> tuple[Exposure, Observations]:
    """Return all that is known ``until`` so many months after ``as_of``, not rounded to days."""
    return _exposure(world, until, len(world.design.rows)), observations_of(world, until)


def focal_exposure(world: World, until: float) -> Exposure:
    """Return the exposure of the focal matter alone, as known at a moment."""
    return _exposure(world, until, world.design.exposure.n_focal)


def _exposure(world: World, until: float, n: int) -> Exposure:
    """Return the exposure of the first ``n`` proceedings at a moment after ``as_of``."""
    x, rows = world.design.exposure, world.design.rows[:n]
    own: list[list[Event]] = [[] for _ in rows]
    for event in world.events:
        if event.row < n and event.time <= until:
            own[event.row].append(event)
    parts = [
        list(stretches(row, events, world.closed[r], until))
        for r, (row, events) in enumerate(zip(rows, own, strict=True))
    ]
    months = np.zeros((n, CELLS))
    for r, part in enumerate(parts):
        for stretch in part:  # of the focal matter, what came by the brief's date is history, what came later is news
            months[r, stretch[2]] += overlap(stretch, -np.inf, 0.0 if r < x.n_focal else until)
    past = [e for row in own for e in row if e.row >= x.n_focal or e.time <= 0]
    closed = np.array([world.closed[r] <= until for r in range(n)])
    observed = np.array([row.is_observed for row in rows])
    return replace(
        x,
        origin=x.as_of + timedelta(days=round(until * DAYS_PER_MONTH)),
        matters=x.matters if n > x.n_focal else x.matters[:1],
        cases=x.cases[:n],
        row_matter=x.row_matter[:n],
        row_class=x.row_class[:n],
        row_provider=x.row_provider[:n],
        months=months,
        **_columns(past, ("event_row", "event_family", "event_cell")),
        **_news(world, parts, until),
        is_open=observed & ~closed,
        stage=np.array([_stage(row, events) for row, events in zip(rows, own, strict=True)]),
        age=np.array([until - row.opened for row in rows]),
    )


def _stage(row: Row, events: list[Event]) -> int:
    stage = row.stage
    for event in events:
        stage = stage_after(stage, event.family)
    return stage


def _columns(events: list[Event], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: np.array([e[i + 1] for e in events], dtype=np.int64) for i, name in enumerate(names)}


def _news(world: World, parts: list[list[Stretch]], until: float) -> dict[str, Any]:
    """Return the focal matter after ``as_of``: months before and after each family's first event, and the events."""
    x = world.design.exposure
    news = sorted(e for e in world.events if e.row < x.n_focal and 0 < e.time <= until)
    first = dict.fromkeys(range(len(FAMILIES)), np.inf)
    for event in reversed(news):
        first[event.family] = event.time
    of_family = {f: [g for g, group in enumerate(x.groups) if group.family == name] for f, name in enumerate(FAMILIES)}
    news_months = np.zeros((x.n_focal, len(FAMILIES), CELLS))
    first_months = np.zeros((x.n_focal, len(x.groups), CELLS))
    for r in range(x.n_focal):
        for stretch in parts[r]:
            for family, own in of_family.items():
                begins = first[family] if own else 0.0
                news_months[r, family, stretch[2]] += overlap(stretch, begins, np.inf)
                for g in own:
                    last = np.inf if g == own[-1] else x.groups[g].end
                    first_months[r, g, stretch[2]] += overlap(stretch, x.groups[g].start, min(last, begins))
    groups = []
    for event in news:
        is_first = event.time == first[event.family]
        begun = [g for g in of_family[event.family] if x.groups[g].start < event.time]
        groups.append(begun[-1] if is_first and begun else -1)
    return {
        "news_months": news_months,
        "first_months": first_months,
        "stated_months": world.stated_months,
        **_columns(news, ("news_row", "news_family", "news_cell")),
        "news_group": np.array(groups, dtype=np.int64),
        "happened": np.isfinite(list(first.values())),
    }
