"""What a course costs: users, valuation, moderation, fines, as they accrue."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from forecast.observations import accrual
from forecast.outcomes import Future, fine_left


def cost(future: Future) -> dict[str, np.ndarray]:
    """Return impacts and cost at each horizon, shape draw, horizon; empty where the prior file states no impacts.

    ``accrual(t) = 1 - 2^(-t / half_life)`` since ``as_of``; spending and lost revenue are summed from the origin on.
    An intervention multiplies what accrues after the origin, and the yearly spending; what was lost stays lost.
    """
    spec, fixed, flat = future.draws.evidence.specification, future.draws.evidence.constants, future.draws.flat
    if spec.impacts is None or future.view == "outside":
        return {}
    half, elapsed = spec.impacts.half_life.value, future.draws.evidence.exposure.elapsed
    horizons = np.array(future.horizons, dtype=float)
    score = flat["impact_score"] @ fixed.impact_cholesky.T
    at = fixed.impact_loc[:, future.scenario].T + fixed.impact_sd[:, future.scenario].T * score
    factor = future.impact_factors
    attrition, decline, spending = expit(at[:, :1]), expit(at[:, 1:2]), np.exp(at[:, 2:]) * factor[2]
    felt, before = accrual(elapsed + horizons, half), accrual(elapsed, half)
    decay = half / np.log(2)
    years = (horizons - decay * 2 ** (-elapsed / half) * (1 - 2 ** (-horizons / half))) / 12
    noise = np.exp(spec.impacts.volatility.value * future.brownian - spec.impacts.volatility.value**2 * horizons / 24)
    left = fine_left(future)
    lost = attrition * future.advertising[:, None] * (before * horizons / 12 * (1 - factor[0]) + years * factor[0])
    gone, down = (
        np.minimum(full * (before + k * (felt - before)), 1)
        for full, k in zip((attrition, decline), factor[:2], strict=True)
    )
    return {
        "valuation_change": (1 - down) / (1 - decline * before) * noise - 1,
        "user_attrition": gone,
        "moderation_spending": spending * felt,
        "total_cost": left + spending * years + lost,
    }
