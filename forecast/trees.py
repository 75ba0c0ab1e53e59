"""The posterior as a labelled tree: draws, prior, sampler statistics, data, densities; provenance on the root."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import NetCDF4DataStore
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from forecast.folders import FORMAT
from forecast.inference import Draws, Evidence, Posterior, prior_draws
from forecast.likelihood import other_data
from forecast.parameters import log_prior, parameters
from forecast.record import Record
from forecast.replication import observed, replicate
from forecast.vocabulary import INTERVAL, PHASES, SCENARIOS, STAGES

PACKAGES = ("pymc", "nutpie", "pytensor", "arviz", "numpy", "scipy", "pandas", "xarray")
EFFECT_DIMS = {
    "phase": ("family", "later_phase"),
    "stage": ("family", "later_stage"),
    "authority": ("authority_class", "family"),
    "pace": ("provider",),
    "loading": ("family",),
    "severity": ("scenario",),
    "shape": (),
    "weight": ("scenario",),
    "stated_probability": ("statement", "scenario"),
    "attrition": ("scenario",),
    "drift": ("service",),
    "instrument_effect": ("instrument",),
}
EXACT_DIMS = {
    "appeal_probability": (),
    "closing_probability": (),
    "ruling_rate": ("ruling_phase",),
    "ruling_outcome": ("ruling",),
    "kept": ("moment",),
    "bare_size": ("moment",),
}


def to_tree(posterior: Posterior, attributes: Mapping[str, Any]) -> xr.DataTree:
    """Return posterior, prior, replicated and real data, statistics and pointwise densities; provenance on the root."""
    evidence, s = posterior.evidence, posterior.settings
    table = parameters(evidence.specification, evidence.coords)
    densities = log_prior(posterior.raw, table)
    draws = posterior.draws
    pointwise = draws.matters.marginal(draws.effects["log_weight"], evidence.constants.log_pi)
    other = other_data(draws.flat, draws.effects, evidence.observations)
    shape = (s.chains, s.draws)
    prior = prior_draws(evidence, s.chains * s.draws, s.seed)
    groups = {
        "posterior": _named(draws, shape),
        "posterior_predictive": _replicated(draws, s.seed),
        **_prior_groups(prior, shape, s.seed),
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in posterior.statistics.items()}),
        "log_likelihood": xr.Dataset(
            {
                "matters": (("chain", "draw", "matter"), pointwise.reshape(*shape, -1)),
                **{k: (("chain", "draw"), v.reshape(shape)) for k, v in other.items()},
            },
            coords={"matter": list(evidence.exposure.matters)},
        ),
        "log_prior": xr.Dataset(
            {k: (("chain", "draw", *table[k].dims), v) for k, v in densities.items()}, coords=_coords(evidence)
        ),
        "constant_data": _constant_data(evidence),
    }
    tree = _counted(groups)
    tree.attrs = {**attributes, **{f"settings_{k}": v for k, v in asdict(s).items() if k != "progress"}}
    return tree


def prior_tree(draws: Draws, seed: int) -> xr.DataTree:
    """Return the groups of the prior alone: parameters, replicated and real data."""
    return _counted(_prior_groups(draws, (1, len(draws)), seed))


@dataclass(frozen=True)
class _Deferred:
    """A writer, as xarray's stores take it, that puts off all data until every variable is defined.

    HDF5 goes through all that is defined in a file again whenever a definition follows upon data.
    """

    writes: list[tuple[Any, Any]] = field(default_factory=list)

    def add(self, source: Any, target: Any, region: Any = None) -> None:
        """Take an array and the place in the file where it belongs."""
        self.writes.append((source, target))


def write(tree: xr.DataTree, path: Path) -> None:
    """Write a tree into a new NetCDF file: what ``tree.to_netcdf`` writes, several times as fast.

    The lock is xarray's own; without one given it first looks for a Dask cluster, and imports all of ``distributed``.
    """
    writer = _Deferred()
    with closing(NetCDF4DataStore.open(path, mode="w", lock=NETCDF4_PYTHON_LOCK)) as root:
        for node in tree.subtree:
            own = node.to_dataset(inherit=node.parent is None)
            own.dump_to_store(root if node.parent is None else root.get_child_store(node.path), writer=writer)
        for source, target in writer.writes:
            target[...] = source


def _counted(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Return the groups as a tree; chains and draws are numbered, as ArviZ expects."""
    numbers = {k: {d: range(v.sizes[d]) for d in ("chain", "draw") if d in v.sizes} for k, v in groups.items()}
    return xr.DataTree.from_dict({k: v.assign_coords(numbers[k]) for k, v in groups.items()})


