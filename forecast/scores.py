"""Proper scoring rules, probability integral transforms, skill, and intervals by resampling clusters. Arrays alone.

Every score is a loss: lower is better. Logarithms are natural. An array has one row per forecast; draws are its last
axis. Nothing here knows what was forecast.

Gneiting and Raftery 2007, doi:10.1198/016214506000001437, is the source of what is proper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.90
"""Probability of every interval, equal tails."""
RESAMPLES = 2000


def smoothed_share(count: ArrayLike, n: ArrayLike) -> np.ndarray:
    """Return ``(count + 1/2) / (n + 1)``: a share of draws as a probability that is never 0 nor 1.

    The mean of a Beta(1/2, 1/2) prior after ``count`` of ``n``; its difference from the share is at most ``1 / 2n``.
    """
    return (np.asarray(count, float) + 0.5) / (np.asarray(n, float) + 1)


def log_score(probability: ArrayLike, outcome: ArrayLike) -> np.ndarray:
    """Return ``-log(probability of what happened)`` of yes/no forecasts, elementwise; infinite for a denied event.

    ``probability`` that the event comes, in [0, 1]; ``outcome`` 0 or 1. Raises ``ValueError`` for anything else.
    """
    p, y = _checked(probability, outcome)
    with np.errstate(divide="ignore"):
        return -np.log(np.where(y == 1, p, 1 - p)) + 0.0  # no negative zero


def brier_score(probability: ArrayLike, outcome: ArrayLike) -> np.ndarray:
    """Return ``(probability - outcome)^2`` of yes/no forecasts, elementwise: Brier 1950, half of its original form.

    Arguments and errors as in ``log_score``.
    """
    p, y = _checked(probability, outcome)
    return (p - y) ** 2


def _checked(probability: ArrayLike, outcome: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p, y = np.asarray(probability, float), np.asarray(outcome, float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a probability lies outside 0 to 1")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("an outcome is neither 0 nor 1")
    return p, y


def crps(draws: ArrayLike, observed: ArrayLike) -> np.ndarray:
    """Return the continuous ranked probability score of equally likely ``draws`` (row, draw), one value per row.

    ``CRPS(F, y) = integral (F(x) - 1{y <= x})^2 dx = E|X - y| - E|X - X'| / 2``, of the empirical distribution of the
    draws exactly, in the unit of ``observed`` (Matheson and Winkler 1976, doi:10.1287/mnsc.22.10.1087).
    """
    from scoringrules import crps_ensemble  # type: ignore[import-untyped] # noqa: PLC0415  (costs seconds)

    y, x = np.asarray(observed, float), np.asarray(draws, float)
    return np.asarray(crps_ensemble(y, x, estimator="qd", backend="numpy"))


def censored_crps(draws: ArrayLike, observed: ArrayLike, limit: ArrayLike) -> np.ndarray:
    """Return ``CRPS(min(X, limit), min(observed, limit))``: the CRPS of times that are followed up to ``limit`` alone.

    The threshold-weighted CRPS of weight ``1{x <= limit}``, ``integral up to limit of (F(x) - 1{y <= x})^2 dx``: proper
    where the limit (per row) is known beforehand, as the end of a record is, and what comes after it is never needed
    (Gneiting and Ranjan 2011, doi:10.1198/jbes.2010.08110; Allen, Ginsbourger and Ziegel 2023,
    doi:10.1137/22M1532184). ``draws`` (row, draw) and ``observed`` may be infinite: never.
    """
    top = np.asarray(limit, float)
    return crps(np.minimum(draws, top[..., None]), np.minimum(observed, top))


def pit(draws: ArrayLike, observed: ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Return the randomised probability integral transform of each row, in (0, 1).

    ``(#{draws < y} + u (1 + #{draws = y})) / (n + 1)`` with ``u`` uniform: exactly uniform where the observed value is
    exchangeable with the draws, point masses or not (Czado, Gneiting and Held 2009,
    doi:10.1111/j.1541-0420.2009.01191.x, with the observed value as one of the n + 1).
    """
    x, y = np.asarray(draws, float), np.asarray(observed, float)[..., None]
    below, tied = (x < y).sum(axis=-1), (x == y).sum(axis=-1)
    return (below + rng.random(below.shape) * (1 + tied)) / (x.shape[-1] + 1)


def censored_pit(draws: ArrayLike, observed: ArrayLike, limit: ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Return the PIT of times followed up to ``limit``: that of an observed one, else uniform on (F(limit), 1)."""
    top = np.asarray(limit, float)
    return pit(np.minimum(draws, top[..., None]), np.minimum(observed, top), rng)


def skill(score: ArrayLike, baseline: ArrayLike) -> np.ndarray:
    """Return ``1 - score / baseline`` of mean scores: positive where better than the baseline; NaN where that is 0."""
    own, other = np.asarray(score, float), np.asarray(baseline, float)
    return 1 - np.divide(own, other, out=np.full(np.broadcast(own, other).shape, np.nan), where=other != 0)


def resampled_means(values: ArrayLike, clusters: ArrayLike, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Return the mean of each column in every resample of clusters, shape resample, column.

    ``values``: row, column. ``clusters``: a label per row. As many clusters as there are are drawn with replacement,
    each with all of its rows, and the mean is over the rows drawn (Davison and Hinkley 1997,
    doi:10.1017/CBO9780511802843, section 3.8): differences and ratios of columns keep what the rows share.
    """
    table = np.asarray(values, float)
    labels, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(labels), 1 + table.shape[1]))
    np.add.at(sums, index, np.column_stack([np.ones(len(table)), table]))
    times = np.random.default_rng(seed).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=resamples)
    drawn = times @ sums
    return drawn[:, 1:] / drawn[:, :1]


def interval(samples: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Return the equal-tailed percentile interval of samples along the first axis, shape (low and high, ...)."""
    return np.quantile(np.asarray(samples, float), [(1 - level) / 2, (1 + level) / 2], axis=0)
