"""Replicates of the record: what the model would have expected to see in the months that the record covers.

Posterior predictive checks (Gelman, Meng and Stern 1996). Counts are given the months at risk as they were lived.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit

from forecast.inference import Draws
from forecast.model.hazards import log_hazards
from forecast.model.priors import hazard_priors
from forecast.vocabulary import AUTHORITY_CLASSES, FAMILIES

REPLICATES = 1200
"""At most so many draws are replicated: enough for intervals of counts."""
MOST_COUNTED = 1e15
"""Expected events of a replicate are cut off here: far beyond every quantile, and within whole numbers."""


def replicate(draws: Draws, rng: np.random.Generator) -> xr.Dataset:
    """Return replicated data, one set per draw (evenly thinned to ``REPLICATES``).

    ``events``: draw, cell (class of authority and family), a count, ``Poisson(sum of months hazard)``. ``fine_share``:
    draw, size, a fine as a share of its ceiling: ``logit ~ Normal(mean + instrument, spread)``.
    """
    chosen = draws.take(np.linspace(0, len(draws) - 1, min(REPLICATES, len(draws))).astype(int))
    return _labelled(_events(chosen, rng), _shares(chosen, rng), ("draw",))


def observed(draws: Draws) -> xr.Dataset:
    """Return what the record holds of the same: ``events`` (cell) and ``fine_share`` (size)."""
    cells = draws.evidence.hazards.cells
    counts = np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)), dtype=np.int64)
    np.add.at(counts, cells.covariates.authority_class, cells.count.astype(np.int64))
    return _labelled(counts, expit(draws.evidence.observations.size), ())


def _events(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    cells, regime = draws.evidence.hazards.cells, draws.evidence.regime
    hazard = np.exp(log_hazards({k: draws.flat[k] for k in hazard_priors(regime)}, cells.covariates, regime))
    expected = np.zeros((len(draws), len(AUTHORITY_CLASSES), len(FAMILIES)))
    for c in range(len(AUTHORITY_CLASSES)):
        own = cells.covariates.authority_class == c
        expected[:, c] = (hazard[:, own] * cells.months[own]).sum(axis=1)
    return rng.poisson(np.minimum(expected, MOST_COUNTED))


def _shares(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    o, flat = draws.evidence.observations, draws.flat
    middle = flat["size_mean"][:, None] + draws.effects["instrument"][:, o.size_instrument]
    return expit(rng.normal(middle, np.exp(flat["log_size_spread"])[:, None]))


def _labelled(events: np.ndarray, shares: np.ndarray, lead: tuple[str, ...]) -> xr.Dataset:
    """Label data; classes and families make one dimension, for ArviZ compares counts along one."""
    cells = [(c, f) for c in AUTHORITY_CLASSES for f in FAMILIES]
    variables: dict[str, Any] = {
        "events": ((*lead, "cell"), events.reshape(*events.shape[:-2], len(cells))),
        "fine_share": ((*lead, "size"), shares),
    }
    coords: dict[str, Any] = {
        "cell": [f"{c} {f}" for c, f in cells],
        "authority_class": ("cell", [c for c, _ in cells]),
        "family": ("cell", [f for _, f in cells]),
    }
    return xr.Dataset(variables, coords=coords)


def by_class_and_family(data: xr.Dataset) -> xr.DataArray:
    """Return the counts of ``replicate`` or ``observed`` with a dimension each: ..., authority class, family."""
    events = data["events"].transpose(..., "cell")
    lead = events.dims[:-1]
    return xr.DataArray(
        events.values.reshape(*events.shape[:-1], len(AUTHORITY_CLASSES), len(FAMILIES)),
        dims=(*lead, "authority_class", "family"),
        coords={d: events[d] for d in lead if d in events.coords}
        | {"authority_class": list(AUTHORITY_CLASSES), "family": list(FAMILIES)},
    )