def _prior_groups(draws: Draws, shape: tuple[int, int], seed: int) -> dict[str, xr.Dataset]:
    return {
        "prior": _named(draws, shape),
        "prior_predictive": _replicated(draws, seed),
        "observed_data": observed(draws),
    }


def _replicated(draws: Draws, seed: int) -> xr.Dataset:
    return replicate(draws, np.random.default_rng([seed, 5])).expand_dims("chain")


def provenance(evidence: Evidence, record: Record, seed: int, view: str) -> dict[str, Any]:
    """Return what a result was made from, and with what: fingerprints, dates, seed, versions."""
    spec = evidence.specification
    return {
        "format": FORMAT,
        "matter": spec.matter,
        "origin": str(evidence.exposure.origin),
        "as_of": str(spec.as_of),
        "view": view,
        "priors_fingerprint": spec.fingerprint,
        "record_fingerprint": record.fingerprint,
        "labels": spec.labels,
        "horizons": list(spec.horizons),
        "seed": seed,
        "interval": INTERVAL,
        "python": platform.python_version(),
        **{f"version_{p}": importlib.metadata.version(p) for p in PACKAGES},
    }


def plain_attributes(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with what NetCDF has no type for (labels by scenario, lists) as JSON text."""
    return {k: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for k, v in manifest.items()}


def _coords(evidence: Evidence) -> dict[str, list[str]]:
    return {k: list(v) for k, v in evidence.coords.items()}


def _named(draws: Draws, shape: tuple[int, int]) -> xr.Dataset:
    """Label draws; effects are stored under their own names beside the parameters that make them."""
    evidence, flat, derived = draws.evidence, draws.flat, draws.effects
    table = parameters(evidence.specification, evidence.coords)
    shown = {
        **derived,
        "weight": np.exp(derived["log_weight"]),
        "stated_probability": -np.expm1(-derived["stated"]),
        "instrument_effect": derived["instrument"],
    }
    dims = {**{k: p.dims for k, p in table.items()}, **EXACT_DIMS, **EFFECT_DIMS}
    values = {**{k: flat[k] for k in (*table, *EXACT_DIMS)}, **{k: shown[k] for k in EFFECT_DIMS}}
    coords = {
        **_coords(evidence),
        "ruling": ["upheld", "reduced", "annulled"],
        "ruling_phase": [f"{p.from_months:g}+" for p in evidence.specification.appeals.ruling_rate],
        "moment": ["mean", "sd"],
    }
    return xr.Dataset(
        {k: (("chain", "draw", *dims[k]), v.reshape(*shape, *v.shape[1:])) for k, v in values.items()},
        coords={k: v for k, v in coords.items() if any(k in dims[name] for name in values)},
    )


def _constant_data(evidence: Evidence) -> xr.Dataset:
    x, o = evidence.exposure, evidence.observations
    cell = [f"{phase} {stage}" for phase in PHASES for stage in STAGES]
    case = ("case",)
    return xr.Dataset(
        {
            "months": (("case", "cell"), x.months),
            "case_matter": (case, np.array(x.matters)[x.row_matter]),
            "case_open": (case, x.is_open),
            "event_case": (("event",), np.array(x.cases)[x.event_row]),
            "event_family": (("event",), np.array(evidence.coords["family"])[x.event_family]),
            "event_cell": (("event",), np.array(cell)[x.event_cell]),
            "size_logit": (("size",), o.size),
            "size_instrument": (
                ("size",),
                np.array(o.instruments)[o.size_instrument] if o.instruments else o.size,
            ),
            "users": (("user_change", "user_column"), o.users),
            "opening_count": (("opening_provider", "opening_state"), o.opening_count),
            "opening_months": (("opening_provider", "opening_state"), o.opening_months),
        },
        coords={
            "case": list(x.cases),
            "cell": cell,
            "opening_provider": list(o.opening_providers),
            "opening_state": ["usual", "raised"],
            "scenario": list(SCENARIOS),
        },
    )
