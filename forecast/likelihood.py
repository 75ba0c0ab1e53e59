"""The log-likelihood of every matter and scenario, for many draws at once: what reweighting and outcomes need.

The same formula as ``kernel`` (its docstring has the symbols), in NumPy, with one leading axis for the draws. Here the
scenarios are still apart, so that weights, Bayes factors and per-matter terms can be read off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp

from forecast.elicitation import log_normal, pool
from forecast.exposure import Exposure
from forecast.observations import Observations
from forecast.parameters import Constants
from forecast.vocabulary import FAMILIES, PHASES, STAGES

Draws = Mapping[str, np.ndarray]
"""Effects by name, as ``parameters.effects`` gives them, each with a leading axis of draws."""


def base_hazards(draws: Draws) -> np.ndarray:
    """Return ``exp(log_rate + phase + stage)``: reference hazards per month, shape draw, family, cell."""
    n = len(draws["log_rate"])
    zero = np.zeros((n, len(FAMILIES), 1))
    phase = np.concatenate([zero, draws["phase"]], axis=2)
    stage = np.concatenate([zero, draws["stage"]], axis=2)
    log_base = draws["log_rate"][:, :, None, None] + phase[:, :, :, None] + stage[:, :, None, :]
    return np.exp(log_base).reshape(n, len(FAMILIES), len(PHASES) * len(STAGES))


def row_effects(draws: Draws, exposure: Exposure) -> np.ndarray:
    """Return ``exp(authority + pace)`` of every proceeding, shape draw, row, family."""
    authority = np.take(draws["authority"], exposure.row_class, axis=1)  # an index would give it another layout: slower
    return np.exp(authority + np.take(draws["pace"], exposure.row_provider, axis=1)[:, :, None])


def at_risk(base: np.ndarray, effect: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the reference hazard integrated over months at risk (row, cell), shape draw, row, family."""
    return (months @ base.swapaxes(1, 2)) * effect


def tilts(draws: Draws) -> np.ndarray:
    """Return ``exp(loading * severity)``, shape draw, family, scenario."""
    return np.exp(draws["loading"][:, :, None] * draws["severity"][:, None, :])


@dataclass(frozen=True)
class MatterLikelihood:
    """Log-likelihoods by draw. ``history`` and ``news`` keep the scenarios apart; neither holds prior weights.

    ``history[d, m, s] = log p(record of matter m | s, theta_d)``; ``news[d, s] = log p(news | history, s, theta_d)`` of
    the focal matter under the brief, and ``news_outside[d, s]`` the same under the reference hazards alone.
    ``hazard`` and ``count`` are what the frailty's gamma posterior needs: ``f | s ~ Gamma(nu + count, nu + hazard)``.
    """

    history: np.ndarray
    news: np.ndarray
    news_outside: np.ndarray
    hazard: np.ndarray
    count: np.ndarray
    news_hazard: np.ndarray
    news_count: float
    news_outside_hazard: np.ndarray
    news_outside_count: float

    def marginal(self, log_weight: np.ndarray, log_pi: np.ndarray) -> np.ndarray:
        """Return ``log p(matter m | theta)``, shape draw, matter: the scenarios summed out, news under the brief."""
        total = logsumexp(self.history + log_weight[:, None, :], axis=2)
        total[:, 0] += logsumexp(self.news + log_pi, axis=1)
        return total


def matter_likelihood(draws: Draws, exposure: Exposure, other: np.ndarray | float = 0.0) -> MatterLikelihood:
    """Return the log-likelihood of every matter and scenario.

    ``other`` (draw, scenario) is further log-likelihood of the focal matter's news: sizes of fines, user counts.
    """
    x = exposure
    base, effect, tilt = base_hazards(draws), row_effects(draws, x), tilts(draws)
    belongs = np.equal.outer(np.arange(len(x.matters)), x.row_matter).astype(float)
    of_matter = belongs[:, x.event_row].T
    log_hazard = np.log(base[:, x.event_family, x.event_cell] * effect[:, x.event_row, x.event_family])
    count = of_matter.sum(axis=0)
    hazard = np.einsum("mr,dre,des->dms", belongs, at_risk(base, effect, x.months), tilt, optimize=True)
    shape = draws["shape"][:, None, None]
    history = (
        (log_hazard @ of_matter)[..., None]
        + (draws["loading"][:, x.event_family] @ of_matter)[..., None] * draws["severity"][:, None, :]
        + _frailty(shape, 0.0, 0.0, count[:, None], hazard)
    )
    return MatterLikelihood(
        history=history,
        hazard=hazard,
        count=count,
        **_news(draws, x, base, effect, tilt, count[0], hazard[:, 0], other),
    )


