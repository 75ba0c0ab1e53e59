"""The parts of prior and data, as log densities of the draws: what power scaling makes count more or less."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from forecast.likelihood import other_data
from forecast.outcomes import Future, per_scenario
from forecast.parameters import log_prior, parameters
from forecast.sensitivity.answers import scores_of_fines
from forecast.sensitivity.exact_parts import exact_likelihood, exact_prior
from forecast.sensitivity.worlds import Read

STATED = ("statement_shared", "statement_own")
GROUPS: dict[str, tuple[str, ...]] = {
    "statements": STATED,
    "turnover": ("log_turnover",),
    "impacts": ("impact_score",),
    "event rates": ("log_rate",),
    "severity and loadings": ("log_step", "log_loading"),
    "class weights": ("log_ratio",),
    "frailty": ("log_shape",),
    "scales of effects": ("log_scale",),
    "reference sizes": ("size_mean", "log_size_spread", "log_instrument_scale"),
    "users' drift": ("drift_mean", "log_drift_scale", "log_user_noise"),
    "openings": ("log_opening_rate", "log_raised", "log_opening_shape"),
}
"""Parts of the prior that are sampled parameters. Statements are told family by family."""

STRUCTURE, ALL_PRIORS, ALL_DATA = "pooling of effects", "all priors", "all data"
"""All other parameters are scores of effects: the model's partial pooling, not a prior, and no part of all priors."""


@dataclass(frozen=True)
class Part:
    """Log density of one part: ``draw``, of the parameters alone; ``course``: draw, scenario, replicate, of the future.

    ``course`` is centred on its mean given the parameters (and the scenario, unless it is the scenario's own density):
    to first order that is its own normalisation. ``scores``: the part's parameters in sds from the centres of their
    priors (draw, parameter), where it is a prior of normals; ``course_score``: the same of the future, summed.
    """

    draw: np.ndarray | None = None
    course: np.ndarray | None = None
    scores: np.ndarray | None = None
    course_score: np.ndarray | None = None


type Parts = dict[str, Part]


def group_of(parameter: str) -> str:
    """Return the part of the prior that a sampled parameter belongs to."""
    return next((name for name, members in GROUPS.items() if parameter in members), STRUCTURE)


def prior_parts(seen: Read, courses: list[list[Future]], seed: int) -> Parts:
    """Return every part of the prior; ``courses``: replicate, scenario.

    *all priors* are those of parameters, without what acts on the future alone.
    """
    draws, evidence = seen.draws, seen.draws.evidence
    parts = _statements(seen)
    parts |= {name: _normals(seen, members) for name, members in GROUPS.items() if members != STATED}
    parts["appeals and closings"] = Part(exact_prior(evidence.specification, draws.flat))
    everything = {ALL_PRIORS: Part(_total(part.draw for part in parts.values()))}
    scores = tuple(name for name in parameters(evidence.specification, evidence.coords) if group_of(name) == STRUCTURE)
    future: Parts = {}
    if evidence.exposure.inside:
        log_pi = np.tile(evidence.constants.log_pi, (len(draws), 1))
        future["scenario probabilities"] = Part(course=_centred(log_pi, seen.view)[:, :, None])
        future["sizes of fines"] = Part(
            course=_of_courses(courses, lambda f, r: _by_fine(f, (1 - scores_of_fines(f, seed, r) ** 2) / 2)),
            course_score=_of_courses(courses, lambda f, r: _by_fine(f, scores_of_fines(f, seed, r))),
        )
        future["scopes of orders"] = Part(course=_of_courses(courses, lambda f, _: _scopes(f)))
    return {**everything, **future, **parts, STRUCTURE: _normals(seen, scores)}


def data_parts(seen: Read) -> Parts:
    """Return every kind of data. What is news to the brief speaks of the scenario too; other classes are summed out."""
    draws, evidence = seen.whole, seen.whole.evidence
    by_matter = draws.matters.marginal(draws.effects["log_weight"], evidence.constants.log_pi)
    news = _centred(draws.matters.news, seen.view)[:, :, None] if evidence.exposure.has_news else None
    draw = {
        "other matters": by_matter[:, 1:].sum(axis=1),
        **other_data(draws.flat, draws.effects, evidence.observations),
        "appeals and closings": exact_likelihood(evidence.observations, draws.flat),
    }
    parts = {"this matter": Part(by_matter[:, 0], news), **{k: Part(v) for k, v in draw.items()}}
    return {ALL_DATA: Part(_total(part.draw for part in parts.values()), news), **parts}


def _statements(seen: Read) -> Parts:
    """Return the statements on each family as a part of its own."""
    groups = seen.draws.evidence.exposure.groups
    families = dict.fromkeys(group.family for group in groups)
    own = {family: np.array([group.family == family for group in groups]) for family in families}
    return {f"statements: {family}": _normals(seen, STATED, rows) for family, rows in own.items()}


def _normals(seen: Read, names: tuple[str, ...], rows: np.ndarray | None = None) -> Part:
    """Return the part of these parameters, or of some of their rows (first axis)."""
    draws = seen.draws
    table = parameters(draws.evidence.specification, draws.evidence.coords)
    kept = slice(None) if rows is None else rows

    def joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
        flat = [a[:, kept] if a.ndim > 1 else a[:, None] for a in arrays]
        return np.concatenate([a.reshape(len(draws), -1) for a in flat], axis=1)

    density = joined(log_prior({k: draws.flat[k] for k in names}, {k: table[k] for k in names}).values())
    scores = joined((draws.flat[k] - table[k].loc) / table[k].scale for k in names)
    return Part(draw=density.sum(axis=1), scores=scores)


def _total(values: Iterable[np.ndarray | None]) -> np.ndarray:
    return np.sum([value for value in values if value is not None], axis=0)


def _centred(density: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Return a density of the scenario (draw, scenario) less its mean under the draw's probabilities."""
    return density - (density * view).sum(axis=1, keepdims=True)


def _of_courses(courses: list[list[Future]], density: Callable[[Future, int], np.ndarray]) -> np.ndarray:
    rows = [np.stack([density(future, r) for future in row], axis=1) for r, row in enumerate(courses)]
    return np.stack(rows, axis=2)


def _by_fine(future: Future, values: np.ndarray) -> np.ndarray:
    """Return the sum over the fines of each course."""
    return np.bincount(future.fine_path, values, len(future.draws))


def _scopes(future: Future) -> np.ndarray:
    """Sum over the orders of a course of the log probability of their scope, less its mean given the scenario."""
    orders = future.draws.evidence.specification.orders
    stated = np.stack([per_scenario(orders.extensive), per_scenario(orders.filtering)])[:, future.scenario[0]]
    chance = np.maximum(np.append(1 - stated.sum(), stated), 1e-12)
    centred = np.log(chance) - chance @ np.log(chance)
    return np.bincount(future.order_path, centred[future.order_scope], len(future.draws))
