"""The log-likelihood of every matter and scenario, for many draws at once: what reweighting and outcomes need.

The same formula as ``kernel`` (its docstring has the symbols), in NumPy, with one leading axis for the draws. Here the
scenarios are still apart, so that weights, Bayes factors and per-matter terms can be read off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import norm
from scipy.stats import t as student

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
    return np.exp(
        draws["authority"][:, exposure.row_class, :] + draws["pace"][:, exposure.row_provider, None]
    )


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
    base, effect, tilt, severity = base_hazards(draws), row_effects(draws, x), tilts(draws), draws["severity"]
    shape = draws["shape"][:, None, None]
    n_matters = len(x.matters)
    belongs = np.equal.outer(np.arange(n_matters), x.row_matter).astype(float)

    log_hazard = np.log(base[:, x.event_family, x.event_cell] * effect[:, x.event_row, x.event_family])
    of_matter = belongs[:, x.event_row].T
    free = log_hazard @ of_matter
    loaded = draws["loading"][:, x.event_family] @ of_matter
    count = of_matter.sum(axis=0)
    at_risk = np.einsum("rc,dec->dre", x.months, base, optimize=True) * effect
    hazard = np.einsum("mr,dre,des->dms", belongs, at_risk, tilt, optimize=True)
    power = shape + count[:, None]
    history = (
        free[:, :, None]
        + loaded[:, :, None] * severity[:, None, :]
        + gammaln(power)
        - gammaln(shape)
        + shape * np.log(shape)
        - power * np.log(shape + hazard)
    )

    focal = effect[:, : x.n_focal]
    log_news = np.log(base[:, x.news_family, x.news_cell] * focal[:, x.news_row, x.news_family])
    first = x.news_group >= 0
    after = np.einsum("fec,dec,dfe->de", x.news_months, base, focal, optimize=True)
    news_hazard = np.einsum("de,des->ds", after, tilt)
    new_count = float((~first).sum())
    frailty = _frailty_news(shape[:, 0], count[0], hazard[:, 0], new_count, news_hazard)
    new_loaded = draws["loading"][:, x.news_family[~first]].sum(axis=1)
    news = log_news.sum(axis=1)[:, None] + new_loaded[:, None] * severity + frailty + other
    began = after
    if x.inside and x.groups:
        ahead, multiplier = first_hazards(draws, x, base, focal)
        came = np.bincount(x.news_group[first], minlength=len(x.groups)).astype(float)
        news = news + np.einsum("g,dgs->ds", came, np.log(multiplier)) - np.einsum("dgs,dg->ds", multiplier, ahead)
        began = after + np.einsum("dg,ge->de", ahead, np.eye(len(FAMILIES))[x.group_family])
    outside_hazard = np.einsum("de,des->ds", began, tilt)
    all_count = float(len(x.news_row))
    all_loaded = draws["loading"][:, x.news_family].sum(axis=1)
    outside = (
        log_news.sum(axis=1)[:, None]
        + all_loaded[:, None] * severity
        + _frailty_news(shape[:, 0], count[0], hazard[:, 0], all_count, outside_hazard)
    )
    return MatterLikelihood(
        history, news, outside, hazard, count, news_hazard, new_count, outside_hazard, all_count
    )


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


def new_fines(flat: Draws, fixed: Constants, reading: str, observations: Observations) -> np.ndarray:
    """Return the log density of the focal matter's new fines, shape draw, scenario; minus infinity over a ceiling.

    Reading ``share_of_ceiling``: ``logit(amount / (ceiling * turnover)) ~ Normal(loc_s, sd_s)``; reading ``eur``:
    ``log amount ~ Normal(loc_s, sd_s)``. Densities are of the amount in EUR.
    """
    amount = np.log(observations.new_fine_amount)[None, :]
    share = amount - np.log(observations.new_fine_ceiling) - flat["log_turnover"][:, None]
    beyond = np.where((share > 0).any(axis=1), -np.inf, 0.0)[:, None]
    if reading == "eur":
        x, jacobian = amount, -amount
    else:
        rest = np.log(-np.expm1(np.minimum(share, -1e-12)))
        x, jacobian = share - rest, -amount - rest
    density = norm.logpdf(x[..., None], fixed.fine_loc, fixed.fine_sd) + jacobian[..., None]
    return density.sum(axis=1) + beyond


def new_users(flat: Draws, effect: Draws, observations: Observations) -> np.ndarray:
    """Return the log density of the focal series' new user counts, shape draw, scenario."""
    change, months, service, before, after, _ = observations.users[observations.users[:, 5] > 0].T
    drift = effect["drift"][:, service.astype(int)] * months
    lost = effect["attrition"][:, None, :]
    felt = np.log1p(-lost * after[:, None]) - np.log1p(-lost * before[:, None])
    noise = np.exp(flat["log_user_noise"])[:, None] * np.sqrt(months)
    return student.logpdf(change[:, None], 4.0, drift[..., None] + felt, noise[..., None]).sum(axis=1)


def _frailty_news(
    shape: np.ndarray, count: float, hazard: np.ndarray, new_count: float, new_hazard: np.ndarray
) -> np.ndarray:
    """``log E[f^n exp(-f H)]`` over ``f ~ Gamma(shape + count, shape + hazard)``: the gamma frailty after history."""
    power = shape + count
    return (
        gammaln(power + new_count)
        - gammaln(power)
        + power * np.log(shape + hazard)
        - (power + new_count) * np.log(shape + hazard + new_hazard)
    )
