"""What each step of the way moves: every point is valued on one pool of draws, with the same random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from forecast.attribution.bridge import BLOCKS, Bridge
from forecast.attribution.pool import Pool
from forecast.attribution.valuation import VIEWS, Ranked, error, labels, rank, value
from forecast.attribution.way import Point, days_of, points
from forecast.forecasting import Forecast
from forecast.gathered import Evidence
from forecast.outcomes import imagine, inside_weights
from forecast.progress import report, working
from forecast.summaries import targets
from forecast.vocabulary import SCENARIOS


@dataclass(frozen=True)
class Bar:
    """What one step moved, shape row, quantity (rows as in ``valuation``).

    ``sampling``: standard error beside the jackknife's, that of the numbers that forecasts report.
    """

    kind: str
    name: str
    moved: np.ndarray
    sampling: np.ndarray


@dataclass(frozen=True)
class Valued:
    """A way whose points have been valued.

    ``bars``: its steps in order, the error's last. ``effective``: equally weighted draws that the weights of each
    point are worth. ``overlap``: of the fits (``bridge``). ``miss``: how far the ends are from the densities of the two
    forecasts, up to a constant, in nats.
    """

    labels: pd.DataFrame
    bars: list[Bar]
    effective: dict[str, float]
    overlap: float
    miss: float


def valued(before: Forecast, after: Forecast, pool: Pool) -> Valued:
    """Value every point from the earlier forecast to the later one, and return the steps between."""
    told, many = labels(after.outcomes, pool.targets), len(days_of(before, after))
    report(f"Valuing the {many} steps of the matter between the two forecasts, then what came elsewhere")
    bars: list[Bar] = []
    ends: list[tuple[Point, np.ndarray]] = []
    effective: dict[str, float] = {}
    evidence: Evidence | None = None
    with working("Points between the two forecasts", many, "steps") as reached:
        for number, point in enumerate(points(before, after, pool)):
            if point.evidence is not evidence:
                evidence, course = point.evidence, _course(pool, point.evidence)
            weights = pool.bridge.weights(point.log_density)
            now = value(*course, weights)
            effective[point.name] = pool.worth(weights[0])
            if ends:
                bars.append(Bar(point.kind, point.name, now - ends[-1][1], np.zeros(1)))
            ends = [*ends[:1], (point, now)]
            reached(min(number, many))
    (first, start), (last, end) = ends[0], ends[-1]
    bars.append(_error_bar(before, after, told, start, end))
    return Valued(told, bars, effective, pool.bridge.overlap, _miss(pool, first, last))


def _course(pool: Pool, evidence: Evidence) -> tuple[dict[str, np.ndarray], Ranked]:
    """Return the scenarios' probabilities by view and draw, and a simulated future."""
    draws = pool.draws(evidence)
    beside = imagine(draws, np.random.default_rng([pool.seed, 3]), outside=True)
    classes = (beside.scenario[:, None] == np.arange(len(SCENARIOS))).astype(float)
    if not evidence.inside:
        return {"view": classes, "outside": classes}, rank(targets(beside), pool.targets)
    future = imagine(draws, np.random.default_rng([pool.seed, 3]))
    return {"view": inside_weights(draws), "outside": classes}, rank(targets(future), pool.targets)


def _miss(pool: Pool, first: Point, last: Point) -> float:
    ends = zip(pool.bridge.log_density[:2], (first, last), strict=True)
    return float(max(np.ptp(point.log_density - density) for density, point in ends))


def _error_bar(before: Forecast, after: Forecast, told: pd.DataFrame, start: np.ndarray, end: np.ndarray) -> Bar:
    """``(first value - earlier report) + (later report - last value)``; its error from all four."""
    (one, se_one), (two, se_two) = (reported(f, told) for f in (before, after))
    off = (start[0] - one) + (two - end[0])
    sampling = np.sqrt(se_one**2 + se_two**2 + error(end - start) ** 2)
    return Bar("error", "Monte Carlo error", np.tile(off, (1 + BLOCKS, 1)), sampling)


def reported(forecast: Forecast, told: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantities as a forecast's tables give them, and their Monte Carlo errors."""
    names = list(dict.fromkeys(told.loc[told["scenario"] == "all", "target"]))
    n = forecast.outcomes.sizes["draw"]
    even = Bridge(np.zeros((1, n)), np.array([n])).weights(np.zeros(n))
    anything = {view: np.full((n, len(SCENARIOS)), 1 / len(SCENARIOS)) for view in VIEWS}
    errors = error(value(anything, rank(forecast.outcomes, names), even))
    views = forecast.tables["scenarios"].set_index(["view", "scenario"])
    summary = forecast.tables["summary"].set_index(["target", "scenario", "horizon_months"])
    values = []
    for place, (target, scenario, horizon, statistic) in enumerate(told.iloc[:, :4].itertuples(index=False)):
        if target in VIEWS:
            row = views.loc[(forecast.manifest["view"] if target == "view" else target, scenario)]
            p, odds = row["probability"], statistic == "log_odds"
            values.append(logit(p) if odds else p)
            errors[place] = row["mcse"] / (p * (1 - p)) if odds else row["mcse"]
        else:
            values.append(summary.at[(target, scenario, horizon), statistic])
    return np.array(values), errors