def _news(
    draws: Draws,
    x: Exposure,
    base: np.ndarray,
    effect: np.ndarray,
    tilt: np.ndarray,
    count: float,
    hazard: np.ndarray,
    other: np.ndarray | float,
) -> dict[str, Any]:
    """The focal matter after ``as_of``, given ``count`` events and integrated ``hazard`` of its history."""
    focal, shape = effect[:, : x.n_focal], draws["shape"][:, None]
    log_hazard = np.log(base[:, x.news_family, x.news_cell] * focal[:, x.news_row, x.news_family])
    free = log_hazard.sum(axis=1)[:, None]
    ordinary = x.news_group < 0
    loaded, ordinary_loaded = (
        draws["loading"][:, families].sum(axis=1)[:, None] * draws["severity"]
        for families in (x.news_family, x.news_family[ordinary])
    )
    after = np.einsum("fec,dec,dfe->de", x.news_months, base, focal, optimize=True)
    begun, stated = after, np.zeros(1)
    if x.inside and x.groups:
        lived, multiplier = first_hazards(draws, x, base, focal)
        came = np.bincount(x.news_group[~ordinary], minlength=len(x.groups)).astype(float)
        stated = np.einsum("g,dgs->ds", came, np.log(multiplier)) - np.einsum("dgs,dg->ds", multiplier, lived)
        begun = after + lived @ np.eye(len(FAMILIES))[x.group_family]
    inside, outside = (np.einsum("de,des->ds", h, tilt) for h in (after, begun))
    n_inside, n_outside = float(ordinary.sum()), float(len(x.news_row))
    return {
        "news": free + ordinary_loaded + _frailty(shape, count, hazard, n_inside, inside) + stated + other,
        "news_outside": free + loaded + _frailty(shape, count, hazard, n_outside, outside),
        "news_hazard": inside,
        "news_count": n_inside,
        "news_outside_hazard": outside,
        "news_outside_count": n_outside,
    }


