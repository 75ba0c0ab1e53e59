"""How soon the scenarios tell themselves apart: the focal matter's news, one event after the other.

At each moment the scenarios' probabilities are ``pi_s p(news | s)``, the hazards averaged over the posterior of the
reference class as it was on the day of the brief (`forecast.model.mode.reference_draws`), and the errors of statements
over their prior. Nothing is fitted again: the level of the hazards cancels in the news.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from forecast.calibration.worlds import Plan
from forecast.evidence.gathering import gather_hazards
from forecast.model.focal import news_terms
from forecast.model.mode import reference_draws
from forecast.model.priors import draw_priors, statement_priors
from forecast.record import Record
from forecast.simulator import World, to_record
from forecast.vocabulary import DAYS_PER_MONTH

SURE = 0.8
"""Probability from which a scenario counts as recognised."""
EVERY = 3
"""Months between two looks at silence."""
DRAWS = 300
"""Draws of hazards and of errors of statements over which the news is averaged."""


class Step(NamedTuple):
    """What is known at a moment: months since the brief, events in the matter so far, silence in between included."""

    months: float
    events: int
    probabilities: tuple[float, ...]


def lessons(plan: Plan, world: World, seed: list[int]) -> list[Step]:
    """Return the scenarios' probabilities after each event of the matter and, for silence tells too, every quarter."""
    statements, regime, rng = plan.statements, plan.specification.regime, np.random.default_rng(seed)
    as_of, last = statements.as_of, plan.specification.horizons[-1]
    whole = to_record(world, plan.origin(last))
    cells = gather_hazards(whole, regime, as_of).cells
    draws = reference_draws(cells, regime, DRAWS, rng) | draw_priors(statement_priors(statements), DRAWS, rng)
    own = _focal(whole, statements.matter)
    happened = sorted(e.day - as_of.toordinal() for e in world.events if e.row in world.focal)
    happened = [days for days in happened if 0 < days <= round(last * DAYS_PER_MONTH)]
    quarters = [round(months * DAYS_PER_MONTH) for months in range(0, last + 1, EVERY)]
    named = dict(zip(quarters, range(0, last + 1, EVERY), strict=True))
    steps = []
    for days in sorted({*happened, *quarters}):
        news = gather_hazards(own, regime, date.fromordinal(as_of.toordinal() + days), statements).news
        if news is None:
            raise ValueError("there is news from the day of the brief on")
        terms = news_terms(draws, news, statements, np.ones(statements.location.shape), regime)
        log_p = np.log(statements.pi) + logsumexp(terms.log_likelihood, axis=0)
        p = np.exp(log_p - logsumexp(log_p))
        months = float(named.get(days, days / DAYS_PER_MONTH))
        steps.append(Step(months, sum(d <= days for d in happened), tuple(map(float, p))))
    return steps


def _focal(record: Record, matter: str) -> Record:
    """Return the record with the proceedings of one matter alone."""
    cases = record.proceedings.loc[record.proceedings["matter_id"] == matter]
    events = record.events.loc[record.events["case_id"].isin(cases["case_id"])]
    return replace(record, proceedings=cases.reset_index(drop=True), events=events.reset_index(drop=True))


def recognised(steps: list[Step], scenario: int) -> tuple[float, float]:
    """Return events and months after which a scenario first has the probability ``SURE``; infinite if never."""
    for step in steps:
        if step.probabilities[scenario] >= SURE:
            return float(step.events), step.months
    return np.inf, np.inf
