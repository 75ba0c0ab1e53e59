"""Draws of two fits side by side, and the log density of each given other evidence.

The log-likelihood is a sum over matters, news and figures, so that what one matter adds is computed from its own cells
of person-time alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from forecast.attribution.bridge import Bridge, effective
from forecast.conjugate import draw_conjugate
from forecast.evidence.cells import Covariates
from forecast.gathered import Evidence
from forecast.inference import Draws
from forecast.model.hazards import log_hazards
from forecast.model.priors import NormalPrior, statement_priors
from forecast.updating import total_log_likelihood

COVARIATES = ("authority_class", "stage", "log_age", "year", "rules")


@dataclass(frozen=True)
class Pool:
    """Draws of every fit: parameters by name (draw, ...), errors of statements included, and their weights.

    ``targets``: names of the targets that are valued.
    """

    flat: Mapping[str, np.ndarray]
    bridge: Bridge
    targets: tuple[str, ...]
    seed: int

    def worth(self, weights: np.ndarray) -> float:
        """Return how many equally weighted draws weights are worth; copies of one draw count as one."""
        return effective(np.bincount(self._original, weights))

    @cached_property
    def _original(self) -> np.ndarray:
        return np.unique(self.flat["log_turnover"], return_inverse=True)[1]

    def draws(self, evidence: Evidence) -> Draws:
        """Return the draws with some evidence; conjugate parts are drawn from it, with the same random numbers."""
        n, rng = len(self.flat["log_turnover"]), np.random.default_rng([self.seed, 7])
        exact = draw_conjugate(evidence.specification, evidence.observations, n, rng)
        return Draws(evidence, {**self.flat, **exact})


def log_density(draws: Draws) -> np.ndarray:
    """Return ``log p(theta) + log p(all data | theta)`` of each draw, up to a constant."""
    return log_prior(draws) + total_log_likelihood(draws)


def log_prior(draws: Draws) -> np.ndarray:
    """Return the log prior density of each draw, shape draw; of the errors of statements too where the draws have them.

    Before the brief these errors touch no data: their prior is their posterior.
    """
    total = np.zeros(len(draws))
    for name, prior in all_priors(draws.evidence).items():
        if name in draws.flat:
            total += prior.log_density(draws.flat[name]).reshape(len(draws), -1).sum(axis=1)
    return total


def all_priors(evidence: Evidence) -> dict[str, NormalPrior]:
    """Return the priors of all parameters, those of the errors of statements also before the brief."""
    return evidence.priors | statement_priors(evidence.statements)


def focal_log_likelihood(draws: Draws) -> np.ndarray:
    """Return the log-likelihood of the focal matter, shape draw: its history and what the brief says of its news."""
    e, h = draws.evidence, draws.evidence.hazards
    row, families = [h.matters.index(e.specification.matter)], len(e.regime.families)
    months, count = (table[row].toarray().reshape(-1, families) for table in (h.matter_months, h.matter_count))
    own = np.flatnonzero((months + count).any(axis=1))
    cells = Covariates(*(getattr(h.cells.covariates, name)[own] for name in COVARIATES))
    log_h = log_hazards(draws.flat, cells, e.regime)
    events = (count[own] * log_h - months[own] * np.exp(log_h)).sum(axis=(1, 2))
    return events if draws.news is None else events + logsumexp(draws.log_news + e.log_pi, axis=1)
