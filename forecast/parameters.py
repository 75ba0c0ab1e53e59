"""Every unknown that the sampler moves: its name, dimensions and prior, in one table.

All of them are normal a priori: a positive quantity by its logarithm, a share by its logit, an effect by its
standard score (so that a scale and its effects do not form a funnel). ``effects`` turns them into what the
formulas speak of; model, likelihood and prior draws all use this one table and this one function.

==========================  =====================================================================================
effect                      formula (shape without the draws' axis)
==========================  =====================================================================================
phase, stage                centre + scale * score (family, later phase or stage); the first ones are the reference
authority                   centre + scale * score (class, family) +- scale * score / 2 (family): criminal or other
pace                        scale * score (provider)
loading                     sign * exp(log_loading) (family); request 0, fine 1
severity                    (-exp(log_step_0), 0, +exp(log_step_1)) (scenario)
shape                       exp(log_shape): the frailty is Gamma(shape, shape)
log_weight                  log softmax of (0, log_ratio) (scenario): the outside view's class shares
stated                      -log(1 - P) = log(1 + exp(location + error)) (group, scenario): cumulative hazards
attrition                   expit(loc + sd z) (scenario): share of users lost at full effect
==========================  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from forecast.elicitation import (
    Normal,
    conditional_probabilities,
    log_normal,
    logitnormal_from_range,
    lognormal_from_range,
    normal_from_range,
    statement_location,
)
from forecast.exposure import Exposure
from forecast.observations import Observations
from forecast.quantities import IMPACTS, LOADED_FAMILIES, Family, Number, Range
from forecast.specification import Specification
from forecast.vocabulary import (
    AUTHORITY_CLASSES,
    FAMILIES,
    LOADING_SIGNS,
    OPERATIONAL_SCOPES,
    PHASES,
    SCENARIOS,
    STAGES,
)

SCALES = ("phase", "stage", "authority", "pace", "procedure")
IS_CRIMINAL = np.array([float(c == "criminal") for c in AUTHORITY_CLASSES])


@dataclass(frozen=True)
class Parameter:
    """A normal prior, elementwise: ``loc`` and ``scale`` have the shape that ``dims`` name."""

    dims: tuple[str, ...]
    loc: np.ndarray
    scale: np.ndarray


def coordinates(exposure: Exposure, observations: Observations) -> dict[str, tuple[str, ...]]:
    """Return the labels of every dimension of the model."""
    return {
        "family": FAMILIES,
        "loaded_family": LOADED_FAMILIES,
        "later_phase": PHASES[1:],
        "later_stage": STAGES[1:],
        "authority_class": AUTHORITY_CLASSES,
        "provider": exposure.providers,
        "scenario": SCENARIOS,
        "other_scenario": SCENARIOS[1:],
        "step": ("down", "up"),
        "effect": SCALES,
        "statement": tuple(f"{g.family} {g.start:g}-{g.end:g}m" for g in exposure.groups),
        "impact": IMPACTS,
        "service": observations.services,
        "instrument": observations.instruments,
    }


def parameters(spec: Specification, coords: Mapping[str, tuple[str, ...]]) -> dict[str, Parameter]:
    """Return the table of priors; what the brief says and what is ours is in the prior file, not here."""
    hazards, sizes, drift, openings = spec.hazards, spec.sizes, spec.drift, spec.openings
    weights = np.array([getattr(hazards.weights, s).value for s in SCENARIOS])
    scales = {"authority": "authority_class"}
    table: dict[str, tuple[tuple[str, ...], list[Normal] | Normal]] = {
        "log_rate": (("family",), [_log(hazards.rates[f]) for f in FAMILIES]),
        "log_scale": (("effect",), [_log(getattr(hazards.scales, scales.get(e, e))) for e in SCALES]),
        "phase_score": (("family", "later_phase"), STANDARD),
        "stage_score": (("family", "later_stage"), STANDARD),
        "authority_score": (("authority_class", "family"), STANDARD),
        "pace_score": (("provider",), STANDARD),
        "procedure_score": (("family",), STANDARD),
        "log_step": (("step",), [_log(hazards.severity.down), _log(hazards.severity.up)]),
        "log_loading": (("loaded_family",), [_log(hazards.loadings[f]) for f in LOADED_FAMILIES]),
        "log_shape": ((), _log(hazards.frailty_shape)),
        "log_ratio": (
            ("other_scenario",),
            [Normal(float(np.log(w / weights[0])), hazards.weights_sd.value) for w in weights[1:]],
        ),
        "statement_shared": (("statement",), STANDARD),
        "statement_own": (("statement", "scenario"), STANDARD),
        "impact_score": (("impact",), STANDARD),
        "drift_mean": ((), normal_from_range(drift.mean.low, drift.mean.high, drift.mean.mass)),
        "log_drift_scale": ((), _log(drift.services)),
        "drift_score": (("service",), STANDARD),
        "log_user_noise": ((), _log(drift.noise)),
        "size_mean": ((), logitnormal_from_range(sizes.share.low, sizes.share.high, sizes.share.mass)),
        "log_size_spread": ((), _log(sizes.spread)),
        "log_instrument_scale": ((), _log(sizes.instruments)),
        "instrument_score": (("instrument",), STANDARD),
        "log_turnover": ((), _log(spec.fines.turnover)),
        "log_opening_rate": ((), _log(openings.rate)),
        "log_raised": ((), _log(openings.raised)),
        "log_opening_shape": ((), _log(openings.shape)),
    }
    return {name: _parameter(dims, prior, coords) for name, (dims, prior) in table.items()}


STANDARD = Normal(0.0, 1.0)


def _log(stated: Range) -> Normal:
    return lognormal_from_range(stated.low, stated.high, stated.mass)


def _parameter(dims: tuple[str, ...], prior: list[Normal] | Normal, coords: Mapping[str, tuple[str, ...]]) -> Parameter:
    size = tuple(len(coords[d]) for d in dims)
    entries = np.array(prior, dtype=float)
    return Parameter(dims, np.broadcast_to(entries[..., 0], size).copy(), np.broadcast_to(entries[..., 1], size).copy())


@dataclass(frozen=True)
class Constants:
    """What the prior file fixes: centres of effects, statement locations (group, scenario), sizes and impacts."""

    pi: np.ndarray
    authority_centre: np.ndarray
    """Log multipliers: class, family."""
    phase_centre: np.ndarray
    """Log multipliers: family, later phase."""
    stage_centre: np.ndarray
    """Log multipliers: family, later stage."""
    statement_loc: np.ndarray
    statement_sd: float
    statement_shared: float
    fine_loc: np.ndarray
    fine_sd: np.ndarray
    pooling: float
    """Weight of the brief where it is pooled with the record."""
    impact_loc: np.ndarray
    impact_sd: np.ndarray
    impact_cholesky: np.ndarray
    log_scope: np.ndarray
    """Log probability of each operational scope of an order, given the scenario: scope, scenario."""

    @property
    def log_pi(self) -> np.ndarray:
        """Log probabilities of the scenarios under the brief."""
        return np.log(self.pi)


def constants(spec: Specification, exposure: Exposure) -> Constants:
    """Return the fixed numbers of the brief on the model's scales."""
    statements, steps = spec.statements, spec.hazards.steps
    locations = np.zeros((len(exposure.groups), len(SCENARIOS)))
    for family, stated in statements.families.items():
        rows = [i for i, g in enumerate(exposure.groups) if g.family == family]
        for s, scenario in enumerate(SCENARIOS):
            parts = conditional_probabilities([p.value for p in getattr(stated, scenario)])
            locations[rows, s] = [statement_location(q, statements.error_sd.value) for q in parts]
    ranges = spec.fines.share if spec.fines.reading == "share_of_ceiling" else spec.fines.eur
    solve = logitnormal_from_range if spec.fines.reading == "share_of_ceiling" else lognormal_from_range
    fine = np.array([solve(r.low, r.high, r.mass) for r in (getattr(ranges, s) for s in SCENARIOS)])
    impact, correlation = _impacts(spec)
    return Constants(
        pi=np.array([spec.scenarios[s].probability.value for s in SCENARIOS]),
        authority_centre=np.array([_log_multipliers(steps.at_authority.get(c, {})) for c in AUTHORITY_CLASSES]),
        phase_centre=np.repeat(_log_multipliers(steps.after_six_months)[:, None], len(PHASES) - 1, axis=1),
        stage_centre=np.multiply.outer(_log_multipliers(steps.after_findings), [1.0, 0.0]),
        statement_loc=locations,
        statement_sd=statements.error_sd.value,
        statement_shared=statements.shared.value,
        fine_loc=fine[:, 0],
        fine_sd=fine[:, 1],
        pooling=spec.pooling.value,
        impact_loc=impact[..., 0],
        impact_sd=impact[..., 1],
        impact_cholesky=np.linalg.cholesky(correlation),
        log_scope=_log_scopes(spec),
    )


