"""The parts of the model whose posterior is known in closed form; they are drawn exactly, not sampled.

=====================  ======================================  ============================================
name                   prior, from the prior file              data
=====================  ======================================  ============================================
appeal_probability     Beta(mean weight, (1 - mean) weight)    fines appealed, of those known to be or not
..._large              Beta                                    the same of large fines
closing_probability    Beta                                    decisions that closed the proceeding that day
ruling_rate            Gamma(rate weight, weight) per phase    rulings, months pending since the decision
ruling_outcome         Dirichlet(counts)                       fines upheld, reduced, annulled
kept                   normal-inverse-gamma on the logit       share of a reduced fine that was kept
bare_size              normal-inverse-gamma on the log         fines as a share of turnover, no ceiling known
=====================  ======================================  ============================================

A range and a weight ``n`` of prior observations give the normal-inverse-gamma prior ``mean ~ Normal(m, sd^2 / n)``,
``sd^2 ~ InverseGamma(n / 2, n / 2 * s^2)``, where ``Normal(m, s)`` is the normal that the range fixes.
"""

from __future__ import annotations

import numpy as np

from forecast.elicitation import Normal, logitnormal_from_range, lognormal_from_range
from forecast.observations import Observations
from forecast.specification import Specification


def draw_conjugate(
    spec: Specification, observations: Observations | None, n: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return ``n`` exact draws, from the posterior given ``observations`` or, if ``None``, from the prior.

    ``kept`` and ``bare_size`` have a last axis of (mean, sd); ``ruling_rate`` is per month.
    """
    o, appeals, sizes = observations, spec.appeals, spec.sizes
    phases = appeals.ruling_rate
    counts = np.array([getattr(appeals.outcome, k).value for k in ("upheld", "reduced", "annulled")])
    rulings = o.rulings if o else np.zeros(len(phases))
    months = o.ruling_months if o else np.zeros(len(phases))
    kept = logitnormal_from_range(appeals.share_kept.low, appeals.share_kept.high, appeals.share_kept.mass)
    bare = lognormal_from_range(sizes.without_ceiling.low, sizes.without_ceiling.high, sizes.without_ceiling.mass)
    none = np.zeros(0)
    return {
        "appeal_probability": _beta(appeals.probability, o.appealed if o else (0, 0), n, rng),
        "appeal_probability_large": _beta(appeals.probability_large, o.appealed_large if o else (0, 0), n, rng),
        "closing_probability": _beta(spec.closing, o.closed if o else (0, 0), n, rng),
        "ruling_rate": rng.gamma(
            [p.rate.value * p.weight.value for p in phases] + rulings,
            1 / ([p.weight.value for p in phases] + months),
            (n, len(phases)),
        ),
        "ruling_outcome": rng.dirichlet(counts + (o.outcomes if o else 0), n),
        "kept": _normal_inverse_gamma(kept, appeals.share_kept_weight.value, o.kept if o else none, n, rng),
        "bare_size": _normal_inverse_gamma(
            bare, sizes.without_ceiling_weight.value, o.bare_size if o else none, n, rng
        ),
    }


def _beta(prior, data: tuple[int, int], n: int, rng: np.random.Generator) -> np.ndarray:
    yes, total = data
    mean, weight = prior.mean.value, prior.weight.value
    return rng.beta(mean * weight + yes, (1 - mean) * weight + total - yes, n)


def _normal_inverse_gamma(
    prior: Normal, weight: float, data: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Return draws of (mean, sd) given normal ``data``; Gelman et al., Bayesian Data Analysis, section 3.3."""
    total = weight + len(data)
    centre = (weight * prior.loc + data.sum()) / total
    squares = weight * prior.scale**2 + ((data - data.mean()) ** 2).sum() if len(data) else weight * prior.scale**2
    if len(data):
        squares += weight * len(data) / total * (data.mean() - prior.loc) ** 2
    variance = squares / 2 / rng.gamma(total / 2, size=n)
    return np.stack([rng.normal(centre, np.sqrt(variance / total)), np.sqrt(variance)], axis=-1)
