"""The parts of prior and data, as log densities of the draws: what power scaling makes count more or less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from forecast.sensitivity.exact_parts import exact_likelihood, exact_prior
from forecast.sensitivity.worlds import Read

STATED = ("statement_shared", "statement_own")
GROUPS: dict[str, tuple[str, ...]] = {
    "statements": STATED,
    "turnover": ("log_turnover",),
    "impacts": ("impact_score",),
    "event rates": ("rate",),
    "powers of authorities": ("powers",),
    "stages and age": ("stage", "age"),
    "procedural law": ("law",),
    "trend": ("trend",),
    "reference sizes": ("size_mean", "log_size_spread", "log_instrument_scale"),
    "users' drift": ("drift_mean", "log_drift_scale", "log_user_noise"),
    "openings": ("log_opening_rate", "log_raised", "log_opening_shape"),
}
"""Parts of the prior that are sampled parameters. Statements are told family by family."""

STRUCTURE, ALL_PRIORS, ALL_DATA = "pooling of effects", "all priors", "all data"
"""All other parameters are scores of services and instruments: partial pooling, which is no part of all priors."""
EXACT_GROUP = "appeals and closings"
FIGURES = {
    "fine_size": "sizes of fines",
    "user_change": "user counts",
    "turnover": "published turnover",
    "openings": "openings",
}
"""Kinds of data besides events, as ``Draws.log_likelihoods`` names them -> as a part is named."""


@dataclass(frozen=True)
class Part:
    """Log density of one part: ``draw``, of the parameters alone; ``scenario`` (draw, scenario), of the scenario too.

    ``scenario`` is centred on its mean under the draw's probabilities: to first order that is its own normalisation.
    ``scores``: the part's parameters in sds from the centres of their priors (draw, parameter), where it is a prior of
    normals.
    """

    draw: np.ndarray | None = None
    scenario: np.ndarray | None = None
    scores: np.ndarray | None = None


type Parts = dict[str, Part]


def group_of(parameter: str) -> str:
    """Return the part of the prior that a sampled parameter belongs to."""
    return next((name for name, members in GROUPS.items() if parameter in members), STRUCTURE)


def prior_parts(seen: Read) -> Parts:
    """Return every part of the prior; *all priors* are those of parameters, without the scenarios' probabilities."""
    draws, evidence = seen.draws, seen.draws.evidence
    parts = _statements(seen) if evidence.inside else {}
    parts |= {name: _normals(seen, members) for name, members in GROUPS.items() if members != STATED}
    parts[EXACT_GROUP] = Part(exact_prior(evidence.specification, draws.flat))
    everything = {ALL_PRIORS: Part(_total(part.draw for part in parts.values()))}
    scores = tuple(name for name in evidence.priors if group_of(name) == STRUCTURE)
    future: Parts = {}
    if evidence.inside:
        log_pi = np.tile(evidence.log_pi, (len(draws), 1))
        future["scenario probabilities"] = Part(scenario=_centred(log_pi, seen.view))
    return {**everything, **future, **parts, STRUCTURE: _normals(seen, scores)}


def data_parts(seen: Read) -> Parts:
    """Return every kind of data. News speaks of the parameters, with scenarios summed out, and of the scenario."""
    draws, evidence = seen.draws, seen.draws.evidence
    own = np.array([name == evidence.specification.matter for name in evidence.hazards.matters])
    news = _centred(draws.log_news, seen.view) if evidence.elapsed > 0 else None
    told = logsumexp(draws.log_news + evidence.log_pi, axis=1)
    parts = {
        "this matter": Part(draws.by_matter[:, own].sum(axis=1) + told, news),
        "other matters": Part(draws.by_matter[:, ~own].sum(axis=1)),
        **{name: Part(draws.log_likelihoods[kind]) for kind, name in FIGURES.items()},
        EXACT_GROUP: Part(exact_likelihood(evidence.observations, draws.flat)),
    }
    return {ALL_DATA: Part(_total(part.draw for part in parts.values()), news), **parts}


def _statements(seen: Read) -> Parts:
    """Return the statements on each family as a part of its own."""
    evidence = seen.draws.evidence
    names, groups = evidence.regime.family_names, evidence.statements.groups
    families = dict.fromkeys(group.family for group in groups)
    rows = {names[family]: np.array([group.family == family for group in groups]) for family in families}
    return {f"statements: {name}": _normals(seen, STATED, own) for name, own in rows.items()}


def _normals(seen: Read, names: tuple[str, ...], rows: np.ndarray | None = None) -> Part:
    """Return the part of these parameters, or of some of their rows (first axis)."""
    draws, table = seen.draws, seen.draws.evidence.priors
    kept = slice(None) if rows is None else rows

    def joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
        flat = [a[:, kept] if a.ndim > 1 else a[:, None] for a in arrays]
        return np.concatenate([a.reshape(len(draws), -1) for a in flat], axis=1)

    density = joined(table[k].log_density(draws.flat[k]) for k in names)
    scores = joined((draws.flat[k] - table[k].loc) / table[k].scale for k in names)
    return Part(draw=density.sum(axis=1), scores=scores)


def _total(values: Iterable[np.ndarray | None]) -> np.ndarray:
    return np.sum([value for value in values if value is not None], axis=0)


def _centred(density: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Return a density of the scenario (draw, scenario) less its mean under the draw's probabilities."""
    return density - (density * view).sum(axis=1, keepdims=True)
