"""The posterior as a labelled tree, for ArviZ: draws, prior, sampler statistics, data, densities, replicates.

A saved tree and one in memory are the same. With ``tree = result.tree``, or ``az.from_netcdf("DIR/posterior.nc")``:

    az.loo(tree)                                              leave one matter out
    az.psense_summary(tree, prior_var_names=["rate"])         power scaling of a prior; the likelihood is the matters'
    az.psense_summary(tree.assign(log_likelihood=tree["log_likelihood_sums"]))    the likelihood is of all data
    az.plot_ppc_pit(tree, var_names="fine_share")             or "events"
    az.plot_ppc_rootogram(tree, var_names="events")           counts only
    az.plot_prior_posterior(tree, var_names="age")

``log_likelihood`` is pointwise by matter, for ``loo``; a matter without months at risk has the same density in every
draw, so it has no k-hat, and no row (``matters_without_data`` names them). ``log_likelihood_sums`` has the total of
each kind of data in each draw, the matters among them: without it power scaling would take a parameter that other data
speak of (the drift of user numbers, say) for one that the data say nothing about. ``log_prior`` is summed by parameter.

Draws are rounded, so that the file can be compressed. Kept are 32 binary digits of sampled parameters (a relative
error of 1e-10; the likelihood computed from them is off by 1e-8 nats), 14 of what can be computed from them, of the
prior and of replicated fines (3e-5), 24 of densities; all digits of scalars, conjugate parameters and sums. The prior
has ``PRIOR_DRAWS`` draws; ``prior_parameters`` gives all of them with all digits.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from forecast.descriptions import GROUPS, attributes
from forecast.evidence.statements import statements_of
from forecast.folders import FORMAT
from forecast.gathered import Evidence
from forecast.inference import Draws, Posterior, Settings, prior_draws
from forecast.model.focal import stated_probabilities
from forecast.record import Record
from forecast.replication import observed, replicate
from forecast.silence import silence_of
from forecast.specification import Specification
from forecast.version import package_version
from forecast.vocabulary import INTERVAL, SCENARIOS

PACKAGES = ("pymc", "nutpie", "pytensor", "arviz", "numpy", "scipy", "pandas", "xarray")
EFFECT_DIMS = {
    "stated_probability": ("statement", "scenario"),
    "attrition": ("scenario",),
    "drift": ("service",),
    "instrument_effect": ("instrument",),
}
EXACT_DIMS = {
    "appeal_probability": (),
    "appeal_probability_large": (),
    "closing_probability": (),
    "ruling_rate": ("ruling_phase",),
    "ruling_outcome": ("ruling",),
    "kept": ("moment",),
    "bare_size": ("moment",),
}


PARAMETER_BITS, DERIVED_BITS, DENSITY_BITS = 32, 14, 24
"""Binary digits of the mantissa that are kept, of 52."""
PRIOR_DRAWS = 400
"""At most about so many draws of the prior are kept, the same number for each chain."""
SILENT = 1e-9
"""Nats by which a density that is the same in every draw may differ."""
SQUEEZED = {"zlib": True, "complevel": 1}
USER_COLUMNS = ("log_change", "months", "service", "accrual_before", "accrual_after", "is_news")


def to_tree(posterior: Posterior, attributes: Mapping[str, Any]) -> xr.DataTree:
    """Return posterior, prior, replicated and real data, statistics and densities; provenance on the root."""
    evidence, s = posterior.evidence, posterior.settings
    table = evidence.priors
    draws, shape = posterior.draws, (s.chains, s.draws)
    arrays = {k for k, p in table.items() if p.dims}
    kept = {k: rounded(v, PARAMETER_BITS) if k in arrays else v for k, v in draws.flat.items()}
    prior = prior_draws(evidence, s.chains * s.draws, s.seed)
    groups = {
        "posterior": _rounded(_named(Draws(evidence, kept), shape), dict.fromkeys(effect_dims(evidence), DERIVED_BITS)),
        "posterior_predictive": _replicated(draws, s.seed),
        **_prior_groups(prior, shape, s.seed),
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in posterior.statistics.items()}),
        **_likelihoods(draws, shape),
        "log_prior": _rounded(_log_priors(posterior), dict.fromkeys(table, DENSITY_BITS)),
        "constant_data": _constant_data(evidence),
    }
    groups["prior"] = groups["prior"].isel(draw=slice(0, max(PRIOR_DRAWS // s.chains, 1)))
    tree = _described(groups)
    tree.attrs = {**attributes, **{f"settings_{k}": v for k, v in asdict(s).items() if k != "progress"}}
    return tree


def prior_tree(draws: Draws, seed: int) -> xr.DataTree:
    """Return the groups of the prior alone: parameters, replicated and real data."""
    return _described(_prior_groups(draws, (1, len(draws)), seed))


def prior_parameters(evidence: Evidence, settings: Settings) -> xr.Dataset:
    """Return all draws of the prior that a fit with ``settings`` is laid beside (chain, draw), with all digits."""
    draws = prior_draws(evidence, settings.chains * settings.draws, settings.seed)
    return _named(draws, (settings.chains, settings.draws))


def _likelihoods(draws: Draws, shape: tuple[int, int]) -> dict[str, xr.Dataset]:
    """Log density of each matter that says something, and the total of each kind of data."""
    evidence, names = draws.evidence, np.array(draws.evidence.hazards.matters, dtype=object)
    sums, pointwise = draws.log_likelihoods, draws.by_matter.copy()
    if "news" in sums:
        pointwise[:, evidence.hazards.matters.index(evidence.specification.matter)] += sums["news"]
    speaks = np.ptp(pointwise, axis=0) > SILENT
    matters = xr.Dataset(
        {"matters": (("chain", "draw", "matter"), pointwise[:, speaks].reshape(*shape, speaks.sum()))},
        coords={"matter": list(names[speaks])},
        attrs={"matters_without_data": ", ".join(names[~speaks])},
    )
    return {
        "log_likelihood": _rounded(matters, {"matters": DENSITY_BITS}),
        "log_likelihood_sums": xr.Dataset({k: (("chain", "draw"), v.reshape(shape)) for k, v in sums.items()}),
    }


def _log_priors(posterior: Posterior) -> xr.Dataset:
    evidence = posterior.evidence
    densities = {name: prior.log_density(posterior.raw[name]) for name, prior in evidence.priors.items()}
    return xr.Dataset({k: (("chain", "draw"), v.sum(axis=tuple(range(2, v.ndim)))) for k, v in densities.items()})


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Return float64 ``values`` rounded, half to even, to ``bits`` binary digits after the leading one.

    What is left are zero bits at the end, which compression takes away. Infinite and undefined values stay.
    """
    drop, whole = np.uint64(52 - bits), np.ascontiguousarray(values, dtype=np.float64)
    pattern, one = whole.view(np.uint64), np.uint64(1)
    half = (one << (drop - one)) - one + ((pattern >> drop) & one)
    nearest = ((pattern + half) >> drop << drop).view(np.float64)
    return np.where(np.isfinite(whole), nearest, whole)


