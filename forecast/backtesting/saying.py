"""What model and baselines say at one origin, from what was public that day: nothing here knows what came.

The model is the reference class alone: the brief has no say, and the focal matter is one matter among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any

import numpy as np

from forecast.backtesting.asking import WAITED, Question, waited
from forecast.baselines import ASKED, BASELINES, TARGETS, fine_sizes, fit_baselines
from forecast.evidence.episodes import months_between
from forecast.gathered import Evidence, gather_reference
from forecast.inference import Compiled, Draws, NotConvergedError, Posterior, Settings, converged
from forecast.model.mode import normal_approximation
from forecast.model.priors import hazard_priors
from forecast.parallel import check
from forecast.record import Record
from forecast.regime import Regime
from forecast.scores import smoothed_share
from forecast.specification import Specification
from forecast.vocabulary import FAMILIES
from forecast.watchlist import first_events, reference_fines

PASSES = 10
"""Simulated courses of each proceeding per draw: the Monte Carlo error of a log score must be small beside its own."""
PLAIN_PASSES = 2
"""The same of the model whose legal multipliers are 1."""
BATCHES = 20
"""Parts of the draws, one after the other, whose shares tell the Monte Carlo error."""


@dataclass(frozen=True)
class Said:
    """Everything that was said at one origin, before any answer is looked at; times in months, sizes in log EUR.

    ``cases``: the open proceedings; ``ages``: months since they opened. ``counts``: case, window, target of ``ASKED``,
    batch, simulated courses with an event, of ``courses`` (batch). ``plain_law``: probabilities (case, window, target)
    where every legal multiplier is 1 (``without_law``). ``waits``: waiting time -> its cases, and draws (case, draw).
    ``sizes``: case -> draws and what they rest on. ``baseline_*``: the same of each baseline, as probabilities (case,
    window, target, baseline) and as equally likely values. ``failures``: why the draws may not be used; all else is
    empty then.
    """

    day: date
    failures: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0))
    courses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    plain_law: np.ndarray = field(default_factory=lambda: np.zeros(0))
    waits: dict[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    sizes: dict[str, tuple[np.ndarray, str]] = field(default_factory=dict)
    baseline: np.ndarray = field(default_factory=lambda: np.zeros(0))
    baseline_waits: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)
    baseline_sizes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)


def evidence_at(specification: Specification, question: Question, wider: Record) -> Evidence:
    """Return the evidence of one origin in the coordinates of the last one, ``wider``."""
    return gather_reference(specification, question.known, question.day, wider)


def say(compiled: Compiled, evidence: Evidence, question: Question, settings: Settings) -> Said:
    """Sample at one origin, simulate every open proceeding, and let the baselines speak; deterministic by seed."""
    try:
        posterior = converged(compiled, evidence, settings)
    except NotConvergedError as error:
        return Said(question.day, tuple(error.failures))
    draws, rng = posterior.draws, np.random.default_rng([settings.seed, 30, question.day.toordinal()])
    lives, known = evidence.hazards.lives, question.known.in_force()
    rows = [row for row, life in enumerate(lives) if life.at_risk]
    cases = tuple(lives[row].case_id for row in rows)
    awaited = {target: [row for row in rows if target in waited(known, lives[row].case_id)] for target in WAITED}
    counts, courses, waits = _simulated(draws, rows, awaited, question, rng)
    fines = reference_fines(draws, known, rows, rng)
    return Said(
        day=question.day,
        cases=cases,
        ages=tuple(months_between(lives[row].opened, question.day.toordinal()) for row in rows),
        counts=counts,
        courses=courses,
        plain_law=_plain_law(draws, rows, question, rng),
        waits={t: (tuple(lives[row].case_id for row in awaited[t]), times) for t, times in waits.items()},
        sizes={lives[row].case_id: (np.log(amounts), reason) for row, (amounts, reason) in fines.items()},
        diagnostics=_worst(posterior) | _about(evidence),
        **_plain(known, question, cases, evidence.regime),
    )


def _simulated(
    draws: Draws, rows: list[int], awaited: dict[str, list[int]], question: Question, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return counts (row, window, target, batch), courses by batch, and draws of the awaited times, of one pass."""
    edges = np.linspace(0, len(draws), BATCHES + 1).astype(int)
    counts = np.zeros((len(rows), len(question.windows), len(ASKED), BATCHES), dtype=np.int64)
    waits = {}
    for number, first in enumerate(islice(first_events(draws, rows, question.horizon, rng), PASSES)):
        check()
        for i, row in enumerate(rows):
            times = first_of(first[row], ASKED)
            for w, window in enumerate(question.windows):
                counts[i, w] += np.add.reduceat(times <= window.exact_months, edges[:-1], axis=0, dtype=np.int64).T
        if number == 0:
            waits = {
                target: np.array([first_of(first[row], [target])[:, 0] for row in own]).reshape(-1, len(draws))
                for target, own in awaited.items()
            }
    return counts, np.diff(edges) * PASSES, waits


