"""Every number of a forecast as one vector, for any weights of its draws, with what a jackknife needs.

Quantities, in order: per view (``view``, the forecast's own, and ``outside``) and scenario the probability and the
log-odds; per target and horizon the mean and, unless it is a probability, the quantiles of ``QUANTILES``. A value is a
table of rows: the first with all draws, each other one without one block of draws. Differences and sums of values are
values, so that the error of any of them is ``error(value)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logit

from forecast.vocabulary import SCENARIOS

VIEWS = ("view", "outside")
QUANTILES = (0.05, 0.50, 0.95)
STATISTICS = ("mean", *(f"q{round(100 * q):02d}" for q in QUANTILES))
WIDTH = 0.02
"""Least half width, in probability, over which the slope of a quantile function is taken; the standard error of the
share of draws below the quantile where that is larger (Woodruff 1952, doi:10.1080/01621459.1952.10483443)."""


def labels(outcomes: xr.Dataset, names: Sequence[str]) -> pd.DataFrame:
    """Return what each quantity is, for the named targets: ``target, scenario, horizon_months, statistic, unit``."""
    rows = [
        (view, scenario, 0, statistic, unit)
        for view in VIEWS
        for statistic, unit in (("probability", "probability"), ("log_odds", "nats"))
        for scenario in SCENARIOS
    ]
    rows += [
        (name, "all", int(horizon), statistic, outcomes[name].attrs["units"])
        for name in names
        for horizon in outcomes["horizon"].values
        for statistic in (STATISTICS[:1] if _is_chance(outcomes[name]) else STATISTICS)
    ]
    return pd.DataFrame(rows, columns=["target", "scenario", "horizon_months", "statistic", "unit"])


@dataclass(frozen=True)
class Ranked:
    """Draws of every target and horizon, a column each, and what quantiles under any weights need.

    ``values``: draw, column, zero where undefined. ``defined``: whether the target has a value in the draw. ``order``:
    the rows of each column by size, undefined ones last. ``wanted``: column, statistic.
    """

    values: np.ndarray
    defined: np.ndarray
    order: np.ndarray
    wanted: np.ndarray


def rank(outcomes: xr.Dataset, names: Sequence[str]) -> Ranked:
    """Return the draws of the named targets, ranked."""
    columns = np.concatenate([outcomes[name].values for name in names], axis=1)
    defined = ~np.isnan(columns)
    chances = np.repeat([_is_chance(outcomes[name]) for name in names], outcomes.sizes["horizon"])
    wanted = ~chances[:, None] | (np.array(STATISTICS) == "mean")
    return Ranked(np.where(defined, columns, 0.0), defined, np.argsort(columns, axis=0), wanted)


def _is_chance(target: xr.DataArray) -> bool:
    """Whether the draws of a target are zeros and ones, of which a mean says all."""
    return bool(target.attrs["units"] == "probability")


def value(chances: Mapping[str, np.ndarray], future: Ranked, weights: np.ndarray) -> np.ndarray:
    """Return the quantities under each row of ``weights``, shape row, quantity; a row of weights sums to 1.

    ``chances``: per view the scenarios' probabilities of each draw. Quantiles interpolate between the middles of the
    weights' steps; in later rows they are linearised, ``q - (F_row(q) - F(q)) dq/dp``, F the distribution function.
    A target that is defined only in some draws counts these alone.
    """
    parts = []
    for view in VIEWS:
        probability = weights @ chances[view]
        parts += [probability, logit(probability)]
    return np.concatenate([*parts, _moments(future, weights)], axis=1)


def error(rows: np.ndarray) -> np.ndarray:
    """Return the jackknife's standard error of each quantity: ``sqrt((B - 1) / B sum_b (v_b - mean)^2)``."""
    without = rows[1:]
    return np.sqrt((len(without) - 1) / len(without) * ((without - without.mean(axis=0)) ** 2).sum(axis=0))


def smooth(labels: pd.DataFrame, errors: np.ndarray) -> np.ndarray:
    """Return which quantities have nearly normal errors: not quantiles of counts, nor such as no draw moves."""
    jumps = (labels["unit"] == "count") & (labels["statistic"] != "mean")
    return ~jumps.to_numpy() & (errors > 0)


def _moments(future: Ranked, weights: np.ndarray) -> np.ndarray:
    """Mean and quantiles of each column, as far as wanted, shape row, quantity."""
    values, defined = future.values, future.defined
    mass = weights @ defined
    mass = np.where(mass > 0, mass, np.nan)
    found = [weights @ values / mass]
    own = np.take_along_axis(weights[0][:, None] * defined / np.nan_to_num(mass[0], nan=1.0), future.order, axis=0)
    upto = np.cumsum(own, axis=0) - own / 2
    ranked = np.take_along_axis(values, future.order, axis=0)
    for p, at in zip(QUANTILES, _interpolated(np.array(QUANTILES)[:, None], upto, ranked, defined), strict=True):
        share = weights @ (defined & (values <= at)) / mass
        width = np.maximum(WIDTH, error(share))
        low, high = np.clip(p - width, 0, 1), np.clip(p + width, 0, 1)
        slope = np.subtract(*_interpolated(np.stack([high, low]), upto, ranked, defined)) / (high - low)
        found.append(at - (share - share[0]) * slope)
    return np.stack(found, axis=2)[:, future.wanted]


def _interpolated(points: np.ndarray, upto: np.ndarray, ranked: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Return quantiles, shape point, column; NaN where a column has fewer than two values; undefined ones rank last."""
    found = np.full((len(points), ranked.shape[1]), np.nan)
    wanted = np.broadcast_to(points, found.shape)
    for column, n in enumerate(defined.sum(axis=0)):
        if n > 1:
            found[:, column] = np.interp(wanted[:, column], upto[:n, column], ranked[:n, column])
    return found
