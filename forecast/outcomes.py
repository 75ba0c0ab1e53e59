"""From draws to the future: scenario weights, and every target at every horizon in one joint set of draws.

Inside, each draw takes one scenario from its weights (stratified, so that shares in the draws match the weights), a
tempo given scenario and news, and one simulated course of the matter. Outside there are no scenarios: each draw takes
one course at the reference hazards, and the resolution rule says of which class it is. Fines, appeals, impacts and
openings follow from the course. Every number in every table comes from these draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit

from forecast.elicitation import logitnormal_from_range, lognormal_from_range
from forecast.inference import Draws
from forecast.model.focal import multipliers_by_family
from forecast.penalties import appeals, appeals_of_old_fines, fine_amounts, reference_amounts
from forecast.projection.courses import hazards_of, kinds_of, start_of
from forecast.projection.drivers import Hazards, Law
from forecast.projection.openings import opening_rates, other_openings, raised_left
from forecast.projection.paths import Paths, simulate_paths
from forecast.quantities import IMPACTS
from forecast.resolution import PENDING, classify, clauses_of
from forecast.vocabulary import FAMILIES

_INDEX = {family: index for index, family in enumerate(FAMILIES)}


@dataclass(frozen=True)
class Intervention:
    """An assumption about what acts on a matter from now on, never evidence: ``do(lever)``.

    ``hazards``: multiplier of each family's hazards. ``impacts``: multiplier of each impact at full size.
    """

    hazards: np.ndarray
    impacts: np.ndarray


NOTHING = Intervention(np.ones(len(FAMILIES)), np.ones(len(IMPACTS)))
"""No intervention."""


def inside_weights(draws: Draws) -> np.ndarray:
    """Return ``p(s | news, theta)`` under the brief, shape draw, scenario: exactly pi where there is no news."""
    news = draws.log_news
    weight = draws.evidence.pi * np.exp(news - news.max(axis=1, keepdims=True))
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
    """One simulated course per draw, and what follows from it. Amounts in EUR, times in months from the origin.

    ``scenario``: that of each draw; outside, the class to which its course resolves. ``fine_*``: one entry per fine.
    """

    draws: Draws
    view: str
    scenario: np.ndarray
    paths: Paths
    fine_path: np.ndarray
    fine_time: np.ndarray
    fine_proceeding: np.ndarray
    fine_amount: np.ndarray
    fine_left: np.ndarray
    fine_ruled: np.ndarray
    appeal_time: np.ndarray
    old_appeal_time: np.ndarray
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


def courses(
    draws: Draws,
    rng: np.random.Generator,
    months: float,
    *,
    scenario: np.ndarray | None,
    intervention: Intervention = NOTHING,
) -> Paths:
    """Simulate the focal matter from the origin on, once per draw.

    ``scenario``: index of each draw's scenario; ``None``: at the reference hazards alone, the outside view.
    """
    e, spec = draws.evidence, draws.evidence.specification
    regime, o, day = e.regime, e.observations, e.origin.toordinal()
    kinds = kinds_of(e.focal, regime, o.opening_classes)
    hazards = hazards_of(
        draws.flat,
        regime,
        kinds,
        day,
        draws.flat["closing_probability"],
        opening=opening_rates(draws.flat, o, spec.provider_group, rng),
    )
    hazards = with_scenario(hazards, draws, scenario, rng)
    hazards = hazards._replace(level=hazards.level + np.log(intervention.hazards))
    start = start_of(
        e.focal,
        regime,
        day,
        evidence=None if scenario is None else e.hazards,
        raised_until=raised_left(o, spec.provider_group),
    )
    law = Law.of(regime, spec.openings.raised_by, spec.openings.raised_months.value)
    seeds = rng.integers(0, 2**32, len(draws), dtype=np.uint64)
    return simulate_paths(hazards, start, kinds, law, regime.rule_table, months, seeds)


def with_scenario(hazards: Hazards, draws: Draws, scenario: np.ndarray | None, rng: np.random.Generator) -> Hazards:
    """Return hazards whose first stated events follow one scenario per draw, at a tempo given scenario and news."""
    if scenario is None or draws.news is None:
        return hazards
    rows, news = np.arange(len(draws)), draws.news
    tempo = rng.gamma(news.shape, size=len(draws)) / news.rate[rows, scenario]
    chosen = np.moveaxis(news.multiplier, 2, 1)[rows, scenario] * trend_since_brief(draws)[:, None]
    table = multipliers_by_family(chosen, draws.evidence.statements, len(draws.evidence.regime.families))
    return hazards._replace(tempo=tempo, multiplier=table)


def trend_since_brief(draws: Draws) -> np.ndarray:
    """Return the factor that takes the trend since ``as_of`` out of hazards at the origin: statements know of none."""
    e, time = draws.evidence, draws.evidence.regime.time
    days = np.array([e.specification.as_of.toordinal(), e.origin.toordinal()]) - 0.5 - time.reference.toordinal()
    before, now = time.year(days)
    return np.exp(draws.flat["trend"] * (before - now))


def imagine(
    draws: Draws,
    rng: np.random.Generator,
    *,
    scenario: np.ndarray | None = None,
    intervention: Intervention = NOTHING,
    outside: bool = False,
    paths: Paths | None = None,
) -> Future:
    """Simulate the focal matter from the origin to the last horizon, once per draw.

    ``scenario``: the index of each draw's scenario where it is given, else one chosen by the weights. ``intervention``:
    what acts from the origin on. ``outside``: the outside view, also where the brief has a say. ``paths``: courses of
    ``courses`` that are at hand already; what follows from them is drawn alone.
    """
    e, spec = draws.evidence, draws.evidence.specification
    outside = outside or not e.inside
    if scenario is None and not outside:
        scenario = choose_scenarios(inside_weights(draws), rng)
    chosen = None if outside else scenario
    if paths is None:
        paths = courses(draws, rng, spec.horizons[-1], scenario=chosen, intervention=intervention)
    fined = paths.family == _INDEX["fine"]
    path, time, proceeding = paths.path[fined], paths.time[fined], paths.proceeding[fined]
    place = _places(paths, path, proceeding, len(e.focal))
    ceilings, instruments = e.statute.ceilings[place], e.statute.instruments[place]
    if chosen is None:
        amount = reference_amounts(draws, path, ceilings, instruments, rng)
    else:
        amount = fine_amounts(draws, chosen, path, ceilings, rng)
    appeal = appeals(draws, path, time, amount, rng)
    first_appeal = np.full(len(draws), np.inf)
    np.minimum.at(first_appeal, path, appeal["filed"])
    steps = np.diff([0.0, *spec.horizons]) / 12
    future = Future(
        draws=draws,
        view="outside" if outside else "inside",
        scenario=np.zeros(len(draws), dtype=np.int64) if chosen is None else chosen,
        paths=paths,
        fine_path=path,
        fine_time=time,
        fine_proceeding=proceeding,
        fine_amount=amount,
        fine_left=appeal["left"],
        fine_ruled=appeal["ruled"],
        appeal_time=first_appeal,
        old_appeal_time=appeals_of_old_fines(draws, rng),
        brownian=np.cumsum(rng.normal(size=(len(draws), len(steps))) * np.sqrt(steps), axis=1),
        other_openings=other_openings(draws.flat, e.observations, spec.provider_group, spec.horizons, rng),
        advertising=_advertising(draws, rng),
        impact_factors=intervention.impacts,
    )
    return replace(future, scenario=resolve(future)[:, -1]) if outside else future


def _places(paths: Paths, path: np.ndarray, proceeding: np.ndarray, old: int) -> np.ndarray:
    """Return the place of each event's proceeding in ``Statute``: old ones as they are, new ones by their kind."""
    counts = np.bincount(paths.new_path, minlength=paths.n)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    if not len(paths.new_kind):
        return proceeding
    number = np.minimum(starts[path] + np.maximum(proceeding - old, 0), len(paths.new_kind) - 1)
    return np.where(proceeding < old, proceeding, paths.new_kind[number])


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

    What counts are events and fines after ``as_of`` and within ``resolution.months`` of it (before ``as_of``: of the
    origin). Before the last horizon a matter of which nothing decisive has been seen is pending; at the last one it is
    limited.
    """
    e, seen = future.draws.evidence, future.draws.evidence.observations.resolved
    rule = clauses_of(e.specification.resolution)
    limit = e.specification.resolution.months.value - max(e.elapsed, 0.0)
    horizons = np.minimum(np.array(future.horizons), limit)
    first = future.paths.first
    came = {f: (f in seen.families) | (first[:, i, None] <= horizons) for f, i in _INDEX.items()}
    timely = np.where(future.fine_time <= limit, future.fine_time, np.inf)
    fines = seen.fine_total + future.by(timely, future.fine_path, future.fine_amount)
    none_open = not any(life.at_risk for life in e.focal)  # closed before the origin: no path can close it again
    closed = (future.paths.all_closed[:, None] <= horizons) | none_open
    answer = classify(rule, came, fines, _related(future, rule.serious_fines, horizons), closed)
    answer[:, -1] = np.where(answer[:, -1] == PENDING, 0, answer[:, -1])
    return answer


def _related(future: Future, large: float, horizons: np.ndarray) -> np.ndarray:
    """Return whether an executive charge stands beside a fine of its proceeding or a large one, shape draw, horizon."""
    e, n, paths = future.draws.evidence, len(future.draws), future.paths
    seen, cases = e.observations.resolved, [life.case_id for life in e.focal]
    width = max(len(cases), int(paths.proceeding.max(initial=-1)) + 1)
    charged, fined = np.full((2, n, width), np.inf)
    for c, case in enumerate(cases):
        charged[:, c] = 0.0 if case in seen.charged else np.inf
        fined[:, c] = 0.0 if case in seen.fined else np.inf
    is_charge = paths.family == _INDEX["executive"]
    np.minimum.at(charged, (paths.path[is_charge], paths.proceeding[is_charge]), paths.time[is_charge])
    np.minimum.at(fined, (future.fine_path, future.fine_proceeding), future.fine_time)
    large_at = np.full(n, 0.0 if any(amount >= large for amount in seen.fined.values()) else np.inf)
    is_large = future.fine_amount >= large
    np.minimum.at(large_at, future.fine_path[is_large], future.fine_time[is_large])
    together = np.minimum(
        np.maximum(charged, fined).min(axis=1, initial=np.inf),
        np.maximum(charged.min(axis=1, initial=np.inf), large_at),
    )
    return together[:, None] <= horizons


def fine_left(future: Future) -> np.ndarray:
    """Return what is left of the fines imposed by each horizon, after the rulings known by then, EUR."""
    imposed = future.by(future.fine_time, future.fine_path, future.fine_amount)
    return imposed - future.by(future.fine_ruled, future.fine_path, future.fine_amount - future.fine_left)
