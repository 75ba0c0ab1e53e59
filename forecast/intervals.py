"""Where a number lies in a sample, and exact 90 % intervals of rates and shares."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, gammaincinv

TAIL = 0.05
"""Mass on either side of an interval."""

type Interval = tuple[float, float]


def percentile(values: np.ndarray, x: float) -> float:
    """Return the mid-rank percentile ``100 (#below + #equal / 2) / n`` of ``x``, 0 to 100."""
    return float(100 * ((values < x).mean() + (values == x).mean() / 2))


def poisson_interval(events: int, months: float) -> Interval:
    """Return the exact 90 % interval of a rate, ``chi2(.05; 2k) / 2T`` to ``chi2(.95; 2k + 2) / 2T``."""
    low = float(gammaincinv(events, TAIL)) if events else 0.0
    return low / months, float(gammaincinv(events + 1, 1 - TAIL)) / months


def binomial_interval(events: int, cases: int) -> Interval:
    """Return the exact (Clopper-Pearson) 90 % interval of a proportion."""
    missed = cases - events
    low = float(betaincinv(events, missed + 1, TAIL)) if events else 0.0
    return low, float(betaincinv(events + 1, missed, 1 - TAIL)) if missed else 1.0
