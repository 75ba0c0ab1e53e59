"""What of a world's figures is known at a moment, reduced to what the likelihood takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit

from forecast.observations import Observations
from forecast.simulate.figures import ANNULLED, REDUCED, UPHELD, lasting, raised
from forecast.vocabulary import DECISION_FAMILIES, FAMILIES, OPERATIONAL_SCOPES

if TYPE_CHECKING:
    from forecast.simulate.worlds import World


def observations_of(world: World, until: float) -> Observations:
    """Return the figures that are known ``until`` so many months after ``as_of``."""
    f = world.figures
    return replace(
        focal_observations(world, until),
        size=f.size,
        bare_size=f.bare_size,
        turnover=f.turnover,
        closed=_closings(world, until),
        **_rulings(world, until),
        **_opened(world, until),
        **_resolved(world, until),
        unappealed_fines=tuple(float(until - e.time) for e, a in f.appeal.items() if e.time <= until < a.filed),
    )


def focal_observations(world: World, until: float) -> Observations:
    """Return the figures that speak of the focal matter's news alone: users, sizes of fines, scopes of orders."""
    f = world.figures
    fines = [e for e in f.amount if e.time <= until]
    return replace(
        world.design.observations,
        users=f.users[f.users[:, 6] <= until][:, :6],
        new_fine_amount=np.array([f.amount[e] for e in fines]),
        new_fine_ceiling=np.array([world.design.rows[e.row].cap for e in fines]),
        new_fine_instrument=np.array([world.design.rows[e.row].instrument for e in fines], dtype=int),
        new_order_scopes=np.array([s for e, s in f.scope.items() if e.time <= until], dtype=np.int64),
    )


def _closings(world: World, until: float) -> tuple[int, int]:
    """Return how many decisions closed their proceeding, of how many: those at entry too."""
    decisions = [
        (e.row, e.time) for e in world.events if e.time <= until and FAMILIES[e.family] in DECISION_FAMILIES
    ] + [(r, row.entered) for r, row in enumerate(world.design.rows) if row.is_decision]
    return sum(bool(world.closed[r] == when) for r, when in decisions), len(decisions)


def _rulings(world: World, until: float) -> dict[str, Any]:
    """Return appeals of the reference decisions: those ruled on ``until`` a moment, and the months of waiting."""
    starts = np.array([phase.from_months for phase in world.design.specification.appeals.ruling_rate])
    ends = np.append(starts[1:], np.inf)
    pairs = list(zip(world.figures.rulings, world.design.decided, strict=True))
    appealed = [(a, when) for a, when in pairs if np.isfinite(a.filed)]
    ruled = [(a, when) for a, when in appealed if a.ruled <= until]
    waits = np.array([min(a.ruled, until) - when for a, when in appealed])
    ended = np.array([a.ruled - when for a, when in ruled])
    return {
        "appealed": (len(appealed), len(pairs)),
        "outcomes": np.array([sum(a.outcome == k for a, _ in ruled) for k in (UPHELD, REDUCED, ANNULLED)]),
        "rulings": np.array([int(((ended > a) & (ended <= b)).sum()) for a, b in zip(starts, ends, strict=True)]),
        "ruling_months": np.array([np.clip(waits - a, 0, b - a).sum() for a, b in zip(starts, ends, strict=True)]),
        "kept": logit(np.array([a.kept for a, _ in ruled if a.outcome == REDUCED])),
    }


def _opened(world: World, until: float) -> dict[str, Any]:
    """Return openings and months at risk of each designated provider, usual and raised, and what is left of that."""
    counts, months, left = [], [], []
    for provider, times in zip(world.design.observations.opening_providers, world.figures.openings, strict=True):
        start, end = world.design.designated[provider]
        is_over, end = end < until, min(end, until)
        spans = raised(world.design, provider, world.events, until)
        within = [any(a < t <= b for a, b in spans) for t in times if t <= end]
        high = lasting(spans, start, end)
        counts.append((within.count(False), within.count(True)))
        months.append((end - start - high, high))
        left.append(-1.0 if is_over else max([0.0, *(b - end for _, b in spans)]))
    return {
        "opening_count": np.array(counts, dtype=float).reshape(-1, 2),
        "opening_months": np.array(months).reshape(-1, 2),
        "opening_raised_left": np.array(left),
    }


def _resolved(world: World, until: float) -> dict[str, Any]:
    """Return what the resolution rule has seen of the focal matter."""
    f, last = world.figures, min(until, world.design.specification.resolution.months.value)
    news = [e for e in world.events if e.row < world.design.exposure.n_focal and 0 < e.time <= last]
    return {
        "resolved_families": tuple(sorted({FAMILIES[e.family] for e in news})),
        "resolved_order_scopes": tuple(sorted({OPERATIONAL_SCOPES[f.scope[e]] for e in news if e in f.scope})),
        "resolved_fine_total": float(sum(f.amount[e] for e in news if e in f.amount)),
    }
