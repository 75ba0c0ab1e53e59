"""How large fines are, whether they are appealed, and what is left of them."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.special import expit, log_ndtr, ndtri_exp

from forecast.elicitation import pool
from forecast.inference import Draws
from forecast.model.figures import fine_scale

CONCENTRATION = 1.0
"""Parameter of the Dirichlet by which a scenario's sum is split over the fines of a course: any split as likely."""


def fine_amounts(
    draws: Draws,
    scenario: np.ndarray,
    path: np.ndarray,
    ceilings: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the amount of each fine, EUR; never above its ceiling (infinite where the law sets none).

    ``path`` and ``ceilings`` (share of turnover) are those of each fine. The brief's range is that of the scenario's
    *sum* up to the last horizon. The sum is drawn once per course, above
    what has been imposed already, and the rest is split over the course's fines by a Dirichlet with weights in
    proportion to the room below each ceiling; what a ceiling cuts off goes to the other fines while they have room.
    Where ``pooling`` is below 1 (of shares of the ceiling alone), the sum is pooled with the reference class's fine.
    """
    if not len(path):
        return np.zeros(0)
    turnover = np.exp(draws.flat["log_turnover"])
    room = np.where(np.isnan(ceilings), np.inf, turnover[path] * ceilings)
    rest = _sums(draws, scenario, rng)[path]
    common = turnover[path] * draws.evidence.specification.fines.ceiling.value
    weight = rng.gamma(CONCENTRATION, size=len(path)) * np.minimum(room, common)
    return _split(rest, weight, room, path, len(draws))


def _sums(draws: Draws, scenario: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw what is left to impose of each course's sum of fines, EUR: the sum, above what was imposed, less that."""
    spec, o, stated = draws.evidence.specification, draws.evidence.observations, draws.evidence.stated
    loc, sd = stated.fine_loc[scenario], stated.fine_sd[scenario]
    if spec.fines.reading == "share_of_ceiling" and spec.pooling.value < 1:
        reference = draws.flat["size_mean"], np.exp(draws.flat["log_size_spread"])
        loc, sd = pool(spec.pooling.value, (loc, sd), reference)
    log_turnover = draws.flat["log_turnover"]
    above = np.zeros(len(draws))
    if o.new_fine_sum > 0:
        above = log_ndtr(-(fine_scale(o.new_fine_sum, log_turnover, o.new_fine_ceiling, spec) - loc) / sd)
    score = -ndtri_exp(above + np.log(rng.random(len(draws))))
    if spec.fines.reading == "eur":
        total = np.exp(loc + sd * score)
    else:
        total = expit(loc + sd * score) * np.exp(log_turnover) * spec.fines.ceiling.value
    return np.maximum(total - o.new_fine_sum, 0.0)


def _split(rest: np.ndarray, weight: np.ndarray, room: np.ndarray, path: np.ndarray, n: int) -> np.ndarray:
    """Split each course's rest over its fines by weight, none above its room, as far as there is room.

    A fine that reaches its ceiling drops out, and the others share what it could not take; each round fills at least
    one fine of every course that is not done.
    """
    amount, left = np.zeros(len(path)), np.zeros(n)
    left[path] = rest
    free = np.ones(len(path), dtype=bool)
    for _ in range(int(np.bincount(path, minlength=n).max())):
        total = np.bincount(path, weight * free, n)
        share = np.where(free & (total[path] > 0), weight / np.where(total > 0, total, 1.0)[path], 0.0) * left[path]
        taken = np.minimum(share, room - amount)
        amount += taken
        left = left - np.bincount(path, taken, n)
        free &= taken >= share
        if not (left > 1e-6 * np.maximum(left.max(), 1.0)).any():
            break
    return amount


def reference_amounts(
    draws: Draws, path: np.ndarray, ceilings: np.ndarray, instruments: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw fines of the reference class, EUR: shares of ceiling times turnover, or of turnover where no ceiling is."""
    flat, turnover = draws.flat, np.exp(draws.flat["log_turnover"])[path]
    effect, scale = draws.effects["instrument"], np.exp(flat["log_instrument_scale"])[path]
    own = scale * rng.standard_normal(len(path))
    if effect.shape[1]:
        own = np.where(instruments >= 0, effect[path, np.maximum(instruments, 0)], own)
    size = expit(flat["size_mean"][path] + own + np.exp(flat["log_size_spread"])[path] * rng.standard_normal(len(path)))
    bare = np.exp(flat["bare_size"][path, 0] + flat["bare_size"][path, 1] * rng.standard_normal(len(path)))
    return np.where(np.isnan(ceilings), bare, size * np.nan_to_num(ceilings)) * turnover


def appeals(
    draws: Draws, path: np.ndarray, time: np.ndarray, amount: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw, for each fine, when it is appealed (infinite: never), when it is ruled on, and what is left then."""
    flat, n = draws.flat, len(path)
    stated = draws.evidence.specification.appeals
    starts = [phase.from_months for phase in stated.ruling_rate]
    filed = rng.random(n) < appeal_probability(draws, path, amount)
    when = rng.uniform(stated.delay.low, stated.delay.high, n)
    ruled = np.maximum(waits(flat["ruling_rate"][path], starts, rng), when)
    outcome = (rng.random(n)[:, None] > np.cumsum(flat["ruling_outcome"][path], axis=1)).sum(axis=1)
    kept = expit(rng.normal(flat["kept"][path, 0], flat["kept"][path, 1]))
    share = np.where(outcome == 0, 1.0, np.where(outcome == 1, kept, 0.0))
    return {
        "filed": np.where(filed, time + when, np.inf),
        "ruled": np.where(filed, time + ruled, np.inf),
        "left": amount * share,
    }


def appeal_probability(draws: Draws, path: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Return the probability that each fine is appealed: that of large fines, or of all others."""
    is_large = amount >= draws.evidence.specification.appeals.large.value
    return np.where(is_large, draws.flat["appeal_probability_large"][path], draws.flat["appeal_probability"][path])


def waits(rates: np.ndarray, starts: list[float], rng: np.random.Generator) -> np.ndarray:
    """Draw waiting times of a hazard that steps at ``starts``: invert its cumulative at a unit exponential."""
    need = rng.exponential(size=len(rates))
    wait = np.zeros(len(rates))
    edges = [*starts, np.inf]
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        lived = np.minimum(need / rates[:, k], high - low)
        wait += lived
        need = np.maximum(need - lived * rates[:, k], 0.0)
    return wait


def appeals_of_old_fines(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    """Return when the first appeal comes against a fine already imposed whose deadline still runs, shape draw.

    At ``months`` since the fine, a part ``g`` of the deadlines (uniform in the stated range) has run out, so it is
    still appealed with probability ``p (1 - g) / (1 - p g)``.
    """
    first, stated = np.full(len(draws), np.inf), draws.evidence.specification.appeals.delay
    every = np.arange(len(draws))
    for months, amount in draws.evidence.observations.unappealed_fines:
        gone = np.clip((months - stated.low) / (stated.high - stated.low), 0.0, 1.0)
        p = appeal_probability(draws, every, np.full(len(draws), amount))
        comes = rng.random(len(draws)) < p * (1 - gone) / (1 - p * gone)
        when = rng.uniform(max(stated.low, months), max(stated.high, months + 1e-6), len(draws)) - months
        first = np.where(comes, np.minimum(first, when), first)
    return first
