"""What model and baselines say at one origin, from what was public that day: nothing here knows what came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

import numpy as np

from forecast.backtesting.asking import WAITED, Question, waited
from forecast.baselines import BASELINES, TARGETS, fine_sizes, fit_baselines
from forecast.forecasting import fit
from forecast.inference import Compiled, Draws, Evidence, NotConvergedError, Posterior, Settings, gather
from forecast.parallel import check
from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import FAMILIES
from forecast.watchlist import first_events, reference_fines

PASSES = 10
"""Simulated courses of each proceeding per draw: the Monte Carlo error of a log score must be small beside its own."""
BATCHES = 20
"""Parts of the draws, one after the other, whose shares tell the Monte Carlo error."""


@dataclass(frozen=True)
class Said:
    """Everything that was said at one origin, before any answer is looked at; times in months, sizes in log EUR.

    ``cases``: the open proceedings. ``counts``: case, window, family, batch, simulated courses with an event, of
    ``courses`` (batch). ``waits``: waiting time -> its cases, and draws (case, draw). ``sizes``: case -> draws and what
    they rest on. ``baseline_*``: the same of each baseline, as probabilities (case, window, family, baseline) and as
    equally likely values. ``failures``: why the draws may not be used; all else is empty then.
    """

    day: date
    failures: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0))
    courses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    waits: dict[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    sizes: dict[str, tuple[np.ndarray, str]] = field(default_factory=dict)
    baseline: np.ndarray = field(default_factory=lambda: np.zeros(0))
    baseline_waits: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)
    baseline_sizes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)


def evidence_at(specification: Specification, question: Question, wider: Record) -> Evidence:
    """Return the evidence of one origin in the coordinates of the last one, ``wider``."""
    return gather(specification, question.known, question.day, wider)


def say(compiled: Compiled, evidence: Evidence, question: Question, wider: Record, settings: Settings) -> Said:
    """Sample at one origin, simulate every open proceeding, and let the baselines speak; deterministic by seed."""
    try:
        posterior = fit(compiled, evidence, question.known, settings, wider)
    except NotConvergedError as error:
        return Said(question.day, tuple(error.failures))
    draws, rng = posterior.draws, np.random.default_rng([settings.seed, 30, question.day.toordinal()])
    x, known = evidence.exposure, question.known.in_force()
    rows = [int(row) for row in np.flatnonzero(x.is_open)]
    cases = tuple(x.cases[row] for row in rows)
    awaited = {target: [row for row in rows if target in waited(known, x.cases[row])] for target in WAITED}
    counts, courses, waits = _simulated(draws, rows, awaited, question, rng)
    fines = reference_fines(draws, known, rows, rng)
    return Said(
        day=question.day,
        cases=cases,
        counts=counts,
        courses=courses,
        waits={t: (tuple(x.cases[row] for row in awaited[t]), times) for t, times in waits.items()},
        sizes={x.cases[row]: (np.log(amounts), reason) for row, (amounts, reason) in fines.items()},
        diagnostics=_worst(posterior),
        **_plain(known, question, cases),
    )


def _simulated(
    draws: Draws, rows: list[int], awaited: dict[str, list[int]], question: Question, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return counts (row, window, family, batch), courses by batch, and draws of the awaited times, of one pass."""
    edges = np.linspace(0, len(draws), BATCHES + 1).astype(int)
    counts = np.zeros((len(rows), len(question.windows), len(FAMILIES), BATCHES), dtype=np.int64)
    columns = {target: [FAMILIES.index(family) for family in TARGETS[target]] for target in WAITED}
    waits = {}
    for number, first in enumerate(islice(first_events(draws, rows, question.horizon, rng), PASSES)):
        check()
        for i, row in enumerate(rows):
            for w, window in enumerate(question.windows):
                counts[i, w] += np.add.reduceat(first[row] <= window.exact_months, edges[:-1], axis=0, dtype=np.int64).T
        if number == 0:
            waits = {
                target: np.array([first[row][:, columns[target]].min(axis=1) for row in own]).reshape(-1, len(draws))
                for target, own in awaited.items()
            }
    return counts, np.diff(edges) * PASSES, waits


def _plain(known: Record, question: Question, cases: tuple[str, ...]) -> dict[str, Any]:
    """Return what the baselines say, under the names of ``Said``."""
    plain = fit_baselines(known, question.day)
    lengths = np.array([window.exact_months for window in question.windows])
    chances = [
        [[plain.within(name, family, case, lengths) for name in BASELINES] for family in FAMILIES] for case in cases
    ]
    shape = (len(cases), len(FAMILIES), len(BASELINES), len(lengths))
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


def _worst(posterior: Posterior) -> dict[str, Any]:
    """Return the sampler's worst figures at one origin."""
    table = posterior.diagnostics
    return {
        "r_hat": float(table["r_hat"].max()),
        "ess_bulk": float(table["ess_bulk"].min()),
        "ess_tail": float(table["ess_tail"].min()),
        "divergences": posterior.divergences,
    }
