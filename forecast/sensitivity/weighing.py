"""Importance weights of stored draws under other evidence, with their certificate.

The turnover has a closed form and needs no weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.attribution.pool import log_density
from forecast.elicitation import Normal
from forecast.inference import MIN_ESS, Draws, Evidence, Posterior
from forecast.parameters import parameters
from forecast.updating import Certificate, smoothed

EXACT, REWEIGHTED, REFITTED = "exact", "reweighted", "refitted"
SAME = 1e-9
"""Nats by which a log density may vary, over the draws, around a constant: rounding."""


@dataclass(frozen=True)
class Sample:
    """Draws as they were sampled: their ``density``, the share ``kept`` by earlier reweighting, and how they came.

    ``least``: the fewest effective draws of any parameter, in bulk and tails. ``method``: what they are called where
    their weights stay equal: exact, or refitted.
    """

    draws: Draws
    density: np.ndarray
    kept: float
    least: dict[str, float]
    method: str


def sample_of(posterior: Posterior, draws: Draws, kept: float, method: str = EXACT) -> Sample:
    """Return the draws of a posterior as they were sampled."""
    table = posterior.diagnostics
    least = {name: float(table[name].min()) for name in ("ess_bulk", "ess_tail")}
    return Sample(draws, log_density(draws), kept, least, method)


def weighted(
    draws: Draws, others: np.ndarray | float, source: Sample
) -> tuple[np.ndarray, str, Certificate, list[str]]:
    """Return weights, method (exact or reweighted), certificate, and the reasons for rejecting them.

    ``others``: log-likelihood of the matters that ``draws`` do not see.
    """
    change = log_density(draws) + others - source.density
    log_weight, k_hat = smoothed(change)
    weight = np.exp(log_weight)
    worth = float(source.kept / (weight**2).sum())
    certificate = Certificate(k_hat, worth, worth / len(weight), {})
    lost = worth / len(weight) / source.kept
    few = [
        f"{name} {ess * lost:.0f}, at least {MIN_ESS} expected"
        for name, ess in source.least.items()
        if not ess * lost >= MIN_ESS
    ]
    method = source.method if np.ptp(change) < SAME else REWEIGHTED
    return weight, method, certificate, certificate.failures + few


def turnover(evidence: Evidence) -> Normal:
    """Return the log turnover given its range and its published figure: exact until the matter is fined.

    Normal prior, normal figure: precisions add, means are weighted by them.
    """
    prior = parameters(evidence.specification, evidence.coords)["log_turnover"]
    o = evidence.observations
    precision = 1 / prior.scale**2 + (1 / o.turnover_sd**2).sum()
    mean = (prior.loc / prior.scale**2 + (o.turnover / o.turnover_sd**2).sum()) / precision
    return Normal(float(mean), float(1 / np.sqrt(precision)))