def _log_multipliers(stated: Mapping[Family, Number]) -> np.ndarray:
    """Return the log multiplier of every family; of one that is not named, 0."""
    return np.array([np.log(stated[f].value) if f in stated else 0.0 for f in FAMILIES])


def _impacts(spec: Specification) -> tuple[np.ndarray, np.ndarray]:
    """Impacts on their scales (impact, scenario, loc and sd); one shared factor, one correlation of every pair."""
    if spec.impacts is None:
        return np.zeros((len(IMPACTS), len(SCENARIOS), 2)), np.eye(len(IMPACTS))
    solve = (logitnormal_from_range, logitnormal_from_range, lognormal_from_range)
    table = [
        [f(r.low, r.high, r.mass) for r in (getattr(getattr(spec.impacts, name), s) for s in SCENARIOS)]
        for name, f in zip(IMPACTS, solve, strict=True)
    ]
    shared = spec.impacts.shared.value
    return np.array(table), shared + (1 - shared) * np.eye(len(IMPACTS))


def _log_scopes(spec: Specification) -> np.ndarray:
    """``log P(scope | order, s)``; a scope that the prior file leaves no room for gets one in a million million."""
    stated = np.array([[getattr(spec.orders, name)[s].value for s in SCENARIOS] for name in OPERATIONAL_SCOPES[1:]])
    return np.log(np.maximum(np.vstack([1 - stated.sum(axis=0), stated]), 1e-12))