def _rounded(group: xr.Dataset, bits: Mapping[str, int]) -> xr.Dataset:
    return group.assign({k: group[k].copy(data=rounded(group[k].values, n)) for k, n in bits.items()})


def _described(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Return the groups as a tree: chains and draws numbered for ArviZ, variables described, draws compressed."""
    numbered = {}
    for name, group in groups.items():
        numbers = {d: range(group.sizes[d]) for d in ("chain", "draw") if d in group.sizes}
        numbered[name] = group.assign_coords(numbers)
        for key, variable in numbered[name].data_vars.items():
            variable.attrs = attributes(GROUPS[name][str(key)])
            if "draw" in variable.dims and variable.size:
                variable.encoding = dict(SQUEEZED)
    return xr.DataTree.from_dict(numbered)


def _prior_groups(draws: Draws, shape: tuple[int, int], seed: int) -> dict[str, xr.Dataset]:
    prior = _named(draws, shape)
    return {
        "prior": _rounded(prior, dict.fromkeys(map(str, prior.data_vars), DERIVED_BITS)),
        "prior_predictive": _replicated(draws, seed),
        "observed_data": observed(draws),
    }


def _replicated(draws: Draws, seed: int) -> xr.Dataset:
    data = replicate(draws, np.random.default_rng([seed, 5])).expand_dims("chain")
    return _rounded(data, {"fine_share": DERIVED_BITS})


def stored_correction(tree: xr.DataTree, spec: Specification) -> np.ndarray | None:
    """Return the translation of the statements that a saved tree holds; ``None`` where none of its shape is."""
    shape = statements_of(spec, spec.regime).location.shape
    stored = tree["constant_data"].get("correction") if "constant_data" in tree.children else None
    return None if stored is None or stored.shape != shape else np.asarray(stored.values, dtype=float)


def provenance(evidence: Evidence, record: Record, seed: int, view: str) -> dict[str, Any]:
    """Return what a result was made from, and with what: fingerprints, dates, assumed silence, seed, versions."""
    spec, silence = evidence.specification, silence_of(record, evidence.origin)
    return {
        "format": FORMAT,
        "version": package_version(),
        "matter": spec.matter,
        "origin": str(evidence.origin),
        "as_of": str(spec.as_of),
        "view": view,
        "priors_fingerprint": spec.fingerprint,
        "record_fingerprint": record.fingerprint,
        "assumed_silence": silence.as_json() if silence else None,
        "labels": spec.labels,
        "horizons": list(spec.horizons),
        "seed": seed,
        "interval": INTERVAL,
        "python": platform.python_version(),
        **{f"version_{p}": importlib.metadata.version(p) for p in PACKAGES},
    }


def _coords(evidence: Evidence) -> dict[str, list[str]]:
    return {k: list(v) for k, v in evidence.coords.items()}


def _named(draws: Draws, shape: tuple[int, int]) -> xr.Dataset:
    """Label draws; effects are stored under their own names beside the parameters that make them."""
    evidence, flat, derived = draws.evidence, draws.flat, draws.effects
    shown = {**derived, "instrument_effect": derived["instrument"]}
    if "statement_own" in flat:
        shown["stated_probability"] = stated_probabilities(flat, evidence.statements)
    dims, coords = layout(evidence)
    values = {k: shown[k] if k in EFFECT_DIMS else flat[k] for k in dims}
    return xr.Dataset(
        {k: (("chain", "draw", *dims[k]), v.reshape(*shape, *v.shape[1:])) for k, v in values.items()},
        coords={k: v for k, v in coords.items() if any(k in dims[name] for name in values)},
    )


def layout(evidence: Evidence) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
    """Return the dimensions of every variable of the groups ``posterior`` and ``prior``, and the labels of each."""
    coords = {
        **_coords(evidence),
        "ruling": ["upheld", "reduced", "annulled"],
        "ruling_phase": [f"{p.from_months:g}+" for p in evidence.specification.appeals.ruling_rate],
        "moment": ["mean", "sd"],
    }
    return {**{k: p.dims for k, p in evidence.priors.items()}, **EXACT_DIMS, **effect_dims(evidence)}, coords


def effect_dims(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of what is stored beside the parameters that make it; statements only with a brief."""
    return {k: v for k, v in EFFECT_DIMS.items() if k != "stated_probability" or evidence.inside}


def _constant_data(evidence: Evidence) -> xr.Dataset:
    h, o = evidence.hazards, evidence.observations
    cells, names = h.cells, evidence.regime
    shares = ("statement", "scenario")
    stated = {"correction": (shares, evidence.correction)} if evidence.inside else {}
    return xr.Dataset(
        {
            "months": (("cell", "family"), cells.months),
            "events": (("cell", "family"), cells.count),
            "cell_class": (("cell",), np.array(names.class_names)[cells.covariates.authority_class]),
            "cell_stage": (("cell",), np.array(names.stage_names)[cells.covariates.stage]),
            "cell_log_age": (("cell",), cells.covariates.log_age),
            "cell_year": (("cell",), cells.covariates.year),
            "cell_rules": (("cell", "rule"), cells.covariates.rules),
            "case_matter": (("case",), np.array([life.matter_id for life in h.lives])),
            "case_open": (("case",), np.array([life.at_risk for life in h.lives])),
            "size_logit": (("size",), o.size),
            "size_instrument": (
                ("size",),
                np.array(o.instruments)[o.size_instrument] if o.instruments else o.size,
            ),
            "users": (("user_change", "user_column"), o.users),
            "opening_count": (("opening_provider", "opening_state"), o.opening_count),
            "opening_months": (("opening_provider", "opening_state"), o.opening_months),
            **stated,
        },
        coords={
            "case": [life.case_id for life in h.lives],
            "family": list(names.family_names),
            "rule": [rule.name for rule in names.rules],
            "user_column": list(USER_COLUMNS),
            "opening_provider": list(o.opening_providers),
            "opening_state": ["usual", "raised"],
            "scenario": list(SCENARIOS),
            **({"statement": list(evidence.coords["statement"])} if evidence.inside else {}),
        },
    )