def first_of(times: np.ndarray, targets: Sequence[str]) -> np.ndarray:
    """Return the first time of each target, shape draw, target, from those of the families, shape draw, family."""
    columns = [[FAMILIES.index(family) for family in TARGETS[target]] for target in targets]
    return np.stack([times[:, own].min(axis=1) for own in columns], axis=1)


def without_law(regime: Regime) -> Regime:
    """Return the regime with the multipliers of all rules and of the powers of classes centred on 1.

    Their spreads stay: what the record alone says about them is still learned from it.
    """
    rules = tuple(rule.model_copy(update={"multiplier": 1.0}) for rule in regime.rules)
    classes = {name: kind.model_copy(update={"powers": {}}) for name, kind in regime.classes.items()}
    return regime.model_copy(update={"rules": rules, "classes": classes})


def _plain_law(draws: Draws, rows: list[int], question: Question, rng: np.random.Generator) -> np.ndarray:
    """Return probabilities (row, window, target) of the model without legal multipliers.

    Its hazards are drawn from the normal approximation of their posterior: nothing is compiled or sampled for them.
    """
    e = draws.evidence
    plain = without_law(e.regime)
    hazards = normal_approximation(e.hazards.cells, plain).draw(len(draws), rng)
    evidence = replace(e, specification=e.specification.model_copy(update={"regime": plain}))
    other, months = Draws(evidence, {**draws.flat, **hazards}), question.windows[-1].exact_months
    counts = np.zeros((len(rows), len(question.windows), len(ASKED)))
    for first in islice(first_events(other, rows, months, rng), PLAIN_PASSES):
        for i, row in enumerate(rows):
            times = first_of(first[row], ASKED)
            counts[i] += [(times <= window.exact_months).sum(axis=0) for window in question.windows]
    return smoothed_share(counts, PLAIN_PASSES * len(draws))


def _plain(known: Record, question: Question, cases: tuple[str, ...], regime: Regime) -> dict[str, Any]:
    """Return what the baselines say, under the names of ``Said``."""
    plain = fit_baselines(known, question.day, regime)
    lengths = np.array([window.exact_months for window in question.windows])
    chances = [
        [[plain.within(name, target, case, lengths) for name in BASELINES] for target in ASKED] for case in cases
    ]
    shape = (len(cases), len(ASKED), len(BASELINES), len(lengths))
    return {
        "baseline": np.moveaxis(np.array(chances).reshape(shape), 3, 1),
        "baseline_waits": {
            (target, case, name): plain.waits(name, target, case, question.horizon)
            for case in cases
            for target in waited(known, case)
            for name in BASELINES
        },
        "baseline_sizes": {case: fine_sizes(known, case) for case in cases},
    }


def _about(evidence: Evidence) -> dict[str, Any]:
    """Return how many events carry likelihood at one origin, and how many parameters of hazards they inform."""
    parameters = sum(prior.loc.size for prior in hazard_priors(evidence.regime).values())
    return {"likelihood_events": int(evidence.hazards.cells.count.sum()), "hazard_parameters": parameters}


def _worst(posterior: Posterior) -> dict[str, Any]:
    """Return the sampler's worst figures at one origin."""
    table = posterior.diagnostics
    return {
        "r_hat": float(table["r_hat"].max()),
        "ess_bulk": float(table["ess_bulk"].min()),
        "ess_tail": float(table["ess_tail"].min()),
        "divergences": posterior.divergences,
    }
