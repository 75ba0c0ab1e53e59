"""One world from its seed to its ranks: draw it, fit it, and see where its truth lies among the draws."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt

from forecast.calibration.fitting import Fit, thinned
from forecast.calibration.learning import lessons
from forecast.calibration.quantities import of_densities, of_effects, of_parameters, of_paths, of_truth
from forecast.calibration.worlds import Observed, Plan, Simulate, evidence_of
from forecast.inference import Draws
from forecast.outcomes import choose_scenarios, courses, inside_weights
from forecast.parallel import check
from forecast.scores import pit
from forecast.simulator import focal_truth
from forecast.vocabulary import SCENARIOS

KEEP = 60
"""Draws among which a truth is ranked: fewer than are effective by the gate of ``fitting``, so nearly independent."""
FORECAST = 1000
"""Draws from which the probabilities of events are read off."""


@dataclass(frozen=True)
class Examined:
    """What one world says of the model.

    ``pit``: by kind and quantity, where the truth lies among the draws, in (0, 1), ties broken at random; empty if the
    fit ``failed`` twice. ``inside``: the forecast's probabilities of the scenarios. ``forecasts``: the probability of
    each stated family's first event within each horizon, and whether it came. ``steps``: each ``learning.Step``.
    """

    world: int
    months: float
    scenario: int
    events: int
    redrawn: int
    attempts: int
    failed: tuple[str, ...]
    worst: dict[str, float]
    pit: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    inside: tuple[float, ...] = ()
    forecasts: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    steps: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON can keep them."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Examined:
        """Return what ``as_json`` made; raises pydantic's ``ValidationError`` at anything else."""
        world = WorldJson.model_validate(value)
        nested = {k: tuple(map(tuple, value[k])) for k in ("forecasts", "steps")}
        tuples = {k: tuple(value[k]) for k in ("failed", "inside")}
        worst = {k: math.nan if v is None else v for k, v in world.worst.items()}
        return cls(**{**value, **tuples, **nested, "worst": worst})


Share = Annotated[FiniteFloat, Field(ge=0, le=1 + 1e-9)]
Chances = Annotated[list[Share], Field(min_length=len(SCENARIOS), max_length=len(SCENARIOS))]
Lesson = Annotated[tuple[FiniteFloat, NonNegativeInt, Share, Share, Share], Field(strict=False)]
Forecast = Annotated[tuple[Share, Share], Field(strict=False)]


class WorldJson(BaseModel):
    """What the file of a world holds; ``worst`` may lack numbers where a fit failed."""

    model_config = ConfigDict(strict=True, extra="forbid")
    world: NonNegativeInt
    months: Annotated[FiniteFloat, Field(ge=0)]
    scenario: Annotated[int, Field(ge=0, lt=len(SCENARIOS))]
    events: NonNegativeInt
    redrawn: NonNegativeInt
    attempts: NonNegativeInt
    failed: list[str]
    worst: dict[str, FiniteFloat | None]
    pit: dict[str, dict[str, Share]]
    inside: Chances | Annotated[list[Share], Field(max_length=0)]
    forecasts: list[Forecast]
    steps: list[Lesson]


def examine(plan: Plan, span: tuple[int, int], number: int, seed: int, fit: Fit, simulate: Simulate) -> Examined:
    """Examine world ``number``: the seeds of its truth, sampler and ties follow from ``seed`` and ``number`` alone.

    It is observed for a whole number of months between the two of ``span``, drawn at random.
    """
    rng = np.random.default_rng([seed, 21, number])
    months = float(rng.integers(span[0], span[1] + 1))
    observed = simulate(plan, months, [seed, 22, number])
    world, evidence = observed.world, evidence_of(plan, observed)
    fitted = fit(evidence, int(np.random.SeedSequence([seed, 23, number]).generate_state(1)[0]))
    found: dict[str, Any] = {}
    check()
    if not fitted.failures:
        steps = lessons(plan, world, [seed, 24, number])
        found = {
            "pit": _ranked(observed, fitted.draws, rng),
            "inside": tuple(map(float, inside_weights(fitted.draws).mean(axis=0))),
            "forecasts": _forecasts(observed, fitted.draws, rng),
            "steps": tuple((s.months, s.events, *s.probabilities) for s in steps),
        }
    return Examined(
        world=number,
        months=months,
        scenario=world.scenario,
        events=sum(event.day <= observed.origin.toordinal() for event in world.events),
        redrawn=world.redrawn,
        attempts=fitted.attempts,
        failed=fitted.failures,
        worst=fitted.worst,
        **found,
    )


def _ranked(observed: Observed, draws: Draws, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return the PIT of every quantity, by kind."""
    world, few = observed.world, thinned(draws, KEEP)
    named = {**world.truth, "closing_probability": world.truth["closing"]}
    truth = Draws(draws.evidence, {name: np.asarray(values)[None] for name, values in named.items()})
    horizons = draws.evidence.specification.horizons
    scenario = choose_scenarios(inside_weights(few), rng)
    paths = courses(few, rng, horizons[-1], scenario=scenario)
    happened = of_truth(focal_truth(world, observed.origin), horizons)
    news, rows = few.news, np.arange(len(few))
    if news is None:
        raise ValueError("worlds are calibrated from the day of the brief on")
    tempo = rng.gamma(news.shape, size=len(few)) / news.rate[rows, scenario]
    ranked = {
        "scenario": {
            "focal scenario": _among(inside_weights(draws).mean(axis=0), world.scenario, rng),
            "focal tempo": _pit(tempo, world.tempo, rng),
        },
        "target": {name: _pit(values, happened[name], rng) for name, values in of_paths(paths, horizons).items()},
    }
    for kind, of in (("density", of_densities), ("parameter", of_parameters), ("effect", of_effects)):
        true = of(truth)
        ranked[kind] = {name: _pit(values, true[name][0], rng) for name, values in of(few).items()}
    return ranked


def _pit(draws: np.ndarray, truth: float | np.ndarray, rng: np.random.Generator) -> float:
    return float(pit(draws, truth, rng))


def _among(weights: np.ndarray, which: int, rng: np.random.Generator) -> float:
    """Return a point at random within a category's step of the distribution function: uniform if that holds."""
    return float(weights[:which].sum() + rng.random() * weights[which])


def _forecasts(observed: Observed, draws: Draws, rng: np.random.Generator) -> tuple[tuple[float, ...], ...]:
    """Return the probability of each stated family's first event within each horizon, and whether it came."""
    some = thinned(draws, FORECAST)
    evidence, horizons = draws.evidence, draws.evidence.specification.horizons
    first = courses(some, rng, horizons[-1], scenario=choose_scenarios(inside_weights(some), rng)).first
    came = focal_truth(observed.world, observed.origin).first
    return tuple(
        (float((first[:, f] <= h).mean()), float(came[f] <= h)) for f in evidence.statements.families for h in horizons
    )