def effects(raw: Mapping[str, Any], fixed: Constants, xp: ModuleType = np) -> dict[str, Any]:
    """Return the effects of the table above; ``xp`` is NumPy (any leading axes of draws) or PyTensor's tensors."""
    scale = xp.exp(raw["log_scale"])
    one = xp.ones_like(raw["log_shape"])[..., None]
    steps = xp.exp(raw["log_step"])
    loading = xp.exp(raw["log_loading"])
    columns = {f: LOADING_SIGNS[f] * loading[..., i, None] for i, f in enumerate(LOADED_FAMILIES)}
    ratios = xp.concatenate([0 * one, raw["log_ratio"]], axis=-1)
    top = xp.max(ratios, axis=-1, keepdims=True)
    shared, own = np.sqrt(fixed.statement_shared), np.sqrt(1 - fixed.statement_shared)
    error = shared * raw["statement_shared"][..., None] + own * raw["statement_own"]
    odds = xp.exp(fixed.statement_loc + fixed.statement_sd * error)
    procedure = scale[..., 4, None, None] * raw["procedure_score"][..., None, :] * (IS_CRIMINAL - 0.5)[:, None]
    attrition = xp.exp(fixed.impact_loc[0] + fixed.impact_sd[0] * raw["impact_score"][..., 0, None])
    return {
        "log_rate": raw["log_rate"],
        "phase": fixed.phase_centre + scale[..., 0, None, None] * raw["phase_score"],
        "stage": fixed.stage_centre + scale[..., 1, None, None] * raw["stage_score"],
        "authority": fixed.authority_centre + scale[..., 2, None, None] * raw["authority_score"] + procedure,
        "pace": scale[..., 3, None] * raw["pace_score"],
        "loading": xp.concatenate([columns.get(f, one * LOADING_SIGNS[f]) for f in FAMILIES], axis=-1),
        "severity": xp.concatenate([-steps[..., 0, None], 0 * one, steps[..., 1, None]], axis=-1),
        "shape": xp.exp(raw["log_shape"]),
        "log_weight": ratios - top - xp.log(xp.sum(xp.exp(ratios - top), axis=-1, keepdims=True)),
        "stated": xp.log1p(odds),
        "attrition": attrition / (1 + attrition),
        "drift": raw["drift_mean"][..., None] + xp.exp(raw["log_drift_scale"])[..., None] * raw["drift_score"],
        "instrument": xp.exp(raw["log_instrument_scale"])[..., None] * raw["instrument_score"],
    }


def draw_prior(table: Mapping[str, Parameter], n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ``n`` independent draws of every parameter from its prior."""
    return {name: rng.normal(p.loc, p.scale, size=(n, *p.loc.shape)) for name, p in table.items()}


def log_prior(raw: Mapping[str, np.ndarray], table: Mapping[str, Parameter]) -> dict[str, np.ndarray]:
    """Return the elementwise log prior density of every parameter, for any leading axes of draws."""
    return {name: log_normal(raw[name], p.loc, p.scale) for name, p in table.items()}


def statement_probability(stated: np.ndarray) -> np.ndarray:
    """Return ``P = 1 - exp(-cumulative hazard)``."""
    return -np.expm1(-stated)
