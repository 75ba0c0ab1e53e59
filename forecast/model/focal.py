"""The focal matter: what its scenarios imply for first events, and what the news says about the scenarios.

A statement gives the probability ``P_K`` that the matter sees a first event of a family within ``H_K`` months of
``as_of``, given scenario s. With a tempo ``f ~ Gamma(k, k)`` that all stated families of the matter share, a first
event whose integrated hazard by then is ``f A`` comes with probability ``1 - (1 + A / k)^-k``, so the statement means

    A_K = k ((1 - P_K)^(-1/k) - 1),     a[g] = A_K - A_(K-1)     for the interval g that ends at H_K,

and in interval g first events come at ``f m[g, s]`` times the matter's reference hazard, where

    m[g, s] = correction[g, s] a[g, s] / Lambda[g].

``Lambda[g]`` is the reference hazard integrated over the interval as the analyst saw the matter on ``as_of``: its level
cancels, for the analyst says how likely an event is and the record says when. ``correction`` makes the stated
probabilities true with closings, moving stages and new proceedings (`forecast.projection.translation`).

The likelihood of the news, the tempo integrated: with n first events that came, in intervals g(1), ..., g(n), at times
with reference hazards h(1), ..., h(n), and with ``lived[g]`` the reference hazard integrated over the time before the
first event of g's family,

    log p(news | s) = sum_i log(m[g(i), s] h(i)) + log Gamma(k + n) - log Gamma(k) + k log k
                      - (k + n) log(k + sum_g m[g, s] lived[g]).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, gammaln

from forecast.evidence.news import News
from forecast.evidence.statements import Statements
from forecast.model.hazards import log_hazards
from forecast.regime import Regime


class NewsTerms(NamedTuple):
    """The likelihood of the news and what it is made of; leading axes of draws where the parameters have them.

    ``log_likelihood``: (..., scenario). ``multiplier``: (..., group, scenario). ``shape``, ``rate`` (..., scenario): of
    the tempo given scenario and news, ``Gamma(shape, rate)``.
    """

    log_likelihood: Any
    multiplier: Any
    shape: Any
    rate: Any


def interval_hazards(values: Mapping[str, Any], statements: Statements, xp: ModuleType = np) -> Any:
    """Return ``a[g, s]``, shape (..., group, scenario), errors of the statements included.

    ``logit P(event in interval | none before) = location + error_sd * error``, where the errors of one group have
    correlation ``shared`` between scenarios: ``error = sqrt(shared) z[g] + sqrt(1 - shared) z[g, s]``.
    """
    conditional = xp.log1p(xp.exp(_logits(values, statements)))
    summed, difference = _within_families(statements)
    cumulative = statements.tempo * xp.expm1(_left(summed, conditional, xp) / statements.tempo)
    return _left(difference, cumulative, xp)


def _logits(values: Mapping[str, Any], statements: Statements) -> Any:
    common, own = values["statement_shared"][..., None], values["statement_own"]
    error = sqrt(statements.shared) * common + sqrt(1 - statements.shared) * own
    return statements.location + statements.error_sd * error


def stated_probabilities(values: Mapping[str, np.ndarray], statements: Statements) -> np.ndarray:
    """Return ``P(event in interval | none before)`` with the errors of the statements, shape draw, group, scenario."""
    return expit(_logits(values, statements))


def _left(matrix: np.ndarray, values: Any, xp: ModuleType) -> Any:
    """Return ``matrix @ values`` over the last axis but one."""
    return xp.sum(matrix[:, :, None] * values[..., None, :, :], axis=-2)


def _within_families(statements: Statements) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices that sum over a family's intervals up to each, and that take differences back."""
    family = np.array([group.family for group in statements.groups])
    same = family[:, None] == family
    return np.tril(same).astype(float), np.eye(len(family)) - np.eye(len(family), k=-1) * same


def news_terms(
    values: Mapping[str, Any],
    news: News,
    statements: Statements,
    correction: Any,
    regime: Regime,
    xp: ModuleType = np,
    lgamma: Any = gammaln,
) -> NewsTerms:
    """Return the likelihood of the news by scenario; in NumPy, or with ``xp`` and ``lgamma`` of PyTensor."""
    log_hazard = log_hazards(values, news.covariates, regime, xp)[..., [g.family for g in statements.groups]]
    hazard = xp.exp(log_hazard)
    foreseen = xp.sum(news.foreseen * hazard, axis=-2)
    lived = xp.sum(news.lived * hazard, axis=-2)
    multiplier = correction * interval_hazards(values, statements, xp) / foreseen[..., None]
    log_came = xp.sum(news.came * log_hazard, axis=(-2, -1))
    return first_event_terms(multiplier, lived, xp.sum(news.came, axis=0), log_came, statements.tempo, xp, lgamma)


def first_event_terms(
    multiplier: Any,
    lived: Any,
    came: Any,
    log_came: Any,
    tempo: float,
    xp: ModuleType = np,
    lgamma: Any = gammaln,
) -> NewsTerms:
    """Return the likelihood of first events, the tempo integrated.

    ``multiplier``: (..., group, scenario). ``lived``: (..., group), integrated reference hazard before the first event.
    ``came``: group; whether it came in the interval. ``log_came``: (...), sum of the log reference hazards at its time.
    """
    count, k = xp.sum(came), tempo
    rate = k + xp.sum(multiplier * lived[..., None], axis=-2)
    log_likelihood = (
        xp.sum(came[:, None] * xp.log(multiplier), axis=-2)
        + log_came[..., None]
        + lgamma(k + count)
        - gammaln(k)
        + k * np.log(k)
        - (k + count) * xp.log(rate)
    )
    return NewsTerms(log_likelihood, multiplier, k + count, rate)


def multipliers_by_family(multiplier: np.ndarray, statements: Statements, families: int) -> np.ndarray:
    """Return multipliers of one scenario per draw (draw, group) as a table of draw, family, interval; 1 elsewhere."""
    table = np.ones((len(multiplier), families, max(g.interval for g in statements.groups) + 1))
    for g, group in enumerate(statements.groups):
        table[:, group.family, group.interval] = multiplier[:, g]
    return table
