"""The correction that makes the analyst's statements true in the forecast: gross probabilities, by fixed-point steps.

The analyst states how likely a first event is within so many months, closings, moving stages and new proceedings
included. The formula of `forecast.model.focal` holds exactly for a matter that stays as it is; a correction of each
interval's multiplier makes it hold for the matter as it is simulated:

    correction <- correction * ((A(P_K) - A(P_(K-1))) / (A(Q_K) - A(Q_(K-1))))^step,      A(P) = k ((1 - P)^(-1/k) - 1),

with P the stated and Q the simulated probability, until they agree; the exponent ``step`` is 1 at first, then smaller,
to average over the noise. Q is estimated by common random numbers over draws of the reference class as known on
``as_of``: whatever comes later does not change what the brief meant. The correction is part of the translation of the
brief and fixed from then on.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from forecast.evidence.gathering import HazardEvidence
from forecast.evidence.statements import Statements
from forecast.files import InputError, Problem
from forecast.model.focal import multipliers_by_family, news_terms
from forecast.model.priors import draw_priors, statement_priors
from forecast.projection.drivers import Hazards, Kinds, Law, Start
from forecast.projection.paths import Paths, simulate_paths
from forecast.yaml_files import dotted

TOLERANCE, ENOUGH = 0.008, 0.02
"""Differences between stated and simulated probabilities, relative to the standard deviation ``sqrt(P (1 - P))`` of the
event: at the first the steps end at once, at the second they may end after the last step."""
COMMON = 0.2
"""Share of courses from which on the share counts for something beside the compensator."""
ROUGH_STEPS, FULL_STEPS, MAX_STEPS, MAX_CORRECTION = 3, 6, 30, 1e4
ROUGH = 8
"""The first, full steps are taken on every eighth part of the courses."""


def translate(
    evidence: HazardEvidence,
    draws: dict[str, np.ndarray],
    hazards: Hazards,
    start: Start,
    kinds: Kinds,
    law: Law,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the correction, shape group, scenario.

    ``evidence`` is that of ``as_of``; ``draws`` (one per course) are of the reference class then, and ``hazards`` and
    ``start`` what they imply for the focal matter, whose multipliers and tempo are set here. Raises ``InputError`` if a
    stated probability cannot be reached, with the one that can.
    """
    statements, regime = evidence.statements, evidence.regime
    if statements is None or evidence.news is None:
        raise ValueError("statements are translated with the focal matter's evidence at as_of")
    n, (groups, scenarios) = len(hazards.tempo), statements.location.shape
    values = draws | draw_priors(statement_priors(statements), n, rng)
    tempo = stats.gamma.ppf((rng.permutation(n) + 0.5) / n, statements.tempo, scale=1 / statements.tempo)
    seeds = rng.integers(0, 2**32, n, dtype=np.uint64)
    base = news_terms(values, evidence.news, statements, np.ones((groups, scenarios)), regime).multiplier
    horizon = max(group.end for group in statements.groups)
    correction = np.ones((groups, scenarios))
    for s in range(scenarios):
        wanted = _increments(statements, statements.stated[:, s])
        correction[:, s] = correction[:, max(s - 1, 0)]  # scenarios need much the same: fewer steps
        for number in range(MAX_STEPS):
            rows = np.arange(n // ROUGH if number < ROUGH_STEPS else n)
            table = multipliers_by_family(base[:, :, s] * correction[:, s], statements, len(regime.families))
            own = hazards._replace(multiplier=table, tempo=tempo).take(rows)
            paths = simulate_paths(own, start, kinds, law, regime.rule_table, horizon, seeds[rows])
            seen = _probabilities(paths, statements)
            gap = (seen - statements.stated[:, s]) / np.sqrt(statements.stated[:, s] * (1 - statements.stated[:, s]))
            if np.abs(gap).max(initial=0) < TOLERANCE and len(rows) == n:
                break
            step = 1.0 if number < FULL_STEPS else 0.5
            correction[:, s] *= (wanted / np.maximum(_increments(statements, seen), 1e-12)) ** step
            if correction[:, s].max(initial=0) > MAX_CORRECTION:
                break
        _require_reached(evidence, statements, s, gap, seen)
    return correction


def _probabilities(paths: Paths, statements: Statements) -> np.ndarray:
    """Return the simulated cumulative probability at the end of each group's interval.

    Whether the event came, minus its compensator, has mean zero: a control variate, which makes the estimate as good as
    the better of the two (the compensator for rare events, the share of courses for near certain ones).
    """
    out, first = np.zeros(len(statements.groups)), paths.first
    for g, group in enumerate(statements.groups):
        came = (first[:, group.family] <= group.end).astype(float)
        martingale = came - paths.compensator[:, group.family, : group.interval + 1].sum(axis=1)
        slope = 1.0
        if came.mean() > COMMON:
            covariance = np.cov(came, martingale)
            slope = np.clip(covariance[0, 1] / covariance[1, 1], 0, 1)
        out[g] = came.mean() - slope * martingale.mean()
    return np.clip(out, 1e-9, 1 - 1e-9)


def _increments(statements: Statements, cumulative: np.ndarray) -> np.ndarray:
    """Return ``A(P_K) - A(P_(K-1))`` of cumulative probabilities by group."""
    k = statements.tempo
    total = k * np.expm1(-np.log1p(-cumulative) / k)
    before = [total[g - 1] if group.interval else 0.0 for g, group in enumerate(statements.groups)]
    return total - np.array(before)


def _require_reached(
    evidence: HazardEvidence, statements: Statements, scenario: int, gap: np.ndarray, seen: np.ndarray
) -> None:
    names, problems = evidence.regime.family_names, []
    for g, group in enumerate(statements.groups):
        if abs(gap[g]) <= ENOUGH:
            continue
        course = ("statements", "families", names[group.family], statements.scenarios[scenario])
        side = "at least" if gap[g] > 0 else "at most"
        what = (
            f"{statements.stated[g, scenario]:g} within {group.end:g} months cannot be reached from where the matter "
            f"stands on {statements.as_of}, beside the other statements: {side} about {seen[g]:.2g}; mend it or them"
        )
        where = dotted((*course, group.interval, "value"))
        problems.append(Problem(where, what))
    if problems:
        raise InputError(problems)
