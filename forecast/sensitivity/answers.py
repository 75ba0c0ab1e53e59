"""The headline answers of a forecast, with all draws under all scenarios, for any weights of the draws.

Every draw is simulated under each scenario and weighs ``w_i p_i(s)``: probabilities of the scenarios then move answers
exactly, and two readings of one brief share their random numbers. What follows from a course, amounts of fines first of
all, has random numbers of its own, so that other ranges, or another turnover, leave every course as it was. Errors
leave out blocks of draws (``valuation``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from forecast.attribution import valuation
from forecast.attribution.bridge import BLOCKS
from forecast.inference import Draws
from forecast.outcomes import Future, courses, imagine
from forecast.projection.paths import Paths
from forecast.summaries import TARGET_FAMILIES, targets
from forecast.vocabulary import SCENARIOS

EVENTS = (*TARGET_FAMILIES, "all_closed", "appeal")
TARGETS = (
    *(f"resolved_scenario:{name}" for name in SCENARIOS),
    *(f"event:{name}" for name in EVENTS),
    *("fine_imposed", "fine_largest", "fine_left"),
    *("valuation_impact", "user_attrition", "moderation_spending"),
    *("cost:moderation", "cost:advertising", "total_cost"),
)
"""The headline targets; those are left out that a forecast does not have."""
KEYS = ["target", "scenario", "horizon_months", "statistic", "unit"]
"""What names an answer: as in the summary of a forecast, or ``view`` and ``outside`` of a scenario now."""
COURSES, AMOUNTS = 10, 11
"""Streams of random numbers: of courses, and of what follows from them."""


def simulated(draws: Draws, seed: int, replicate: int = 0) -> tuple[Paths, ...]:
    """Return a course of every draw under each scenario, and last one in the outside view: that alone before the brief.

    Every ``replicate`` is another set of courses.
    """
    months = draws.evidence.specification.horizons[-1]
    return tuple(
        courses(draws, np.random.default_rng([seed, COURSES, place, replicate]), months, scenario=scenario)
        for place, scenario in enumerate(_scenarios(draws))
    )


def futures(draws: Draws, paths: Sequence[Paths], seed: int, replicate: int = 0) -> tuple[Future, ...]:
    """Return what follows from the courses of ``simulated`` for ``draws``, which may be of another reading."""
    return tuple(
        imagine(
            draws,
            np.random.default_rng([seed, AMOUNTS, place, replicate]),
            scenario=scenario,
            outside=scenario is None,
            paths=own,
        )
        for place, (scenario, own) in enumerate(zip(_scenarios(draws), paths, strict=True))
    )


def _scenarios(draws: Draws) -> list[np.ndarray | None]:
    inside = range(len(SCENARIOS)) if draws.evidence.inside else ()
    return [*(np.full(len(draws), s) for s in inside), None]


def of_classes(outside: Future) -> np.ndarray:
    """Return to which class each draw's course in the outside view resolves: draw, scenario, ones and zeros."""
    return np.eye(len(SCENARIOS))[outside.scenario]


def own_view(simulated_futures: Sequence[Future]) -> Sequence[Future]:
    """Return the futures of the forecast's own view: one per scenario, or the outside one before the brief."""
    return simulated_futures[:-1] or simulated_futures


def headline(future: Future) -> xr.Dataset:
    """Return the draws of the headline targets."""
    drawn = targets(future)
    return drawn[[name for name in TARGETS if name in drawn]]


class Answers:
    """The answers that the futures of all draws imply, for weights of the draws.

    ``labels``: what each answer is, columns ``KEYS``. ``view``: probability of each scenario by draw in the forecast's
    view.
    """

    def __init__(self, every: Sequence[Future], view: np.ndarray):
        drawn = xr.concat([headline(future) for future in own_view(every)], dim="draw")
        names = [str(name) for name in drawn.data_vars]
        self._ranked = valuation.rank(drawn, names)
        table = valuation.labels(drawn, names)
        self._wanted = (table["statistic"] != "log_odds").to_numpy()
        self.labels: pd.DataFrame = table.loc[self._wanted].reset_index(drop=True)
        count = len(own_view(every))
        self._joint = view if count > 1 else np.ones((len(view), 1))
        chances = {"view": view, "outside": of_classes(every[-1])}
        self._chances = {name: np.tile(values, (count, 1)) for name, values in chances.items()}

    def value(self, weight: np.ndarray) -> np.ndarray:
        """Return the answers for weights of the draws, shape 1 + blocks, answer: all draws, then without each block."""
        block = np.arange(len(weight)) * BLOCKS // len(weight)
        kept = np.vstack([np.ones(len(weight)), np.arange(BLOCKS)[:, None] != block])
        rows = kept * weight
        rows /= rows.sum(axis=1, keepdims=True)
        joint = np.concatenate([rows * chance for chance in self._joint.T], axis=1)
        return valuation.value(self._chances, self._ranked, joint)[:, self._wanted]
