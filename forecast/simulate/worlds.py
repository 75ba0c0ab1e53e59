"""One world: its truth, what came of it, and what is known of it at an origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.conjugate import draw_conjugate
from forecast.parameters import draw_prior, effects, parameters
from forecast.simulate.accounts import stated_months, stretches
from forecast.simulate.design import Design
from forecast.simulate.figures import Figures, Truth, draw_figures
from forecast.simulate.story import Event, Level, Standing, live, reference_hazards
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES

MOST_EVENTS = 1200
"""A world with more events than this, which no record is like, is drawn anew as a whole."""
ATTEMPTS = 1000


@dataclass(frozen=True)
class World:
    """One world; times are in months since ``as_of``.

    ``truth``: every parameter by name, the conjugate ones too. ``scenario``: the focal matter's class since the brief,
    ``frailty`` its frailty. ``classes``: the class of every matter in the reference (of the focal one: of its
    history). ``events``: of all proceedings up to ``months``, the origin; of the focal ones up to the last horizon
    after it. ``closed``: when each proceeding closed (infinite: not by then). ``redrawn``: how many draws were
    thrown away before: worlds in which the matter had no open proceeding when the brief was written, or more events
    in its history and the other matters than ``MOST_EVENTS``. That looks at the data alone and throws away truth and
    data together, which leaves the posterior of the others as it is.
    """

    design: Design
    months: float
    truth: Truth
    effects: Truth
    scenario: int
    frailty: float
    classes: np.ndarray
    events: tuple[Event, ...]
    closed: np.ndarray
    stated_months: np.ndarray
    figures: Figures
    redrawn: int


def draw_world(
    design: Design, months: float, seed: int | list[int], parameters_of: Mapping[str, np.ndarray] | None = None
) -> World:
    """Return one world, observed until ``months`` after the brief's date (rounded to whole days).

    ``parameters_of`` gives the parameters (by name, without an axis of draws), which else come from the prior file.
    Raises ``RuntimeError`` if no world keeps the focal matter open until the brief in a thousand draws.
    """
    rng, months = np.random.default_rng(seed), round(months * DAYS_PER_MONTH) / DAYS_PER_MONTH
    for attempt in range(ATTEMPTS):
        truth = dict(parameters_of) if parameters_of else draw_truth(design, rng)
        world = _draw(design, months, truth, attempt, rng)
        if world is not None:
            return world
    raise RuntimeError(f"in {ATTEMPTS} worlds the matter never stood open at {design.as_of.date()}, or events abounded")


def draw_truth(design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw every parameter from the prior file."""
    spec = design.specification
    drawn = {**draw_prior(parameters(spec, design.coords), 1, rng), **draw_conjugate(spec, None, 1, rng)}
    return {name: values[0] for name, values in drawn.items()}


def _draw(design: Design, months: float, truth: Truth, redrawn: int, rng: np.random.Generator) -> World | None:
    """Draw everything that follows from the parameters; ``None`` where the data are such as no record is like."""
    raw = {name: np.asarray(values)[None] for name, values in truth.items()}
    e = {name: values[0] for name, values in effects(raw, design.constants).items()}
    hazards, closing = reference_hazards(e, design.rows), float(truth["closing_probability"])
    standings = [Standing(r, row) for r, row in enumerate(design.rows)]
    classes, events = _history(standings, hazards, e, closing, months, rng)
    focal = standings[: design.exposure.n_focal]
    foreseen = stated_months(design, focal)
    if len(events) > MOST_EVENTS or (design.exposure.groups and not foreseen.sum(axis=(0, 2)).all()):
        return None
    end = months + design.specification.horizons[-1]
    scenario = int(rng.choice(len(design.constants.pi), p=design.constants.pi))
    frailty = _left_over(focal, events, hazards, e, scenario, rng)
    usual = frailty * np.exp(e["loading"] * e["severity"][scenario])
    level = Level(usual, _stated(design, e, hazards, foreseen, scenario))
    events = sorted(events + live(focal, hazards, level, closing, 0.0, end, rng))
    for standing in standings:  # one decided when it was first seen: its decision closed it, or did not
        if not standing.row.is_observed and (not standing.row.is_decision or rng.random() < closing):
            standing.closed = standing.row.entered
    return World(
        design=design,
        months=months,
        truth=truth,
        effects=e,
        scenario=scenario,
        frailty=frailty,
        classes=classes,
        events=tuple(events),
        closed=np.array([standing.closed for standing in standings]),
        stated_months=foreseen,
        figures=draw_figures(design, truth, e, scenario, events, (months, end), rng),
        redrawn=redrawn,
    )


def _history(
    standings: list[Standing],
    hazards: np.ndarray,
    e: Mapping[str, Any],
    closing: float,
    months: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[Event]]:
    """Let every matter live under its own class and frailty: the focal one up to the brief, others to the origin.

    Return the classes by matter, and the events.
    """
    weights, shape = np.exp(e["log_weight"]), float(e["shape"])
    n_matters = 1 + max(standing.row.matter for standing in standings)
    classes = rng.choice(len(weights), size=n_matters, p=weights / weights.sum())
    events: list[Event] = []
    for m, s in enumerate(classes):
        own = [standing for standing in standings if standing.row.matter == m]
        usual = rng.gamma(shape) / shape * np.exp(e["loading"] * e["severity"][s])
        begin, end = min(standing.row.entered for standing in own), months if m else 0.0
        events += live(own, hazards, Level(usual), closing, begin, end, rng)
    return classes, events


def _left_over(
    focal: list[Standing],
    events: list[Event],
    hazards: np.ndarray,
    e: Mapping[str, Any],
    scenario: int,
    rng: np.random.Generator,
) -> float:
    """Draw the frailty that the matter's history leaves under a scenario: ``Gamma(shape + events, shape + hazard)``."""
    tilt, lived, count = np.exp(e["loading"] * e["severity"][scenario]), 0.0, 0
    for standing in focal:
        own = [event for event in events if event.row == standing.index]
        count += len(own)
        for start, end, cell in stretches(standing.row, own, standing.closed, 0.0):
            lived += (end - start) * float(hazards[standing.index, :, cell] @ tilt)
    return float(rng.gamma(e["shape"] + count) / (e["shape"] + lived))


def _stated(
    design: Design, e: Mapping[str, Any], hazards: np.ndarray, foreseen: np.ndarray, scenario: int
) -> dict[int, list[tuple[float, float]]]:
    """Return by family when each interval ends and the multiplier of the first event's reference hazard in it.

    ``-log(1 - P) / (reference hazard that the analyst foresaw in the interval)``.
    """
    multipliers: dict[int, list[tuple[float, float]]] = {}
    for g, group in enumerate(design.exposure.groups):
        family = FAMILIES.index(group.family)
        reference = sum(hazards[r, family] @ foreseen[r, g] for r in range(len(foreseen)))
        multipliers.setdefault(family, []).append((group.end, float(e["stated"][g, scenario] / reference)))
    return multipliers
