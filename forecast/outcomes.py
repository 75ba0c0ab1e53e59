"""From draws to the future: scenario weights, and every target at every horizon in one joint set of draws.

Each draw takes one scenario from its weights (stratified, so that shares in the draws match the weights), a frailty
given its history, and one simulated course of the matter; fines, appeals, impacts and openings follow from that
course. Every number in every table comes from these draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from forecast.elicitation import logitnormal_from_range, lognormal_from_range
from forecast.inference import Draws
from forecast.likelihood import base_hazards, first_hazards, row_effects, tilts
from forecast.openings import designated_index, opening_rates, other_openings
from forecast.paths import NOTHING, Hazards, Intervention, Paths, Start, simulate_paths
from forecast.penalties import appeals, fine_amounts, first_appeal
from forecast.quantities import ByScenario, Number
from forecast.resolution import PENDING, classify, clauses_of
from forecast.vocabulary import FAMILIES

_INDEX = {family: index for index, family in enumerate(FAMILIES)}


def inside_weights(draws: Draws) -> np.ndarray:
    """Return ``p(s | news, theta)`` under the brief, shape draw, scenario: exactly pi where there is no news."""
    news = draws.matters.news
    weight = draws.evidence.constants.pi * np.exp(news - news.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def outside_weights(draws: Draws) -> np.ndarray:
    """Return ``p(s | history, news, theta)`` under the reference class, shape draw, scenario."""
    return _normalised(draws.effects["log_weight"] + draws.matters.history[:, 0] + draws.matters.news_outside)


def view_weights(draws: Draws) -> np.ndarray:
    """Return the scenario weights of the forecast's own view: inside from the brief's date on, outside before."""
    return inside_weights(draws) if draws.evidence.exposure.inside else outside_weights(draws)


def _normalised(log_weight: np.ndarray) -> np.ndarray:
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def choose_scenarios(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one scenario index per draw, by systematic sampling in random order.

    Draw i is taken with its own weights; shares over all draws differ from mean weights by less than 1 / draws where
    the weights are equal. Raises nothing; ``weights`` rows sum to 1.
    """
    n = len(weights)
    order = rng.permutation(n)
    points = (np.arange(n) + rng.random()) / n
    upto = np.cumsum(weights[order], axis=1)
    chosen = np.empty(n, dtype=np.int64)
    chosen[order] = np.minimum((points[:, None] > upto).sum(axis=1), weights.shape[1] - 1)
    return chosen


