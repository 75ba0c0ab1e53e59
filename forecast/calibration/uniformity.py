"""Whether ranks are uniform: the simultaneous band of an ECDF, the p-value that belongs to it, and many at once.

The ECDF of ``n`` independent uniform values is compared with the diagonal at ``k / n``, ``k = 1 .. n - 1``, where the
number of values below is binomial. The band keeps the same pointwise probability everywhere, chosen so that a uniform
sample stays inside at all points with the stated probability (Säilynoja, Bürkner and Vehtari 2022,
doi:10.1007/s11222-022-10090-6). That probability follows from a recursion, and with it an exact p-value.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import bdtr, bdtrc, gammaln

STEPS_A_DECADE = 50
"""Tail probabilities are rounded up to so many values per power of ten: each needs its own recursion."""
SMALLEST = 1e-13
"""Tail probabilities below this are taken for this: rounding of sums of probabilities begins there."""


def departure(values: np.ndarray) -> float:
    """Return the smallest pointwise tail probability of the ECDF of values in [0, 1]: how near the band it comes."""
    n = len(values)
    points = np.arange(1, n) / n
    counts = np.searchsorted(np.sort(values), points, side="right")
    return float(min(bdtr(counts, n, points).min(), bdtrc(counts - 1, n, points).min()))


def p_value(values: np.ndarray) -> float:
    """Return the probability that uniform values come as near to the edge of a band as these, or nearer.

    ``1 - P(no count has a pointwise tail probability of at most the smallest one seen)``; 1 for fewer than two values.
    The tail probability is rounded up to the next of 50 steps per power of ten, so that a p-value is never too small.
    """
    if len(values) < 2:
        return 1.0
    tail = min(max(departure(values), SMALLEST), 0.5)
    return _crossing(len(values), int(np.ceil(np.log10(tail) * STEPS_A_DECADE - 1e-9)))


@lru_cache(maxsize=4096)
def _crossing(n: int, step: int) -> float:
    return 1 - staying(n, 10 ** (step / STEPS_A_DECADE))


def staying(n: int, tail: float) -> float:
    """Return the probability that all counts of ``n`` uniform values have pointwise tail probabilities above ``tail``.

    Forward recursion over the points: given ``k`` values below ``z``, the number between ``z`` and ``z'`` is binomial
    of ``n - k`` values with probability ``(z' - z) / (1 - z)``.
    """
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    before, mass, at = np.array([0]), np.array([1.0]), 0.0
    for point in np.arange(1, n) / n:
        reach = 9 * np.sqrt(n * point * (1 - point)) + 20  # beyond it no tail is as large as the smallest one asked for
        counts = np.arange(max(0, int(n * point - reach)), min(n, int(n * point + reach)) + 1)
        inside = (bdtr(counts, n, point) > tail) & ((counts == 0) | (bdtrc(counts - 1, n, point) > tail))
        now = counts[inside]
        if len(now) == 0:
            return 0.0
        q = (point - at) / (1 - at)
        more, left = now[:, None] - before, n - before
        possible = more >= 0
        k = np.where(possible, more, 0)
        rest = np.where(possible, left - k, 0)
        log_mass = log_factorial[left] - log_factorial[k] - log_factorial[rest] + k * np.log(q) + rest * np.log1p(-q)
        mass = np.exp(np.where(possible, log_mass, -np.inf)) @ mass
        before, at = now, point
    return float(mass.sum())


@lru_cache(maxsize=64)
def tail_of(n: int, probability: float) -> float:
    """Return the largest pointwise tail probability of a band that holds ``n`` uniform values with ``probability``."""
    low, high = np.log10(SMALLEST), np.log10(0.5)
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if staying(n, 10**middle) >= probability else (low, middle)
    return float(10**low)


def band(n: int, probability: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points, and lower and upper edge of the simultaneous band of ``ECDF - diagonal`` of ``n`` uniform values.

    ArviZ's band, at the pointwise probability that the recursion gives and not at one that is simulated: with a few
    thousand simulations that holds 94 % where 95 % are asked for.
    """
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band  # noqa: PLC0415  (ArviZ costs seconds to import)

    inner = np.arange(1, n) / n
    low, high = get_pointwise_confidence_band(1 - 2 * tail_of(n, probability), n, inner)
    points = np.concatenate([[0.0], inner, [1.0]])
    return points, np.concatenate([[0.0], low - inner, [0.0]]), np.concatenate([[0.0], high - inner, [0.0]])


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for being many: Holm 1979, ``max over j <= i of min(1, (m - j + 1) p_(j))``.

    All of those at most ``alpha`` may be called departures at an error of ``alpha`` over all, however they depend.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]), 1.0)
    return adjusted[np.argsort(order, kind="stable")]
