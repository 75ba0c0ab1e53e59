"""What the record knows besides events: sizes of fines, users, turnover, openings; and the impacts that scenarios
state.

==========================  =====================================================================================
effect                      formula (shape without the draws' axis)
==========================  =====================================================================================
instrument                  exp(log_instrument_scale) * instrument_score: logit of a fine's share (instrument)
drift                       drift_mean + exp(log_drift_scale) * drift_score: log change of users per month (service)
attrition                   expit(loc + sd z) (scenario): share of users lost at full effect, z the first impact score
==========================  =====================================================================================

Scores are standard normal, so that a scale and its effects do not form a funnel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr

from forecast.elicitation import (
    Normal,
    log_normal,
    logitnormal_from_range,
    lognormal_from_range,
    normal_from_range,
)
from forecast.model.priors import NormalPrior
from forecast.observations import Observations
from forecast.quantities import IMPACTS, Range
from forecast.specification import Specification
from forecast.vocabulary import SCENARIOS

STANDARD = Normal(0.0, 1.0)
MOST_SHARE = 1 - 1e-6
"""A sum of fines beyond the ceiling counts as one that reaches it: no scenario's sum lies above."""


def figure_priors(spec: Specification, coords: Mapping[str, tuple[str, ...]]) -> dict[str, NormalPrior]:
    """Return the priors of everything besides hazards and statements; ``coords`` as ``figure_coordinates`` has them."""
    sizes, drift, openings = spec.sizes, spec.drift, spec.openings
    table: dict[str, tuple[tuple[str, ...], Normal]] = {
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
    return {
        name: NormalPrior(
            dims,
            np.full(tuple(len(coords[d]) for d in dims), prior.loc),
            np.full(tuple(len(coords[d]) for d in dims), prior.scale),
        )
        for name, (dims, prior) in table.items()
    }


def figure_coordinates(observations: Observations) -> dict[str, tuple[str, ...]]:
    """Return the labels of the dimensions of ``figure_priors``."""
    return {"impact": IMPACTS, "service": observations.services, "instrument": observations.instruments}


def _log(stated: Range) -> Normal:
    return lognormal_from_range(stated.low, stated.high, stated.mass)


@dataclass(frozen=True)
class Stated:
    """What the prior file fixes of sums of fines and of impacts, on the model's scales, by scenario.

    ``fine_loc``, ``fine_sd``: of the logit of the sum as a share of ceiling times turnover, or of its log in EUR.
    ``impact_loc``, ``impact_sd``: impact, scenario; logits of fractions, log of spending. ``impact_cholesky``: of the
    correlation of the impacts' errors.
    """

    fine_loc: np.ndarray
    fine_sd: np.ndarray
    impact_loc: np.ndarray
    impact_sd: np.ndarray
    impact_cholesky: np.ndarray


def stated_figures(spec: Specification) -> Stated:
    """Return the fixed numbers of the brief."""
    in_shares = spec.fines.reading == "share_of_ceiling"
    ranges, solve = (spec.fines.share, logitnormal_from_range) if in_shares else (spec.fines.eur, lognormal_from_range)
    fine = np.array([solve(r.low, r.high, r.mass) for r in (ranges[s] for s in SCENARIOS)])
    if spec.impacts is None:
        nothing = np.zeros((len(IMPACTS), len(SCENARIOS)))
        return Stated(fine[:, 0], fine[:, 1], nothing, nothing, np.eye(len(IMPACTS)))
    solvers = (logitnormal_from_range, logitnormal_from_range, lognormal_from_range)
    table = np.array(
        [
            [f(r.low, r.high, r.mass) for r in (getattr(spec.impacts, name)[s] for s in SCENARIOS)]
            for name, f in zip(IMPACTS, solvers, strict=True)
        ]
    )
    shared = spec.impacts.shared.value
    correlation = shared + (1 - shared) * np.eye(len(IMPACTS))
    return Stated(fine[:, 0], fine[:, 1], table[..., 0], table[..., 1], np.linalg.cholesky(correlation))


def figure_effects(values: Mapping[str, Any], stated: Stated, xp: ModuleType = np) -> dict[str, Any]:
    """Return the effects of the table above; ``xp`` is NumPy (any leading axes of draws) or PyTensor's tensors."""
    attrition = xp.exp(stated.impact_loc[0] + stated.impact_sd[0] * values["impact_score"][..., 0, None])
    return {
        "instrument": xp.exp(values["log_instrument_scale"])[..., None] * values["instrument_score"],
        "drift": values["drift_mean"][..., None] + xp.exp(values["log_drift_scale"])[..., None] * values["drift_score"],
        "attrition": attrition / (1 + attrition),
    }


def log_figures_given_scenario(
    values: Mapping[str, np.ndarray],
    effects: Mapping[str, np.ndarray],
    stated: Stated,
    spec: Specification,
    o: Observations,
) -> np.ndarray:
    """Return the log-likelihood of figures that speak of the scenarios, shape draw, scenario.

    New fines: the scenario's sum is at least what has been imposed, ``log P(S > sum)``. New user counts of the focal
    series: Student's t about drift and what attrition has taken by then.
    """
    total = np.zeros((len(values["log_turnover"]), len(SCENARIOS)))
    if o.new_fine_sum > 0:
        score = fine_scale(o.new_fine_sum, values["log_turnover"], o.new_fine_ceiling, spec)[:, None] - stated.fine_loc
        total = total + log_ndtr(-score / stated.fine_sd)
    users = o.users[o.users[:, 5] > 0]
    before, after = users[:, 3:5].T
    lost = effects["attrition"][:, None, :]
    felt = np.log1p(-lost * after[:, None]) - np.log1p(-lost * before[:, None])
    return total + _user_changes(values, effects, users, felt).sum(axis=1)


def fine_scale(amount: Any, log_turnover: Any, ceiling: Any, spec: Specification) -> np.ndarray:
    """Return an amount in EUR on the scale of the brief's ranges: log EUR, or logit of the share of the ceiling."""
    if spec.fines.reading == "eur":
        return np.log(amount) + 0 * log_turnover
    share = np.minimum(amount / (ceiling * np.exp(log_turnover)), MOST_SHARE)
    return np.log(share) - np.log1p(-share)


def log_figures(
    values: Mapping[str, np.ndarray], effects: Mapping[str, np.ndarray], o: Observations
) -> dict[str, np.ndarray]:
    """Return the log density of everything that no scenario touches, by name, each of shape draw.

    ``fine_size``: ``logit(fine / (ceiling turnover)) ~ Normal``. ``user_change``: log changes of counts, Student's t
    with four degrees of freedom. ``turnover``: the latest published figure, normal in logs. ``openings``: counts by
    provider, negative binomial and binomial.
    """
    users = _user_changes(values, effects, o.users[o.users[:, 5] == 0], np.zeros(1))
    mean = values["size_mean"][:, None] + np.take(effects["instrument"], o.size_instrument, axis=1)
    sizes = log_normal(o.size, mean, np.exp(values["log_size_spread"])[:, None])
    figure = log_normal(o.turnover, values["log_turnover"][:, None], o.turnover_sd)
    return {
        "fine_size": sizes.sum(axis=1),
        "user_change": users[:, :, 0].sum(axis=1),
        "turnover": figure.sum(axis=1),
        "openings": log_openings(values, o.opening_count, o.opening_months),
    }


def _user_changes(
    values: Mapping[str, np.ndarray], effects: Mapping[str, np.ndarray], users: np.ndarray, felt: np.ndarray
) -> np.ndarray:
    """Log density of each change of a user count, shape draw, change, scenario; columns as in ``Observations``."""
    change, months, service = users[:, :3].T
    drift = np.take(effects["drift"], service.astype(int), axis=1) * months
    noise = np.exp(values["log_user_noise"])[:, None] * np.sqrt(months)
    z = (change[:, None] - (drift[..., None] + felt)) / noise[..., None]
    return np.log(3 / 8) - 5 / 2 * np.log1p(z * z / 4) - np.log(noise)[..., None]


def log_openings(values: Mapping[str, np.ndarray], count: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the log probability of counts (usual, raised) by provider, summed, shape draw.

    A provider's propensity is Gamma(shape, shape), so its total is negative binomial with mean ``rate (usual months +
    raised months * raised)`` and the raised ones are binomial among them.
    """
    rate, raised = np.exp(values["log_opening_rate"])[:, None], np.exp(values["log_raised"])[:, None]
    shape, total, many = np.exp(values["log_opening_shape"])[:, None], count.sum(axis=1), count[:, 1]
    usual_hazard, raised_hazard = rate * months[:, 0], rate * raised * months[:, 1]
    mean = usual_hazard + raised_hazard
    with np.errstate(divide="ignore", invalid="ignore"):
        split = np.where(many > 0, many * np.log(raised_hazard), 0) + np.where(
            total > many, (total - many) * np.log(usual_hazard), 0
        )
    choose = -gammaln(many + 1) - gammaln(total - many + 1)
    power = gammaln(shape + total) - gammaln(shape) + shape * np.log(shape) - (shape + total) * np.log(shape + mean)
    return (split + choose + power).sum(axis=1)