@dataclass(frozen=True)
class Future:
    """One simulated course per draw, and what follows from it. Amounts in EUR, times in months from the origin."""

    draws: Draws
    view: str
    scenario: np.ndarray
    paths: Paths
    ceilings: np.ndarray
    fine_path: np.ndarray
    fine_time: np.ndarray
    fine_proceeding: np.ndarray
    fine_amount: np.ndarray
    fine_left: np.ndarray
    fine_ruled: np.ndarray
    appeal_time: np.ndarray
    order_scope: np.ndarray
    order_path: np.ndarray
    order_time: np.ndarray
    brownian: np.ndarray
    other_openings: np.ndarray
    advertising: np.ndarray
    impact_factors: np.ndarray

    def by(self, time: np.ndarray, path: np.ndarray, value: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the sum of ``value`` over entries up to each horizon, shape draw, horizon."""
        n, total = len(self.draws), []
        for horizon in self.horizons:
            total.append(np.bincount(path, (time <= horizon) * value, n))
        return np.stack(total, axis=1)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Months after the origin at which targets are read off the courses, ascending."""
        return self.draws.evidence.specification.horizons

    @cached_property
    def turnover(self) -> np.ndarray:
        """Turnover of the provider, EUR a year, per draw."""
        return np.exp(self.draws.flat["log_turnover"])


def imagine(
    draws: Draws,
    ceilings: np.ndarray,
    instruments: np.ndarray,
    rng: np.random.Generator,
    *,
    scenario: np.ndarray | None = None,
    intervention: Intervention = NOTHING,
) -> Future:
    """Simulate the focal matter from the origin to the last horizon, once per draw.

    ``ceilings``: statutory ceiling of every focal proceeding as a share of turnover, the prior file's where the law
    has none. ``instruments``: index of each in the reference sizes (-1 unknown). ``scenario``: the index of each
    draw's scenario where it is given, else one chosen by the weights. ``intervention``: what acts from the origin on.
    """
    x, spec = draws.evidence.exposure, draws.evidence.specification
    if scenario is None:
        scenario = choose_scenarios(view_weights(draws), rng)
    hazards = focal_hazards(draws, scenario, rng).times(intervention.hazards)
    paths = simulate_paths(hazards, focal_start(draws), spec.horizons[-1], rng)
    fined = paths.family == _INDEX["fine"]
    fine = {"path": paths.path[fined], "time": paths.time[fined], "proceeding": paths.proceeding[fined]}
    amount = fine_amounts(draws, scenario, fine["path"], fine["proceeding"], ceilings, instruments, rng)
    appeal = appeals(draws, fine["path"], fine["time"], amount, rng)
    ordered = paths.family == _INDEX["order"]
    order_path = paths.path[ordered]
    steps = np.diff([0.0, *spec.horizons]) / 12
    return Future(
        draws=draws,
        view="inside" if x.inside else "outside",
        scenario=scenario,
        paths=paths,
        ceilings=ceilings,
        fine_path=fine["path"],
        fine_time=fine["time"],
        fine_proceeding=fine["proceeding"],
        fine_amount=amount,
        fine_left=appeal["left"],
        fine_ruled=appeal["ruled"],
        appeal_time=first_appeal(draws, fine["path"], appeal["filed"], rng),
        order_scope=_scopes(spec.orders, scenario[order_path], rng),
        order_path=order_path,
        order_time=paths.time[ordered],
        brownian=np.cumsum(rng.normal(size=(len(draws), len(steps))) * np.sqrt(steps), axis=1),
        other_openings=other_openings(draws, rng),
        advertising=_advertising(draws, rng),
        impact_factors=intervention.impacts,
    )


def frailties(draws: Draws, scenario: np.ndarray, inside: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the focal frailty given history, news and scenario: ``Gamma(nu + events, nu + hazard)``."""
    m, rows = draws.matters, np.arange(len(draws))
    count, hazard = (m.news_count, m.news_hazard) if inside else (m.news_outside_count, m.news_outside_hazard)
    shape = draws.effects["shape"]
    rate = shape + m.hazard[rows, 0, scenario] + hazard[rows, scenario]
    return rng.gamma(shape + m.count[0] + count) / rate


def focal_hazards(draws: Draws, scenario: np.ndarray, rng: np.random.Generator) -> Hazards:
    """Return the hazards of the focal matter given one scenario per draw: the brief's for first stated events."""
    x, spec, e = draws.evidence.exposure, draws.evidence.specification, draws.effects
    rows = np.arange(len(draws))
    base, effect = base_hazards(e), row_effects(e, x)[:, : x.n_focal]
    horizons = max([len([g for g in x.groups if g.family == f]) for f in FAMILIES], default=0) or 1
    multiplier = np.zeros((len(draws), len(FAMILIES), horizons))
    ends = np.zeros((len(FAMILIES), horizons))
    if x.inside and x.groups:
        _, of_group = first_hazards(e, x, base, effect)
        for g, group in enumerate(x.groups):
            multiplier[:, _INDEX[group.family], group.interval] = of_group[rows, g, scenario]
            ends[_INDEX[group.family], group.interval] = group.end
    return Hazards(
        base=base,
        effect=effect,
        tilt=tilts(e)[rows, :, scenario],
        frailty=frailties(draws, scenario, x.inside, rng),
        multiplier=multiplier,
        ends=ends,
        closing=draws.flat["closing_probability"],
        opening=opening_rates(draws, designated_index(draws), rng),
        raising=np.array([f in spec.openings.raised_by for f in FAMILIES]),
        raised_months=spec.openings.raised_months.value,
    )


def focal_start(draws: Draws) -> Start:
    """Return where the focal matter stands at the origin."""
    x, o, provider = draws.evidence.exposure, draws.evidence.observations, designated_index(draws)
    n = x.n_focal
    return Start(
        age=x.age[:n],
        stage=x.stage[:n],
        is_open=x.is_open[:n],
        happened=x.happened,
        elapsed=x.elapsed,
        raised_until=max(float(o.opening_raised_left[provider]), 0.0) if provider >= 0 else 0.0,
    )


def _scopes(orders: object, scenario: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the scope of each order: 0 specific, 1 extensive, 2 filtering."""
    extensive = per_scenario(orders.extensive)[scenario]  # type: ignore[attr-defined]
    filtering = per_scenario(orders.filtering)[scenario]  # type: ignore[attr-defined]
    u = rng.random(len(scenario))
    return np.where(u < filtering, 2, np.where(u < filtering + extensive, 1, 0))


def per_scenario(numbers: ByScenario[Number]) -> np.ndarray:
    """Return the values of one number per scenario."""
    return np.array([number.value for _, number in numbers.items()])


def _advertising(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    """Draw the advertising revenue of the region, EUR a year (zero where the prior file states none)."""
    stated = draws.evidence.specification.advertising
    if stated is None:
        return np.zeros(len(draws))
    revenue = lognormal_from_range(stated.revenue.low, stated.revenue.high, stated.revenue.mass)
    share = logitnormal_from_range(stated.region_share.low, stated.region_share.high, stated.region_share.mass)
    return rng.lognormal(*revenue, len(draws)) * expit(rng.normal(*share, len(draws)))


def resolve(future: Future) -> np.ndarray:
    """Return the resolution rule's answer at each horizon, shape draw, horizon, as an index into ``RESOLUTIONS``.

    What counts are events and fines after ``as_of`` and within ``resolution.months`` of it. Before the last horizon a
    matter of which nothing decisive has been seen is pending; at the last one it is limited.
    """
    x, o = future.draws.evidence.exposure, future.draws.evidence.observations
    rule = future.draws.evidence.specification.resolution
    limit = rule.months.value - max(x.elapsed, 0.0)
    first = np.where(future.paths.first_any <= limit, future.paths.first_any, np.inf)
    horizons = np.array(future.horizons)
    seen = {f: (f in o.resolved_families) | (first[:, i, None] <= horizons) for f, i in _INDEX.items()}
    scopes = {
        scope: (scope in o.resolved_order_scopes)
        | (future.by(np.where(future.order_time <= limit, future.order_time, np.inf), future.order_path,
                     (future.order_scope == code).astype(float)) > 0)
        for scope, code in (("extensive", 1), ("filtering", 2))
    }  # fmt: skip
    timely = np.where(future.fine_time <= limit, future.fine_time, np.inf)
    fines = o.resolved_fine_total + future.by(timely, future.fine_path, future.fine_amount)
    none_open = not x.is_open[: x.n_focal].any()  # closed before the origin: no path can close it again
    closed = (future.paths.all_closed[:, None] <= np.minimum(horizons, limit)) | none_open
    answer = classify(clauses_of(rule), seen, scopes, fines, closed)
    answer[:, -1] = np.where(answer[:, -1] == PENDING, 0, answer[:, -1])
    return answer


def fine_left(future: Future) -> np.ndarray:
    """Return what is left of the fines imposed by each horizon, after the rulings known by then, EUR."""
    imposed = future.by(future.fine_time, future.fine_path, future.fine_amount)
    return imposed - future.by(future.fine_ruled, future.fine_path, future.fine_amount - future.fine_left)
