"""Worlds for calibration: the packaged design with its focal matter, and what the model is told of them.

What a world draws: every parameter from its prior, every event of every proceeding, the focal matter's scenario and
tempo, sizes of reference fines, changes of user counts, turnover. What it does not draw, and what therefore is not
ranked: new proceedings (their rate is set to almost nothing in prior file and worlds alike), amounts of the focal
matter's fines and its users after the brief, appeals. Statements have the correction 1 in the worlds and in the fit:
what they mean for a matter that stays as it is, which the translation of a brief refines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from forecast.evidence.statements import Statements, statements_of
from forecast.gathered import Evidence, gather
from forecast.model.figures import figure_coordinates, figure_priors
from forecast.model.priors import draw_priors
from forecast.observations import Observations, observe
from forecast.record import Record
from forecast.simulator import Design, World, design_of, draw_world, to_record
from forecast.simulator.figures import draw_figures
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH

NO_OPENINGS = {"low": 1e-9, "high": 2e-9}
"""Rate of new proceedings per month in the prior file that worlds are drawn from and fitted with."""


@dataclass(frozen=True)
class Plan:
    """What all worlds of one calibration share.

    ``specification``: the prior file without new proceedings. ``design``: the record's proceedings known on ``as_of``;
    ``figures``: the record's on that day, of which worlds keep all but the values.
    """

    specification: Specification
    record: Record
    design: Design
    figures: Observations

    @property
    def statements(self) -> Statements:
        """What is stated about the focal matter."""
        return statements_of(self.specification, self.specification.regime)

    def origin(self, months: float) -> date:
        """Return the day so many months after the brief."""
        return self.specification.as_of + timedelta(days=round(months * DAYS_PER_MONTH))


@dataclass(frozen=True)
class Observed:
    """A world, its figures, and the day up to which it is observed."""

    world: World
    figures: Observations
    origin: date


Simulate = Callable[[Plan, float, list[int]], Observed]
"""From a plan, months after the brief, and a seed to a world."""


def plan_of(spec: Specification, record: Record) -> Plan:
    """Return the plan of a prior file and a record. The focal matter's proceedings are watched to the end."""
    rate = spec.openings.rate.model_copy(update=NO_OPENINGS)
    spec = spec.model_copy(update={"openings": spec.openings.model_copy(update={"rate": rate})})
    closing = spec.closing.mean.value * spec.closing.weight.value
    design = design_of(
        record,
        spec.regime,
        spec.as_of,
        statements=statements_of(spec, spec.regime),
        horizon=float(spec.horizons[-1]),
        closing=(closing, spec.closing.weight.value - closing),
    )
    rows = tuple(replace(row, watched=None) if row.matter == spec.matter else row for row in design.rows)
    return Plan(spec, record, replace(design, rows=rows), observe(record, spec, spec.as_of))


def simulated(plan: Plan, months: float, seed: list[int]) -> Observed:
    """Return a world of the model as it is, observed for some months after the brief.

    It goes on from there to the last horizon, the trend at the level of the origin, as forecasts hold it.
    """
    rng, origin = np.random.default_rng([*seed, 1]), plan.origin(months)
    priors = figure_priors(plan.specification, figure_coordinates(plan.figures))
    figures = {name: values[0] for name, values in draw_priors(priors, 1, rng).items()}
    design = replace(plan.design, origin=origin, trend_held_from=origin)
    world = draw_world(design, seed, figures)
    return Observed(world, draw_figures(plan.figures, world.truth, rng), origin)


def evidence_of(plan: Plan, observed: Observed) -> Evidence:
    """Return what the model is told of a world."""
    record = to_record(observed.world, observed.origin, given=plan.record)
    one = np.ones(plan.statements.location.shape)
    found = gather(plan.specification, record, observed.origin, correction=one)
    drawn = {name: getattr(observed.figures, name) for name in FIGURES}
    return replace(found, observations=replace(found.observations, **drawn))


FIGURES = ("instruments", "services", "size", "size_instrument", "users", "turnover", "turnover_sd")
"""Fields of ``Observations`` that a world draws, with their coordinates."""
