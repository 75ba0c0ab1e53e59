"""Replicates of the record: what the model would have expected to see in the months that the record covers.

Mixed replication (Gelman, Meng and Stern 1996; Marshall and Spiegelhalter 2003, doi:10.1002/sim.1403): every matter
takes a scenario from the reference weights and a frailty from its population anew, so that the replicates test the
whole hierarchy and do not lean on each matter's own events. Counts are given the months at risk as they were lived.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit

from forecast.inference import Draws
from forecast.likelihood import at_risk, base_hazards, row_effects, tilts
from forecast.outcomes import choose_scenarios
from forecast.vocabulary import AUTHORITY_CLASSES, FAMILIES

REPLICATES = 1200
"""At most so many draws are replicated: enough for intervals of counts."""
MOST_COUNTED = 1e15
"""Expected events of a replicate are cut off here: far beyond every quantile, and within whole numbers."""


def replicate(draws: Draws, rng: np.random.Generator) -> xr.Dataset:
    """Return replicated data, one set per draw (evenly thinned to ``REPLICATES``).

    ``events``: draw, cell (class of authority and family), a count,
    ``Poisson(sum over proceedings of f_m months hazard)`` with ``s_m ~ weight`` and ``f_m ~ Gamma(nu, nu)`` drawn
    anew. ``fine_share``: draw, size, a fine as a share of its ceiling: ``logit ~ Normal(mean + instrument, spread)``.
    """
    chosen = draws.take(np.linspace(0, len(draws) - 1, min(REPLICATES, len(draws))).astype(int))
    return _labelled(_events(chosen, rng), _shares(chosen, rng), ("draw",))


def observed(draws: Draws) -> xr.Dataset:
    """Return what the record holds of the same: ``events`` (cell) and ``fine_share`` (size)."""
    x, o = draws.evidence.exposure, draws.evidence.observations
    counts = np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)), dtype=np.int64)
    np.add.at(counts, (x.row_class[x.event_row], x.event_family), 1)
    return _labelled(counts, expit(o.size), ())


def _events(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    x, e, n = draws.evidence.exposure, draws.effects, len(draws)
    expected = at_risk(base_hazards(e), row_effects(e, x), x.months)
    weights, tilt, rows = np.exp(e["log_weight"]), tilts(e), np.arange(n)
    counts = np.zeros((n, len(AUTHORITY_CLASSES), len(FAMILIES)), dtype=np.int64)
    for matter in range(len(x.matters)):
        factor = (rng.gamma(e["shape"]) / e["shape"])[:, None] * tilt[rows, :, choose_scenarios(weights, rng)]
        for row in np.flatnonzero(x.row_matter == matter):
            counts[:, x.row_class[row]] += rng.poisson(np.minimum(expected[:, row] * factor, MOST_COUNTED))
    return counts


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
