"""Importance weights of stored draws under other evidence, with their certificate.

The turnover has a closed form and needs no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from forecast.elicitation import Normal
from forecast.gathered import Evidence
from forecast.inference import MIN_ESS, Draws, Posterior
from forecast.model.figures import log_figures
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


class Weighted(NamedTuple):
    """Weights of the draws (they sum to 1), how they were found, their certificate, why they are rejected if so."""

    weight: np.ndarray
    method: str
    certificate: Certificate
    failures: list[str]


def sample_of(posterior: Posterior, kept: float, method: str = EXACT) -> Sample:
    """Return the draws of a posterior as they were sampled."""
    table, draws = posterior.diagnostics, posterior.draws
    least = {name: float(table[name].min()) for name in ("ess_bulk", "ess_tail")}
    return Sample(draws, log_density(draws, draws.by_matter.sum(axis=1)), kept, least, method)


def log_density(draws: Draws, events: np.ndarray) -> np.ndarray:
    """Return ``log p(theta) + log p(all data | theta)`` of each draw, up to a constant.

    ``events``: the log-likelihood of the reference class's events, which takes longest and which many readings share.
    """
    e = draws.evidence
    prior = [p.log_density(draws.flat[name]).reshape(len(draws), -1).sum(axis=1) for name, p in e.priors.items()]
    figures = log_figures(draws.flat, draws.effects, e.observations).values()
    return events + logsumexp(draws.log_news + e.log_pi, axis=1) + np.sum([*prior, *figures], axis=0)


def weighted(draws: Draws, events: np.ndarray, source: Sample) -> Weighted:
    """Return the weights of a sample's draws in the light of other evidence; ``events`` as in ``log_density``."""
    change = log_density(draws, events) - source.density
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
    return Weighted(weight, method, certificate, certificate.failures + few)


def turnover(evidence: Evidence) -> Normal:
    """Return the log turnover given its range and its published figure: exact until the matter is fined.

    Normal prior, normal figure: precisions add, means are weighted by them.
    """
    prior, o = evidence.priors["log_turnover"], evidence.observations
    precision = 1 / prior.scale**2 + (1 / o.turnover_sd**2).sum()
    mean = (prior.loc / prior.scale**2 + (o.turnover / o.turnover_sd**2).sum()) / precision
    return Normal(float(mean), float(1 / np.sqrt(precision)))
