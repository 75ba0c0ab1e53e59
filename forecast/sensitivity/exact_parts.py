"""Log densities of the conjugate parts: what ``conjugate`` draws exactly, as power scaling needs it.

Densities are taken on the unbounded scale (logit, log), so that the power alpha of a prior is the prior worth alpha
times as many observations: ``p^(alpha a) (1 - p)^(alpha b)`` for a Beta, and likewise for the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast.elicitation import Normal, log_normal, logitnormal_from_range, lognormal_from_range
from forecast.observations import RULINGS, Observations
from forecast.sections import BetaPrior
from forecast.specification import Specification


def exact_prior(spec: Specification, flat: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the log prior density of the conjugate parts, shape draw, up to a constant."""
    appeals, sizes = spec.appeals, spec.sizes
    kept = logitnormal_from_range(appeals.share_kept.low, appeals.share_kept.high, appeals.share_kept.mass)
    bare = lognormal_from_range(sizes.without_ceiling.low, sizes.without_ceiling.high, sizes.without_ceiling.mass)
    counts = np.array([getattr(appeals.outcome, name).value for name in RULINGS])
    waited = np.array([phase.weight.value for phase in appeals.ruling_rate])
    ruled = waited * np.array([phase.rate.value for phase in appeals.ruling_rate])
    return (
        _of_beta(flat["appeal_probability"], appeals.probability)
        + _of_beta(flat["appeal_probability_large"], appeals.probability_large)
        + _of_beta(flat["closing_probability"], spec.closing)
        + _of_rates(flat["ruling_rate"], ruled, waited)
        + np.log(flat["ruling_outcome"]) @ counts
        + _of_moments(flat["kept"], kept, appeals.share_kept_weight.value)
        + _of_moments(flat["bare_size"], bare, sizes.without_ceiling_weight.value)
    )


def exact_likelihood(observations: Observations, flat: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the log-likelihood of the conjugate parts, shape draw, up to a constant."""
    o = observations
    seen = {"appeal_probability": o.appealed, "appeal_probability_large": o.appealed_large}
    seen |= {"closing_probability": o.closed}
    total = np.sum([_of_counts(flat[name], *counts) for name, counts in seen.items()], axis=0)
    total = total + _of_rates(flat["ruling_rate"], o.rulings, o.ruling_months)
    total = total + np.log(flat["ruling_outcome"]) @ o.outcomes
    for name, figures in (("kept", o.kept), ("bare_size", o.bare_size)):
        mean, sd = flat[name].T
        total = total + log_normal(figures[:, None], mean, sd).sum(axis=0)
    return total


def _of_beta(chance: np.ndarray, prior: BetaPrior) -> np.ndarray:
    mean, weight = prior.mean.value, prior.weight.value
    return _of_counts(chance, mean * weight, weight)


def _of_counts(chance: np.ndarray, yes: float, total: float) -> np.ndarray:
    return yes * np.log(chance) + (total - yes) * np.log1p(-chance)


def _of_rates(rate: np.ndarray, count: np.ndarray, months: np.ndarray) -> np.ndarray:
    return np.log(rate) @ count - rate @ months


def _of_moments(moments: np.ndarray, prior: Normal, weight: float) -> np.ndarray:
    """Normal mean given the variance, centred; inverse gamma variance, on the log scale."""
    mean, sd = moments.T
    score = (mean - prior.loc) * np.sqrt(weight) / sd
    return (1 - score**2) / 2 - weight * np.log(sd) - weight * prior.scale**2 / (2 * sd**2)
