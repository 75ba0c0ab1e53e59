"""From a stated range or probability, and how it is read, to the parameters of a distribution.

A range ``[low, high]`` of mass ``c`` is read as a central interval with equal tails: ``P(x < low) = P(x > high)
= (1 - c) / 2``. That fixes the two parameters of a normal on the scale that suits the quantity (identity, log,
logit) exactly. Maximum entropy under a mass constraint reads it otherwise: on "90 % in [1, 50]" it puts 0.01 %
below and 10 % above, which nobody means who writes "from 1 to 50".
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtri


class Normal(NamedTuple):
    """Location and scale of a normal distribution, on the scale named by the function that made it."""

    loc: float
    scale: float


def normal_from_range(low: float, high: float, mass: float = 0.90) -> Normal:
    """Return the normal whose central interval of ``mass`` is ``[low, high]``.

    ``loc = (low + high) / 2``, ``scale = (high - low) / (2 z)``, ``z = Phi^-1((1 + mass) / 2)``.

    Raises ``ValueError`` unless ``low < high`` and ``0 < mass < 1``.
    """
    if not (low < high and 0 < mass < 1):
        raise ValueError(f"expected low < high and 0 < mass < 1, got low={low}, high={high}, mass={mass}")
    return Normal((low + high) / 2, (high - low) / (2 * ndtri((1 + mass) / 2)))


def lognormal_from_range(low: float, high: float, mass: float = 0.90) -> Normal:
    """Return the normal of ``log x`` whose central interval of ``mass`` is ``[log low, log high]``, ``low > 0``."""
    return normal_from_range(np.log(low), np.log(high), mass)


def logitnormal_from_range(low: float, high: float, mass: float = 0.90) -> Normal:
    """Return the normal of ``logit x`` whose central interval of ``mass`` is ``[logit low, logit high]``."""
    return normal_from_range(logit(low), logit(high), mass)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def log_normal(x: Any, loc: Any, scale: Any) -> Any:
    """Return the log density of a normal; SciPy's own costs ten times as much, for checks of its input."""
    return -(((x - loc) / scale) ** 2) / 2 - np.log(np.sqrt(2 * np.pi)) - np.log(scale)


def pool(weight: Any, one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return loc and sd of the logarithmic pool of two normals (loc, sd): proportional to ``one^w other^(1 - w)``.

    It is normal with precision ``w / sd_1^2 + (1 - w) / sd_2^2``. All may be numbers, arrays, or tensors of PyTensor.
    """
    first, second = weight / one[1] ** 2, (1 - weight) / other[1] ** 2
    return (first * one[0] + second * other[0]) / (first + second), (first + second) ** -0.5


STEPS = 200
"""Most steps of a solver; a prior file's numbers need 20 at most."""
NEAR_ONE, SMALLEST = 0.999, 1e-30


def mean_of_expit(loc: float, scale: float) -> float:
    """Return ``E[expit(loc + scale z)]`` for standard normal ``z`` (Gauss-Hermite quadrature, 61 nodes)."""
    return float(_WEIGHTS @ expit(loc + scale * _NODES))


def statement_location(probability: float, error_sd: float) -> float:
    """Return the location at which a stated probability is kept in the mean.

    Solves ``E[expit(location + error_sd * z)] = probability`` for standard normal ``z``: an analyst who says 15 %
    gets a parameter whose mean is 15 %, however unsure they are. Without error it is ``logit(probability)``.

    Raises ``ValueError`` unless ``0 < probability < 1`` and ``error_sd >= 0``, or if `STEPS` steps do not find it.
    """
    if not (0 < probability < 1 and error_sd >= 0):
        raise ValueError(f"expected 0 < probability < 1 and error_sd >= 0, got {probability}, {error_sd}")
    if probability > NEAR_ONE:  # the difference to 1 would cancel: solve for the complement, which mirrors it
        return -statement_location(1 - probability, error_sd)
    location, step = float(logit(probability)), np.inf
    for _ in range(STEPS):  # Newton: the mean is concave beyond 1/2, so no step overshoots
        share = expit(location + error_sd * _NODES)
        slope = _WEIGHTS @ (share * (1 - share))
        if slope < SMALLEST:  # so wide an error that the nodes see two steps and nothing between
            break
        step = (probability - _WEIGHTS @ share) / slope
        location += step
        if abs(step) <= 1e-12 * (1 + abs(location)):
            return float(location)
    what = f"no location keeps a probability of {probability:g} in the mean under an error of {error_sd:g}"
    raise ValueError(f"{what}: not found in {STEPS} steps, got {location:g}")


def conditional_probabilities(cumulative: list[float]) -> list[float]:
    """Return ``Q_k = P(by H_k | not by H_{k-1})`` from cumulative probabilities ``P_1 <= P_2 <= ...``.

    ``Q_1 = P_1`` and ``Q_k = (P_k - P_{k-1}) / (1 - P_{k-1})``. Raises ``ValueError`` if they do not rise.
    """
    values = [0.0, *cumulative]
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise ValueError(f"cumulative probabilities must rise with the horizon, got {cumulative}")
    return [(later - earlier) / (1 - earlier) for earlier, later in itertools.pairwise(values)]