def first_hazards(
    draws: Draws, exposure: Exposure, base: np.ndarray, focal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per statement group, the reference hazard lived before the first event, and the multipliers.

    ``multiplier[d, g, s] = -log(1 - P[d, g, s]) / Lambda_g``, where ``Lambda_g`` is the reference hazard that the
    analyst foresaw in the group's interval; times the reference hazard it is the hazard of the matter's first event.
    """
    own = base[:, exposure.group_family]
    scale = focal[:, :, exposure.group_family]
    lived = np.einsum("fgc,dgc,dfg->dg", exposure.first_months, own, scale, optimize=True)
    foreseen = np.einsum("fgc,dgc,dfg->dg", exposure.stated_months, own, scale, optimize=True)
    return lived, draws["stated"] / foreseen[:, :, None]


def new_fines(flat: Draws, effect: Draws, fixed: Constants, reading: str, observations: Observations) -> np.ndarray:
    """Return the log density of the focal matter's new fines, shape draw, scenario; a steep wall beyond a ceiling.

    Reading ``share_of_ceiling``: ``logit(amount / (ceiling * turnover)) ~ Normal(loc_s, sd_s)``, pooled with the
    reference sizes where ``pooling`` is below 1. Reading ``eur``: ``log amount ~ Normal(loc_s, sd_s)``, cut off at the
    log of ``ceiling * turnover``. Densities are of the amount in EUR.
    """
    o = observations
    amount = np.log(o.new_fine_amount)[None, :]
    share = amount - np.log(o.new_fine_ceiling) - flat["log_turnover"][:, None]
    beyond = (-1e4 * np.maximum(share + 1e-6, 0.0)).sum(axis=1)[:, None]
    law = fixed.fine_loc, fixed.fine_sd
    if reading == "eur":
        below = log_ndtr(((amount - share)[..., None] - law[0]) / law[1])
        density = log_normal(amount[..., None], *law) - below - amount[..., None]
        return density.sum(axis=1) + beyond
    own = np.append(effect["instrument"], np.zeros((len(share), 1)), axis=1)[:, o.new_fine_instrument]
    reference = (flat["size_mean"][:, None] + own)[..., None], np.exp(flat["log_size_spread"])[:, None, None]
    law = pool(fixed.pooling, law, reference)
    inside = np.minimum(share, -1e-6)
    rest = np.log(-np.expm1(inside))
    density = log_normal((inside - rest)[..., None], *law) - (amount + rest)[..., None]
    return density.sum(axis=1) + beyond


def new_scopes(fixed: Constants, observations: Observations) -> np.ndarray:
    """Return the log probability of the scopes of the focal matter's new orders, by scenario."""
    return fixed.log_scope[observations.new_order_scopes].sum(axis=0)


def new_users(flat: Draws, effect: Draws, observations: Observations) -> np.ndarray:
    """Return the log density of the focal series' new user counts, shape draw, scenario."""
    users = observations.users[observations.users[:, 5] > 0]
    before, after = users[:, 3:5].T
    lost = effect["attrition"][:, None, :]
    felt = np.log1p(-lost * after[:, None]) - np.log1p(-lost * before[:, None])
    return _user_changes(flat, effect, users, felt).sum(axis=1)


def other_data(flat: Draws, effect: Draws, observations: Observations) -> dict[str, np.ndarray]:
    """Return the log density of everything beside the matters, by name, each of shape draw.

    ``users``: changes of counts that no scenario touches. ``sizes``: ``logit(fine / (ceiling * turnover))``.
    ``turnover_figure``: the latest published one. ``openings``: counts by provider, negative binomial, up to a constant
    of the data.
    """
    o = observations
    users = _user_changes(flat, effect, o.users[o.users[:, 5] == 0], np.zeros(1))
    size_mean = flat["size_mean"][:, None] + np.take(effect["instrument"], o.size_instrument, axis=1)
    sizes = log_normal(o.size, size_mean, np.exp(flat["log_size_spread"])[:, None])
    figure = log_normal(o.turnover, flat["log_turnover"][:, None], o.turnover_sd)
    return {
        "users": users[:, :, 0].sum(axis=1),
        "sizes": sizes.sum(axis=1),
        "turnover_figure": figure.sum(axis=1),
        "openings": _openings(flat, o.opening_count, o.opening_months),
    }


def _user_changes(flat: Draws, effect: Draws, users: np.ndarray, felt: np.ndarray) -> np.ndarray:
    """Log density of each change of a user count, shape draw, change, scenario; columns as in ``Observations``.

    ``felt`` is what attrition adds to the drift; the noise is Student's t with four degrees of freedom,
    ``3/8 (1 + z^2/4)^(-5/2) / scale``.
    """
    change, months, service = users[:, :3].T
    drift = np.take(effect["drift"], service.astype(int), axis=1) * months
    noise = np.exp(flat["log_user_noise"])[:, None] * np.sqrt(months)
    z = (change[:, None] - (drift[..., None] + felt)) / noise[..., None]
    return np.log(3 / 8) - 5 / 2 * np.log1p(z * z / 4) - np.log(noise)[..., None]


def _openings(flat: Draws, count: np.ndarray, months: np.ndarray) -> np.ndarray:
    """``sum_p log E[prod_j Poisson]`` over a propensity ``k_p ~ Gamma(shape, shape)`` of each provider."""
    rate, raised = flat["log_opening_rate"][:, None], flat["log_raised"][:, None]
    shape, total = np.exp(flat["log_opening_shape"])[:, None], count.sum(axis=1)
    hazard = np.exp(rate) * (months[:, 0] + months[:, 1] * np.exp(raised))
    log_mean = total * rate + count[:, 1] * raised
    power = gammaln(shape + total) - gammaln(shape) + shape * np.log(shape) - (shape + total) * np.log(shape + hazard)
    return (log_mean + power).sum(axis=1)


def _frailty(
    shape: np.ndarray,
    count: np.ndarray | float,
    hazard: np.ndarray | float,
    more: np.ndarray | float,
    lived: np.ndarray,
) -> np.ndarray:
    """``log E[f^n exp(-f H)]`` over ``f ~ Gamma(shape + count, shape + hazard)``, n = ``more``, H = ``lived``."""
    power = shape + count
    return (
        gammaln(power + more)
        - gammaln(power)
        + power * np.log(shape + hazard)
        - (power + more) * np.log(shape + hazard + lived)
    )
