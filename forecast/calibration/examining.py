"""One world from its seed to its ranks: draw it, fit it, and see where its truth lies among the draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt
from scipy.special import softmax

from forecast.calibration.fitting import Fit, thinned
from forecast.calibration.learning import lessons
from forecast.calibration.quantities import (
    count_classes,
    of_classes,
    of_densities,
    of_effects,
    of_parameters,
    of_targets,
)
from forecast.inference import Draws, Evidence
from forecast.outcomes import frailties, imagine, inside_weights
from forecast.parallel import check
from forecast.scores import pit
from forecast.simulate import Design, World, draw_world, evidence_of, true_targets
from forecast.summaries import targets
from forecast.vocabulary import SCENARIOS

KEEP = 60
"""Draws among which a truth is ranked: fewer than are effective by the gate of ``fitting``, so nearly independent."""
Simulate = Callable[[Design, float, list[int]], World]
"""From a design, months after the brief, and a seed to a world."""


@dataclass(frozen=True)
class Examined:
    """What one world says of the model.

    ``pit``: by kind and quantity, where the truth lies among the draws, in (0, 1), ties broken at random; empty if the
    fit ``failed`` twice. ``inside``: the forecast's probabilities of the scenarios; ``reference``: those of every
    reference matter, then its class. ``steps``: ``learning.Step`` by ``learning.Step``.
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
    reference: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    steps: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON can keep them."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Examined:
        """Return what ``as_json`` made; raises pydantic's ``ValidationError`` at anything else."""
        world = WorldJson.model_validate(value)
        nested = {k: tuple(map(tuple, value[k])) for k in ("reference", "steps")}
        tuples = {k: tuple(value[k]) for k in ("failed", "inside")}
        worst = {k: math.nan if v is None else v for k, v in world.worst.items()}
        return cls(**{**value, **tuples, **nested, "worst": worst})


Share = Annotated[FiniteFloat, Field(ge=0, le=1 + 1e-9)]
Chances = Annotated[list[Share], Field(min_length=len(SCENARIOS), max_length=len(SCENARIOS))]
Lesson = Annotated[tuple[FiniteFloat, NonNegativeInt, Share, Share, Share, FiniteFloat], Field(strict=False)]
Class = Annotated[FiniteFloat, Field(ge=0, lt=len(SCENARIOS))]
Matter = Annotated[tuple[Share, Share, Share, Class], Field(strict=False)]


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
    reference: list[Matter]
    steps: list[Lesson]


def examine(design: Design, span: tuple[int, int], number: int, seed: int, fit: Fit, simulate: Simulate) -> Examined:
    """Examine world ``number``: the seeds of its truth, sampler and ties follow from ``seed`` and ``number`` alone.

    It is observed for a whole number of months between the two of ``span``, drawn at random.
    """
    rng = np.random.default_rng([seed, 21, number])
    world = simulate(design, float(rng.integers(span[0], span[1] + 1)), [seed, 22, number])
    evidence = Evidence(design.specification, *evidence_of(world, world.months))
    fitted = fit(evidence, int(np.random.SeedSequence([seed, 23, number]).generate_state(1)[0]))
    found: dict[str, Any] = {}
    check()
    if not fitted.failures:
        found = {
            "pit": _ranked(world, fitted.draws, rng),
            "inside": tuple(map(float, inside_weights(fitted.draws).mean(axis=0))),
            "reference": _reference(world, fitted.draws),
            "steps": tuple((s.months, s.events, *s.probabilities, s.effective) for s in lessons(world, fitted.draws)),
        }
    return Examined(
        world=number,
        months=world.months,
        scenario=world.scenario,
        events=int(sum(event.time <= world.months for event in world.events)),
        redrawn=world.redrawn,
        attempts=fitted.attempts,
        failed=fitted.failures,
        worst=fitted.worst,
        **found,
    )


def _ranked(world: World, draws: Draws, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return the PIT of every quantity, by kind."""
    few = thinned(draws, KEEP)
    truth = Draws(draws.evidence, {name: np.asarray(values)[None] for name, values in world.truth.items()})
    caps = np.array([row.cap for row in world.design.rows[: world.design.exposure.n_focal]])
    instruments = np.array([row.instrument for row in world.design.rows[: world.design.exposure.n_focal]])
    horizons = world.design.specification.horizons
    future = imagine(few, caps, instruments, rng)
    turned_out = {(name, j): value for name, j, value in of_targets(true_targets(world, rng))}
    classes, true_classes = of_classes(few, rng), count_classes(world.classes[1:])
    ranked = {
        "scenario": {
            "focal scenario": _among(inside_weights(draws).mean(axis=0), world.scenario, rng),
            "focal frailty": _pit(frailties(few, future.scenario, True, rng), world.frailty, rng),
            **{name: _pit(counts, true_classes[name], rng) for name, counts in classes.items()},
        },
        "target": {
            _named(name, horizons[j]): _pit(values, turned_out[name, j], rng)
            for name, j, values in of_targets(targets(future))
        },
    }
    for kind, of in (("density", of_densities), ("parameter", of_parameters), ("effect", of_effects)):
        true = of(truth)
        ranked[kind] = {name: _pit(values, true[name][0], rng) for name, values in of(few).items()}
    return ranked


def _named(target: str, months: int) -> str:
    return target if target.startswith("months_to:") else f"{target}, {months} months"


def _pit(draws: np.ndarray, truth: float | np.ndarray, rng: np.random.Generator) -> float:
    return float(pit(draws, truth, rng))


def _among(weights: np.ndarray, which: int, rng: np.random.Generator) -> float:
    """Return a point at random within a category's step of the distribution function: uniform if that holds."""
    return float(weights[:which].sum() + rng.random() * weights[which])


def _reference(world: World, draws: Draws) -> tuple[tuple[float, ...], ...]:
    """Return the mean probabilities of every reference matter's classes, then its true class."""
    chances = softmax(draws.effects["log_weight"][:, None] + draws.matters.history[:, 1:], axis=2).mean(axis=0)
    return tuple(
        (*(round(float(p), 6) for p in row), float(s)) for row, s in zip(chances, world.classes[1:], strict=True)
    )


def simulated(design: Design, months: float, seed: list[int]) -> World:
    """Return a world of the model as it is."""
    return draw_world(design, months, seed)
