"""What a course costs: users, valuation, moderation, fines, as events set them off and they accrue.

The full effect of an impact is a draw of the scenario's range. The first event of a family after ``as_of`` sets off a
stated share of it, which accrues with a half-life; shares add up to the whole at most::

    felt(t) = min(1, sum over families of share (1 - 2^(-(t - t_event) / half_life)))
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from forecast.effects import accrual
from forecast.outcomes import Future, fine_left
from forecast.quantities import IMPACTS
from forecast.vocabulary import FAMILIES

GRID = 1.0
"""Months between the points at which spending and lost revenue are summed."""


def cost(future: Future) -> dict[str, np.ndarray]:
    """Return impacts and cost at each horizon, shape draw, horizon; empty where the prior file states no impacts.

    ``valuation_impact``, ``user_attrition``: fractions lost because of the matter. ``valuation_change``: with the
    market's noise, since the origin. ``moderation_spending``: EUR a year. ``total_cost`` in EUR from the origin on:
    fines left, spending and lost advertising, each a target of its own (``cost:...``). An intervention multiplies what
    is felt after the origin; what was lost stays lost.
    """
    spec, stated, flat = future.draws.evidence.specification, future.draws.evidence.stated, future.draws.flat
    if spec.impacts is None or future.view == "outside":
        return {}
    score = flat["impact_score"] @ stated.impact_cholesky.T
    at = stated.impact_loc[:, future.scenario].T + stated.impact_sd[:, future.scenario].T * score
    attrition, decline, spending = expit(at[:, 0]), expit(at[:, 1]), np.exp(at[:, 2])
    grid = np.unique(np.concatenate([np.arange(0.0, future.horizons[-1], GRID), future.horizons]))
    shares = {name: felt_by(future, name, grid) for name in IMPACTS}
    before = {name: parts[:, 0] for name, parts in shares.items()}
    at_horizon = np.searchsorted(grid, future.horizons)
    gone, down, spent = (
        np.minimum(full[:, None] * (before[name][:, None] + factor * (shares[name] - before[name][:, None])), 1.0)
        if name != "moderation_spending"
        else full[:, None] * factor * shares[name]
        for name, full, factor in zip(IMPACTS, (attrition, decline, spending), future.impact_factors, strict=True)
    )
    horizons = np.array(future.horizons, dtype=float)
    noise = np.exp(spec.impacts.volatility.value * future.brownian - spec.impacts.volatility.value**2 * horizons / 24)
    lost = _summed(gone * future.advertising[:, None], grid)[:, at_horizon]
    paid = _summed(spent, grid)[:, at_horizon]
    left = fine_left(future)
    return {
        "valuation_impact": down[:, at_horizon],
        "valuation_change": (1 - down[:, at_horizon]) / (1 - down[:, :1]) * noise - 1,
        "user_attrition": gone[:, at_horizon],
        "moderation_spending": spent[:, at_horizon],
        "cost:moderation": paid,
        "cost:advertising": lost,
        "total_cost": left + paid + lost,
    }


def felt_by(future: Future, impact: str, grid: np.ndarray) -> np.ndarray:
    """Return the felt part of an impact at each point of ``grid``, months from the origin; shape draw, point."""
    stated = future.draws.evidence.specification.impacts
    if stated is None:
        return np.zeros((len(future.draws), len(grid)))
    half, past = stated.half_life.value, future.draws.evidence.observations.set_off[impact]
    total = np.array([sum(share * accrual(months + t, half) for months, share in past) for t in grid]) + np.zeros(
        (len(future.draws), len(grid))
    )
    happened = future.draws.evidence.hazards.news.first > 0 if future.draws.evidence.hazards.news else None
    for family, number in getattr(stated.set_off, impact).items():
        index = FAMILIES.index(family)
        if happened is None or not happened[index]:
            total = total + number.value * accrual(grid - future.paths.first[:, index, None], half)
    return np.minimum(total, 1.0)


def _summed(a_year: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Integrate amounts a year over the grid (months) by the trapezoidal rule, from its start to each point."""
    steps = np.diff(grid) / 12 * (a_year[:, 1:] + a_year[:, :-1]) / 2
    return np.concatenate([np.zeros((len(a_year), 1)), np.cumsum(steps, axis=1)], axis=1)
