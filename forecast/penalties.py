"""How large fines are, whether they are appealed, and what is left of them."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.special import expit, log_ndtr, ndtr, ndtri, ndtri_exp

from forecast.elicitation import lognormal_from_range, pool
from forecast.inference import Draws


def fine_amounts(
    draws: Draws,
    scenario: np.ndarray,
    path: np.ndarray,
    proceeding: np.ndarray,
    ceilings: np.ndarray,
    instruments: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the amount of each fine, EUR, never above its ceiling.

    Inside: the brief's range of its scenario, in euros cut off at the ceiling. Outside, and pooled with the brief where
    ``pooling`` is below 1 (of shares of the ceiling alone): the reference class.
    """
    spec, fixed, flat = draws.evidence.specification, draws.evidence.constants, draws.flat
    ceiling = np.exp(flat["log_turnover"])[path] * ceilings[proceeding]
    instrument = draws.effects["instrument"]
    known = instruments[proceeding]
    own = np.where(known >= 0, instrument[path, np.maximum(known, 0)], 0.0) if instrument.shape[1] else 0.0
    loc, sd = flat["size_mean"][path] + own, np.exp(flat["log_size_spread"])[path]
    score = rng.standard_normal(len(path))
    if draws.evidence.exposure.inside:
        stated = fixed.fine_loc[scenario[path]], fixed.fine_sd[scenario[path]]
        if spec.fines.reading == "eur":
            loc, sd = stated
            below = log_ndtr((np.log(ceiling) - loc) / sd) + log_ndtr(score)
            return np.exp(loc + sd * ndtri_exp(below))
        loc, sd = pool(fixed.pooling, stated, (loc, sd))
    return expit(loc + sd * score) * ceiling


def appeals(
    draws: Draws, path: np.ndarray, time: np.ndarray, amount: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw, for each fine, when it is appealed (infinite: never), when it is ruled on, and what is left then."""
    flat, delay = draws.flat, draws.evidence.specification.appeals.delay
    n = len(path)
    starts = [phase.from_months for phase in draws.evidence.specification.appeals.ruling_rate]
    filed = rng.random(n) < flat["appeal_probability"][path]
    when = rng.lognormal(*lognormal_from_range(delay.low, delay.high, delay.mass), n)
    ruled = np.maximum(waits(flat["ruling_rate"][path], starts, rng), when)
    outcome = (rng.random(n)[:, None] > np.cumsum(flat["ruling_outcome"][path], axis=1)).sum(axis=1)
    kept = expit(rng.normal(flat["kept"][path, 0], flat["kept"][path, 1]))
    share = np.where(outcome == 0, 1.0, np.where(outcome == 1, kept, 0.0))
    return {
        "filed": np.where(filed, time + when, np.inf),
        "ruled": np.where(filed, time + ruled, np.inf),
        "left": amount * share,
    }


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


def first_appeal(draws: Draws, path: np.ndarray, filed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return when the first appeal comes: against a fine yet to come, or one whose deadline still runs."""
    first = np.full(len(draws), np.inf)
    np.minimum.at(first, path, filed)
    stated = draws.evidence.specification.appeals.delay
    delay = lognormal_from_range(stated.low, stated.high, stated.mass)
    for age in draws.evidence.observations.unappealed_fines:
        gone = ndtr((np.log(max(age, 1e-9)) - delay.loc) / delay.scale)
        p = draws.flat["appeal_probability"]
        comes = rng.random(len(draws)) < p * (1 - gone) / (1 - p * gone)
        rest = np.exp(delay.loc + delay.scale * ndtri(gone + (1 - gone) * rng.random(len(draws)))) - age
        first = np.where(comes, np.minimum(first, rest), first)
    return first
