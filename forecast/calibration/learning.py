"""How soon the scenarios tell themselves apart: the focal matter's news, one event after the other.

No fit is repeated: the draws of the one at the world's origin are weighted by ``p(news by t | history) / p(news by the
origin | history)``. What only the focal news speaks of (what the analyst is wrong about, turnover, attrition) is not
drawn but integrated by quadrature, given all that the draws hold: weights that had to move these far would leave few
draws effective, or none after a fine that many a draw's ceiling forbids.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

from forecast.calibration.fitting import thinned
from forecast.elicitation import lognormal_from_range
from forecast.inference import Draws
from forecast.likelihood import (
    base_hazards,
    first_hazards,
    matter_likelihood,
    new_fines,
    new_scopes,
    new_users,
    row_effects,
)
from forecast.observations import Observations
from forecast.simulate import World, focal_exposure, focal_observations

SURE = 0.8
"""Probability from which a scenario counts as recognised."""
EVERY = 3
"""Months between two looks at silence."""
KEEP = 1600
"""Draws that are weighted, at most."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
LOG_WEIGHTS = np.log(WEIGHTS / WEIGHTS.sum())
GRID = 2001
"""Points over ten standard deviations of log turnover, whose density a fine near its ceiling cuts off."""


class Step(NamedTuple):
    """What is known at a moment: months since the brief, events in the matter so far, silence in between included.

    ``probabilities``: of each scenario; ``effective``: draws that the weights leave.
    """

    months: float
    events: int
    probabilities: tuple[float, ...]
    effective: float


def lessons(world: World, draws: Draws) -> list[Step]:
    """Return the scenarios' probabilities after each event of the matter and, for silence tells too, every few months.

    Of everything but the focal news what the origin knows is known throughout.
    """
    draws, n_focal = thinned(draws, KEEP), world.design.exposure.n_focal
    last = world.design.specification.horizons[-1]
    news = sorted(e.time for e in world.events if e.row < n_focal and 0 < e.time <= last)
    at_origin = logsumexp(news_by_scenario(world, draws, world.months), axis=1)
    steps = []
    for months in sorted({*news, *map(float, range(0, last + 1, EVERY)), float(last)}):
        by_scenario = news_by_scenario(world, draws, months)
        joint = by_scenario - at_origin[:, None]
        chances = np.exp(joint - joint.max())
        weight = chances.sum(axis=1)
        probabilities = tuple(float(p) for p in chances.sum(axis=0) / weight.sum())
        effective = float(weight.sum() ** 2 / (weight @ weight))
        steps.append(Step(float(months), int(sum(t <= months for t in news)), probabilities, effective))
    return steps


def news_by_scenario(world: World, draws: Draws, months: float) -> np.ndarray:
    """Return ``log pi_s p(news by a moment | history, s)`` by draw and scenario.

    Given the draws but not their statements, turnover and attrition, which are integrated.
    """
    spec, fixed = world.design.specification, world.design.constants
    exposure, figures = focal_exposure(world, months), focal_observations(world, months)
    ones = {**draws.effects, "stated": np.ones_like(draws.effects["stated"])}
    other = _fines(world, figures) + _users(draws, figures) + new_scopes(fixed, figures)
    plain = matter_likelihood(ones, exposure, other).news + fixed.log_pi
    if not exposure.groups:
        return plain
    base, focal = base_hazards(ones), row_effects(ones, exposure)
    lived, per_foreseen = first_hazards(ones, exposure, base, focal)
    relative = lived * per_foreseen[:, :, 0]  # hazard lived before the first event, per what the analyst foresaw
    came = np.bincount(exposure.news_group[exposure.news_group >= 0], minlength=len(exposure.groups))
    stated = np.log1p(np.exp(fixed.statement_loc + spec.statements.error_sd.value * NODES[:, None, None]))
    log_density = (came[:, None] * np.log(stated))[:, None] - relative[None, :, :, None] * stated[:, None]
    total = _log_mean(log_density, LOG_WEIGHTS[:, None, None, None]).sum(axis=1)
    return plain + total + relative.sum(axis=1)[:, None]  # in place of what statements of one have cost


def _log_mean(log_values: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """Return ``log sum_k w_k exp(x_k)`` along the first axis; SciPy's own costs some times as much, for its checks."""
    log_values = log_values + log_weights
    top = log_values.max(axis=0)
    return top + np.log(np.exp(log_values - top).sum(axis=0))


def _fines(world: World, figures: Observations) -> np.ndarray | float:
    """Log density of the new fines by scenario, over turnover as prior and published figure leave it."""
    if not len(figures.new_fine_amount):
        return 0.0
    spec, figure, sd = world.design.specification, world.figures.turnover, world.design.observations.turnover_sd
    prior = lognormal_from_range(spec.fines.turnover.low, spec.fines.turnover.high, spec.fines.turnover.mass)
    precision = 1 / prior.scale**2 + (1 / sd**2).sum()
    mean = (prior.loc / prior.scale**2 + (figure / sd**2).sum()) / precision
    z = np.linspace(-5, 5, GRID)
    log_mass = -(z**2) / 2 - logsumexp(-(z**2) / 2)
    unheard = {"size_mean": np.zeros(GRID), "log_size_spread": np.zeros(GRID)}  # worlds pool nothing with the record
    at = {"log_turnover": mean + z / np.sqrt(precision), **unheard}
    effect = {"instrument": np.zeros((GRID, len(figures.instruments)))}
    density = new_fines(at, effect, world.design.constants, spec.fines.reading, figures)
    return _log_mean(density, log_mass[:, None])


def _users(draws: Draws, figures: Observations) -> np.ndarray | float:
    """Log density of the focal series' new counts by draw and scenario, over the attrition that the brief foresees."""
    fixed, by_node = draws.evidence.constants, []
    if not (figures.users[:, 5] > 0).any():
        return 0.0
    for node in NODES:
        lost = expit(fixed.impact_loc[0] + fixed.impact_sd[0] * node)
        effect = {**draws.effects, "attrition": np.broadcast_to(lost, draws.effects["attrition"].shape)}
        by_node.append(new_users(draws.flat, effect, figures))
    return _log_mean(np.array(by_node), LOG_WEIGHTS[:, None, None])


def recognised(steps: list[Step], scenario: int) -> tuple[float, float]:
    """Return events and months after which a scenario first has the probability ``SURE``; infinite if never."""
    for step in steps:
        if step.probabilities[scenario] >= SURE:
            return float(step.events), step.months
    return np.inf, np.inf
